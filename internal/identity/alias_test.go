package identity

import (
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

func TestAccountAlias(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		c := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		other := g.caller(sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey})
		create := func(who *awsapi.Caller, alias string) error {
			_, err := iamDo(g, who, "CreateAccountAlias", g.CreateAccountAlias, &iam.CreateAccountAliasRequest{AccountAlias: alias})
			return err
		}
		drop := func(who *awsapi.Caller, alias string) error {
			_, err := iamDo(g, who, "DeleteAccountAlias", g.DeleteAccountAlias, &iam.DeleteAccountAliasRequest{AccountAlias: alias})
			return err
		}
		list := func(who *awsapi.Caller) []string {
			out := must(iamDo(g, who, "ListAccountAliases", g.ListAccountAliases, &iam.ListAccountAliasesRequest{MaxItems: new(int64(1))}))(t)
			if *out.IsTruncated || out.Marker != nil || out.AccountAliases == nil {
				t.Errorf("list %+v", out)
			}
			return out.AccountAliases
		}
		if l := list(root); len(l) != 0 {
			t.Errorf("aliases %v", l)
		}
		wantCode(t, drop(root, "acme"), "NoSuchEntity", "The account alias with name acme cannot be found.")
		wantCode(t, create(root, "123456789013"), "ValidationError", "The account alias must not be a 12-digit number.")
		wantCode(t, create(root, "acme"), "", "")
		wantCode(t, create(root, "acme"), "EntityAlreadyExists", "The account alias acme already exists.")
		wantCode(t, create(other, "acme"), "EntityAlreadyExists", "The account alias acme already exists.")
		wantCode(t, drop(other, "acme"), "NoSuchEntity", "")
		wantCode(t, create(root, "acme-2"), "", "") // in place of the first
		if l := list(root); len(l) != 1 || l[0] != "acme-2" {
			t.Errorf("aliases %v", l)
		}
		wantCode(t, create(other, "acme"), "", "")
		wantCode(t, drop(root, "acme-2"), "", "")
		wantCode(t, drop(root, "acme-2"), "NoSuchEntity", "")
		if a, b := list(root), list(other); len(a) != 0 || len(b) != 1 {
			t.Errorf("aliases %v and %v", a, b)
		}
		_, err := iamDo(g, root, "ListAccountAliases", g.ListAccountAliases, &iam.ListAccountAliasesRequest{Marker: new("x")})
		wantCode(t, err, "ValidationError", "Invalid Marker.")

		errs := together(func() error { return create(root, "race") }, func() error { return create(other, "race") })
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		wantCode(t, errs[0], "EntityAlreadyExists", "The account alias race already exists.")
		wantCode(t, errs[1], "", "")
	})
}
