package identity

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		u := must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{
			UserName: "Alice", Path: new("/eng/"), Tags: []iam.Tag{{Key: "Team", Value: "cam"}},
		}))(t).User
		if u.Arn != "arn:aws:iam::123456789012:user/eng/Alice" || *u.Path != "/eng/" || len(u.Tags) != 1 ||
			!regexp.MustCompile(`^AIDA[A-Z2-7]{17}$`).MatchString(u.UserId) || !u.CreateDate.Equal(g.now()) {
			t.Errorf("created %+v", u)
		}
		_, err := iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "alice"})
		wantCode(t, err, "EntityAlreadyExists", "User with name alice already exists.")
		got := must(iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("ALICE")}))(t)
		if got.User.UserId != u.UserId || *got.User.UserName != "Alice" || got.User.Tags[0].Value != "cam" {
			t.Errorf("got %+v", got.User)
		}
		_, err = iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("bob")})
		wantCode(t, err, "NoSuchEntity", "The user with name bob cannot be found.")
		must(iamDo(g, root, "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "Alice", NewUserName: new("alicia"), NewPath: new("/")}))(t)
		got = must(iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("alicia")}))(t)
		if got.User.Arn != "arn:aws:iam::123456789012:user/alicia" || got.User.UserId != u.UserId {
			t.Errorf("renamed to %+v", got.User)
		}
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "carol"}))(t)
		_, err = iamDo(g, root, "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "carol", NewUserName: new("ALICIA")})
		wantCode(t, err, "EntityAlreadyExists", "User with name ALICIA already exists.")
		must(iamDo(g, root, "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "carol", NewUserName: new("Carol")}))(t)

		self := must(iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{}))(t).User
		if self.Arn != "arn:aws:iam::123456789012:root" || self.UserId != testAccount || self.UserName != nil {
			t.Errorf("root is %+v", self)
		}
	})
}

func TestDeletionConflicts(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, key := g.user("u", allow("iot:*"))
		admin := "arn:aws:iam::aws:policy/AdministratorAccess"
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "u", PolicyArn: admin}))(t)
		del := func() error {
			_, err := iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "u"})
			return err
		}
		wantCode(t, del(), "DeleteConflict", "must delete access keys first.")
		must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: new("u"), AccessKeyId: key.AccessKeyID}))(t)
		wantCode(t, del(), "DeleteConflict", "must detach all policies first.")
		must(iamDo(g, root, "DetachUserPolicy", g.DetachUserPolicy, &iam.DetachUserPolicyRequest{UserName: "u", PolicyArn: admin}))(t)
		wantCode(t, del(), "DeleteConflict", "must delete policies first.")
		must(iamDo(g, root, "DeleteUserPolicy", g.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: "u", PolicyName: "p"}))(t)
		wantCode(t, del(), "", "")
		wantCode(t, del(), "NoSuchEntity", "The user with name u cannot be found.")
	})
}

func TestPoliciesAndVersions(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{
			PolicyName: "p", Path: new("/x/"), Description: new("d"), PolicyDocument: allow("iot:*"), Tags: []iam.Tag{{Key: "k", Value: "v"}},
		}))(t).Policy
		a := "arn:aws:iam::123456789012:policy/x/p"
		if *p.Arn != a || *p.DefaultVersionId != "v1" || *p.AttachmentCount != 0 || !strings.HasPrefix(*p.PolicyId, "ANPA") || len(*p.PolicyId) != 21 {
			t.Errorf("created %+v", p)
		}
		_, err := iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "P", PolicyDocument: allow("iot:*")})
		wantCode(t, err, "EntityAlreadyExists", "A policy called P already exists. Duplicate names are not allowed.")
		version := func(doc string, def bool) (string, error) {
			v, err := iamDo(g, root, "CreatePolicyVersion", g.CreatePolicyVersion, &iam.CreatePolicyVersionRequest{PolicyArn: a, PolicyDocument: doc, SetAsDefault: &def})
			if err != nil {
				return "", err
			}
			return *v.PolicyVersion.VersionId, nil
		}
		for i := 2; i <= 5; i++ {
			if v := must(version(allow("iot:Get*"), i == 3))(t); v != fmt.Sprintf("v%d", i) {
				t.Errorf("version %s, want v%d", v, i)
			}
		}
		_, err = version(allow("iot:*"), false)
		wantCode(t, err, "LimitExceeded", "up to 5 versions")
		remove := func(v string) error {
			_, err := iamDo(g, root, "DeletePolicyVersion", g.DeletePolicyVersion, &iam.DeletePolicyVersionRequest{PolicyArn: a, VersionId: v})
			return err
		}
		wantCode(t, remove("v3"), "DeleteConflict", "Cannot delete the default version of a policy.")
		wantCode(t, remove("v9"), "NoSuchEntity", "version v9 does not exist")
		wantCode(t, remove("v5"), "", "")
		if v := must(version(allow("iot:*"), false))(t); v != "v6" {
			t.Errorf("numbers are used again: %s", v)
		}
		got := must(iamDo(g, root, "GetPolicyVersion", g.GetPolicyVersion, &iam.GetPolicyVersionRequest{PolicyArn: a, VersionId: "v3"}))(t).PolicyVersion
		doc, err := url.PathUnescape(*got.Document)
		if err != nil || doc != allow("iot:Get*") || !*got.IsDefaultVersion || strings.ContainsAny(*got.Document, `+" {}:,*`) {
			t.Errorf("document %q, %v", *got.Document, err)
		}
		first := must(iamDo(g, root, "ListPolicyVersions", g.ListPolicyVersions, &iam.ListPolicyVersionsRequest{PolicyArn: a, MaxItems: new(int64(2))}))(t)
		rest := must(iamDo(g, root, "ListPolicyVersions", g.ListPolicyVersions, &iam.ListPolicyVersionsRequest{PolicyArn: a, Marker: first.Marker}))(t)
		if *first.Versions[0].VersionId != "v6" || len(first.Versions) != 2 || len(rest.Versions) != 3 || *rest.IsTruncated {
			t.Errorf("%d and %d versions, first %s", len(first.Versions), len(rest.Versions), *first.Versions[0].VersionId)
		}
		must(iamDo(g, root, "SetDefaultPolicyVersion", g.SetDefaultPolicyVersion, &iam.SetDefaultPolicyVersionRequest{PolicyArn: a, VersionId: "v1"}))(t)

		g.role("r", trust(trustAccount), "")
		must(iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: a}))(t)
		must(iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: a}))(t)
		must(iamDo(g, root, "PutRolePermissionsBoundary", g.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryRequest{RoleName: "r", PermissionsBoundary: a}))(t)
		info := must(iamDo(g, root, "GetPolicy", g.GetPolicy, &iam.GetPolicyRequest{PolicyArn: a}))(t).Policy
		if *info.AttachmentCount != 1 || *info.PermissionsBoundaryUsageCount != 1 || *info.DefaultVersionId != "v1" || info.Tags[0].Value != "v" {
			t.Errorf("got %+v", info)
		}
		who := must(iamDo(g, root, "ListEntitiesForPolicy", g.ListEntitiesForPolicy, &iam.ListEntitiesForPolicyRequest{PolicyArn: a}))(t)
		if len(who.PolicyRoles) != 1 || *who.PolicyRoles[0].RoleName != "r" || len(who.PolicyUsers) != 0 || who.PolicyGroups == nil {
			t.Errorf("entities %+v", who)
		}
		drop := func() error {
			_, err := iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: a})
			return err
		}
		wantCode(t, drop(), "DeleteConflict", "attached to entities")
		must(iamDo(g, root, "DetachRolePolicy", g.DetachRolePolicy, &iam.DetachRolePolicyRequest{RoleName: "r", PolicyArn: a}))(t)
		wantCode(t, drop(), "DeleteConflict", "attached to entities")
		must(iamDo(g, root, "DeleteRolePermissionsBoundary", g.DeleteRolePermissionsBoundary, &iam.DeleteRolePermissionsBoundaryRequest{RoleName: "r"}))(t)
		wantCode(t, drop(), "DeleteConflict", "more than one version")
		for _, v := range []string{"v2", "v3", "v4", "v6"} {
			wantCode(t, remove(v), "", "")
		}
		wantCode(t, drop(), "", "")
		wantCode(t, drop(), "NoSuchEntity", "Policy "+a+" was not found.")
	})
}

func TestListsAndPaging(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for i := range 7 {
			path := "/"
			if i%2 == 1 {
				path = "/odd/"
			}
			must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: fmt.Sprintf("U%d", i), Path: &path}))(t)
			must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: fmt.Sprintf("p%d", i), Path: &path, PolicyDocument: allow("*")}))(t)
		}
		var names []string
		in := &iam.ListUsersRequest{MaxItems: new(int64(3))}
		for pages := 1; ; pages++ {
			out := must(iamDo(g, root, "ListUsers", g.ListUsers, in))(t)
			for _, u := range out.Users {
				names = append(names, *u.UserName)
			}
			if !*out.IsTruncated {
				if pages != 3 || out.Marker != nil {
					t.Errorf("%d pages, marker %v", pages, out.Marker)
				}
				break
			}
			in.Marker = out.Marker
		}
		if s := strings.Join(names, " "); s != "U0 U1 U2 U3 U4 U5 U6" {
			t.Errorf("users %s", s)
		}
		odd := must(iamDo(g, root, "ListUsers", g.ListUsers, &iam.ListUsersRequest{PathPrefix: new("/o")}))(t)
		if len(odd.Users) != 3 {
			t.Errorf("%d users under /o", len(odd.Users))
		}
		for _, m := range []string{"x", "AAAAAAAA", *in.Marker + "A"} {
			_, err := iamDo(g, root, "ListUsers", g.ListUsers, &iam.ListUsersRequest{Marker: &m})
			wantCode(t, err, "ValidationError", "Invalid Marker.")
		}
		_, err := iamDo(g, root, "ListRoles", g.ListRoles, &iam.ListRolesRequest{Marker: in.Marker})
		wantCode(t, err, "ValidationError", "Invalid Marker.")

		policies := func(in *iam.ListPoliciesRequest) (names []string) {
			in.MaxItems = new(int64(4))
			for {
				out := must(iamDo(g, root, "ListPolicies", g.ListPolicies, in))(t)
				for _, p := range out.Policies {
					names = append(names, *p.PolicyName)
				}
				if !*out.IsTruncated {
					return names
				}
				in.Marker = out.Marker
			}
		}
		aws := len(g.aws().list)
		if n := policies(&iam.ListPoliciesRequest{}); len(n) != 7+aws {
			t.Errorf("%d policies: %v", len(n), n)
		}
		if n := policies(&iam.ListPoliciesRequest{Scope: new("Local"), PathPrefix: new("/odd/")}); strings.Join(n, " ") != "p1 p3 p5" {
			t.Errorf("policies %v", n)
		}
		if n := policies(&iam.ListPoliciesRequest{Scope: new("AWS")}); len(n) != aws {
			t.Errorf("%d AWS policies", len(n))
		}
		for _, a := range []string{"arn:aws:iam::aws:policy/AWSDenyAll", "arn:aws:iam::123456789012:policy/p2"} {
			must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "U1", PolicyArn: a}))(t)
		}
		if n := policies(&iam.ListPoliciesRequest{OnlyAttached: new(true)}); strings.Join(n, " ") != "p2 AWSDenyAll" {
			t.Errorf("attached %v", n)
		}
		attached := must(iamDo(g, root, "ListAttachedUserPolicies", g.ListAttachedUserPolicies, &iam.ListAttachedUserPoliciesRequest{UserName: "U1", MaxItems: new(int64(1))}))(t)
		more := must(iamDo(g, root, "ListAttachedUserPolicies", g.ListAttachedUserPolicies, &iam.ListAttachedUserPoliciesRequest{UserName: "U1", Marker: attached.Marker}))(t)
		if *attached.AttachedPolicies[0].PolicyName != "AWSDenyAll" || *more.AttachedPolicies[0].PolicyName != "p2" || *more.IsTruncated {
			t.Errorf("attached %+v, %+v", attached, more)
		}
	})
}

func TestTagsAndQuotas(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.role("r", trust(trustAccount), "")
		tag := func(tags ...iam.Tag) error {
			_, err := iamDo(g, root, "TagRole", g.TagRole, &iam.TagRoleRequest{RoleName: "r", Tags: tags})
			return err
		}
		wantCode(t, tag(iam.Tag{Key: "a"}, iam.Tag{Key: "A"}), "InvalidInput", "case insensitive")
		wantCode(t, tag(iam.Tag{Key: "aws:x"}), "InvalidInput", "aws:")
		var many []iam.Tag
		for i := range 50 {
			many = append(many, iam.Tag{Key: fmt.Sprintf("%s%02d", strings.Repeat("ключ", 31), i), Value: "v"})
		}
		wantCode(t, tag(many...), "", "")
		wantCode(t, tag(iam.Tag{Key: "one more"}), "LimitExceeded", "Cannot exceed quota for TagsPerRole: 50")
		wantCode(t, tag(iam.Tag{Key: many[7].Key, Value: "new"}), "", "")
		var got []iam.Tag
		in := &iam.ListRoleTagsRequest{RoleName: "r", MaxItems: new(int64(20))}
		for {
			out := must(iamDo(g, root, "ListRoleTags", g.ListRoleTags, in))(t)
			got = append(got, out.Tags...)
			if !*out.IsTruncated {
				break
			}
			if len(*out.Marker) > 320 {
				t.Errorf("marker of %d characters", len(*out.Marker))
			}
			in.Marker = out.Marker
		}
		if len(got) != 50 || got[7].Value != "new" || got[49] != many[49] {
			t.Errorf("%d tags", len(got))
		}
		must(iamDo(g, root, "UntagRole", g.UntagRole, &iam.UntagRoleRequest{RoleName: "r", TagKeys: []string{many[0].Key, "none"}}))(t)

		for i := range maxAttached + 1 {
			p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: fmt.Sprint("p", i), PolicyDocument: allow("*")}))(t)
			_, err := iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: *p.Policy.Arn})
			if i < maxAttached {
				wantCode(t, err, "", "")
			} else {
				wantCode(t, err, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
			}
		}
		g.user("u", "")
		must(iamDo(g, root, "CreateAccessKey", g.CreateAccessKey, &iam.CreateAccessKeyRequest{UserName: new("u")}))(t)
		_, err := iamDo(g, root, "CreateAccessKey", g.CreateAccessKey, &iam.CreateAccessKeyRequest{UserName: new("u")})
		wantCode(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
		put := func(name string, n int) error {
			_, err := iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{
				UserName: "u", PolicyName: name, PolicyDocument: strings.Repeat(" ", 5000) + allow("iot:"+strings.Repeat("x", n)),
			})
			return err
		}
		wantCode(t, put("a", 1000), "", "")
		wantCode(t, put("b", 1000), "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user u")
		wantCode(t, put("a", 1500), "", "")
	})
}

func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.role("r", trust(trustAccount), "")
		for _, tt := range []struct {
			name       string
			call       func() error
			code, text string
		}{
			{"bad policy", func() error {
				_, err := iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "r", PolicyName: "p", PolicyDocument: `{"Statement":[]}`})
				return err
			}, "MalformedPolicyDocument", ""},
			{"bad ARN", func() error {
				_, err := iamDo(g, root, "GetPolicy", g.GetPolicy, &iam.GetPolicyRequest{PolicyArn: "not an arn but long enough"})
				return err
			}, "ValidationError", "Invalid ARN:  Could not be parsed!"},
			{"no policy", func() error {
				_, err := iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: "arn:aws:iam::123456789012:policy/none"})
				return err
			}, "NoSuchEntity", "Policy arn:aws:iam::123456789012:policy/none does not exist or is not attachable."},
			{"not attached", func() error {
				_, err := iamDo(g, root, "DetachRolePolicy", g.DetachRolePolicy, &iam.DetachRolePolicyRequest{RoleName: "r", PolicyArn: "arn:aws:iam::aws:policy/AWSDenyAll"})
				return err
			}, "NoSuchEntity", "was not found."},
			{"AWS's policy", func() error {
				_, err := iamDo(g, root, "DeletePolicy", g.DeletePolicy, &iam.DeletePolicyRequest{PolicyArn: "arn:aws:iam::aws:policy/AWSDenyAll"})
				return err
			}, "AccessDenied", "iam:DeletePolicy"},
			{"another account's policy", func() error {
				_, err := iamDo(g, root, "GetPolicy", g.GetPolicy, &iam.GetPolicyRequest{PolicyArn: "arn:aws:iam::999999999999:policy/p"})
				return err
			}, "AccessDenied", "because no resource-based policy allows the iam:GetPolicy action"},
			{"no inline policy", func() error {
				_, err := iamDo(g, root, "GetRolePolicy", g.GetRolePolicy, &iam.GetRolePolicyRequest{RoleName: "r", PolicyName: "none"})
				return err
			}, "NoSuchEntity", "The role policy with name none cannot be found."},
			{"no boundary", func() error {
				_, err := iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "b", PermissionsBoundary: new("arn:aws:iam::123456789012:policy/none")})
				return err
			}, "NoSuchEntity", "Scope ARN"},
			{"no key", func() error {
				_, err := iamDo(g, root, "UpdateAccessKey", g.UpdateAccessKey, &iam.UpdateAccessKeyRequest{AccessKeyId: "AKIA000000000000", Status: "Inactive"})
				return err
			}, "NoSuchEntity", "The Access Key with id AKIA000000000000 cannot be found"},
			{"foreign key", func() error {
				_, err := iamDo(g, root, "GetAccessKeyLastUsed", g.GetAccessKeyLastUsed, &iam.GetAccessKeyLastUsedRequest{AccessKeyId: "AKIA000000000000"})
				return err
			}, "AccessDenied", "iam:GetAccessKeyLastUsed"},
			{"ghost in trust", func() error {
				_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "x", AssumeRolePolicyDocument: trust(`{"AWS":"arn:aws:iam::123456789012:user/ghost"}`)})
				return err
			}, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/ghost"`},
			{"no such service", func() error {
				_, err := iamDo(g, root, "UpdateAssumeRolePolicy", g.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyRequest{RoleName: "r", PolicyDocument: trust(`{"Service":"iot.example.com"}`)})
				return err
			}, "MalformedPolicyDocument", `Invalid principal in policy: "SERVICE":"iot.example.com"`},
			{"same role", func() error {
				_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "R", AssumeRolePolicyDocument: trust(trustAccount)})
				return err
			}, "EntityAlreadyExists", "Role with name R already exists."},
			{"large trust", func() error {
				_, err := iamDo(g, root, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "x", AssumeRolePolicyDocument: trust(`{"Service":"` + strings.Repeat("x", 2000) + `.amazonaws.com"}`)})
				return err
			}, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"},
		} {
			t.Run(tt.name, func(t *testing.T) { wantCode(t, tt.call(), tt.code, tt.text) })
		}
	})
}

func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		r := g.role("cam", trust(`{"Service":"credentials.iot.amazonaws.com"}`), allow("kinesisvideo:*"))
		if r.MaxSessionDuration != nil || !strings.HasPrefix(r.RoleId, "AROA") || len(r.RoleId) != 21 || r.Arn != "arn:aws:iam::123456789012:role/cam" {
			t.Errorf("created %+v", r)
		}
		get := func() iam.Role {
			return must(iamDo(g, root, "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: "CAM"}))(t).Role
		}
		got := get()
		doc, err := url.PathUnescape(*got.AssumeRolePolicyDocument)
		if err != nil || *got.MaxSessionDuration != 3600 || doc != trust(`{"Service":"credentials.iot.amazonaws.com"}`) || got.RoleLastUsed == nil {
			t.Errorf("got %+v", got)
		}
		must(iamDo(g, root, "UpdateRole", g.UpdateRole, &iam.UpdateRoleRequest{RoleName: "cam", Description: new("d"), MaxSessionDuration: new(int64(7200))}))(t)
		if got = get(); *got.Description != "d" || *got.MaxSessionDuration != 7200 {
			t.Errorf("got %+v", got)
		}
		desc := must(iamDo(g, root, "UpdateRoleDescription", g.UpdateRoleDescription, &iam.UpdateRoleDescriptionRequest{RoleName: "cam", Description: "e"}))(t)
		if *desc.Role.Description != "e" || *desc.Role.MaxSessionDuration != 7200 {
			t.Errorf("got %+v", desc.Role)
		}
		list := must(iamDo(g, root, "ListRoles", g.ListRoles, &iam.ListRolesRequest{}))(t)
		if len(list.Roles) != 1 || list.Roles[0].RoleName != "cam" || *list.IsTruncated {
			t.Errorf("roles %+v", list)
		}
		inline := must(iamDo(g, root, "ListRolePolicies", g.ListRolePolicies, &iam.ListRolePoliciesRequest{RoleName: "cam"}))(t)
		if len(inline.PolicyNames) != 1 || inline.PolicyNames[0] != "p" {
			t.Errorf("inline %+v", inline)
		}
		profiles := must(iamDo(g, root, "ListInstanceProfilesForRole", g.ListInstanceProfilesForRole, &iam.ListInstanceProfilesForRoleRequest{RoleName: "cam"}))(t)
		if profiles.InstanceProfiles == nil || *profiles.IsTruncated {
			t.Errorf("profiles %+v", profiles)
		}
		_, err = iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "cam"})
		wantCode(t, err, "DeleteConflict", "Cannot delete entity, must delete policies first.")
		must(iamDo(g, root, "DeleteRolePolicy", g.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: "cam", PolicyName: "p"}))(t)
		must(iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "cam"}))(t)
		_, err = iamDo(g, root, "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: "cam"})
		wantCode(t, err, "NoSuchEntity", "The role with name cam cannot be found.")
	})
}

// Two creations at once: one of them, and only one, is refused.
func TestCreationRace(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		var wg sync.WaitGroup
		errs := make(chan error, 16)
		for i := range 16 {
			wg.Go(func() {
				name := "twin"
				if i%2 == 1 {
					name = "TWIN"
				}
				_, err := iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: name})
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		made := 0
		for err := range errs {
			if err == nil {
				made++
			} else {
				wantCode(t, err, "EntityAlreadyExists", "already exists")
			}
		}
		if made != 1 {
			t.Errorf("%d users were made", made)
		}
	})
}

func TestOmittedUserName(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:*"))
		alice := g.caller(creds)
		u := must(iamDo(g, alice, "GetUser", g.GetUser, &iam.GetUserRequest{}))(t)
		if *u.User.UserName != "alice" {
			t.Errorf("got %+v", u.User)
		}
		keys := must(iamDo(g, alice, "ListAccessKeys", g.ListAccessKeys, &iam.ListAccessKeysRequest{}))(t)
		if len(keys.AccessKeyMetadata) != 1 || *keys.AccessKeyMetadata[0].AccessKeyId != creds.AccessKeyID {
			t.Errorf("keys %+v", keys)
		}
		rootKeys := must(iamDo(g, g.caller(g.root), "ListAccessKeys", g.ListAccessKeys, &iam.ListAccessKeysRequest{}))(t)
		if len(rootKeys.AccessKeyMetadata) != 1 || *rootKeys.AccessKeyMetadata[0].AccessKeyId != devKey {
			t.Errorf("root's keys %+v", rootKeys)
		}
		r := g.role("r", trust(trustAccount), allow("*"))
		session := g.assume(alice, r.Arn, "s", allow("sts:*"))
		_, err := iamDo(g, session, "GetUser", g.GetUser, &iam.GetUserRequest{})
		wantCode(t, err, "ValidationError", "Must specify userName when calling with non-User credentials")
	})
}

func TestIAMIsAuthorized(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AWSDenyAll"}}},
			{"Effect":"Allow","Action":"iam:CreateUser","Resource":"arn:aws:iam::123456789012:user/eng/*"},
			{"Effect":"Allow","Action":"iam:GetUser","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/team":"cam"}}}]}`)
		alice := g.caller(creds)
		create := func(path string, tags ...iam.Tag) error {
			_, err := iamDo(g, alice, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "n" + strings.Trim(path, "/"), Path: &path, Tags: tags})
			return err
		}
		wantCode(t, create("/eng/"), "", "")
		wantCode(t, create("/ops/"), "AccessDenied", "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::123456789012:user/ops/nops because no identity-based policy allows the iam:CreateUser action")
		wantCode(t, create("/eng/", iam.Tag{Key: "k"}), "AccessDenied", "iam:TagUser")
		attach := func(a string) error {
			_, err := iamDo(g, alice, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "alice", PolicyArn: a})
			return err
		}
		wantCode(t, attach("arn:aws:iam::aws:policy/AdministratorAccess"), "AccessDenied", "iam:AttachUserPolicy")
		_, err := iamDo(g, alice, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("neng")})
		wantCode(t, err, "AccessDenied", "iam:GetUser")
		must(iamDo(g, g.caller(g.root), "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "neng", Tags: []iam.Tag{{Key: "team", Value: "cam"}}}))(t)
		_, err = iamDo(g, alice, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("neng")})
		wantCode(t, err, "", "")
		_, err = iamDo(g, alice, "ListUsers", g.ListUsers, &iam.ListUsersRequest{})
		wantCode(t, err, "AccessDenied", "on resource: arn:aws:iam::123456789012:user/ because")
		wantCode(t, attach("arn:aws:iam::aws:policy/AWSDenyAll"), "", "")
		wantCode(t, attach("arn:aws:iam::aws:policy/AWSDenyAll"), "AccessDenied", "with an explicit deny in an identity-based policy")
	})
}

// Every operation of IAM and STS that has a method can be bound: it has a
// resource, and a resolver where it needs one.
func TestBindings(t *testing.T) {
	g := &Service{}
	api := iam.Service.Bind(g)
	n := 0
	for _, op := range iam.Service.Operations {
		if api.Implemented(op.Name) {
			n++
			noun, looked := strings.CutPrefix(op.Resource, "@")
			if !looked {
				continue
			}
			// What it cannot look up, having no database, it knows at least.
			func() {
				defer func() { _ = recover() }()
				r := &resolution{s: g}
				if err := r.resolve(t.Context(), noun, op.New()); err != nil && strings.Contains(err.Error(), "names no resource") {
					t.Errorf("%s: %v", op.Name, err)
				}
			}()
		}
	}
	if n < 55 {
		t.Errorf("only %d operations", n)
	}
	tokens := sts.Service.Bind(g)
	for _, name := range []string{"AssumeRole", "GetCallerIdentity", "GetSessionToken", "GetAccessKeyInfo"} {
		if !tokens.Implemented(name) {
			t.Errorf("no %s", name)
		}
	}
	var _ awsapi.Identity = g
}

func TestUserPoliciesAndTags(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("u", allow("iot:*"))
		must(iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "u", PolicyName: "q", PolicyDocument: deny("iot:*")}))(t)
		got := must(iamDo(g, root, "GetUserPolicy", g.GetUserPolicy, &iam.GetUserPolicyRequest{UserName: "U", PolicyName: "q"}))(t)
		if doc, err := url.PathUnescape(got.PolicyDocument); err != nil || doc != deny("iot:*") || got.UserName != "u" {
			t.Errorf("got %+v", got)
		}
		first := must(iamDo(g, root, "ListUserPolicies", g.ListUserPolicies, &iam.ListUserPoliciesRequest{UserName: "u", MaxItems: new(int64(1))}))(t)
		rest := must(iamDo(g, root, "ListUserPolicies", g.ListUserPolicies, &iam.ListUserPoliciesRequest{UserName: "u", Marker: first.Marker}))(t)
		if first.PolicyNames[0] != "p" || rest.PolicyNames[0] != "q" || *rest.IsTruncated {
			t.Errorf("policies %v, %v", first.PolicyNames, rest.PolicyNames)
		}
		g.user("v", "")
		_, err := iamDo(g, root, "ListUserPolicies", g.ListUserPolicies, &iam.ListUserPoliciesRequest{UserName: "v", Marker: first.Marker})
		wantCode(t, err, "ValidationError", "Invalid Marker.")
		none := must(iamDo(g, root, "ListUserPolicies", g.ListUserPolicies, &iam.ListUserPoliciesRequest{UserName: "v"}))(t)
		if none.PolicyNames == nil || len(none.PolicyNames) != 0 {
			t.Errorf("policies %v", none.PolicyNames)
		}
		must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "u", Tags: []iam.Tag{{Key: "Team", Value: "a"}}}))(t)
		must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "u", Tags: []iam.Tag{{Key: "team", Value: "b"}}}))(t)
		tags := must(iamDo(g, root, "ListUserTags", g.ListUserTags, &iam.ListUserTagsRequest{UserName: "u"}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0] != (iam.Tag{Key: "team", Value: "b"}) {
			t.Errorf("tags %v", tags.Tags)
		}
		must(iamDo(g, root, "UntagUser", g.UntagUser, &iam.UntagUserRequest{UserName: "u", TagKeys: []string{"TEAM"}}))(t)
		if tags = must(iamDo(g, root, "ListUserTags", g.ListUserTags, &iam.ListUserTagsRequest{UserName: "u"}))(t); len(tags.Tags) != 0 {
			t.Errorf("tags %v", tags.Tags)
		}
		groups := must(iamDo(g, root, "ListGroupsForUser", g.ListGroupsForUser, &iam.ListGroupsForUserRequest{UserName: "u"}))(t)
		if groups.Groups == nil || len(groups.Groups) != 0 {
			t.Errorf("groups %v", groups.Groups)
		}
		// A name that is free again has none of its former owner's tags.
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "w", Tags: []iam.Tag{{Key: "k", Value: "v"}}}))(t)
		must(iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "w"}))(t)
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "w"}))(t)
		if tags = must(iamDo(g, root, "ListUserTags", g.ListUserTags, &iam.ListUserTagsRequest{UserName: "w"}))(t); len(tags.Tags) != 0 {
			t.Errorf("inherited tags %v", tags.Tags)
		}
	})
}

func TestPolicyTagsAndFilters(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		p := *must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: allow("*")}))(t).Policy.Arn
		must(iamDo(g, root, "TagPolicy", g.TagPolicy, &iam.TagPolicyRequest{PolicyArn: p, Tags: []iam.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}}))(t)
		must(iamDo(g, root, "UntagPolicy", g.UntagPolicy, &iam.UntagPolicyRequest{PolicyArn: p, TagKeys: []string{"a"}}))(t)
		tags := must(iamDo(g, root, "ListPolicyTags", g.ListPolicyTags, &iam.ListPolicyTagsRequest{PolicyArn: p}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0].Key != "b" {
			t.Errorf("tags %v", tags.Tags)
		}
		_, err := iamDo(g, root, "TagPolicy", g.TagPolicy, &iam.TagPolicyRequest{PolicyArn: "arn:aws:iam::aws:policy/AWSDenyAll", Tags: []iam.Tag{{Key: "a"}}})
		wantCode(t, err, "AccessDenied", "iam:TagPolicy")

		g.user("u", "")
		g.role("r", trust(trustAccount), "")
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "u", PermissionsBoundary: p}))(t)
		must(iamDo(g, root, "AttachRolePolicy", g.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: p}))(t)
		attached := must(iamDo(g, root, "ListAttachedRolePolicies", g.ListAttachedRolePolicies, &iam.ListAttachedRolePoliciesRequest{RoleName: "r", PathPrefix: new("/")}))(t)
		if len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyArn != p {
			t.Errorf("attached %v", attached.AttachedPolicies)
		}
		for _, tt := range []struct {
			in   iam.ListEntitiesForPolicyRequest
			want string
		}{
			{iam.ListEntitiesForPolicyRequest{}, "r u"},
			{iam.ListEntitiesForPolicyRequest{EntityFilter: new("User")}, "u"},
			{iam.ListEntitiesForPolicyRequest{EntityFilter: new("Role")}, "r"},
			{iam.ListEntitiesForPolicyRequest{EntityFilter: new("Group")}, ""},
			{iam.ListEntitiesForPolicyRequest{PolicyUsageFilter: new("PermissionsPolicy")}, "r"},
			{iam.ListEntitiesForPolicyRequest{PolicyUsageFilter: new("PermissionsBoundary")}, "u"},
			{iam.ListEntitiesForPolicyRequest{PathPrefix: new("/x")}, ""},
		} {
			tt.in.PolicyArn = p
			out := must(iamDo(g, root, "ListEntitiesForPolicy", g.ListEntitiesForPolicy, &tt.in))(t)
			var got []string
			for _, r := range out.PolicyRoles {
				got = append(got, *r.RoleName)
			}
			for _, u := range out.PolicyUsers {
				got = append(got, *u.UserName)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%+v: %s, want %s", tt.in, s, tt.want)
			}
		}
		list := func(in iam.ListPoliciesRequest) int {
			return len(must(iamDo(g, root, "ListPolicies", g.ListPolicies, &in))(t).Policies)
		}
		if n := list(iam.ListPoliciesRequest{PolicyUsageFilter: new("PermissionsBoundary")}); n != 1 {
			t.Errorf("%d boundaries", n)
		}
		if n := list(iam.ListPoliciesRequest{PolicyUsageFilter: new("PermissionsPolicy"), Scope: new("AWS")}); n != 0 {
			t.Errorf("%d of AWS attached", n)
		}
		u := must(iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: new("u")}))(t).User
		if u.PermissionsBoundary == nil || *u.PermissionsBoundary.PermissionsBoundaryArn != p {
			t.Errorf("boundary %v", u.PermissionsBoundary)
		}
		must(iamDo(g, root, "DeleteUserPermissionsBoundary", g.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryRequest{UserName: "u"}))(t)
	})
}

// What was resolved and then went away is not found, and nothing is left of
// what the operation was to add.
func TestTargetGone(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		r := g.role("r", trust(trustAccount), "")
		ghost := &entity{kind: kindRole, account: testAccount, id: r.RoleId, name: "r", path: "/"}
		must(iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "r"}))(t)
		ctx := awsapi.WithRequest(t.Context(), &awsapi.Request{Caller: root, Service: iam.Service, Target: ghost})
		for name, call := range map[string]func() error{
			"GetRole": func() error { _, err := g.GetRole(ctx, &iam.GetRoleRequest{RoleName: "r"}); return err },
			"PutRolePolicy": func() error {
				_, err := g.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "r", PolicyName: "p", PolicyDocument: allow("*")})
				return err
			},
			"AttachRolePolicy": func() error {
				_, err := g.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "r", PolicyArn: "arn:aws:iam::aws:policy/AWSDenyAll"})
				return err
			},
			"TagRole": func() error {
				_, err := g.TagRole(ctx, &iam.TagRoleRequest{RoleName: "r", Tags: []iam.Tag{{Key: "k"}}})
				return err
			},
			"UpdateRole": func() error {
				_, err := g.UpdateRole(ctx, &iam.UpdateRoleRequest{RoleName: "r"})
				return err
			},
			"UpdateAssumeRolePolicy": func() error {
				_, err := g.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyRequest{RoleName: "r", PolicyDocument: trust(trustAccount)})
				return err
			},
			"DeleteRole": func() error { _, err := g.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "r"}); return err },
		} {
			err := call()
			if err == nil || !strings.Contains(err.Error(), "The role with name r cannot be found.") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, table := range []string{"iam_inline_policies", "iam_attachments", "iam_tags"} {
			if n, err := count(t.Context(), g.DB, `SELECT COUNT(*) FROM `+table); err != nil || n != 0 {
				t.Errorf("%s: %d rows, %v", table, n, err)
			}
		}
	})
}
