package identity

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/policy"
)

func (g *rig) group(name string) iam.Group {
	g.t.Helper()
	return must(iamDo(g, g.caller(g.root), "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: name}))(g.t).Group
}

func (g *rig) join(group, user string) error {
	_, err := iamDo(g, g.caller(g.root), "AddUserToGroup", g.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: group, UserName: user})
	return err
}

func (g *rig) leave(group, user string) error {
	_, err := iamDo(g, g.caller(g.root), "RemoveUserFromGroup", g.RemoveUserFromGroup, &iam.RemoveUserFromGroupRequest{GroupName: group, UserName: user})
	return err
}

func (g *rig) putGroupPolicy(group, name, document string) error {
	_, err := iamDo(g, g.caller(g.root), "PutGroupPolicy", g.PutGroupPolicy, &iam.PutGroupPolicyRequest{GroupName: group, PolicyName: name, PolicyDocument: document})
	return err
}

func (g *rig) attachGroupPolicy(group, policyARN string) error {
	_, err := iamDo(g, g.caller(g.root), "AttachGroupPolicy", g.AttachGroupPolicy, &iam.AttachGroupPolicyRequest{GroupName: group, PolicyArn: policyARN})
	return err
}

func (g *rig) deleteGroup(name string) error {
	_, err := iamDo(g, g.caller(g.root), "DeleteGroup", g.DeleteGroup, &iam.DeleteGroupRequest{GroupName: name})
	return err
}

func TestGroups(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		made := must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "Admins", Path: new("/eng/")}))(t).Group
		if made.Arn != "arn:aws:iam::123456789012:group/eng/Admins" || made.Path != "/eng/" || made.GroupName != "Admins" ||
			!regexp.MustCompile(`^AGPA[A-Z2-7]{17}$`).MatchString(made.GroupId) || !made.CreateDate.Equal(g.now()) {
			t.Errorf("made %+v", made)
		}
		_, err := iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "admins"})
		wantCode(t, err, "EntityAlreadyExists", "Group with name admins already exists.")
		got := must(iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "ADMINS"}))(t)
		if got.Group != made || got.Users == nil || len(got.Users) != 0 || *got.IsTruncated {
			t.Errorf("got %+v", got)
		}
		update := func(name string, newName, newPath *string) error {
			_, err := iamDo(g, root, "UpdateGroup", g.UpdateGroup, &iam.UpdateGroupRequest{GroupName: name, NewGroupName: newName, NewPath: newPath})
			return err
		}
		g.group("Ops")
		wantCode(t, update("ops", new("ADMINS"), nil), "EntityAlreadyExists", "Group with name ADMINS already exists.")
		wantCode(t, update("ops", new("OPS"), nil), "", "")
		wantCode(t, update("ops", nil, nil), "", "")
		wantCode(t, update("Admins", new("root"), new("/")), "", "")
		renamed := must(iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "root"}))(t).Group
		if renamed.Arn != "arn:aws:iam::123456789012:group/root" || renamed.GroupId != made.GroupId || !renamed.CreateDate.Equal(made.CreateDate) {
			t.Errorf("renamed to %+v", renamed)
		}
		wantCode(t, g.deleteGroup("ROOT"), "", "")
		wantCode(t, g.deleteGroup("root"), "NoSuchEntity", "The group with name root cannot be found.")
	})
}

// Every operation on a group that there is not says so.
func TestNoSuchGroup(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("u", "")
		admin := "arn:aws:iam::aws:policy/AdministratorAccess"
		for name, call := range map[string]func() error{
			"GetGroup": func() error {
				_, err := iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "x"})
				return err
			},
			"UpdateGroup": func() error {
				_, err := iamDo(g, root, "UpdateGroup", g.UpdateGroup, &iam.UpdateGroupRequest{GroupName: "x", NewGroupName: new("y")})
				return err
			},
			"DeleteGroup":         func() error { return g.deleteGroup("x") },
			"AddUserToGroup":      func() error { return g.join("x", "u") },
			"RemoveUserFromGroup": func() error { return g.leave("x", "u") },
			"PutGroupPolicy":      func() error { return g.putGroupPolicy("x", "p", allow("*")) },
			"AttachGroupPolicy":   func() error { return g.attachGroupPolicy("x", admin) },
			"GetGroupPolicy": func() error {
				_, err := iamDo(g, root, "GetGroupPolicy", g.GetGroupPolicy, &iam.GetGroupPolicyRequest{GroupName: "x", PolicyName: "p"})
				return err
			},
			"DeleteGroupPolicy": func() error {
				_, err := iamDo(g, root, "DeleteGroupPolicy", g.DeleteGroupPolicy, &iam.DeleteGroupPolicyRequest{GroupName: "x", PolicyName: "p"})
				return err
			},
			"ListGroupPolicies": func() error {
				_, err := iamDo(g, root, "ListGroupPolicies", g.ListGroupPolicies, &iam.ListGroupPoliciesRequest{GroupName: "x"})
				return err
			},
			"DetachGroupPolicy": func() error {
				_, err := iamDo(g, root, "DetachGroupPolicy", g.DetachGroupPolicy, &iam.DetachGroupPolicyRequest{GroupName: "x", PolicyArn: admin})
				return err
			},
			"ListAttachedGroupPolicies": func() error {
				_, err := iamDo(g, root, "ListAttachedGroupPolicies", g.ListAttachedGroupPolicies, &iam.ListAttachedGroupPoliciesRequest{GroupName: "x"})
				return err
			},
		} {
			t.Run(name, func(t *testing.T) { wantCode(t, call(), "NoSuchEntity", "The group with name x cannot be found.") })
		}
	})
}

func TestGroupDeletionConflicts(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.group("g")
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "u"}))(t)
		p := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("iot:*")}))(t).Policy.Arn
		wantCode(t, g.attachGroupPolicy("g", p), "", "")
		wantCode(t, g.putGroupPolicy("g", "inline", allow("iot:*")), "", "")
		wantCode(t, g.join("g", "u"), "", "")

		_, err := iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: p})
		wantCode(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
		wantCode(t, g.deleteGroup("g"), "DeleteConflict", "Cannot delete entity, must detach all policies first.")
		must(iamDo(g, root, "DetachGroupPolicy", g.DetachGroupPolicy, &iam.DetachGroupPolicyRequest{GroupName: "g", PolicyArn: p}))(t)
		wantCode(t, g.deleteGroup("g"), "DeleteConflict", "Cannot delete entity, must delete policies first.")
		must(iamDo(g, root, "DeleteGroupPolicy", g.DeleteGroupPolicy, &iam.DeleteGroupPolicyRequest{GroupName: "g", PolicyName: "inline"}))(t)
		wantCode(t, g.deleteGroup("g"), "DeleteConflict", "Cannot delete entity, must remove users from group first.")

		wantCode(t, g.password("u", goodPassword), "", "")
		del := func() error {
			_, err := iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "u"})
			return err
		}
		wantCode(t, del(), "DeleteConflict", "Cannot delete entity, must delete login profile first.")
		must(iamDo(g, root, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: new("u")}))(t)
		wantCode(t, del(), "DeleteConflict", "Cannot delete entity, must remove users from group first.")
		wantCode(t, g.leave("g", "u"), "", "")
		wantCode(t, del(), "", "")
		wantCode(t, g.deleteGroup("g"), "", "")
		_, err = iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: p})
		wantCode(t, err, "", "")
	})
}

func TestGroupMembers(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.group("Many")
		for i := range 5 {
			name := fmt.Sprintf("U%d", i)
			must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: name, Tags: []iam.Tag{{Key: "k", Value: "v"}}}))(t)
			wantCode(t, g.join("many", strings.ToLower(name)), "", "")
		}
		wantCode(t, g.join("many", "U0"), "", "") // again
		wantCode(t, g.join("many", "nobody"), "NoSuchEntity", "The user with name nobody cannot be found.")
		wantCode(t, g.leave("many", "nobody"), "NoSuchEntity", "The user with name nobody cannot be found.")
		var names []string
		in := &iam.GetGroupRequest{GroupName: "many", MaxItems: new(int64(2))}
		for pages := 1; ; pages++ {
			out := must(iamDo(g, root, "GetGroup", g.GetGroup, in))(t)
			for _, u := range out.Users {
				names = append(names, *u.UserName)
				if u.Tags != nil || u.PasswordLastUsed != nil || !strings.HasPrefix(u.UserId, "AIDA") {
					t.Errorf("user %+v", u)
				}
			}
			if !*out.IsTruncated {
				if pages != 3 || out.Marker != nil {
					t.Errorf("%d pages", pages)
				}
				break
			}
			in.Marker = out.Marker
		}
		if s := strings.Join(names, " "); s != "U0 U1 U2 U3 U4" {
			t.Errorf("users %s", s)
		}
		g.group("other")
		_, err := iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "other", Marker: in.Marker})
		wantCode(t, err, "ValidationError", "Invalid Marker.")

		wantCode(t, g.leave("many", "u4"), "", "")
		wantCode(t, g.leave("many", "u4"), "NoSuchEntity", "User U4 not in group Many")
		if n := len(must(iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "many"}))(t).Users); n != 4 {
			t.Errorf("%d users", n)
		}

		for i := range maxGroups {
			g.group(fmt.Sprintf("G%d", i))
			wantCode(t, g.join(fmt.Sprintf("G%d", i), "U4"), "", "")
		}
		wantCode(t, g.join("many", "U4"), "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
		wantCode(t, g.join("G3", "U4"), "", "") // is there
		names = nil
		list := &iam.ListGroupsForUserRequest{UserName: "u4", MaxItems: new(int64(4))}
		for {
			out := must(iamDo(g, root, "ListGroupsForUser", g.ListGroupsForUser, list))(t)
			for _, e := range out.Groups {
				names = append(names, e.GroupName)
			}
			if !*out.IsTruncated {
				break
			}
			list.Marker = out.Marker
		}
		if s := strings.Join(names, " "); s != "G0 G1 G2 G3 G4 G5 G6 G7 G8 G9" {
			t.Errorf("groups %s", s)
		}
		_, err = iamDo(g, root, "ListGroupsForUser", g.ListGroupsForUser, &iam.ListGroupsForUserRequest{UserName: "u1", Marker: list.Marker})
		wantCode(t, err, "ValidationError", "Invalid Marker.")
		_, err = iamDo(g, root, "ListGroupsForUser", g.ListGroupsForUser, &iam.ListGroupsForUserRequest{UserName: "nobody"})
		wantCode(t, err, "NoSuchEntity", "The user with name nobody cannot be found.")
	})
}

func TestListGroups(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for i := range 7 {
			path := "/"
			if i%2 == 1 {
				path = "/odd/"
			}
			must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: fmt.Sprintf("G%d", i), Path: &path}))(t)
		}
		list := func(in iam.ListGroupsRequest) string {
			var names []string
			for {
				out := must(iamDo(g, root, "ListGroups", g.ListGroups, &in))(t)
				for _, e := range out.Groups {
					names = append(names, e.GroupName)
				}
				if !*out.IsTruncated {
					return strings.Join(names, " ")
				}
				in.Marker = out.Marker
			}
		}
		if s := list(iam.ListGroupsRequest{MaxItems: new(int64(3))}); s != "G0 G1 G2 G3 G4 G5 G6" {
			t.Errorf("groups %s", s)
		}
		if s := list(iam.ListGroupsRequest{PathPrefix: new("/odd/"), MaxItems: new(int64(1))}); s != "G1 G3 G5" {
			t.Errorf("groups under /odd/: %s", s)
		}
		_, err := iamDo(g, root, "ListGroups", g.ListGroups, &iam.ListGroupsRequest{Marker: new("x")})
		wantCode(t, err, "ValidationError", "Invalid Marker.")
		_, creds := g.user("u", "")
		_, err = iamDo(g, g.caller(creds), "ListGroups", g.ListGroups, &iam.ListGroupsRequest{})
		wantCode(t, err, "AccessDenied", "on resource: arn:aws:iam::123456789012:group/ because")

		for i := range 300 - 7 {
			g.group(fmt.Sprintf("more%d", i))
		}
		_, err = iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "last"})
		wantCode(t, err, "LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 300")
	})
}

func TestGroupPolicies(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.group("Eng")
		wantCode(t, g.putGroupPolicy("eng", "p", allow("iot:*")), "", "")
		wantCode(t, g.putGroupPolicy("eng", "q", deny("iot:*")), "", "")
		got := must(iamDo(g, root, "GetGroupPolicy", g.GetGroupPolicy, &iam.GetGroupPolicyRequest{GroupName: "eng", PolicyName: "q"}))(t)
		if doc, err := url.PathUnescape(got.PolicyDocument); err != nil || doc != deny("iot:*") || got.GroupName != "Eng" || got.PolicyName != "q" {
			t.Errorf("got %+v", got)
		}
		first := must(iamDo(g, root, "ListGroupPolicies", g.ListGroupPolicies, &iam.ListGroupPoliciesRequest{GroupName: "eng", MaxItems: new(int64(1))}))(t)
		rest := must(iamDo(g, root, "ListGroupPolicies", g.ListGroupPolicies, &iam.ListGroupPoliciesRequest{GroupName: "eng", Marker: first.Marker}))(t)
		if first.PolicyNames[0] != "p" || !*first.IsTruncated || rest.PolicyNames[0] != "q" || *rest.IsTruncated {
			t.Errorf("policies %v, %v", first.PolicyNames, rest.PolicyNames)
		}
		drop := func() error {
			_, err := iamDo(g, root, "DeleteGroupPolicy", g.DeleteGroupPolicy, &iam.DeleteGroupPolicyRequest{GroupName: "eng", PolicyName: "q"})
			return err
		}
		wantCode(t, drop(), "", "")
		wantCode(t, drop(), "NoSuchEntity", "The group policy with name q cannot be found.")
		_, err := iamDo(g, root, "GetGroupPolicy", g.GetGroupPolicy, &iam.GetGroupPolicyRequest{GroupName: "eng", PolicyName: "q"})
		wantCode(t, err, "NoSuchEntity", "The group policy with name q cannot be found.")
		wantCode(t, g.putGroupPolicy("eng", "bad", `{"Version":"2012-10-17"}`), "MalformedPolicyDocument", "")
		wantCode(t, g.putGroupPolicy("eng", "large", allow("iot:"+strings.Repeat("x", 5120))), "LimitExceeded", "Maximum policy size of 5120 bytes exceeded for group Eng")

		arns := make([]string, maxAttached+1)
		for i := range arns {
			arns[i] = *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: fmt.Sprint("p", i), PolicyDocument: allow("*")}))(t).Policy.Arn
		}
		for _, a := range arns[:maxAttached] {
			wantCode(t, g.attachGroupPolicy("eng", a), "", "")
		}
		wantCode(t, g.attachGroupPolicy("eng", arns[0]), "", "") // is there
		wantCode(t, g.attachGroupPolicy("eng", arns[maxAttached]), "LimitExceeded", "Cannot exceed quota for PoliciesPerGroup: 10")
		wantCode(t, g.attachGroupPolicy("eng", "arn:aws:iam::123456789012:policy/none"), "NoSuchEntity", "Policy arn:aws:iam::123456789012:policy/none does not exist or is not attachable.")
		wantCode(t, g.attachGroupPolicy("eng", "no arn, but of some length"), "ValidationError", "Invalid ARN:  Could not be parsed!")
		attached := must(iamDo(g, root, "ListAttachedGroupPolicies", g.ListAttachedGroupPolicies, &iam.ListAttachedGroupPoliciesRequest{GroupName: "eng", MaxItems: new(int64(7))}))(t)
		more := must(iamDo(g, root, "ListAttachedGroupPolicies", g.ListAttachedGroupPolicies, &iam.ListAttachedGroupPoliciesRequest{GroupName: "eng", Marker: attached.Marker}))(t)
		if len(attached.AttachedPolicies) != 7 || len(more.AttachedPolicies) != 3 || *more.AttachedPolicies[2].PolicyArn != arns[9] {
			t.Errorf("attached %d and %d", len(attached.AttachedPolicies), len(more.AttachedPolicies))
		}
		none := must(iamDo(g, root, "ListAttachedGroupPolicies", g.ListAttachedGroupPolicies, &iam.ListAttachedGroupPoliciesRequest{GroupName: "eng", PathPrefix: new("/x/")}))(t)
		if len(none.AttachedPolicies) != 0 || none.AttachedPolicies == nil {
			t.Errorf("under /x/: %v", none.AttachedPolicies)
		}
		detach := func() error {
			_, err := iamDo(g, root, "DetachGroupPolicy", g.DetachGroupPolicy, &iam.DetachGroupPolicyRequest{GroupName: "eng", PolicyArn: arns[9]})
			return err
		}
		wantCode(t, detach(), "", "")
		wantCode(t, detach(), "NoSuchEntity", "Policy "+arns[9]+" was not found.")
	})
}

func TestEntitiesForPolicyWithGroups(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		p := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("*")}))(t).Policy.Arn
		must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "b", Path: new("/x/")}))(t)
		g.group("a")
		g.user("u", "")
		g.role("r", trust(trustAccount), "")
		for _, name := range []string{"a", "b"} {
			wantCode(t, g.attachGroupPolicy(name, p), "", "")
		}
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "u", PolicyArn: p}))(t)
		must(iamDo(g, root, "PutRolePermissionsBoundary", g.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryRequest{RoleName: "r", PermissionsBoundary: p}))(t)
		if n := *must(iamDo(g, root, "GetPolicy", g.GetPolicy, &iam.GetPolicyRequest{PolicyArn: p}))(t).Policy.AttachmentCount; n != 3 {
			t.Errorf("%d attachments", n)
		}
		for _, tt := range []struct {
			in   iam.ListEntitiesForPolicyRequest
			want string
		}{
			{iam.ListEntitiesForPolicyRequest{}, "a b r u"},
			{iam.ListEntitiesForPolicyRequest{MaxItems: new(int64(1))}, "a b r u"},
			{iam.ListEntitiesForPolicyRequest{EntityFilter: new("Group")}, "a b"},
			{iam.ListEntitiesForPolicyRequest{EntityFilter: new("User")}, "u"},
			{iam.ListEntitiesForPolicyRequest{PathPrefix: new("/x/")}, "b"},
			{iam.ListEntitiesForPolicyRequest{PolicyUsageFilter: new("PermissionsBoundary")}, "r"},
			{iam.ListEntitiesForPolicyRequest{PolicyUsageFilter: new("PermissionsPolicy")}, "a b u"},
			{iam.ListEntitiesForPolicyRequest{PolicyUsageFilter: new("PermissionsBoundary"), EntityFilter: new("Group")}, ""},
		} {
			tt.in.PolicyArn = p
			var got []string
			for {
				out := must(iamDo(g, root, "ListEntitiesForPolicy", g.ListEntitiesForPolicy, &tt.in))(t)
				for _, e := range out.PolicyGroups {
					if !strings.HasPrefix(*e.GroupId, prefixGroup) {
						t.Errorf("group %+v", e)
					}
					got = append(got, *e.GroupName)
				}
				for _, e := range out.PolicyRoles {
					got = append(got, *e.RoleName)
				}
				for _, e := range out.PolicyUsers {
					got = append(got, *e.UserName)
				}
				if !*out.IsTruncated {
					break
				}
				tt.in.Marker = out.Marker
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%+v: %s, want %s", tt.in, s, tt.want)
			}
		}
	})
}

// What a group may, its users may from the next request on, and no longer.
func TestGroupDecisions(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, creds := g.user("u", "")
		u := g.caller(creds)
		may := func() error { return g.may(u, "iot:DescribeThing", "arn:aws:iot:us-east-1:123456789012:thing/t") }
		decide := func() policy.Decision {
			in := must(g.inputOf(t.Context(), u))(t)
			return in.Decide(&policy.Request{Action: "iot:DescribeThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/t", ResourceAccount: testAccount})
		}
		g.group("eng")
		g.group("ops")
		wantCode(t, g.putGroupPolicy("eng", "read", allow("iot:Describe*")), "", "")
		wantCode(t, may(), "AccessDenied", "because no identity-based policy allows the iot:DescribeThing action")
		wantCode(t, g.join("eng", "u"), "", "")
		wantCode(t, may(), "", "")
		if d := decide(); d.PolicyID != "group/eng/read" {
			t.Errorf("decided by %q", d.PolicyID)
		}
		must(iamDo(g, root, "UpdateGroup", g.UpdateGroup, &iam.UpdateGroupRequest{GroupName: "eng", NewGroupName: new("dev"), NewPath: new("/x/")}))(t)
		if d := decide(); d.PolicyID != "group/dev/read" {
			t.Errorf("decided by %q", d.PolicyID)
		}

		// A deny of any group is one.
		wantCode(t, g.attachGroupPolicy("ops", "arn:aws:iam::aws:policy/AWSDenyAll"), "", "")
		wantCode(t, may(), "", "")
		wantCode(t, g.join("ops", "u"), "", "")
		wantCode(t, may(), "AccessDenied", "with an explicit deny in an identity-based policy")
		if d := decide(); d.Outcome != policy.ExplicitDeny || d.PolicyID != "arn:aws:iam::aws:policy/AWSDenyAll" {
			t.Errorf("decided by %q: %v", d.PolicyID, d.Outcome)
		}
		wantCode(t, g.leave("ops", "u"), "", "")
		wantCode(t, may(), "", "")

		// A boundary is above what groups allow.
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{
			UserName: "u", PermissionsBoundary: "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
		}))(t)
		wantCode(t, may(), "AccessDenied", "because no permissions boundary allows")
		must(iamDo(g, root, "DeleteUserPermissionsBoundary", g.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryRequest{UserName: "u"}))(t)

		wantCode(t, g.putGroupPolicy("dev", "read", allow("iot:List*")), "", "")
		wantCode(t, may(), "AccessDenied", "")
		p := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("iot:*")}))(t).Policy.Arn
		wantCode(t, g.attachGroupPolicy("dev", p), "", "")
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "u", PolicyArn: p}))(t)
		if d := decide(); d.Outcome != policy.Allowed || d.PolicyID != p {
			t.Errorf("decided by %q: %v", d.PolicyID, d.Outcome)
		}
		if n := len(must(g.principal(t.Context(), testAccount, u.UserID))(t).policies); n != 2 {
			t.Errorf("%d policies, of which one is attached twice", n)
		}
		must(iamDo(g, root, "DetachUserPolicy", g.DetachUserPolicy, &iam.DetachUserPolicyRequest{UserName: "u", PolicyArn: p}))(t)
		wantCode(t, may(), "", "")
		must(iamDo(g, root, "CreatePolicyVersion", g.CreatePolicyVersion, &iam.CreatePolicyVersionRequest{PolicyArn: p, PolicyDocument: allow("s3:*"), SetAsDefault: new(true)}))(t)
		wantCode(t, may(), "AccessDenied", "")
	})
}

func TestGroupsAreAuthorized(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["iam:CreateGroup","iam:UpdateGroup","iam:AddUserToGroup"],"Resource":"arn:aws:iam::123456789012:group/eng/*"},
			{"Effect":"Allow","Action":"iam:AttachGroupPolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AWSDenyAll"}}}]}`)
		alice := g.caller(creds)
		create := func(path string) error {
			_, err := iamDo(g, alice, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "g" + strings.Trim(path, "/"), Path: &path})
			return err
		}
		wantCode(t, create("/eng/"), "", "")
		wantCode(t, create("/ops/"), "AccessDenied", "iam:CreateGroup on resource: arn:aws:iam::123456789012:group/ops/gops")
		move := func(path string) error {
			_, err := iamDo(g, alice, "UpdateGroup", g.UpdateGroup, &iam.UpdateGroupRequest{GroupName: "geng", NewPath: &path})
			return err
		}
		wantCode(t, move("/eng/a/"), "", "")
		wantCode(t, move("/ops/"), "AccessDenied", "iam:UpdateGroup on resource: arn:aws:iam::123456789012:group/ops/geng")
		g.group("other")
		join := func(group string) error {
			_, err := iamDo(g, alice, "AddUserToGroup", g.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: group, UserName: "alice"})
			return err
		}
		wantCode(t, join("geng"), "", "")
		wantCode(t, join("other"), "AccessDenied", "iam:AddUserToGroup on resource: arn:aws:iam::123456789012:group/other")
		attach := func(a string) error {
			_, err := iamDo(g, alice, "AttachGroupPolicy", g.AttachGroupPolicy, &iam.AttachGroupPolicyRequest{GroupName: "other", PolicyArn: a})
			return err
		}
		wantCode(t, attach("arn:aws:iam::aws:policy/AdministratorAccess"), "AccessDenied", "iam:AttachGroupPolicy on resource: arn:aws:iam::123456789012:group/other")
		wantCode(t, attach("arn:aws:iam::aws:policy/AWSDenyAll"), "", "")
	})
}

// Groups are no principals: nobody can trust one.
func TestGroupsAreNotTrusted(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		e := g.group("eng")
		_, err := iamDo(g, g.caller(g.root), "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "r", AssumeRolePolicyDocument: trust(`{"AWS":"` + e.Arn + `"}`)})
		wantCode(t, err, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+e.Arn+`"`)
	})
}

// A group's name that is free again has nothing of the former one.
func TestGroupGone(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("u", "")
		e := g.group("g")
		ghost := &entity{kind: kindGroup, account: testAccount, id: e.GroupId, name: "g", path: "/"}
		wantCode(t, g.deleteGroup("g"), "", "")
		ctx := awsapi.WithRequest(t.Context(), &awsapi.Request{Caller: root, Service: iam.Service, Target: ghost})
		for name, call := range map[string]func() error{
			"GetGroup": func() error { _, err := g.GetGroup(ctx, &iam.GetGroupRequest{GroupName: "g"}); return err },
			"UpdateGroup": func() error {
				_, err := g.UpdateGroup(ctx, &iam.UpdateGroupRequest{GroupName: "g"})
				return err
			},
			"AddUserToGroup": func() error {
				_, err := g.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "g", UserName: "u"})
				return err
			},
			"RemoveUserFromGroup": func() error {
				_, err := g.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupRequest{GroupName: "g", UserName: "u"})
				return err
			},
			"PutGroupPolicy": func() error {
				_, err := g.PutGroupPolicy(ctx, &iam.PutGroupPolicyRequest{GroupName: "g", PolicyName: "p", PolicyDocument: allow("*")})
				return err
			},
			"AttachGroupPolicy": func() error {
				_, err := g.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyRequest{GroupName: "g", PolicyArn: "arn:aws:iam::aws:policy/AWSDenyAll"})
				return err
			},
			"DeleteGroup": func() error { _, err := g.DeleteGroup(ctx, &iam.DeleteGroupRequest{GroupName: "g"}); return err },
		} {
			wantCode(t, call(), "NoSuchEntity", "The group with name g cannot be found.")
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

// together runs calls at once and returns their errors in order.
func together(calls ...func() error) []error {
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
	}
	wg.Wait()
	return errs
}

// Of two writers that add the tenth and the eleventh membership, one is
// refused.
func TestGroupQuotaRace(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		for i := range maxGroups + 1 {
			g.group(fmt.Sprint("g", i))
		}
		for i := range 5 {
			user := fmt.Sprint("u", i)
			g.user(user, "")
			for n := range maxGroups - 1 {
				wantCode(t, g.join(fmt.Sprint("g", n), user), "", "")
			}
			errs := together(func() error { return g.join("g9", user) }, func() error { return g.join("g10", user) })
			if errs[0] == nil {
				errs[0], errs[1] = errs[1], errs[0]
			}
			wantCode(t, errs[0], "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
			wantCode(t, errs[1], "", "")
		}
		if n := must(count(t.Context(), g.DB, `SELECT COUNT(*) FROM iam_group_members`))(t); n != 5*maxGroups {
			t.Errorf("%d memberships", n)
		}
	})
}

// A group or a user that goes while somebody adds the one to the other: either
// it went first, or it has to stay.
func TestGroupMembershipRaces(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for i := range 8 {
			name := fmt.Sprint("x", i)
			g.group(name)
			must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: name}))(t)
			remove := func() error { return g.deleteGroup(name) }
			gone := "The group with name " + name + " cannot be found."
			if i%2 == 1 {
				remove = func() error {
					_, err := iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: name})
					return err
				}
				gone = "The user with name " + name + " cannot be found."
			}
			errs := together(remove, func() error { return g.join(name, name) })
			if errs[0] == nil {
				wantCode(t, errs[1], "NoSuchEntity", gone)
			} else {
				wantCode(t, errs[0], "DeleteConflict", "Cannot delete entity, must remove users from group first.")
				wantCode(t, errs[1], "", "")
			}
		}
	})
}
