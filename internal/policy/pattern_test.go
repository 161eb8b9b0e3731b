package policy

import (
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	keys := Keys{
		Single("aws:username", "alice"), Single("aws:PrincipalTag/Team", "r*d"), Single("empty", ""), Multi("aws:TagKeys", "a", "b"),
		Single("x:brace", "}"), Single("iot:Certificate.Subject.CommonName", "a+b"), Single("iot:ClientId", "a+b"),
		Single("aws:SourceIp", "192.0.2.1"),
	}
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "x", false}, {"a", "a", true}, {"a", "b", false},
		{"*", "", true}, {"*", "any\nthing", true}, {"**", "", true}, {"***", "x", true},
		{"a*", "a", true}, {"a*", "b", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*a", "aba", true},
		{"*a*", "bab", true}, {"*a*", "bb", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXcYb", false},
		{"?", "", false}, {"?", "é", true}, {"??", "é", false}, {"*?", "é", true}, {"*?", "", false}, {"?*", "x", true},
		{"*ab", "aab", true}, {"*aab", "aaab", true}, {"*a?b", "aaxb", true},
		{"${aws:username}", "alice", true}, {"${AWS:UserName}", "alice", true}, {"${ aws:username }", "alice", true},
		{"${aws:username}*", "alice/x", true}, {"u/${aws:username}", "u/bob", false},
		{"${aws:PrincipalTag/Team}", "red", false}, {"${aws:PrincipalTag/Team}", "r*d", true}, {"*${aws:principaltag/team}*", "xr*dx", true},
		{"${none}", "", false}, {"${none}", "${none}", false}, {"*${none}*", "x", false},
		{"${none, 'shared'}", "shared", true}, {"${none,'shared'}", "shared", true}, {"${none, ''}", "", true}, {"${none, 'a}b'}/x", "a}b/x", true},
		{"${none, '*'}", "x", false}, {"${none, '*'}", "*", true},
		{"${aws:username, 'x'}", "alice", true}, {"${empty, 'x'}", "x", true}, {"${empty}", "", false}, {"${empty}*", "x", false},
		{"${aws:TagKeys}", "a", false}, {"${aws:TagKeys, 'd'}", "d", true},
		{"${*}", "*", true}, {"${*}", "x", false}, {"a${?}b", "a?b", true}, {"a${?}b", "axb", false}, {"${$}{x}", "${x}", true},
		{"${", "${", true}, {"${}", "${}", true}, {"${aws:username", "${aws:username", true}, {"$aws/things", "$aws/things", true}, {"$*", "$x", true},
		{"${none, 'open}", "${none, 'open}", true}, {"${x:brace}", "}", true},
		{"${iot:Certificate.Subject.CommonName}", "a+b", false}, {"${iot:Certificate.Subject.CommonName, 'd'}", "d", true}, {"${iot:ClientId}", "a+b", true},
		{"${iot:SourceIp}", "192.0.2.1", true},
	}
	e := &env{keys: keys}
	for _, tt := range tests {
		p := compilePattern(tt.pattern, wildcards|variables)
		if got := p.match(tt.s, e); got != tt.want {
			t.Errorf("%q matches %q = %v", tt.pattern, tt.s, got)
		}
		if slow := slowMatch(tt.s, tt.pattern, true, true, "", slowContext(keys)); slow != tt.want {
			t.Errorf("%q against %q: the slow evaluator says %v", tt.pattern, tt.s, slow)
		}
	}
}

func TestVariablesNeedVersion2012(t *testing.T) {
	req := &Request{Action: "iot:Publish", Resource: "arn:aws:iot:r:1:topic/${iot:ClientId}", Keys: Keys{Single("iot:ClientId", "c")}}
	for version, want := range map[string]Outcome{`"Version":"2008-10-17",`: Allowed, "": Allowed, `"Version":"2012-10-17",`: ImplicitDeny} {
		p := mustCompile(t, IoT, `{`+version+`"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:ClientId}"}}`)
		if d := DecideIoT([]*Policy{p}, req); d.Outcome != want {
			t.Errorf("%s: %s", version, d.Outcome)
		}
	}
}

func TestResource(t *testing.T) {
	tests := []struct {
		pattern, resource string
		want              bool
	}{
		{"*", "*", true}, {"*", "arn:aws:iot:r:1:thing/x", true},
		{"arn:aws:iot:r:1:thing/*", "*", false}, {"arn:aws:iot:r:1:*", "*", false}, {"arn:*", "*", false},
		{"arn:aws:iot:r:1:thing/*", "arn:aws:iot:r:1:thing/a/b", true},
		{"arn:aws:iot:*:*:thing/x", "arn:aws:iot:r:1:thing/x", true},
		{"arn:aws:iot:*:thing/x", "arn:aws:iot:r:1:thing/x", false},
		{"arn:aws:iot:*:1:thing/x", "arn:aws:iot:r:2:1:thing/x", false},
		{"arn:aws:iot:*", "arn:aws:iot:r:1:thing/x", true}, {"arn:aws:io*", "arn:aws:iot:r:1:thing/x", true},
		{"arn:aws:iot", "arn:aws:iot:r:1:thing/x", false}, {"arn:aws:iot:r:1", "arn:aws:iot:r:1:", false},
		{"arn:aws:iot:r:1:topic/a:*", "arn:aws:iot:r:1:topic/a:b:c", true}, {"arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:topic/a:b", false},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/k", true}, {"arn:aws:s3:::b/*", "arn:aws:s3:::B/k", false},
		{"arn:aws:iot:${r}:1:thing/x", "arn:aws:iot:r:1:thing/x", false},
		{"arn:aws:iot:r:1:thing/${r}", "arn:aws:iot:r:1:thing/r", true},
		{"arn:aws:iot:r:?:thing/x", "arn:aws:iot:r:1:thing/x", true},
		{"", "", false},
	}
	keys := Keys{Single("r", "r")}
	for _, tt := range tests {
		p := compileResource(tt.pattern, variables)
		target := newTarget(tt.resource)
		if got := p.match(&target, &env{keys: keys}); got != tt.want {
			t.Errorf("%q matches %q = %v", tt.pattern, tt.resource, got)
		}
		if slow := slowARN(tt.resource, tt.pattern, true, slowContext(keys)); slow != tt.want {
			t.Errorf("%q against %q: the slow evaluator says %v", tt.pattern, tt.resource, slow)
		}
	}
}

func TestAction(t *testing.T) {
	tests := []struct {
		pattern, action string
		want            bool
	}{
		{"*", "iot:Publish", true}, {"*:*", "iot:Publish", true}, {"iot:*", "iot:Publish", true}, {"IOT:publish", "iot:Publish", true},
		{"iot:Pub*", "iot:Publish", true}, {"iot:*lish", "iot:PUBLISH", true}, {"iot:P?blish", "iot:Publish", true}, {"iot:P*b?ish", "iot:Publish", true},
		{"iot:Publis", "iot:Publish", false}, {"iot:?Publish", "iot:Publish", false}, {"iot:*", "iotjobsdata:X", false},
		{"i*t:Publish", "iot:Publish", false}, {"*:Publish", "iot:Publish", false}, {"Publish", "iot:Publish", false}, {"iot*", "iot:Publish", false},
		{"iot:a:b", "iot:a:b", false}, {"iot:GetImäge", "iot:GetImäge", true}, {"kinesisvideo:Get*URL", "kinesisvideo:GetHLSStreamingSessionURL", true},
		{"iot:" + strings.Repeat("x", 100), "iot:" + strings.Repeat("X", 100), true},
	}
	for _, tt := range tests {
		p := mustCompile(t, Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"`+tt.pattern+`","Resource":"*"}}`)
		in := &Input{Principal: Principal{Type: User}, Identity: []*Policy{p}}
		if got := in.Decide(&Request{Action: tt.action, Resource: "*"}).Outcome == Allowed; got != tt.want {
			t.Errorf("%q matches %q = %v", tt.pattern, tt.action, got)
		}
		if slow := slowAction(tt.action, tt.pattern); slow != tt.want {
			t.Errorf("%q against %q: the slow evaluator says %v", tt.pattern, tt.action, slow)
		}
	}
}
