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
		Decision:   Decision{Outcome: ImplicitDeny, Source: SourceIdentity, Statement: -1},
		Reason:     "because no identity-based policy allows the kinesisvideo:PutMedia action",
		Suggestion: `{"Effect":"Allow","Action":"kinesisvideo:PutMedia","Resource":"arn:aws:kinesisvideo:us-east-1:111122223333:stream/cam2/1"}`,
		Statements: []StatementReport{
			{Source: SourceIdentity, PolicyID: "cam", Statement: 0, Sid: "A", Allow: true, Start: Position{2, 3}, End: Position{2, 63}, Mismatch: "Action"},
			{Source: SourceIdentity, PolicyID: "cam", Statement: 1, Sid: "B", Allow: true, Start: Position{3, 3}, End: Position{3, 133}, Mismatch: "Resource",
				Variables: []Variable{{"credentials-iot:ThingName", []string{"cam1"}}}},
			{Source: SourceIdentity, PolicyID: "cam", Statement: 2, Sid: "C", Allow: true, Start: Position{4, 3}, End: Position{4, 153}, Mismatch: "StringEquals aws:PrincipalTag/Team",
				Variables: []Variable{{"aws:PrincipalTag/Team", nil}, {"aws:UserName", []string{"x"}}}},
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

func TestStatements(t *testing.T) {
	p := mustCompile(t, IoT, "{\"Statement\":\n{\"Sid\":\"S\",\"Effect\":\"Deny\",\n\"Action\":\"*\",\"Resource\":\"*\"}}").Named("n")
	if got, want := p.Statements(), []Statement{{"S", false, Position{2, 1}, Position{3, 29}}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if p.ID() != "n" || p.Kind() != IoT || p.Version() != Version2008 || !strings.HasPrefix(p.Document(), "{") {
		t.Errorf("handle: %s %v %s", p.ID(), p.Kind(), p.Version())
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
