package policy

import (
	"fmt"
	"testing"
)

// TestRules shows the rules of the language that no other table does, one line
// each: a statement and whether it allows alice what the request asks for.
func TestRules(t *testing.T) {
	keys := Keys{
		Single("x:one", "1"), Single("x:two", "2"), Single("x:true", "true"), Single("x:ip", "203.0.113.9"), Single("x:date", "2026-01-15"),
		Single("x:arn", "arn:aws:iot:r:1:topic/a"), Single("x:b64", "QQ=="), Single("x:colon", "a:b"), Single("aws:PrincipalTag/Team", "red"),
		Multi("x:set", "a", "b"), Multi("x:same", "a"),
	}
	on := func(condition string) string { return anything + `,"Condition":{` + condition + `}` }
	tests := []struct {
		rule      string
		statement string
		want      bool
	}{
		// §1
		{"single values need no brackets", `"Action":"iot:Publish","Resource":"*"`, true},
		{"lists of one", `"Action":["iot:Publish"],"Resource":["*"]`, true},
		{"a condition's values may be numbers and booleans", on(`"NumericEquals":{"x:one":1},"Bool":{"x:true":true},"StringEquals":{"x:two":[3,2]}`), true},
		{"an empty Condition always holds", on(``), true},
		{"an empty list of values never matches", on(`"StringEquals":{"x:one":[]}`), false},
		{"and so always matches when negated", on(`"StringNotEquals":{"x:one":[]}`), true},
		// §2
		{"actions ignore case", `"Action":"IOT:PUBLISH","Resource":"*"`, true},
		{"one of several actions", `"Action":["s3:*","iot:Pub*"],"Resource":"*"`, true},
		{"NotAction is everything else", `"NotAction":["s3:*","iot:Connect"],"Resource":"*"`, true},
		{"but not what is listed", `"NotAction":["s3:*","iot:pub*"],"Resource":"*"`, false},
		{"NotAction with * is nothing", `"NotAction":"*","Resource":"*"`, false},
		{"one of several resources", `"Action":"*","Resource":["arn:aws:s3:::b","arn:aws:iot:r:*:topic/?"]`, true},
		{"resources keep case", `"Action":"*","Resource":"arn:aws:iot:r:1:Topic/a"`, false},
		{"NotResource is everything else", `"Action":"*","NotResource":"arn:aws:iot:r:1:topic/b"`, true},
		{"but not what is listed", `"Action":"*","NotResource":"arn:aws:iot:r:1:topic/*"`, false},
		{"NotResource with a variable that has no value leaves out nothing", `"Action":"*","NotResource":"arn:aws:iot:r:1:topic/${x:none}"`, true},
		{"no variables in actions", `"Action":"iot:${x:none, 'Publish'}","Resource":"*"`, false},
		{"no variables in the first five parts of a resource", `"Action":"*","Resource":"arn:aws:iot:r:${x:one}:topic/a"`, false},
		{"variables in the sixth", `"Action":"*","Resource":"arn:aws:iot:r:1:topic/${x:none, 'a'}"`, true},
		// §3
		{"several operators have to hold", on(`"StringEquals":{"x:one":"1"},"NumericEquals":{"x:two":"2"}`), true},
		{"all of them", on(`"StringEquals":{"x:one":"1"},"NumericEquals":{"x:two":"3"}`), false},
		{"several keys have to hold", on(`"StringEquals":{"x:one":"1","x:two":"2"}`), true},
		{"all of them", on(`"StringEquals":{"x:one":"1","x:two":"3"}`), false},
		{"one of several values has to match", on(`"StringEquals":{"x:one":["0","1"]}`), true},
		{"none of them when negated", on(`"StringNotEquals":{"x:one":["0","1"]}`), false},
		{"keys ignore case, in tags as well", on(`"StringEquals":{"AWS:principaltag/TEAM":"red"}`), true},
		{"wildcards in Like alone", on(`"StringLike":{"x:colon":"a*"},"StringNotEquals":{"x:colon":"a*"}`), true},
		{"variables in String operators", on(`"StringEquals":{"x:two":"${x:two}"},"StringLike":{"x:colon":"${x:none, 'a'}:*"},"StringEqualsIgnoreCase":{"x:true":"TRU${x:none, 'E'}"}`), true},
		{"in Bool", on(`"Bool":{"x:true":"${x:true}"}`), true},
		{"in Arn operators, in any part", on(`"ArnEquals":{"x:arn":"arn:aws:iot:r:${x:one}:topic/${x:none, 'a'}"}`), true},
		{"colons of variables part nothing", on(`"ArnLike":{"x:arn":"arn:aws:iot:${x:none, 'r'}:1:topic/*"}`), true},
		{"not in Numeric operators", on(`"NumericEquals":{"x:one":"${x:one}"}`), false},
		{"not in Date operators", on(`"DateEquals":{"x:one":"${x:one}"}`), false},
		{"not in IpAddress", on(`"IpAddress":{"x:ip":"${x:ip}"}`), false},
		{"not in BinaryEquals", on(`"BinaryEquals":{"x:b64":"${x:b64}"}`), false},
		{"not in Null", on(`"Null":{"x:one":"${x:none, 'false'}"}`), false},
		{"a variable without value matches nothing", on(`"StringEquals":{"x:one":"${x:none}"}`), false},
		{"and everything when negated", on(`"StringNotEquals":{"x:one":"${x:none}"}`), true},
		{"a set is no variable", on(`"StringLike":{"x:one":"*${x:set}*"}`), false},
		{"nor is a set of one", on(`"StringEquals":{"x:same":"a"}`), false},
		{"a set needs a set operator, negated as well", on(`"StringNotEquals":{"x:set":"c"}`), false},
		{"IfExists says nothing of keys that are there", on(`"StringEqualsIfExists":{"x:one":"2"}`), false},
		{"ForAllValues with IfExists", on(`"ForAllValues:StringLikeIfExists":{"x:set":["a*","b"],"x:none":"c"}`), true},
		{"ForAnyValue with IfExists", on(`"ForAnyValue:NumericGreaterThanIfExists":{"x:none":"5"},"ForAnyValue:StringEqualsIfExists":{"x:set":"b"}`), true},
		{"ForAllValues, negated: none is listed", on(`"ForAllValues:StringNotLike":{"x:set":["c*","d"]}`), true},
		{"ForAnyValue, negated: one is not", on(`"ForAnyValue:StringNotLike":{"x:set":"a*"}`), true},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			in := &Input{Principal: alice, Identity: []*Policy{mustCompile(t, Identity, stmt("Allow", tt.statement))}}
			req := &Request{Action: "iot:Publish", Resource: "arn:aws:iot:r:1:topic/a", Keys: keys}
			if got := in.Decide(req).Outcome == Allowed; got != tt.want {
				t.Errorf("allowed: %v", got)
			}
			in.Identity[0] = mustCompile(t, Identity, stmt("Deny", tt.statement))
			if got := in.Decide(req).Outcome == ExplicitDeny; got != tt.want {
				t.Errorf("denied: %v", got)
			}
			if slow := slowDecide(in, req) == ExplicitDeny; slow != tt.want {
				t.Errorf("the slow evaluator says %v", slow)
			}
		})
	}
}

// TestPrincipalRules shows whom a Principal element names (iam-policy.md §6).
func TestPrincipalRules(t *testing.T) {
	for _, tt := range []struct {
		element string
		who     Principal
		want    grant
	}{
		{`"*"`, nobody, grantLimited}, {`{"AWS":"*"}`, nobody, grantLimited}, {`{"Service":"*"}`, provider, grantNone}, {`{"CanonicalUser":"*"}`, alice, grantNone},
		{`{"AWS":"arn:aws:iam::` + acct + `:user/*"}`, alice, grantNone}, {`{"AWS":"arn:aws:iam::` + acct + `:user/eng/alic?"}`, alice, grantNone},
		{`{"AWS":"arn:aws:iam::*:user/eng/alice"}`, alice, grantNone}, {`{"AWS":"arn:aws:sts::` + acct + `:assumed-role/cam/*"}`, camera, grantNone},
		{`{"AWS":"${aws:PrincipalArn}"}`, alice, grantNone}, {`{"AWS":"arn:aws:iam::` + acct + `:group/eng"}`, alice, grantNone},
		{`{"AWS":"` + acct + `"}`, rootUser, grantAccount}, {`{"AWS":"arn:aws:iam::` + acct + `:root"}`, federated, grantAccount}, {`{"AWS":"` + other + `"}`, alice, grantNone},
		{`{"AWS":"` + acct + `"}`, web, grantNone}, {`{"AWS":"` + acct + `"}`, provider, grantNone}, {`{"AWS":"` + acct + `"}`, nobody, grantNone},
		{`{"Federated":"` + web.Provider + `"}`, web, grantDirect}, {`{"AWS":"` + web.Provider + `"}`, web, grantNone}, {`{"AWS":"` + provider.Service + `"}`, provider, grantNone},
		{`{"AWS":["x","` + alice.ARN + `"],"Service":"` + provider.Service + `"}`, alice, grantDirect}, {`{"AWS":["x"],"Service":["y","` + provider.Service + `"]}`, provider, grantDirect},
		{`{"AWS":"AROA2XMPLQ7N2HVK6RTBC"}`, camera, grantLimited}, {`{"AWS":"AROA2XMPLQ7N2HVK6RTBC"}`, Principal{Type: User, UserID: "AROA2XMPLQ7N2HVK6RTBC:s1"}, grantNone},
		{`{"AWS":"arn:aws:iam::` + acct + `:role/cam"}`, camera, grantNone}, // the path is part of the name
	} {
		t.Run(fmt.Sprintf("%s %s", tt.element, tt.who.ARN), func(t *testing.T) {
			p := mustCompile(t, Resource, stmt("Allow", `"Principal":`+tt.element+`,`+anything))
			if got := p.doc.statements[0].principals.match(&tt.who, true); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
