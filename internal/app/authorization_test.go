package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/registry"
	"github.com/thingd/thingd/internal/shadow"
	"github.com/thingd/thingd/internal/video"
)

// TestAuthorizationTable: every implemented operation has its line in AWS's
// table and a sample request.
func TestAuthorizationTable(t *testing.T) {
	table, samples := readTable(t), map[string]bool{}
	for _, s := range readSamples(t, table) {
		samples[s.action] = true
	}
	served := map[string]bool{}
	for _, a := range APIs(&identity.Service{}, &registry.Service{}, &broker.Service{}, &shadow.Service{}, &video.Service{}, &fleet.Service{}) {
		for _, op := range a.Operations {
			if !a.Implemented(op.Name) {
				continue
			}
			action := a.FullAction(op)
			served[action] = true
			if _, ok := table.actions[action]; !ok {
				t.Errorf("%s is served, and testdata/authorization.txt does not say what on", action)
			}
			if !samples[action] {
				t.Errorf("%s is served, and testdata/samples.txt has no request of it", action)
			}
		}
	}
	for action := range samples {
		if !served[action] {
			t.Errorf("testdata/samples.txt has a request of %s, which is not served", action)
		}
	}
}

// TestAuthorization makes one request of every operation: unsigned; as a user
// without policies, and where it needs several things as one who has some of
// them, who are refused in AWS's words and change nothing; and as one whose
// policy allows exactly what AWS says, under all of the conditions that AWS
// lists, who succeeds.
func TestAuthorization(t *testing.T) {
	g := newRig(t)
	for _, s := range readSamples(t, readTable(t)) {
		t.Run(strings.ReplaceAll(s.action, ":", "-"), func(t *testing.T) {
			s.expand(g.vars)
			for first := range s.checks {
				who := &g.nobody
				if first > 0 {
					who = &g.least
					g.allow(t, leastPolicy(s.checks[:first]))
				}
				g.unchanged(t, func() { g.refused(t, &s, who, first) })
			}
			if !g.operation(t, s.action).Unsigned {
				g.unchanged(t, func() { g.unsigned(t, &s) })
			}
			g.allowed(t, &s)
		})
	}
}

// unchanged is the database behind what is refused.
func (g *rig) unchanged(t *testing.T, refused func()) {
	t.Helper()
	before := g.dump(t)
	refused()
	was := strings.Split(before, "\n")
	now := strings.Split(g.dump(t), "\n")
	for i, line := range now {
		if i >= len(was) || line != was[i] {
			t.Fatalf("refused, it changed the database: %s", line)
		}
	}
	if len(now) != len(was) {
		t.Fatal("refused, it deleted rows of the database")
	}
}

// unsigned is told so, and nothing else.
func (g *rig) unsigned(t *testing.T, s *sample) {
	t.Helper()
	a := g.send(t, s, nil)
	want := "MissingAuthenticationTokenException"
	if g.api(s.action).Protocol == awsapi.Query {
		want = "MissingAuthenticationToken"
	}
	if a.status != http.StatusForbidden || a.code != want {
		t.Errorf("unsigned: %d %s %s", a.status, a.code, a.message)
	}
}

// refused is a user whose policy lacks what comes behind the first checks: what
// he hears names what he asked for.
func (g *rig) refused(t *testing.T, s *sample, who *user, first int) {
	t.Helper()
	c := s.checks[first]
	want, code := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		who.arn, c.action, named(c, who, g.vars), c.action), "AccessDeniedException"
	if g.api(s.action).Protocol == awsapi.Query {
		code = "AccessDenied"
	}
	if strings.HasPrefix(s.action, "sts:AssumeRole") { // which does not tell whether there is such a role
		want, _, _ = strings.Cut(want, " because")
	}
	a := g.send(t, s, who)
	if a.status != http.StatusForbidden || a.code != code || a.message != want {
		t.Errorf("refused with %d %s\n  %s\nwant\n  %s", a.status, a.code, a.message, want)
	}
}

// named is what a message calls the resource of a check.
func named(c check, who *user, vars map[string]string) string {
	paths := map[string]string{"iam:ListUsers": "user/", "iam:ListRoles": "role/", "iam:ListGroups": "group/"}
	switch p, ok := paths[c.action]; {
	case ok:
		return "arn:aws:iam::" + vars["ACCOUNT"] + ":" + p
	case c.action == "iam:ListPolicies":
		return "policy path /"
	case c.action == "iam:ChangePassword":
		return who.arn
	}
	return c.resource
}

// allowed is a user with the policy that the sample's checks make.
func (g *rig) allowed(t *testing.T, s *sample) {
	t.Helper()
	g.allow(t, leastPolicy(s.checks))
	g.recorder.take()
	a := g.send(t, s, &g.least)
	if s.fails != "" && a.code != s.fails || s.fails == "" && a.status != http.StatusOK {
		t.Fatalf("answered %d %s %s, with the policy\n%s\nand asked for\n%+v", a.status, a.code, a.message, leastPolicy(s.checks), g.recorder.take())
	}
	if g.operation(t, s.action).Resource != "-" {
		same := func(a, b check) bool { return a.action == b.action && a.resource == b.resource }
		if asked := g.recorder.take(); !slices.EqualFunc(asked, s.checks, same) {
			t.Errorf("asked for %+v, want %+v", asked, s.checks)
		}
	}
	for name, member := range s.keep {
		g.vars[name] = a.member(t, member)
		if name == "SEED" {
			g.codes(t)
		}
	}
}

// check is one question to the authorizer.
type check struct {
	action, resource string
	keys             map[string]string // several values are joined by commas
}

func (c check) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s", c.action, c.resource)
	for _, k := range slices.Sorted(maps.Keys(c.keys)) {
		fmt.Fprintf(&b, " %s=%s", k, c.keys[k])
	}
	return b.String()
}

// absent are keys that are not to be there where AWS does not list them.
var absent = []string{
	"aws:ResourceTag/team", "iam:ResourceTag/team", "aws:RequestTag/team", "aws:TagKeys", "iam:PolicyARN", "iam:PermissionsBoundary",
	"iam:PassedToService", "iot:thingArn", "sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys",
}

// leastPolicy allows what is checked under all of its conditions, and nothing else.
func leastPolicy(checks []check) string {
	type statement struct {
		Effect, Action, Resource string
		Condition                map[string]map[string]string `json:",omitempty"`
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17", Statement: []statement{{Effect: "Deny", Action: "none:None", Resource: "*"}}} // there has to be one
	for _, c := range checks {
		st := statement{Effect: "Allow", Action: c.action, Resource: c.resource}
		one, several, none := map[string]string{}, map[string]string{}, map[string]string{}
		for k, v := range c.keys {
			if k == "aws:TagKeys" || k == "sts:TransitiveTagKeys" {
				several[k] = v
			} else {
				one[k] = v
			}
		}
		for _, k := range absent {
			// Of one call of AssumeRole, all actions see the same keys.
			if _, present := c.keys[k]; !present && c.action != "sts:TagSession" && c.action != "sts:SetSourceIdentity" {
				none[k] = "true"
			}
		}
		st.Condition = map[string]map[string]string{"StringEquals": one, "ForAnyValue:StringEquals": several, "Null": none}
		maps.DeleteFunc(st.Condition, func(_ string, keys map[string]string) bool { return len(keys) == 0 })
		doc.Statement = append(doc.Statement, st)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// send makes the sample's request, signed by who, and reads its answer.
func (g *rig) send(t *testing.T, s *sample, who *user) answer {
	t.Helper()
	api := g.api(s.action)
	r, body := s.request(t, api)
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(g.servers[api.SigningName].URL, "http://")
	r.Host = r.URL.Host
	if who != nil {
		g.sign(t, r, body, api.SigningName, who)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode}
	if s.action == "kinesisvideo:GetMedia" && a.status == http.StatusOK {
		return a // it never ends
	}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK {
		a.parse(t, resp.Header.Get("X-Amzn-Errortype"))
	}
	return a
}

// request is the sample's request, and the body that is signed.
func (s *sample) request(t *testing.T, api *awsapi.API) (*http.Request, []byte) {
	t.Helper()
	words := strings.FieldsFunc(s.text, func(r rune) bool { return r == ' ' })
	if api.Protocol == awsapi.Query {
		body := form(api, s.action, words)
		r := newRequest(t, http.MethodPost, "/", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, body
	}
	body, streamed := []byte(s.json), false
	header := http.Header{"Content-Type": {"application/json"}}
	for _, w := range words[2:] {
		file, ok := strings.CutPrefix(w, "@")
		if !ok {
			k, v, _ := strings.Cut(w, ":")
			header.Set(k, v)
			continue
		}
		var err error
		if body, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		streamed = true
	}
	r := newRequest(t, words[0], words[1], body)
	r.Header = header
	if streamed {
		body = nil // producers sign an empty one
	}
	return r, body
}

func newRequest(t *testing.T, method, path string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
