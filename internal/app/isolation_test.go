package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/identity"
)

// TestIsolation makes every request, before somebody does it who may, as those
// who may something else: a user who may all of it on another resource of
// about the same name, one who may everything but for just this resource, and
// the root user of another account, whose requests are about that account.
// Nothing of the account changes by them.
func TestIsolation(t *testing.T) {
	g := newRig(t)
	other, err := g.app.identity.AddAccount(t.Context(), identity.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stranger := user{Credentials: sigv4.Credentials{AccessKeyID: other.AccessKeyID, SecretAccessKey: other.SecretAccessKey}}
	for _, s := range readSamples(t, readTable(t)) {
		t.Run(strings.ReplaceAll(s.action, ":", "-"), func(t *testing.T) {
			s.expand(g.vars)
			refused := func(document string) {
				t.Helper()
				g.allow(t, document)
				before := g.ours(t)
				if a := g.send(t, &s, &g.least); a.status != http.StatusForbidden {
					t.Errorf("answered %d %s %s, with the policy\n%s", a.status, a.code, a.message, document)
				}
				if after := g.ours(t); after != before {
					t.Errorf("refused, it changed the database, with the policy\n%s", document)
				}
			}
			for i, c := range s.checks {
				if c.resource != "*" {
					for _, near := range nearby(c.resource) {
						elsewhere := slices.Clone(s.checks)
						elsewhere[i].resource = near
						refused(leastPolicy(elsewhere))
					}
				}
				refused(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},` +
					`{"Effect":"Deny","Action":"` + c.action + `","Resource":"` + c.resource + `"}]}`)
			}
			if s.action == "iam:CreateAccountAlias" {
				g.allowed(t, &s) // no two accounts have one alias
				return
			}
			before := g.ours(t)
			a := g.send(t, &s, &stranger)
			if g.ours(t) != before {
				t.Errorf("another account changed ours: %d %s", a.status, a.body)
			}
			if a.status == http.StatusOK && s.action != "thingd:ListRefusals" && strings.Contains(string(a.body), ":"+config.DevAccountID+":") && !strings.Contains(s.text+s.json, config.DevAccountID) {
				t.Errorf("another account is told of ours: %s", a.body)
			}
			g.allowed(t, &s)
		})
	}
}

// nearby are resources with about the same ARN.
func nearby(arn string) []string {
	at := strings.LastIndexByte(arn, '/') + 1
	list := []string{arn + "x", arn[:len(arn)-1]}
	if other := strings.ToUpper(arn[at:]); other != arn[at:] {
		list = append(list, arn[:at]+other)
	}
	return list
}

// ours is what the database holds of the first account.
func (g *rig) ours(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(g.dump(t)) {
		if strings.Contains(line, ": "+config.DevAccountID+"|") || strings.Contains(line, "|"+config.DevAccountID+"|") {
			b.WriteString(line)
		}
	}
	return b.String()
}
