package policy

import (
	"fmt"
	"strings"
	"testing"
)

// benchInput is the measure of the package's goal: ten policies of five
// statements over several services, with variables and conditions, of which
// the last statement allows.
func benchInput(tb testing.TB) (*Input, *Request) {
	in := benchCaller()
	for i := range 9 {
		in.Identity = append(in.Identity, mustCompile(tb, Identity, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Sid":"Own","Effect":"Allow","Action":["iam:GetUser","iam:ChangePassword"],"Resource":"arn:aws:iam::*:user/${aws:username}"},
			{"Sid":"Things","Effect":"Allow","Action":["iot:DescribeThing","iot:UpdateThing","iot:List*"],"Resource":"arn:aws:iot:*:123456789012:thing/%[1]d-*"},
			{"Sid":"Archive","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::archive%[1]d","arn:aws:s3:::archive%[1]d/*"]},
			{"Sid":"Watch","Effect":"Allow","Action":["kinesisvideo:Get*","kinesisvideo:PutMedia"],"Resource":"arn:aws:kinesisvideo:*:*:stream/fleet%[1]d-${aws:PrincipalTag/team}-*"},
			{"Sid":"Secure","Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`, i)))
	}
	in.Identity = append(in.Identity, mustCompile(tb, Identity, benchLast))
	return in, benchRequest()
}

// benchWorst is the same size, and nearly every statement fits but for the end
// of its resource.
func benchWorst(tb testing.TB) (*Input, *Request) {
	in := benchCaller()
	for i := range 9 {
		var statements []string
		for j := range 5 {
			statements = append(statements, fmt.Sprintf(`{"Sid":"s%d","Effect":"%s","Action":["kinesisvideo:Describe*","iot:Connect","kinesisvideo:PutMedia"],
				"Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/%d*",
				"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"},"Bool":{"aws:SecureTransport":"true"}}}`,
				j, []string{"Allow", "Deny"}[j%2], i+2))
		}
		in.Identity = append(in.Identity, mustCompile(tb, Identity, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	}
	in.Identity = append(in.Identity, mustCompile(tb, Identity, benchLast))
	return in, benchRequest()
}

const benchLast = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Deny","Action":"iam:*","Resource":"*"},
	{"Effect":"Deny","Action":"kinesisvideo:Delete*","Resource":"*"},
	{"Effect":"Allow","Action":"iot:*","Resource":"*"},
	{"Effect":"Deny","Action":"kinesisvideo:PutMedia","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
	{"Effect":"Allow","Action":["kinesisvideo:PutMedia","kinesisvideo:GetDataEndpoint"],"Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/*"}]}`

func benchCaller() *Input {
	in := &Input{Principal: Principal{
		Type: AssumedRole, Account: "123456789012", UserID: "AROA2XMPLQ7N2HVK6RTBC:cam1",
		ARN: "arn:aws:sts::123456789012:assumed-role/cam/cam1", RoleARN: "arn:aws:iam::123456789012:role/cam",
	}}
	in.Keys = append(in.Principal.Keys(), Single("credentials-iot:ThingName", "cam1"), Single("aws:PrincipalTag/team", "red"))
	return in
}

func benchRequest() *Request {
	return &Request{
		Action: "kinesisvideo:PutMedia", Resource: "arn:aws:kinesisvideo:us-east-1:123456789012:stream/cam1/1700000000000",
		Keys: Keys{Single("aws:SecureTransport", "true"), Single("aws:SourceIp", "203.0.113.9"), Single("aws:UserAgent", "kvs/1.0")},
	}
}

func BenchmarkDecide(b *testing.B) {
	for name, input := range map[string]func(testing.TB) (*Input, *Request){"typical": benchInput, "worst": benchWorst} {
		b.Run(name, func(b *testing.B) {
			in, req := input(b)
			b.ReportAllocs()
			for b.Loop() {
				if d := in.Decide(req); d.Outcome != Allowed {
					b.Fatal(d)
				}
			}
		})
	}
}

func BenchmarkDecideIoT(b *testing.B) {
	p := mustCompile(b, IoT, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:123456789012:topic/dt/${iot:Connection.Thing.ThingName}/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/cmd/${iot:Connection.Thing.ThingName}/*"}]}`)
	policies := []*Policy{p}
	req := &Request{
		Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:123456789012:topic/dt/cam1/temperature",
		Keys: Keys{Single("iot:ClientId", "cam1"), Single("iot:Connection.Thing.ThingName", "cam1"), Single("iot:Connection.Thing.IsAttached", "true")},
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := DecideIoT(policies, req); d.Outcome != Allowed {
			b.Fatal(d)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:123456789012:topic/dt/${iot:ClientId}/*"}]}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(IoT, doc); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	for name, input := range map[string]func(testing.TB) (*Input, *Request){"typical": benchInput, "worst": benchWorst} {
		in, req := input(t)
		if n := testing.AllocsPerRun(100, func() { in.Decide(req) }); n != 0 {
			t.Errorf("Decide (%s) allocates %v times", name, n)
		}
	}
}
