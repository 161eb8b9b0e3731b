package app

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// authorizations is testdata/authorization.txt.
type authorizations struct {
	types   map[string]resourceType // by service:name
	actions map[string]authorization
}

type resourceType struct {
	arn  string
	keys []string
}

type authorization struct {
	types, keys, needs []string
}

// lines are those of a table: their fields between bars.
func lines(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out [][]string
	for in := bufio.NewScanner(f); in.Scan(); {
		if line := strings.TrimSpace(in.Text()); line != "" && line[0] != '#' {
			fields := strings.Split(line, "|")
			for i := range fields {
				fields[i] = strings.TrimSpace(fields[i])
			}
			out = append(out, append(fields, "", "", "")[:4])
		}
	}
	return out
}

func readTable(t *testing.T) *authorizations {
	t.Helper()
	table := &authorizations{types: map[string]resourceType{}, actions: map[string]authorization{}}
	for _, f := range lines(t, "testdata/authorization.txt") {
		if name, ok := strings.CutPrefix(f[0], "type "); ok {
			table.types[name] = resourceType{f[1], strings.Fields(f[2])}
			continue
		}
		if _, twice := table.actions[f[0]]; twice {
			t.Errorf("authorization.txt says %s twice", f[0])
		}
		table.actions[f[0]] = authorization{strings.Fields(f[1]), strings.Fields(f[2]), strings.Fields(f[3])}
	}
	return table
}

// sample is a line of testdata/samples.txt.
type sample struct {
	action string
	checks []check
	text   string            // the request, but for
	json   string            // its body in JSON
	keep   map[string]string // names of members of the answer
	fails  string            // code of the error that is its answer, or empty
}

func readSamples(t *testing.T, table *authorizations) []sample {
	t.Helper()
	var out []sample
	for _, f := range lines(t, "testdata/samples.txt") {
		s := sample{action: f[0], keep: map[string]string{}}
		request, keep, _ := strings.Cut(f[2], " > ")
		for _, k := range strings.Fields(keep) {
			name, member, _ := strings.Cut(k, "=")
			s.keep[name] = member
		}
		s.text, s.fails, _ = strings.Cut(request, " ! ")
		if at := strings.Index(s.text, " {"); at >= 0 {
			s.text, s.json = s.text[:at], s.text[at:]
		}
		if f[1] != "-" {
			for i, text := range strings.Split(f[1], ";") {
				s.checks = append(s.checks, table.check(t, s.action, i, strings.Fields(text)))
			}
		}
		out = append(out, s)
	}
	return out
}

// check is what the table says of a check of an action. Words are its own
// action, of those behind the first, its resource, and what of its condition
// keys is different.
func (a *authorizations) check(t *testing.T, action string, i int, words []string) check {
	t.Helper()
	c := check{action: action}
	if i > 0 {
		c.action, words = words[0], words[1:]
		if c.action != action && !slices.Contains(a.actions[action].needs, c.action) {
			t.Errorf("%s does not need %s, says authorization.txt", action, c.action)
		}
	}
	isNew := words[0] == "new" // and so without tags
	if isNew {
		words = words[1:]
	}
	line, ok := a.actions[c.action]
	if !ok {
		t.Fatalf("authorization.txt does not know %s", c.action)
	}
	keys := slices.Clone(line.keys)
	if c.resource = words[0]; c.resource != "*" {
		service, _, _ := strings.Cut(c.action, ":")
		kind, rest, _ := strings.Cut(c.resource, "/")
		if c.resource == "$STREAM" {
			kind = "stream"
		} else if r := a.types[service+":"+kind]; r.arn != "" {
			c.resource = strings.NewReplacer("REGION", "$REGION", "ACCOUNT", "$ACCOUNT").Replace(r.arn[:strings.Index(r.arn, "/")+1]) + rest
		}
		if !slices.Contains(line.types, kind) {
			t.Errorf("%s is not authorized on a %s, says authorization.txt", c.action, kind)
		}
		// A role's tags do not say reliably who may pass it (IAM User Guide,
		// "Grant a user permissions to pass a role to an AWS service").
		if !isNew && c.action != "iam:PassRole" {
			keys = append(keys, a.types[service+":"+kind].keys...)
		}
	} else if !slices.Equal(line.types, []string{"*"}) {
		t.Errorf("%s has resources, says authorization.txt", c.action)
	}
	c.keys = conditions(keys, words[1:])
	return c
}

// conditions are the values of condition keys in the samples, but for those
// that differ.
func conditions(names, differ []string) map[string]string {
	values := map[string]string{
		"aws:ResourceTag": "blue", "iam:ResourceTag": "blue", "aws:RequestTag": "blue", "aws:TagKeys": "team",
		"iam:PolicyARN": "$POLICY", "iam:PermissionsBoundary": "$BOUNDARY", "iam:PassedToService": "credentials.iot.amazonaws.com",
		"iot:thingArn":          "arn:aws:iot:$REGION:$ACCOUNT:thing/cam",
		"sts:TransitiveTagKeys": "team", "sts:ExternalId": "outside", "sts:RoleSessionName": "session", "sts:SourceIdentity": "bob",
		"iam:AWSServiceName": "iot.amazonaws.com",
	}
	for _, d := range differ {
		name, value, _ := strings.Cut(d, "=")
		if bare, absent := strings.CutPrefix(d, "-"); absent {
			names = slices.DeleteFunc(names, func(n string) bool { return n == bare })
			continue
		}
		values[name] = value
	}
	keys := map[string]string{}
	for _, n := range names {
		if n == "iam:AssociatedResourceArn" { // of EC2 and a few others
			continue
		}
		v := values[n]
		if strings.HasSuffix(n, "Tag") {
			n += "/team"
		}
		keys[n] = v
	}
	return keys
}

// expand puts in what is known by now.
func (s *sample) expand(vars map[string]string) {
	get := func(name string) string { return vars[name] }
	s.text = os.Expand(s.text, get)
	s.json = os.Expand(s.json, func(name string) string {
		return strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(vars[name])
	})
	for i := range s.checks {
		c := &s.checks[i]
		c.resource = os.Expand(c.resource, get)
		for k, v := range c.keys {
			c.keys[k] = os.Expand(v, get)
		}
	}
}
