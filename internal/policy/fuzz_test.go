package policy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// chooser draws choices from fuzz data. Past the end it draws zeros.
type chooser struct{ data []byte }

func (c *chooser) n(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

func (c *chooser) of(list []string) string { return list[c.n(len(list))] }

// some draws up to most items.
func (c *chooser) some(most int, list []string) []string {
	out := []string{}
	for range c.n(most + 1) {
		out = append(out, c.of(list))
	}
	return out
}

var (
	fuzzActions   = []string{"*", "iot:*", "iot:Publish", "IOT:pub*", "iot:?ublish", "iot:P*l*h", "iot:Sub*", "iot:Subscribe", "s3:*", "i*t:Publish", "iot", "iot:*sh", "*:*", "iot:*u*"}
	fuzzVerbs     = []string{"iot:Publish", "iot:Subscribe", "IOT:PUBLISH", "s3:GetObject", "iot:P"}
	fuzzPatterns  = []string{"*", "arn:aws:iot:r:1:topic/*", "arn:aws:iot:*:*:topic/a", "arn:aws:iot:r:1:topic/${k:One}", "arn:aws:iot:r:1:topic/${k:None}/*", "arn:aws:iot:r:1:topic/${k:none, 'd'}*", "arn:aws:iot:*", "arn:aws:io?:r:1:topic*", "arn:aws:iot:r:1:topicfilter/*", "arn:aws:iot:r:1:*/?${*}${k:many}", "arn:aws:iot:r:1:topic/*a*b?", "arn:aws", "arn:aws:iot:r:1:topic/a:*", "arn:aws:iot:${k:One}:1:*", "topic/*", "arn:aws:iot:r:1:t*/${k:Star}*", "arn:aws:iot:r:1:topicfilter/$share/*"}
	fuzzResources = []string{"*", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:topic/v*", "arn:aws:iot:r:1:topic/*/x", "arn:aws:iot:r:1:topic/d/é", "arn:aws:iot:r:1:topicfilter/$share/g/a", "arn:aws:iot:r:1:topicfilter/a", "arn:aws:iot:r:2:topic/aab", "arn:aws:iot:r:1:topic/a:b", "arn:aws:iot", "", "arn:aws:iot:r:1:topic/abab?"}
	fuzzValues    = []string{"", "a", "A", "v*", "1", "01.0", "-2.5", "10", "true", "FALSE", "2026-01-15", "2026-01-15T00:00:00Z", "1768435200", "2026", "203.0.113.9", "203.0.113.0/24", "::ffff:203.0.113.9", "2001:db8::/32", "2001:db8::7", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:*:1:topic/*", "arn:aws:iot:*", "${k:One}", "a*", "?", "${k:None}", "${k:None, 'a'}", "*", "é", "x${k:Many}", "${?}"}
	fuzzNames     = []string{"k:One", "K:ONE", "k:Many", "k:Star", "k:None", "k:Num", "k:Empty", "iot:Certificate.Subject.CommonName"}
)

func fuzzOperators() []string {
	var names []string
	for _, op := range []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike",
	} {
		names = append(names, op, op+"IfExists", "ForAllValues:"+op, "ForAnyValue:"+op, "ForAnyValue:"+op+"IfExists")
	}
	return append(names, "Null")
}

func (c *chooser) document(operators []string, principals bool) string {
	var statements []any
	for range 1 + c.n(3) {
		s := map[string]any{"Effect": []string{"Allow", "Allow", "Deny"}[c.n(3)]}
		s[[]string{"Action", "Action", "NotAction"}[c.n(3)]] = append(c.some(2, fuzzActions), c.of(fuzzActions))
		s[[]string{"Resource", "Resource", "NotResource"}[c.n(3)]] = append(c.some(2, fuzzPatterns), c.of(fuzzPatterns))
		if conditions := c.n(3); conditions > 0 {
			block := map[string]any{}
			for range conditions {
				block[c.of(operators)] = map[string]any{c.of(fuzzNames): c.some(3, fuzzValues)}
			}
			s["Condition"] = block
		}
		if principals {
			ids := []string{acct, other, alice.ARN, camera.ARN, camera.RoleARN, federated.ARN, "*", "arn:aws:iam::" + acct + ":root", alice.UserID}
			element := map[string]any{"AWS": c.some(2, ids), "Service": c.some(1, []string{provider.Service, "x.amazonaws.com"})}
			s[[]string{"Principal", "Principal", "NotPrincipal"}[c.n(3)]] = element
		}
		statements = append(statements, s)
	}
	doc := map[string]any{"Statement": statements}
	if v := c.n(4); v > 0 {
		doc["Version"] = []string{Version2012, Version2008, Version2012}[v-1]
	}
	text, _ := json.Marshal(doc)
	return string(text)
}

func (c *chooser) keys() Keys {
	ks := Keys{Single("k:One", c.of(fuzzValues)), Single("k:Star", "*")}
	if c.n(2) == 1 {
		ks = append(ks, Multi("K:many", c.some(3, fuzzValues)...))
	}
	if c.n(2) == 1 {
		ks = append(ks, Single("k:num", c.of(fuzzValues)), Single("k:Empty", ""))
	}
	if c.n(2) == 1 {
		ks = append(ks, Single("iot:Certificate.Subject.CommonName", c.of(fuzzValues)))
	}
	return ks
}

// FuzzDecide holds the engine to the slow evaluator on documents and requests
// drawn from the data.
func FuzzDecide(f *testing.F) {
	operators := fuzzOperators()
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18"))
	f.Add([]byte(strings.Repeat("device policy ", 20)))
	f.Fuzz(func(t *testing.T, data []byte) { differential(t, data, operators) })
}

var rounds = flag.Int("differential", 300, "rounds of TestDifferential")

// TestDifferential is FuzzDecide on data from a fixed random source.
func TestDifferential(t *testing.T) {
	operators := fuzzOperators()
	source := rand.NewChaCha8([32]byte{})
	for range *rounds {
		data := make([]byte, 150)
		_, _ = source.Read(data)
		differential(t, data, operators)
	}
}

func differential(t *testing.T, data []byte, operators []string) {
	t.Helper()
	c := &chooser{data}
	req := &Request{Action: c.of(fuzzVerbs), Resource: c.of(fuzzResources), Keys: c.keys()}
	if c.n(4) == 0 {
		policies := []*Policy{mustCompile(t, IoT, c.document(operators, false)), mustCompile(t, IoT, c.document(operators, false))}
		if got, want := DecideIoT(policies, req).Outcome, slowDecideIoT(policies, req); got != want {
			t.Fatalf("IoT: %s, slow %s\n%+v\n%s\n%s", got, want, req, policies[0].Document(), policies[1].Document())
		}
		return
	}
	in := &Input{Principal: []Principal{alice, rootUser, camera, federated, provider, nobody}[c.n(6)]}
	in.Keys = in.Principal.Keys()
	req.ResourceAccount = []string{"", acct, other}[c.n(3)]
	docs := fmt.Sprintf("%+v %+v", in.Principal, req)
	compile := func(kind Kind) *Policy {
		doc := c.document(operators, kind == Resource)
		docs += "\n" + doc
		return mustCompile(t, kind, doc)
	}
	for range c.n(3) {
		in.Identity = append(in.Identity, compile(Identity))
	}
	if c.n(3) == 1 {
		in.Boundary = compile(Identity)
	}
	if c.n(3) == 1 {
		in.HasSession = true
		in.Session = []*Policy{compile(Session)}
	}
	if c.n(2) == 1 {
		in.Resource = compile(Resource)
		in.Trust = c.n(3) == 1
	}
	got, want := in.Decide(req), slowDecide(in, req)
	if got.Outcome != want {
		t.Fatalf("%s, slow %s\n%s", got.Outcome, want, docs)
	}
	if x := in.Explain(req); x.Decision != got {
		t.Fatalf("Explain: %+v, Decide: %+v\n%s", x.Decision, got, docs)
	}
}

// FuzzGlob holds the pattern matcher to regular expressions.
func FuzzGlob(f *testing.F) {
	for _, p := range fuzzPatterns {
		for _, r := range fuzzResources {
			f.Add(p, r, "v")
		}
	}
	f.Add("*${x}?", "a*b", "*")
	f.Fuzz(func(t *testing.T, pat, s, value string) {
		if !utf8.ValidString(pat) || !utf8.ValidString(s) || !utf8.ValidString(value) || strings.Count(pat, "${") > 0 && strings.ContainsAny(pat, "'") {
			t.Skip()
		}
		keys := Keys{Single("x", value)}
		p := compilePattern(pat, wildcards|variables)
		if got, want := p.match(s, &env{keys: keys}), slowMatch(s, pat, true, true, "", slowContext(keys)); got != want {
			t.Fatalf("%q against %q with x = %q: %v, slow %v", pat, s, value, got, want)
		}
	})
}

// FuzzParse wants Parse and Compile to take any text without harm: errors have
// a place inside of the document, and what is accepted can decide.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/iam-vectors.json", "testdata/iot-vectors.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var v struct {
			Decisions []struct {
				Policies struct{ Identity []json.RawMessage }
			}
			Vectors    []struct{ Policies []json.RawMessage }
			Validation []struct{ Document string }
		}
		if err := json.Unmarshal(data, &v); err != nil {
			f.Fatal(err)
		}
		for _, d := range v.Decisions {
			for _, doc := range d.Policies.Identity {
				f.Add(string(doc))
			}
		}
		for _, d := range v.Vectors {
			for _, doc := range d.Policies {
				f.Add(string(doc))
			}
		}
		for _, d := range v.Validation {
			f.Add(d.Document)
		}
	}
	f.Add(`{"Statement":[{"Sid":"\ud83d\ude00\u00e9","Effect":"Allow","Action":"a:b","Resource":"arn:aws:x:::${a, '}'}"}]}`)
	f.Add(strings.Repeat(`{"a":`, 50))
	f.Fuzz(func(t *testing.T, doc string) {
		for kind := Identity; kind <= IoT; kind++ {
			p, err := Compile(kind, doc)
			_, strict := Parse(kind, doc)
			if err != nil {
				var se *SyntaxError
				if !errors.As(err, &se) || se.Line < 1 || se.Line > 1+strings.Count(doc, "\n") || se.Column < 1 || se.Column > len(doc)+1 {
					t.Fatalf("error %#v", err)
				}
				if strict == nil {
					t.Fatalf("Parse accepts what Compile refuses: %v", err)
				}
				continue
			}
			if !json.Valid([]byte(doc)) {
				t.Fatal("accepted, but no JSON")
			}
			in := &Input{Principal: alice, Identity: []*Policy{p}, Resource: p}
			in.Explain(&Request{Action: "iot:Publish", Resource: "arn:aws:iot:r:1:topic/a", Keys: Keys{Single("aws:username", "alice")}})
			DecideIoT([]*Policy{p}, &Request{Action: "iot:Subscribe", Resource: "arn:aws:iot:r:1:topicfilter/$share/a/b"})
			p.ContextKeys()
		}
	})
}

// FuzzReplacePrincipals wants the principals of a trust policy replaced, and
// nothing else of it changed.
func FuzzReplacePrincipals(f *testing.F) {
	f.Add(stmt("Allow", `"Principal":{"AWS":["*","AIDAX","\u0061"],"Service":"a.amazonaws.com"},"Action":"sts:AssumeRole"`), "AROAX")
	f.Add(`{"Statement":[{"Effect":"Deny","Action":"*", "NotPrincipal" : {"AWS" : "é\"" , "Federated":[]}},{"Effect":"Allow","Principal":"*"}]}`, `"\<`)
	f.Fuzz(func(t *testing.T, doc, id string) {
		p, err := Compile(Trust, doc)
		if err != nil || strings.ToValidUTF8(id, "") != id || (&reader{kind: Trust, text: id}).characters() != nil {
			return
		}
		same, err := ReplacePrincipals(Trust, doc, func(id PrincipalID) string { return id.ID })
		if err != nil || same != doc {
			t.Fatalf("%q, %v", same, err)
		}
		var before []PrincipalID
		replaced, err := ReplacePrincipals(Trust, doc, func(p PrincipalID) string {
			before = append(before, p)
			return id
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, p.Principals()) {
			t.Fatalf("asked for %v of %v", before, p.Principals())
		}
		after := mustCompile(t, Trust, replaced).Principals()
		if len(after) != len(before) {
			t.Fatalf("%v became %v", before, after)
		}
		for i, p := range after {
			if p != (PrincipalID{before[i].Class, id}) {
				t.Fatalf("%v became %v", before[i], p)
			}
		}
	})
}
