package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	p := mustCompile(t, Identity, `{"Version":"2012-10-17","Statement":[
  {"Sid":"A","Effect":"Allow","Action":"iam:*","Resource":"*"},
  {"Sid":"B","Effect":"Allow","Action":"kinesisvideo:*","Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/*"},
  {"Sid":"C","Effect":"Allow","Action":"kinesisvideo:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":["red","${aws:UserName}"]}}}]}`).Named("cam")
	in := &Input{Principal: camera, Identity: []*Policy{p}, Keys: Keys{Single("credentials-iot:thingname", "cam1"), Multi("aws:username", "x")}}
	req := &Request{Action: "kinesisvideo:PutMedia", Resource: "arn:aws:kinesisvideo:us-east-1:111122223333:stream/cam2/1"}
	x := in.Explain(req)
	want := Explanation{
		Decision:    Decision{Outcome: ImplicitDeny, Source: SourceIdentity, Statement: -1},
		Reason:      "because no identity-based policy allows the kinesisvideo:PutMedia action",
		PolicyOwner: camera.RoleARN, // and no Suggestion: C came near
		Statements: []StatementReport{
			{Source: SourceIdentity, PolicyID: "cam", Statement: 0, Sid: "A", Allow: true, Start: Position{2, 3}, End: Position{2, 63}, Mismatch: "Action"},
			{Source: SourceIdentity, PolicyID: "cam", Statement: 1, Sid: "B", Allow: true, Start: Position{3, 3}, End: Position{3, 133}, Mismatch: "Resource",
				Resources: []string{"arn:aws:kinesisvideo:*:*:stream/cam1/*"}, Variables: []Variable{{"credentials-iot:ThingName", []string{"cam1"}}}},
			{Source: SourceIdentity, PolicyID: "cam", Statement: 2, Sid: "C", Allow: true, Start: Position{4, 3}, End: Position{4, 153}, Mismatch: "StringEquals aws:PrincipalTag/Team", Nearly: true,
				Conditions: []ConditionReport{{Operator: "StringEquals", Key: "aws:PrincipalTag/Team", Wanted: []string{"red", "${aws:UserName}"}}},
				Variables:  []Variable{{"aws:PrincipalTag/Team", nil}, {"aws:UserName", []string{"x"}}}},
		},
	}
	if !reflect.DeepEqual(x, want) {
		t.Errorf("\n got %+v\nwant %+v", x, want)
	}
	req.Resource = strings.Replace(req.Resource, "cam2", "cam1", 1)
	if x := in.Explain(req); x.Decision.Outcome != Allowed || !x.Statements[1].Applies || x.Suggestion != "" {
		t.Errorf("allowed: %+v", x)
	}
}

// TestNearly: what was refused by a condition is never suggested without it.
func TestNearly(t *testing.T) {
	allow, guarded := stmt("Allow", `"Action":"s3:*","Resource":"*"`), stmt("Allow", `"Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":true},"NumericLessThan":{"s3:max-keys":[10,"20"]}}`)
	role := stmt("Allow", `"Principal":{"AWS":"`+acct+`"},"Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"sts:ExternalId":"x"}}`)
	compile := func(k Kind, doc string) *Policy { return mustCompile(t, k, doc).Named("p") }
	other := alice
	other.Account = "444455556666"
	for name, tt := range map[string]struct {
		in     Input
		source Source // of the statement that came near; SourceNone for none
	}{
		"identity":           {Input{Principal: alice, Identity: []*Policy{compile(Identity, guarded)}}, SourceIdentity},
		"boundary":           {Input{Principal: alice, Identity: []*Policy{compile(Identity, allow)}, Boundary: compile(Identity, guarded)}, SourceBoundary},
		"session":            {Input{Principal: alice, Identity: []*Policy{compile(Identity, allow)}, Session: []*Policy{compile(Session, guarded)}}, SourceSession},
		"resource, alone":    {Input{Principal: alice, Resource: compile(Resource, role)}, SourceResource},
		"resource, far":      {Input{Principal: other, Resource: compile(Resource, role)}, SourceNone},
		"boundary elsewhere": {Input{Principal: alice, Boundary: compile(Identity, guarded)}, SourceNone},
		"a deny":             {Input{Principal: alice, Identity: []*Policy{compile(Identity, strings.ReplaceAll(guarded, "Allow", "Deny"))}}, SourceNone},
	} {
		t.Run(name, func(t *testing.T) {
			x := tt.in.Explain(&Request{Action: "s3:ListBucket", Resource: "arn:aws:s3:::b", Keys: Keys{Single("s3:max-keys", "15")}})
			source := SourceNone
			for _, s := range x.Statements {
				if s.Nearly {
					source = s.Source
				}
			}
			if x.Decision.Outcome != ImplicitDeny || source != tt.source || (x.Suggestion == "") != (source != SourceNone) {
				t.Errorf("near is a %v, suggestion %q: %+v", source, x.Suggestion, x)
			}
			if want := map[bool]string{true: "p"}[name == "boundary"]; x.PolicyID != want {
				t.Errorf("decided by %q, want %q", x.PolicyID, want)
			}
			if tt.source != SourceIdentity {
				return
			}
			if got, want := x.Statements[0].Conditions, []ConditionReport{
				{Operator: "Bool", Key: "aws:MultiFactorAuthPresent", Wanted: []string{"true"}},
				{Operator: "NumericLessThan", Key: "s3:max-keys", Wanted: []string{"10", "20"}, Values: []string{"15"}, Holds: true},
			}; !reflect.DeepEqual(got, want) {
				t.Errorf("conditions %+v, want %+v", got, want)
			}
		})
	}
}

func TestPolicyOwner(t *testing.T) {
	user, root := "arn:aws:iam::"+acct+":user/a", "arn:aws:iam::"+acct+":root"
	for _, tt := range []struct {
		who  Principal
		want string
	}{
		{alice, ""}, {camera, camera.RoleARN}, {Principal{Type: FederatedUser, Account: acct, UserARN: user}, user}, {Principal{Type: FederatedUser, Account: acct, UserARN: root}, ""},
	} {
		if x := (&Input{Principal: tt.who}).Explain(&Request{Action: "iot:ListThings", Resource: "*"}); x.PolicyOwner != tt.want {
			t.Errorf("%+v: %q", tt.who, x.PolicyOwner)
		}
	}
}

func TestFillResource(t *testing.T) {
	e := newEnv(&Input{}, &Request{Keys: Keys{Single("aws:username", "a"), Single("x:y", "b")}})
	for _, tt := range [][3]string{
		{Version2012, "*", "*"}, {Version2012, "arn:aws:iot:*:*:thing/${aws:username}/${x:y}-*?", "arn:aws:iot:*:*:thing/a/b-*?"},
		{Version2012, "arn:aws:iot:${x:y}:*:thing/${x:z}${x:z, 'def'}${*}$${", "arn:aws:iot:${x:y}:*:thing/${x:z}def${*}$${"},
		{Version2008, "arn:aws:iot:*:*:thing/${aws:username}", "arn:aws:iot:*:*:thing/${aws:username}"},
	} {
		if got := fillResource(tt[1], tt[0], &e); got != tt[2] {
			t.Errorf("%s: %s, want %s", tt[1], got, tt[2])
		}
	}
}

// TestSuggestionIsLiteral: what a request wrote allows that and no more.
func TestSuggestionIsLiteral(t *testing.T) {
	for _, resource := range []string{
		"arn:aws:iot:us-east-1:111122223333:topic/*", "arn:aws:iot:us-east-1:111122223333:topic/a?",
		"arn:aws:iot:us-east-1:111122223333:topic/${aws:username}", "arn:aws:iot:us-east-1:111122223333:topic/${*}", "arn:aws:iot:us-east-1:111122223333:topic/$",
	} {
		req := &Request{Action: "iot:Publish", Resource: resource, Keys: Keys{Single("aws:username", "x")}}
		own := &Input{Principal: Principal{Type: User, Account: "111122223333"}}
		p := mustCompile(t, Identity, `{"Version":"2012-10-17","Statement":`+own.Explain(req).Suggestion+`}`)
		own.Identity = []*Policy{p}
		device := mustCompile(t, IoT, `{"Version":"2012-10-17","Statement":`+ExplainIoT(nil, req).Suggestion+`}`)
		for _, tt := range []struct {
			resource string
			want     Outcome
		}{{resource, Allowed}, {"arn:aws:iot:us-east-1:111122223333:topic/ab", ImplicitDeny}, {"arn:aws:iot:us-east-1:111122223333:topic/x", ImplicitDeny}} {
			req.Resource = tt.resource
			if d := own.Decide(req); d.Outcome != tt.want {
				t.Errorf("%s: %s is %v", resource, tt.resource, d.Outcome)
			}
			if d := DecideIoT([]*Policy{device}, req); d.Outcome != tt.want {
				t.Errorf("IoT, %s: %s is %v", resource, tt.resource, d.Outcome)
			}
		}
	}
	if x := (&Input{}).Explain(&Request{Action: "iot:ListThings", Resource: "*"}); !strings.Contains(x.Suggestion, `"Resource":"*"`) {
		t.Errorf("of no resource: %s", x.Suggestion)
	}
}

func TestContextKeys(t *testing.T) {
	p := mustCompile(t, Identity, stmt("Allow", `"Action":"*","Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam::*:role/${AWS:UserName}-${x:y, 'z'}"],
		"Condition":{"StringLike":{"aws:PrincipalTag/A":"${aws:userid}*"},"ArnLike":{"aws:SourceArn":"arn:aws:iot:*:${aws:PrincipalAccount}:*"}}`))
	want := []string{"aws:username", "x:y", "aws:PrincipalTag/A", "aws:userid", "aws:SourceArn", "aws:PrincipalAccount"}
	if got := p.ContextKeys(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMatches(t *testing.T) {
	p := mustCompile(t, IoT, "{\"Statement\":\n{\"Sid\":\"S\",\"Effect\":\"Deny\",\n\"Action\":\"*\",\"Resource\":\"*\"}}").Named("n")
	in := &Input{
		Principal: alice, Identity: []*Policy{p}, Boundary: mustCompile(t, Identity, stmt("Allow", `"Action":"s3:*","Resource":"*"`)).Named("b"),
		Session:  []*Policy{mustCompile(t, Session, stmt("Allow", `"Action":"iot:*","Resource":"*"`)).Named("s")},
		Resource: mustCompile(t, Resource, stmt("Allow", `"Principal":{"AWS":"`+acct+`"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"`)).Named("r"),
	}
	want := []Match{
		{SourceIdentity, "n", Statement{"S", false, Position{2, 1}, Position{3, 29}}},
		{SourceBoundary, "b", Statement{"Allow1", true, Position{1, 38}, Position{1, 102}}},
		{SourceResource, "r", Statement{"Allow1", true, Position{1, 38}, Position{1, 152}}},
	}
	req := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}
	if got := in.Matches(req); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	in.Principal = Principal{Type: User, Account: other}
	if got := in.Matches(req); !slices.Equal(got, want[:2]) {
		t.Errorf("a stranger: %+v, want %+v", got, want[:2])
	}
	if p.ID() != "n" || !strings.HasPrefix(p.Document(), "{") {
		t.Errorf("handle: %s", p.ID())
	}
}

func TestPrincipals(t *testing.T) {
	doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow", "Principal" : {"AWS":["111122223333", "arn:aws:iam::111122223333:user/a"],"Service":"x.amazonaws.com"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user\/a"},"Action":"sts:AssumeRole"}]}`
	want := []PrincipalID{{"AWS", "111122223333"}, {"AWS", "arn:aws:iam::111122223333:user/a"}, {"Service", "x.amazonaws.com"}, {"AWS", "arn:aws:iam::111122223333:user/a"}}
	if got := mustCompile(t, Trust, doc).Principals(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	got, err := ReplacePrincipals(Trust, doc, func(id PrincipalID) string {
		return strings.Replace(id.ID, "arn:aws:iam::111122223333:user/a", "AIDA2XMPLQ7N2HVK6RTBC", 1)
	})
	replaced := strings.NewReplacer(`arn:aws:iam::111122223333:user/a`, "AIDA2XMPLQ7N2HVK6RTBC", `arn:aws:iam::111122223333:user\/a`, "AIDA2XMPLQ7N2HVK6RTBC").Replace(doc)
	if err != nil || got != replaced {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := ReplacePrincipals(Trust, "{", nil); err == nil {
		t.Error("broken document accepted")
	}
}

func TestConcerns(t *testing.T) {
	for doc, want := range map[string]bool{
		stmt("Allow", `"Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"`):          true,
		stmt("Deny", `"Principal":"*","Action":"s3:PutObject","Resource":["arn:aws:s3:::c","*"]`):       true,
		stmt("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b"`):            false,
		stmt("Allow", `"Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/k"`):       false,
		stmt("Allow", `"Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/l"`):       true,
		stmt("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${x:name}"`):  true,
		stmt("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${x:other}"`): false,
	} {
		p := mustCompile(t, Resource, doc)
		if got := p.Concerns(&Request{Resource: "arn:aws:s3:::b/k", Keys: Keys{Single("x:name", "k")}}); got != want {
			t.Errorf("%s: %v", doc, got)
		}
	}
}

func TestTyped(t *testing.T) {
	for _, tt := range []struct {
		typ    string
		values []string
		want   string // error
	}{
		{"string", []string{""}, ""}, {"stringList", nil, ""}, {"numeric", []string{"-1.5"}, ""}, {"numericList", []string{"1", "2"}, ""},
		{"boolean", []string{"False"}, ""}, {"ip", []string{"2001:db8::1"}, ""}, {"ip", []string{"10.0.0.0/8"}, ""}, {"binary", []string{"QQ=="}, ""},
		{"date", []string{"2026-01-15T12:00:00Z"}, ""}, {"dateList", []string{"1768478400"}, ""},
		{"", []string{"x"}, `type "" of context key a:b is unknown`}, {"List", []string{"x"}, `type "List" of context key a:b is unknown`},
		{"String", []string{"x"}, `type "String" of context key a:b is unknown`}, {"arn", []string{"x"}, `type "arn" of context key a:b is unknown`},
		{"numeric", []string{"1e3"}, `value "1e3" of context key a:b is not of type numeric`}, {"boolean", []string{"1"}, `value "1" of context key a:b is not of type boolean`},
		{"ipList", []string{"10.0.0.1", "host"}, `value "host" of context key a:b is not of type ip`}, {"binary", []string{"Q"}, `value "Q" of context key a:b is not of type binary`},
		{"date", []string{"soon"}, `value "soon" of context key a:b is not of type date`}, {"string", nil, "context key a:b of type string has 0 values, not one"},
	} {
		k, err := Typed("a:b", tt.typ, tt.values...)
		switch {
		case err != nil && err.Error() != tt.want, err == nil && tt.want != "":
			t.Errorf("%s %q: %v, want %q", tt.typ, tt.values, err, tt.want)
		case err == nil && (k.multi != strings.HasSuffix(tt.typ, "List") || !slices.Equal(k.Values(), tt.values) || k.Name() != "a:b"):
			t.Errorf("%s %q: %+v", tt.typ, tt.values, k)
		}
	}
}
