package identity

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
)

func (g *rig) addRole(c *awsapi.Caller, profile, role string) error {
	_, err := iamDo(g, c, "AddRoleToInstanceProfile", g.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileRequest{InstanceProfileName: profile, RoleName: role})
	return err
}

func TestInstanceProfiles(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		role := g.role("cam", trust(`{"Service":"ec2.amazonaws.com"}`), "")
		g.role("other", trust(trustAccount), "")
		create := func(name, path string, tags ...iam.Tag) (*iam.CreateInstanceProfileResponse, error) {
			return iamDo(g, root, "CreateInstanceProfile", g.CreateInstanceProfile, &iam.CreateInstanceProfileRequest{InstanceProfileName: name, Path: &path, Tags: tags})
		}
		p := must(create("Web", "/eng/", iam.Tag{Key: "k", Value: "v"}))(t).InstanceProfile
		if p.Arn != "arn:aws:iam::123456789012:instance-profile/eng/Web" || !strings.HasPrefix(p.InstanceProfileId, "AIPA") || len(p.InstanceProfileId) != 21 ||
			p.Roles == nil || len(p.Roles) != 0 || len(p.Tags) != 1 {
			t.Errorf("made %+v", p)
		}
		_, err := create("web", "/")
		wantCode(t, err, "EntityAlreadyExists", "Instance Profile web already exists.")
		_, err = create("x", "/", iam.Tag{Key: "a"}, iam.Tag{Key: "A"})
		wantCode(t, err, "InvalidInput", "Duplicate tag keys")
		get := func(name string) (*iam.GetInstanceProfileResponse, error) {
			return iamDo(g, root, "GetInstanceProfile", g.GetInstanceProfile, &iam.GetInstanceProfileRequest{InstanceProfileName: name})
		}
		_, err = get("none")
		wantCode(t, err, "NoSuchEntity", "Instance Profile none cannot be found.")

		wantCode(t, g.addRole(root, "none", "cam"), "NoSuchEntity", "Instance Profile none cannot be found.")
		wantCode(t, g.addRole(root, "web", "none"), "NoSuchEntity", "The role with name none cannot be found.")
		wantCode(t, g.addRole(root, "web", "cam"), "", "")
		wantCode(t, g.addRole(root, "web", "cam"), "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		wantCode(t, g.addRole(root, "web", "other"), "LimitExceeded", "")
		got := must(get("WEB"))(t).InstanceProfile
		if len(got.Roles) != 1 || got.Roles[0].RoleId != role.RoleId || got.Roles[0].AssumeRolePolicyDocument == nil || got.Roles[0].MaxSessionDuration != nil || got.Tags[0].Value != "v" {
			t.Errorf("got %+v", got)
		}
		must(create("second", "/"))(t)
		wantCode(t, g.addRole(root, "second", "cam"), "", "")

		list := func(prefix string) (names []string) {
			in := &iam.ListInstanceProfilesRequest{PathPrefix: &prefix, MaxItems: new(int64(1))}
			for {
				out := must(iamDo(g, root, "ListInstanceProfiles", g.ListInstanceProfiles, in))(t)
				for _, p := range out.InstanceProfiles {
					names = append(names, fmt.Sprintf("%s:%d:%d", p.InstanceProfileName, len(p.Roles), len(p.Tags)))
				}
				if !*out.IsTruncated {
					return names
				}
				in.Marker = out.Marker
			}
		}
		if all, eng := fmt.Sprint(list("/")), fmt.Sprint(list("/eng/")); all != "[second:1:0 Web:1:0]" || eng != "[Web:1:0]" {
			t.Errorf("profiles %s, %s", all, eng)
		}
		in := &iam.ListInstanceProfilesForRoleRequest{RoleName: "cam", MaxItems: new(int64(1))}
		first := must(iamDo(g, root, "ListInstanceProfilesForRole", g.ListInstanceProfilesForRole, in))(t)
		in.Marker = first.Marker
		rest := must(iamDo(g, root, "ListInstanceProfilesForRole", g.ListInstanceProfilesForRole, in))(t)
		if first.InstanceProfiles[0].InstanceProfileName != "second" || rest.InstanceProfiles[0].InstanceProfileName != "Web" || *rest.IsTruncated {
			t.Errorf("profiles of the role: %+v, %+v", first, rest)
		}

		remove := func(profile, role string) error {
			_, err := iamDo(g, root, "RemoveRoleFromInstanceProfile", g.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileRequest{InstanceProfileName: profile, RoleName: role})
			return err
		}
		drop := func(name string) error {
			_, err := iamDo(g, root, "DeleteInstanceProfile", g.DeleteInstanceProfile, &iam.DeleteInstanceProfileRequest{InstanceProfileName: name})
			return err
		}
		wantCode(t, drop("web"), "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
		_, err = iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "cam"})
		wantCode(t, err, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
		wantCode(t, remove("none", "cam"), "NoSuchEntity", "Instance Profile none cannot be found.")
		wantCode(t, remove("web", "none"), "NoSuchEntity", "The role with name none cannot be found.")
		wantCode(t, remove("web", "other"), "NoSuchEntity", "The role with name other cannot be found.")
		wantCode(t, remove("web", "cam"), "", "")
		wantCode(t, remove("second", "CAM"), "", "")
		wantCode(t, drop("web"), "", "")
		wantCode(t, drop("web"), "NoSuchEntity", "Instance Profile web cannot be found.")
		must(iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "cam"}))(t)

		tag := func(tags ...iam.Tag) error {
			_, err := iamDo(g, root, "TagInstanceProfile", g.TagInstanceProfile, &iam.TagInstanceProfileRequest{InstanceProfileName: "second", Tags: tags})
			return err
		}
		wantCode(t, tag(iam.Tag{Key: "a", Value: "1"}, iam.Tag{Key: "b", Value: "2"}), "", "")
		must(iamDo(g, root, "UntagInstanceProfile", g.UntagInstanceProfile, &iam.UntagInstanceProfileRequest{InstanceProfileName: "second", TagKeys: []string{"B"}}))(t)
		tags := must(iamDo(g, root, "ListInstanceProfileTags", g.ListInstanceProfileTags, &iam.ListInstanceProfileTagsRequest{InstanceProfileName: "second"}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0].Key != "a" {
			t.Errorf("tags %+v", tags.Tags)
		}
		var many []iam.Tag
		for i := range 50 {
			many = append(many, iam.Tag{Key: fmt.Sprint("t", i)})
		}
		wantCode(t, tag(many...), "LimitExceeded", "Cannot exceed quota for TagsPerInstanceProfile: 50")
	})
}

// TestInstanceProfilePassRole needs both permissions, each on its resource.
func TestInstanceProfilePassRole(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.role("cam", trust(`{"Service":"ec2.amazonaws.com"}`), "")
		must(iamDo(g, root, "CreateInstanceProfile", g.CreateInstanceProfile, &iam.CreateInstanceProfileRequest{InstanceProfileName: "web"}))(t)
		policy := func(pass, service string) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"arn:aws:iam::123456789012:instance-profile/web"},
				{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/` + pass + `","Condition":{"StringEquals":{"iam:PassedToService":"` + service + `"}}}]}`
		}
		for i, tt := range []struct{ document, denied string }{
			{allow("iam:AddRoleToInstanceProfile"), "iam:PassRole on resource: arn:aws:iam::123456789012:role/cam"},
			{allow("iam:PassRole"), "iam:AddRoleToInstanceProfile on resource: arn:aws:iam::123456789012:instance-profile/web"},
			{policy("other", "ec2.amazonaws.com"), "iam:PassRole"},
			{policy("cam", "iot.amazonaws.com"), "iam:PassRole"},
			{policy("cam", "ec2.amazonaws.com"), ""},
		} {
			_, creds := g.user(fmt.Sprint("u", i), tt.document)
			code := ""
			if tt.denied != "" {
				code = "AccessDenied"
			}
			wantCode(t, g.addRole(g.caller(creds), "web", "cam"), code, tt.denied)
		}
	})
}

// TestInstanceProfileRace puts two roles into one profile, and deletes a role
// that is being put into one: one of the two wins.
func TestInstanceProfileRace(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		for i := range 4 {
			one, two, profile := fmt.Sprint("one", i), fmt.Sprint("two", i), fmt.Sprint("p", i)
			g.role(one, trust(trustAccount), "")
			g.role(two, trust(trustAccount), "")
			must(iamDo(g, root, "CreateInstanceProfile", g.CreateInstanceProfile, &iam.CreateInstanceProfileRequest{InstanceProfileName: profile}))(t)
			var wg sync.WaitGroup
			var errs [3]error
			wg.Go(func() { errs[0] = g.addRole(root, profile, one) })
			wg.Go(func() { errs[1] = g.addRole(root, profile, two) })
			wg.Go(func() { _, errs[2] = iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: one}) })
			wg.Wait()
			out := must(iamDo(g, root, "GetInstanceProfile", g.GetInstanceProfile, &iam.GetInstanceProfileRequest{InstanceProfileName: profile}))(t)
			if len(out.InstanceProfile.Roles) != 1 || errs[0] == nil && errs[1] == nil || errs[0] == nil && errs[2] == nil {
				t.Errorf("%d roles; %v", len(out.InstanceProfile.Roles), errs)
			}
		}
	})
}
