package identity

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
)

// detailNames are the names in an answer by class, in order.
func detailNames(out *iam.GetAccountAuthorizationDetailsResponse) (names []string) {
	for _, u := range out.UserDetailList {
		names = append(names, "u:"+*u.UserName)
	}
	for _, g := range out.GroupDetailList {
		names = append(names, "g:"+*g.GroupName)
	}
	for _, r := range out.RoleDetailList {
		names = append(names, "r:"+*r.RoleName)
	}
	for _, p := range out.Policies {
		names = append(names, "p:"+*p.PolicyName)
	}
	return names
}

func TestAccountAuthorizationDetails(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("Alice", allow("iot:*"))
		g.user("bob", "")
		must(iamDo(g, root, "CreateGroup", g.CreateGroup, &iam.CreateGroupRequest{GroupName: "Team", Path: new("/eng/")}))(t)
		must(iamDo(g, root, "PutGroupPolicy", g.PutGroupPolicy, &iam.PutGroupPolicyRequest{GroupName: "team", PolicyName: "gp", PolicyDocument: allow("iam:Get*")}))(t)
		must(iamDo(g, root, "AddUserToGroup", g.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: "team", UserName: "alice"}))(t)
		p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "mine", PolicyDocument: allow("kinesisvideo:*"), Description: new("d")}))(t).Policy
		must(iamDo(g, root, "CreatePolicyVersion", g.CreatePolicyVersion, &iam.CreatePolicyVersionRequest{PolicyArn: *p.Arn, PolicyDocument: deny("kinesisvideo:*"), SetAsDefault: new(true)}))(t)
		must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "unused", PolicyDocument: allow("*")}))(t)
		readOnly, admin := "arn:aws:iam::aws:policy/IAMReadOnlyAccess", "arn:aws:iam::aws:policy/AdministratorAccess"
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "alice", PolicyArn: *p.Arn}))(t)
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "alice", PolicyArn: readOnly}))(t)
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "alice", PermissionsBoundary: admin}))(t)
		must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "alice", Tags: []iam.Tag{{Key: "k", Value: "v"}}}))(t)
		g.role("cam", trust(trustAccount), allow("s3:*"))
		must(iamDo(g, root, "CreateInstanceProfile", g.CreateInstanceProfile, &iam.CreateInstanceProfileRequest{InstanceProfileName: "web"}))(t)
		wantCode(t, g.addRole(root, "web", "cam"), "", "")

		get := func(in *iam.GetAccountAuthorizationDetailsRequest) (*iam.GetAccountAuthorizationDetailsResponse, error) {
			return iamDo(g, root, "GetAccountAuthorizationDetails", g.GetAccountAuthorizationDetails, in)
		}
		all := must(get(&iam.GetAccountAuthorizationDetailsRequest{}))(t)
		const everything = "u:Alice u:bob g:Team r:cam p:mine p:unused p:AdministratorAccess p:IAMReadOnlyAccess"
		if got := strings.Join(detailNames(all), " "); got != everything || *all.IsTruncated || all.Marker != nil {
			t.Errorf("got %s", got)
		}
		decode := func(text *string) string { return must(url.PathUnescape(*text))(t) }
		u := all.UserDetailList[0]
		if decode(u.UserPolicyList[0].PolicyDocument) != allow("iot:*") || fmt.Sprint(u.GroupList) != "[Team]" || len(u.AttachedManagedPolicies) != 2 ||
			*u.AttachedManagedPolicies[0].PolicyArn != readOnly || *u.PermissionsBoundary.PermissionsBoundaryArn != admin || u.Tags[0].Value != "v" {
			t.Errorf("user %+v", u)
		}
		if u := all.UserDetailList[1]; u.UserPolicyList != nil || u.GroupList == nil || u.AttachedManagedPolicies == nil || u.PermissionsBoundary != nil {
			t.Errorf("user %+v", u)
		}
		if g := all.GroupDetailList[0]; *g.Arn != "arn:aws:iam::123456789012:group/eng/Team" || decode(g.GroupPolicyList[0].PolicyDocument) != allow("iam:Get*") || len(g.AttachedManagedPolicies) != 0 {
			t.Errorf("group %+v", g)
		}
		r := all.RoleDetailList[0]
		if decode(r.AssumeRolePolicyDocument) != trust(trustAccount) || decode(r.RolePolicyList[0].PolicyDocument) != allow("s3:*") ||
			*r.RolePolicyList[0].PolicyName != "p" || len(r.InstanceProfileList) != 1 || r.InstanceProfileList[0].Roles[0].RoleName != "cam" || r.RoleLastUsed == nil {
			t.Errorf("role %+v", r)
		}
		m := all.Policies[0]
		if *m.AttachmentCount != 1 || *m.DefaultVersionId != "v2" || len(m.PolicyVersionList) != 2 || *m.Description != "d" ||
			decode(m.PolicyVersionList[0].Document) != deny("kinesisvideo:*") || !*m.PolicyVersionList[0].IsDefaultVersion || *m.PolicyVersionList[1].IsDefaultVersion {
			t.Errorf("policy %+v", m)
		}
		if a := all.Policies[2]; *a.PermissionsBoundaryUsageCount != 1 || *a.AttachmentCount != 0 || len(a.PolicyVersionList) != 1 || !strings.Contains(decode(a.PolicyVersionList[0].Document), `"*"`) {
			t.Errorf("AWS's policy %+v", a)
		}

		// One paging goes over all, whatever the size of a page and the filter.
		for _, tt := range []struct {
			filter []string
			want   string
		}{
			{nil, everything},
			{[]string{"User"}, "u:Alice u:bob"},
			{[]string{"Role", "Group", "Role"}, "g:Team r:cam"},
			{[]string{"LocalManagedPolicy"}, "p:mine p:unused"},
			{[]string{"AWSManagedPolicy", "User"}, "u:Alice u:bob p:AdministratorAccess p:IAMReadOnlyAccess"},
		} {
			for size := int64(1); size <= 9; size++ {
				in := &iam.GetAccountAuthorizationDetailsRequest{Filter: tt.filter, MaxItems: &size}
				var names []string
				for {
					out := must(get(in))(t)
					page := detailNames(out)
					names = append(names, page...)
					if !*out.IsTruncated {
						break
					}
					if int64(len(page)) != size {
						t.Errorf("a page of %d with %d", size, len(page))
					}
					in.Marker = out.Marker
				}
				if got := strings.Join(names, " "); got != tt.want {
					t.Errorf("%v by %d: %s, want %s", tt.filter, size, got, tt.want)
				}
			}
		}
		_, err := get(&iam.GetAccountAuthorizationDetailsRequest{Marker: new("xxxxxxxx")})
		wantCode(t, err, "ValidationError", "Invalid Marker.")
		_, creds := g.user("carol", "")
		_, err = iamDo(g, g.caller(creds), "GetAccountAuthorizationDetails", g.GetAccountAuthorizationDetails, &iam.GetAccountAuthorizationDetailsRequest{})
		wantCode(t, err, "AccessDenied", "iam:GetAccountAuthorizationDetails on resource: *")
	})
}
