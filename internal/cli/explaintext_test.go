package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// golden holds text to a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func parse(t *testing.T, k policy.Kind, name, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(k, text)
	if err != nil {
		t.Fatal(err)
	}
	return p.Named(name)
}

// TestExplainText holds the text to golden files, made by decisions of the
// real engine.
func TestExplainText(t *testing.T) {
	const (
		account = "123456789012"
		thing   = "arn:aws:iot:us-east-1:123456789012:thing/cam1"
		role    = "arn:aws:iam::123456789012:role/cam"
		cert    = "arn:aws:iot:us-east-1:123456789012:cert/0123"
	)
	alice := policy.Principal{Type: policy.User, Account: account, ARN: "arn:aws:iam::123456789012:user/alice", UserID: "AIDA1"}
	session := policy.Principal{Type: policy.AssumedRole, Account: account, ARN: "arn:aws:sts::123456789012:assumed-role/cam/s1", RoleARN: role, UserID: "AROA1:s1"}
	things := parse(t, policy.Identity, "things", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:ListThings","Resource":"*"},
		{"Sid":"Own","Effect":"Allow","Action":"iot:*Thing","Resource":"arn:aws:iot:*:*:thing/${aws:username}"},
		{"Sid":"Office","Effect":"Allow","Action":"iot:*Thing","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"StringEquals":{"aws:PrincipalTag/team":"red"}}}]}`)
	all := parse(t, policy.Identity, "all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	never := parse(t, policy.Identity, "arn:aws:iam::123456789012:policy/never", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:*","Resource":"*"},{"Sid":"Never","Effect":"Deny","Action":"iot:Create*","Resource":"*"}]}`)
	trust := parse(t, policy.Trust, "", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"outside"}}}]}`)
	boundary := parse(t, policy.Identity, "arn:aws:iam::123456789012:policy/limit", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:*","NotResource":["arn:aws:iot:*:*:thing/cam1","arn:aws:iot:*:*:thing/cam2","arn:aws:iot:*:*:thing/cam3","arn:aws:iot:*:*:thing/cam4"]}]}`)
	guards := parse(t, policy.Identity, "guards", `{"Version":"2012-10-17","Statement":[
		{"Sid":"MFA","Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"aws:SourceIp":["198.51.100.7"]}}},
		{"Sid":"Tagged","Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red","aws:RequestTag/Owner":["a","b","c","d","e"]},"StringLike":{"aws:PrincipalTag/x":"y*"}}},
		{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Null":{"aws:RequestTag/Owner":"false"}}},
		{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}]}`)
	needMFA := parse(t, policy.Identity, "mfa", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Sid":"NeedMFA","Effect":"Deny","Action":"*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}`)
	federated := policy.Principal{Type: policy.FederatedUser, Account: account, ARN: "arn:aws:sts::123456789012:federated-user/bob", UserARN: alice.ARN, UserID: "123456789012:bob"}
	iot := parse(t, policy.IoT, "lab", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`)
	keys := policy.Keys{policy.Single("aws:SourceIp", "198.51.100.7"), policy.Single("aws:username", "alice")}
	create := policy.Request{Action: "iot:CreateThing", Resource: thing, Keys: keys}
	assume := policy.Request{Action: "sts:AssumeRole", Resource: role, Keys: keys}
	const foreign = "arn:aws:iam::222222222222:role/cam"
	abroad := policy.Request{Action: "sts:AssumeRole", Resource: foreign, ResourceAccount: "222222222222", Keys: keys}

	for name, c := range map[string]struct {
		principal string
		request   policy.Request
		explain   func(*policy.Request) policy.Explanation
	}{
		"identity": {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{things}}).Explain},
		"nothing":  {alice.ARN, create, (&policy.Input{Principal: alice}).Explain},
		"far": {alice.ARN, policy.Request{Action: "iam:CreateUser", Resource: "arn:aws:iam::123456789012:user/x", Keys: keys},
			(&policy.Input{Principal: alice, Identity: []*policy.Policy{things}}).Explain},
		"deny":       {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{things, never}}).Explain},
		"boundary":   {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Boundary: things}).Explain},
		"session":    {session.ARN, create, (&policy.Input{Principal: session, Identity: []*policy.Policy{all}, HasSession: true}).Explain},
		"role":       {session.ARN, create, (&policy.Input{Principal: session}).Explain},
		"trust":      {alice.ARN, assume, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Resource: trust, Trust: true}).Explain},
		"no-role":    {alice.ARN, assume, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Trust: true}).Explain},
		"other-role": {alice.ARN, abroad, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Trust: true}).Explain},
		"mfa-role": {alice.ARN, assume, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Resource: parse(t, policy.Trust, "", `{"Version":"2012-10-17","Statement":[{"Sid":"Hostile","Effect":"Allow",
			"Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole","Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":"300"},"StringLike":{"sts:ExternalId":"\u007f[2J*"}}}]}`), Trust: true}).Explain},
		"guards":    {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{guards}}).Explain},
		"need-mfa":  {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{needMFA}}).Explain},
		"limit":     {alice.ARN, create, (&policy.Input{Principal: alice, Identity: []*policy.Policy{all}, Boundary: boundary}).Explain},
		"federated": {federated.ARN, create, (&policy.Input{Principal: federated, HasSession: true, Session: []*policy.Policy{all}}).Explain},
		"camera": {cert, policy.Request{Action: "iot:AssumeRoleWithCertificate", Resource: "arn:aws:iot:us-east-1:123456789012:rolealias/cam", Keys: keys},
			func(r *policy.Request) policy.Explanation { return policy.ExplainIoT([]*policy.Policy{iot}, r) }},
		"thing": {cert, policy.Request{Action: "iot:AssumeRoleWithCertificate", Resource: "arn:aws:iot:us-east-1:123456789012:rolealias/cam"},
			func(*policy.Request) policy.Explanation { return explain.Because("the certificate is not active") }},
		"mqtt": {cert, policy.Request{Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:123456789012:topic/cam1/up", Keys: keys},
			func(r *policy.Request) policy.Explanation { return policy.ExplainIoT([]*policy.Policy{iot}, r) }},
		"mqtt-user": {alice.ARN, policy.Request{Action: "iot:Subscribe", Resource: "arn:aws:iot:us-east-1:123456789012:topicfilter/#", Keys: keys},
			(&policy.Input{Principal: alice, Identity: []*policy.Policy{things}}).Explain},
		"hostile": {alice.ARN + "\x1b[2J", policy.Request{Action: "iot:CreateThing", Resource: thing + "\x07\nOutcome  Allowed", Keys: keys},
			(&policy.Input{Principal: alice}).Explain},
	} {
		t.Run(name, func(t *testing.T) {
			r := explain.Refusal{
				ID: "0d5f0e8c-7a0a-4f6a-9c51-0d6f3b2a1c4d", Account: account, Time: time.Date(2026, 1, 15, 12, 30, 0, 0, time.UTC),
				Principal: c.principal, Action: c.request.Action, Resource: c.request.Resource, Keys: c.request.Keys,
				Explain: func() policy.Explanation { return c.explain(&c.request) },
			}
			if strings.HasPrefix(name, "mqtt") {
				r.ClientID = "cam1"
			}
			if name == "mqtt" {
				r.Thing = "cam1"
			}
			report := r.Report()
			var b bytes.Buffer
			if err := writeRefusal(&b, &report); err != nil {
				t.Fatal(err)
			}
			golden(t, "explain-"+name, b.Bytes())
		})
	}
}

func TestExplainList(t *testing.T) {
	var b bytes.Buffer
	at := time.Date(2026, 1, 15, 12, 30, 0, 0, time.FixedZone("", 3600))
	err := writeRefusals(&b, []thingd.RefusalSummary{
		{RequestId: "0d5f0e8c-7a0a-4f6a-9c51-0d6f3b2a1c4d", Time: at, Action: "iot:CreateThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/cam1", Principal: "arn:aws:iam::123456789012:user/alice"},
		{RequestId: "7a4e2f10-1c2d-4b3a-8f9e-0a1b2c3d4e5f", Time: at, Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:123456789012:topic/cam1/up", Principal: "arn:aws:iot:us-east-1:123456789012:cert/0123", ClientId: new("cam1\x1b"), ThingName: new("cam1")},
		{RequestId: "5f1c6f58-7f0e-4cf7-9d6e-1f5b8a7a2b3c", Time: at.Add(-time.Second), Action: "iam:ListUsers", Resource: "*", Principal: "arn:aws:iam::123456789012:user/bob\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "explain-list", b.Bytes())
	b.Reset()
	if err := writeRefusals(&b, nil); err != nil || b.String() != "Nothing was refused since the server started.\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
