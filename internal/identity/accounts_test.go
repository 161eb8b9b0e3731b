package identity

import (
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

func TestAccounts(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		create := func(in *thingd.CreateAccountRequest) (*thingd.CreateAccountResponse, error) {
			return do(g, root, thingd.Service, "CreateAccount", g.CreateAccount, in)
		}
		list := func(in *thingd.ListAccountsRequest) (*thingd.ListAccountsResponse, error) {
			return do(g, root, thingd.Service, "ListAccounts", g.ListAccounts, in)
		}
		g.advance(-time.Hour) // a clock that is set back makes no account older than the first
		two := must(create(&thingd.CreateAccountRequest{Name: "Two", Email: new("Two@example.org"), AccountId: new("000000000002")}))(t)
		if two.Account.AccountId != "000000000002" || two.Account.Arn != "arn:aws:iam::000000000002:root" ||
			*two.Account.Email != "two@example.org" || two.Account.Management || !verifyPassword(g.rootHash("000000000002"), *two.RootPassword) {
			t.Errorf("created %+v", two)
		}
		three := must(create(&thingd.CreateAccountRequest{Name: "Three"}))(t)
		if *three.Account.Email != "root+"+three.Account.AccountId+"@localhost" {
			t.Errorf("e-mail address %s", *three.Account.Email)
		}

		_, err := create(&thingd.CreateAccountRequest{Name: "x", AccountId: new("000000000002")})
		wantCode(t, err, "ResourceAlreadyExistsException", "The account 000000000002 already exists.")
		_, err = create(&thingd.CreateAccountRequest{Name: "x", AccountId: new(testAccount)})
		wantCode(t, err, "ResourceAlreadyExistsException", "already exists")
		_, err = create(&thingd.CreateAccountRequest{Name: "x", Email: new("TWO@example.org")})
		wantCode(t, err, "ResourceAlreadyExistsException", "An account with the email two@example.org already exists.")

		page := must(list(&thingd.ListAccountsRequest{MaxResults: new(int64(2))}))(t)
		if len(page.Accounts) != 2 || page.Accounts[0].AccountId != "000000000002" || page.NextToken == nil {
			t.Errorf("first page %+v", page)
		}
		rest := must(list(&thingd.ListAccountsRequest{MaxResults: new(int64(2)), NextToken: page.NextToken}))(t)
		if len(rest.Accounts) != 1 || rest.NextToken != nil {
			t.Errorf("second page %+v", rest)
		}
		for _, a := range append(page.Accounts, rest.Accounts...) {
			if a.Management != (a.AccountId == testAccount) {
				t.Errorf("management: %+v", a)
			}
		}

		// Root of another account may not, nor a user of the first without a policy.
		other := g.caller(sigv4.Credentials{AccessKeyID: three.RootAccessKeyId, SecretAccessKey: three.RootSecretAccessKey})
		if other.Account != three.Account.AccountId {
			t.Errorf("the new root key belongs to %s", other.Account)
		}
		_, err = do(g, other, thingd.Service, "CreateAccount", g.CreateAccount, &thingd.CreateAccountRequest{Name: "x"})
		wantCode(t, err, "AccessDenied", "not authorized to perform: thingd:CreateAccount on resource: * because only the management account")
		_, err = do(g, other, thingd.Service, "ListAccounts", g.ListAccounts, &thingd.ListAccountsRequest{})
		wantCode(t, err, "AccessDenied", "thingd:ListAccounts")
		_, key := g.user("u", allow("iam:*"))
		_, err = do(g, g.caller(key), thingd.Service, "ListAccounts", g.ListAccounts, &thingd.ListAccountsRequest{})
		wantCode(t, err, "AccessDenied", "because no identity-based policy allows the thingd:ListAccounts action")
		_, key = g.user("v", allow("thingd:ListAccounts"))
		must(do(g, g.caller(key), thingd.Service, "ListAccounts", g.ListAccounts, &thingd.ListAccountsRequest{}))(t)

		// AWS's name for it counts as well: who may do all but that makes none.
		_, key = g.user("w", "")
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "w", PolicyArn: "arn:aws:iam::aws:policy/PowerUserAccess"}))(t)
		_, err = do(g, g.caller(key), thingd.Service, "CreateAccount", g.CreateAccount, &thingd.CreateAccountRequest{Name: "x"})
		wantCode(t, err, "AccessDenied", "because no identity-based policy allows the organizations:CreateAccount action")
	})
}

// TestAccountsMadeAtOnce: of several that want the same id or address one gets
// it, and the others hear why.
func TestAccountsMadeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		results := make(chan error, 6)
		for i := range cap(results) {
			go func() {
				in := &thingd.CreateAccountRequest{Name: "x", AccountId: new("222222222222")}
				if i%2 == 0 {
					in = &thingd.CreateAccountRequest{Name: "x", Email: new("x@example.org")}
				}
				_, err := do(g, root, thingd.Service, "CreateAccount", g.CreateAccount, in)
				results <- err
			}()
		}
		made := 0
		for range cap(results) {
			if err := <-results; err == nil {
				made++
			} else {
				wantCode(t, err, "ResourceAlreadyExistsException", "already exists")
			}
		}
		if made != 2 {
			t.Errorf("%d were made", made)
		}
	})
}
