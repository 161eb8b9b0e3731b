package credentials

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// TestRefusalsAreKept checks that the owner of a registered certificate can ask
// why it was refused, and that nothing is kept of others.
func TestRefusalsAreKept(t *testing.T) {
	t.Parallel()
	now := time.Now()
	device := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	stranger := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	id := idOf(device)
	const path = "/role-aliases/lab-alias/credentials"
	for name, c := range map[string]struct {
		change   func(*world)
		cert     tls.Certificate
		path     string
		thing    string
		outcome  string
		reason   string // empty: not kept
		resource string
	}{
		"good":     {cert: device, path: path},
		"stranger": {cert: stranger, path: path},
		"inactive": {
			cert: device, path: path, change: func(w *world) { c := w.registered[id]; c.Active = false; w.registered[id] = c },
			outcome: "implicitDeny", reason: "because the certificate is not active", resource: aliasARN,
		},
		"unattached": {
			cert: device, path: path, thing: "unattached", outcome: "implicitDeny", resource: aliasARN,
			reason: "because the certificate is not attached to a thing of that name (thing unattached)",
		},
		"no policy": {
			cert: device, path: "/role-aliases/unallowed/credentials", outcome: "implicitDeny",
			reason:   "because no IoT policy allows the iot:AssumeRoleWithCertificate action",
			resource: "arn:aws:iot:us-east-1:123456789012:rolealias/unallowed",
		},
		"denied": {
			cert: device, path: path, change: func(w *world) {
				w.documents["no"] = `{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Action":"*","Resource":"*"}]}`
			},
			outcome: "explicitDeny", reason: "with an explicit deny in an IoT policy", resource: aliasARN,
		},
		"huge alias": {
			cert: device, path: "/role-aliases/" + strings.Repeat("x", 100_000) + "/credentials", outcome: "implicitDeny",
			reason:   "because no IoT policy allows the iot:AssumeRoleWithCertificate action",
			resource: "arn:aws:iot:us-east-1:123456789012:rolealias/" + strings.Repeat("x", 128) + "…",
		},
		"no alias": {
			cert: device, path: "/role-aliases/a=,@-_1/credentials", outcome: "implicitDeny", reason: "because no such role alias",
			resource: "arn:aws:iot:us-east-1:123456789012:rolealias/a=,@-_1",
		},
		"too long": {
			cert: device, path: path, change: func(w *world) {
				w.assume = func(Session) (Credentials, error) { return Credentials{}, ErrDurationExceeds }
			},
			outcome: "implicitDeny", reason: "because the duration exceeds the role's MaxSessionDuration", resource: aliasARN,
		},
		"no trust": { // told by who refused it
			cert: device, path: path, change: func(w *world) {
				w.assume = func(s Session) (Credentials, error) {
					w.refusals.Add(explain.Refusal{
						ID: s.RequestID, Account: s.Account, Resource: s.RoleARN,
						Explain: func() policy.Explanation { return explain.Because("no trust") },
					})
					return Credentials{}, ErrCannotAssume
				}
			},
			outcome: "implicitDeny", reason: "because no trust", resource: roleARN,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(device)
			if c.change != nil {
				c.change(w)
			}
			s := serve(t, w)
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.thing != "" {
				r.Header.Set("x-amzn-iot-thingname", c.thing)
			}
			res, err := client(t, s, "", c.cert).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			kept := w.refusals.Latest(account, 10)
			header := res.Header.Get("X-Thingd-Explain")
			if c.reason == "" {
				if header != "" || len(kept) != 0 {
					t.Errorf("kept %v, answered %q", kept, header)
				}
				return
			}
			if len(kept) != 1 || kept[0].ID != header || header != res.Header.Get("x-amzn-RequestId") {
				t.Fatalf("kept %v, answered %q", kept, header)
			}
			got := kept[0].Report()
			if got.Outcome != c.outcome || got.Reason != c.reason || got.Resource != c.resource {
				t.Errorf("got %+v", got)
			}
			if name != "no trust" && (got.Principal != w.registered[id].ARN || got.PrincipalID != id || len(got.Keys) < 5) {
				t.Errorf("got %+v", got)
			}
			if name == "denied" && (got.PolicyID != "no" || got.Sid != "No" || len(got.Statements) != 3) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
