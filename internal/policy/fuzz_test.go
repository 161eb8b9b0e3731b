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
	fuzzActions   = []string{"sts:*", "sts:assumerole", "*", "iot:*", "iot:Publish", "IOT:pub*", "iot:?ublish", "iot:P*l*h", "iot:Sub*", "iot:Subscribe", "s3:*", "i*t:Publish", "iot", "iot:*sh", "*:*", "iot:*u*"}
	fuzzVerbs     = []string{"sts:AssumeRole", "iot:Publish", "iot:Subscribe", "IOT:PUBLISH", "s3:GetObject", "iot:P"}
	fuzzPatterns  = []string{"*", "arn:aws:iot:r:1:topic/*", "arn:aws:iot:*:*:topic/a", "arn:aws:iot:r:1:topic/${k:One}", "arn:aws:iot:r:1:topic/${k:None}/*", "arn:aws:iot:r:1:topic/${k:none, 'd'}*", "arn:aws:iot:*", "arn:aws:io?:r:1:topic*", "arn:aws:iot:r:1:topicfilter/*", "arn:aws:iot:r:1:*/?${*}${k:many}", "arn:aws:iot:r:1:topic/*a*b?", "arn:aws", "arn:aws:iot:r:1:topic/a:*", "arn:aws:iot:${k:One}:1:*", "topic/*", "arn:aws:iot:r:1:t*/${k:Star}*", "arn:aws:iot:r:1:topicfilter/$share/*", "arn:aws:iot:r:1:topic/${iot:Certificate.Subject.CommonName}", "arn:aws:iot:r:1:topic/${iot:Certificate.Subject.CommonName, 'a'}*", "arn:aws:iot:r:1:topic/${k:Base}", "arn:aws:iot:r:1:topic/${k:Empty, 'a'}", "arn:aws:iot:r:1:topic/${k:many, ''}a", "arn:aws:iot:r:1:topic/${k:none, '}'}", "arn:aws:iot:*:1:topic*/?${k:none,'*'}", "arn:aws:iot:r:1:*${k:One}*", "arn:aws:iam::*:role/${k:Base}"}
	fuzzResources = []string{"*", "arn:aws:iam::111122223333:role/b", "arn:aws:iot:r:1:topic/b", "arn:aws:iot:r:1:topic/", "arn:aws:iot:r:1:topic/}", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:topic/v*", "arn:aws:iot:r:1:topic/*/x", "arn:aws:iot:r:1:topic/d/é", "arn:aws:iot:r:1:topicfilter/$share/g/a", "arn:aws:iot:r:1:topicfilter/a", "arn:aws:iot:r:2:topic/aab", "arn:aws:iot:r:1:topic/a:b", "arn:aws:iot", "", "arn:aws:iot:r:1:topic/abab?"}
	fuzzValues    = []string{"", "a", "A", "v*", "1", "01.0", "-2.5", "10", "true", "FALSE", "2026-01-15", "2026-01-15T00:00:00Z", "1768435200", "2026", "203.0.113.9", "203.0.113.0/24", "::ffff:203.0.113.9", "2001:db8::/32", "2001:db8::7", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:*:1:topic/*", "arn:aws:iot:*", "${k:One}", "a*", "?", "${k:None}", "${k:None, 'a'}", "*", "é", "x${k:Many}", "${?}", "${k:Base}", "${k:Empty, 'a'}", "${k:Base, '}'}*", "arn:aws:iot:r:1:topic/${k:One, 'a'}", "${k:None, 'arn:aws:iot:r:1:topic/a'}", "arn:aws:iot:${k:None, 'r'}:${k:Digit}:topic/${k:One}*", "${k:None, 'arn'}:*", "192.0.2.1", "${iot:SourceIp}"}
	fuzzNames     = []string{"k:Base", "iot:SourceIp", "aws:PrincipalType", "k:One", "K:ONE", "k:Many", "k:Star", "k:None", "k:Num", "k:Empty", "iot:Certificate.Subject.CommonName"}
)

func fuzzOperators() []string {
	var names []string
	for _, op := range []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike",
	} {
		names = append(names, op, op+"IfExists", "ForAllValues:"+op, "ForAnyValue:"+op, "ForAllValues:"+op+"IfExists", "ForAnyValue:"+op+"IfExists")
	}
	return append(names, "Null", "ForAllValues:Null", "ForAnyValue:Null")
}

// scalars are strings, of which some are written as JSON's numbers and
// booleans.
func (c *chooser) scalars(most int) []any {
	list := []any{}
	for _, v := range c.some(most, fuzzValues) {
		switch v {
		case "1", "-2.5", "10", "true":
			if c.n(2) == 1 {
				list = append(list, json.RawMessage(v))
				continue
			}
		}
		list = append(list, v)
	}
	return list
}

// document writes a policy of a kind.
func (c *chooser) document(operators []string, kind Kind) string {
	var statements []any
	for range 1 + c.n(3) {
		s := map[string]any{"Effect": []string{"Allow", "Allow", "Deny"}[c.n(3)]}
		s[[]string{"Action", "Action", "NotAction"}[c.n(3)]] = append(c.some(2, fuzzActions), c.of(fuzzActions))
		if kind != Trust {
			s[[]string{"Resource", "Resource", "NotResource"}[c.n(3)]] = append(c.some(2, fuzzPatterns), c.of(fuzzPatterns))
		}
		if conditions := c.n(3); conditions > 0 {
			block := map[string]any{}
			for range conditions {
				block[c.of(operators)] = map[string]any{c.of(fuzzNames): c.scalars(3)}
			}
			s["Condition"] = block
		}
		if (kind == Trust || kind == Resource) && c.n(8) != 7 {
			ids := []string{
				acct, other, alice.ARN, camera.ARN, camera.RoleARN, federated.ARN, federated.UserARN, "*", "arn:aws:iam::" + acct + ":root", "arn:aws:iam::" + other + ":root",
				alice.UserID, "AROA2XMPLQ7N2HVK6RTBC", "arn:aws:iam::" + acct + ":user/*",
			}
			var element any = map[string]any{
				"AWS": c.some(2, ids), "Service": c.some(1, []string{provider.Service, "x.amazonaws.com"}),
				"Federated": c.some(1, []string{web.Provider, "accounts.example"}), "CanonicalUser": c.some(1, []string{"*", alice.UserID}),
			}
			if c.n(6) == 5 {
				element = "*"
			}
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
	ks := Keys{Single("k:Star", "*"), Single("k:Digit", "1"), Single("aws:SourceIp", "192.0.2.1")}
	if c.n(4) > 0 {
		ks = append(ks, Single("k:One", c.of(fuzzValues)))
	}
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
		data := make([]byte, 400)
		_, _ = source.Read(data)
		differential(t, data, operators)
	}
}

func differential(t *testing.T, data []byte, operators []string) {
	t.Helper()
	c := &chooser{data}
	req := &Request{Action: c.of(fuzzVerbs), Resource: c.of(fuzzResources), Keys: c.keys()}
	if c.n(4) == 0 {
		policies := []*Policy{mustCompile(t, IoT, c.document(operators, IoT)), mustCompile(t, IoT, c.document(operators, IoT))}
		if got, want := DecideIoT(policies, req).Outcome, slowDecideIoT(policies, req); got != want {
			t.Fatalf("IoT: %s, slow %s\n%+v\n%s\n%s", got, want, req, policies[0].Document(), policies[1].Document())
		}
		return
	}
	in := &Input{Principal: []Principal{alice, rootUser, camera, federated, provider, nobody, web}[c.n(7)]}
	in.Keys = append(in.Principal.Keys(), Single("k:Base", "b"), Single("k:One", c.of(fuzzValues)))
	req.ResourceAccount = []string{"", acct, other}[c.n(3)]
	docs := fmt.Sprintf("%+v %+v", in.Principal, req)
	compile := func(kind Kind) *Policy {
		doc := c.document(operators, kind)
		docs += "\n" + doc
		return mustCompile(t, kind, doc)
	}
	for range c.n(3) {
		in.Identity = append(in.Identity, compile(Identity))
	}
	if c.n(3) == 1 {
		in.Boundary = compile(Identity)
	}
	if n := c.n(6); n < 3 { // no, one or two session policies were passed
		in.HasSession = true
		for range n {
			in.Session = append(in.Session, compile(Session))
		}
	}
	switch c.n(4) {
	case 1, 2:
		in.Resource = compile(Resource)
	case 3:
		in.Resource, in.Trust = compile(Trust), true
	}
	got, want := in.Decide(req), slowDecide(in, req)
	if got.Outcome != want {
		t.Fatalf("%s, slow %s\n%s", got.Outcome, want, docs)
	}
	x := in.Explain(req)
	if x.Decision != got {
		t.Fatalf("Explain: %+v, Decide: %+v\n%s", x.Decision, got, docs)
	}
	matches, denied := in.Matches(req), false
	for _, s := range x.Statements {
		if !s.Applies {
			continue
		}
		if len(matches) == 0 || matches[0] != (Match{s.Source, s.PolicyID, Statement{s.Sid, s.Allow, s.Start, s.End}}) {
			t.Fatalf("Explain: %+v, Matches: %+v\n%s", s, matches, docs)
		}
		matches, denied = matches[1:], denied || !s.Allow
	}
	if len(matches) > 0 || denied != (want == ExplicitDeny) {
		t.Fatalf("%s, left of Matches %+v, Explain: %+v\n%s", got.Outcome, matches, x, docs)
	}
	isARN := newTarget(req.Resource).isARN || req.Resource == "*"
	if x.Suggestion != "" && isARN && !helps(t, *in, req, got.Source, x.Suggestion) {
		t.Fatalf("%+v is not helped by %s\n%s", got, x.Suggestion, docs)
	}
}

// helps reports whether a statement, put where a decision says that one was
// missing, allows the request or leaves it to another kind of policy.
func helps(t *testing.T, in Input, req *Request, source Source, statement string) bool {
	t.Helper()
	doc := `{"Version":"2012-10-17","Statement":` + statement + `}`
	switch source {
	case SourceIdentity:
		in.Identity = append(slices.Clone(in.Identity), mustCompile(t, Identity, doc))
	case SourceBoundary:
		in.Boundary = mustCompile(t, Identity, doc)
	case SourceSession:
		in.Session, in.HasSession = append(slices.Clone(in.Session), mustCompile(t, Session, doc)), true
	case SourceTrust:
		in.Resource = mustCompile(t, Trust, doc)
	default:
		in.Resource = mustCompile(t, Resource, doc)
	}
	d := in.Decide(req)
	return d.Outcome == Allowed || d.Outcome == ImplicitDeny && d.Source != source
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
