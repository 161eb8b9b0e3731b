package identity

import (
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
)

// Two tag keys are one only where policies take them for one. The Kelvin sign
// lowers to k, and İ to i, but to a policy that guards the tag "kind" they are
// other letters: who may not touch kind must not by their names.
func TestTagKeysAreThoseOfPolicies(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		must(iamDo(g, root, "CreateUser", g.CreateUser, &iam.CreateUserRequest{UserName: "u", Tags: []iam.Tag{{Key: "kind", Value: "plain"}}}))(t)
		tags := func() map[string]string {
			have := map[string]string{}
			for _, tag := range must(iamDo(g, root, "ListUserTags", g.ListUserTags, &iam.ListUserTagsRequest{UserName: "u"}))(t).Tags {
				have[tag.Key] = tag.Value
			}
			return have
		}
		for _, alike := range []string{"\u212Aind", "k\u0130nd"} {
			must(iamDo(g, root, "UntagUser", g.UntagUser, &iam.UntagUserRequest{UserName: "u", TagKeys: []string{alike}}))(t)
			if have := tags(); have["kind"] != "plain" {
				t.Errorf("untagging %s left %v", alike, have)
			}
			must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "u", Tags: []iam.Tag{{Key: alike, Value: "admin"}}}))(t)
			if have := tags(); have["kind"] != "plain" || have[alike] != "admin" {
				t.Errorf("tagging %s left %v", alike, have)
			}
		}
		// As ever, keys that differ by the case of ASCII letters are one.
		must(iamDo(g, root, "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "u", Tags: []iam.Tag{{Key: "KIND", Value: "x"}}}))(t)
		if have := tags(); len(have) != 3 || have["KIND"] != "x" {
			t.Errorf("retagged %v", have)
		}
	})
}

// The same holds for a transitive session tag, which the next session cannot
// replace: there, too, they are two tags.
func TestTransitiveTagKeysAreThoseOfPolicies(t *testing.T) {
	calling := &claims{Tags: [][2]string{{"kind", "plain"}}, Transitive: []string{"kind"}}
	c := &claims{}
	if err := c.describe([]sts.Tag{{Key: "\u212Aind", Value: "admin"}}, nil, calling); err != nil {
		t.Fatal(err)
	}
	if len(c.Tags) != 2 || c.Tags[1] != [2]string{"kind", "plain"} {
		t.Errorf("tags %v", c.Tags)
	}
}
