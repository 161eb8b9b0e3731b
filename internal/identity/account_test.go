package identity

import (
	"errors"
	"regexp"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// rootHash is the stored hash of a root password.
func (g *rig) rootHash(account string) string {
	g.t.Helper()
	var hash string
	if err := g.DB.QueryRow(g.t.Context(), `SELECT root_password FROM accounts WHERE account = $1`, account).Scan(&hash); err != nil {
		g.t.Fatal(err)
	}
	return hash
}

var readableForm = regexp.MustCompile(`^[a-z2-9]{4}(-[a-z2-9]{4}){4}$`)

func TestRootUsers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d)
		if g.rootHash(testAccount) != "" {
			t.Error("a password that nobody gave")
		}
		made, err := NewRootCredentials("Root@Example.org")
		if err != nil || made.Email != "root@example.org" || !readableForm.MatchString(made.Password) {
			t.Fatalf("%+v %v", made, err)
		}
		if err := (*passwordPolicy)(nil).check(made.Password, nil); err != nil {
			t.Errorf("%s: %v", made.Password, err)
		}
		second := must(g.AddAccount(t.Context(), BootstrapOptions{Email: "a@example.org"}))(t)
		if second.Email != "a@example.org" || !verifyPassword(g.rootHash(second.AccountID), second.Password) {
			t.Errorf("%+v", second)
		}
		if _, err := g.AddAccount(t.Context(), BootstrapOptions{Email: "A@example.org"}); !errors.Is(err, ErrEmailInUse) {
			t.Errorf("a second account with the address: %v", err)
		}
		third := must(g.AddAccount(t.Context(), BootstrapOptions{AccountID: "333333333333", Password: "given-Passw0rd"}))(t)
		if third.Email != "root+333333333333@localhost" || !verifyPassword(g.rootHash(third.AccountID), "given-Passw0rd") {
			t.Errorf("%+v", third)
		}
	})
}
