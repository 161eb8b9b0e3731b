package audit

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"log/slog"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// noon is when everything happens.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newTrail(t testing.TB, o Options) (*Trail, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	return reopened(t, dir, o), dir
}

func reopened(t testing.TB, dir string, o Options) *Trail {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.Region == "" {
		o.Region = "eu-central-1"
	}
	o.Registerer = prometheus.NewRegistry()
	trail, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = trail.Close() })
	return trail
}

func p[T any](v T) *T { return &v }

const account = "123456789012"

// The callers of each kind.
var (
	root  = &awsapi.Caller{Type: awsapi.Root, Account: account, ARN: "arn:aws:iam::123456789012:root", UserID: account, AccessKeyID: "AKIAROOT00000000"}
	alice = &awsapi.Caller{
		Type: awsapi.User, Account: account, ARN: "arn:aws:iam::123456789012:user/Alice", UserID: "AIDAALICE00000000", UserName: "Alice", AccessKeyID: "AKIAALICE0000000",
	}
	aliceMFA = &awsapi.Caller{
		Type: awsapi.User, Account: account, ARN: alice.ARN, UserID: alice.UserID, UserName: "Alice", AccessKeyID: "ASIAALICE0000000",
		Session: &awsapi.Session{Created: noon.Add(-time.Hour), MFA: true},
	}
	camera = &awsapi.Caller{
		Type: awsapi.AssumedRole, Account: account, ARN: "arn:aws:sts::123456789012:assumed-role/Cameras/cam-1", UserID: "AROACAMERAS000000:cam-1", AccessKeyID: "ASIACAMERA000000",
		Session: &awsapi.Session{Created: noon.Add(-time.Minute), SourceIdentity: "bob", Issuer: &awsapi.Issuer{
			Type: "Role", ID: "AROACAMERAS000000", ARN: "arn:aws:iam::123456789012:role/service/Cameras", Account: account, UserName: "Cameras",
		}},
	}
	federated = &awsapi.Caller{
		Type: awsapi.FederatedUser, Account: account, ARN: "arn:aws:sts::123456789012:federated-user/carol", UserID: "123456789012:carol", AccessKeyID: "ASIACAROL0000000",
		Session: &awsapi.Session{Created: noon, Issuer: &awsapi.Issuer{Type: "IAMUser", ID: alice.UserID, ARN: alice.ARN, Account: account, UserName: "Alice"}},
	}
	nobody = &awsapi.Caller{Type: awsapi.Anonymous}
)

// outcome is a call of an operation.
func outcome(t testing.TB, s *awsapi.Service, name string, caller *awsapi.Caller, in, out any, checks ...awsapi.Check) awsapi.Outcome {
	t.Helper()
	o := awsapi.Outcome{
		Request: &awsapi.Request{
			ID: "11111111-2222-3333-4444-555555555555", Service: s, Caller: caller, Region: "us-east-1", SourceIP: "192.0.2.7",
			UserAgent: "aws-cli/2.0", Time: noon,
		},
		Status: 200, Input: in, Output: out, Checks: checks, HTTP: httptest.NewRequest("POST", "http://thingd.example/", nil),
	}
	for _, op := range s.Operations {
		if op.Name == name {
			o.Request.Operation = op
			if err := s.Plan(op); err != nil {
				t.Fatal(err)
			}
			return o
		}
	}
	t.Fatalf("%s has no %s", s.Name, name)
	return o
}

func refused(o awsapi.Outcome, code, message string) awsapi.Outcome {
	o.Error = awsapi.Errorf(code, 403, "message", "%s", message)
	o.Output = nil
	return o
}

// TestRecords holds one record of each kind of caller and result.
func TestRecords(t *testing.T) {
	created := outcome(t, iam.Service, "CreateAccessKey", alice, &iam.CreateAccessKeyRequest{UserName: p("Bob")},
		&iam.CreateAccessKeyResponse{AccessKey: iam.AccessKey{
			AccessKeyId: "AKIABOB", SecretAccessKey: "SECRET", Status: "Active", UserName: "Bob", CreateDate: p(time.Date(2014, 7, 15, 21, 39, 40, 0, time.UTC)),
		}}, awsapi.Check{Resource: "arn:aws:iam::123456789012:user/Bob"})
	assumed := outcome(t, sts.Service, "AssumeRole", root,
		&sts.AssumeRoleRequest{RoleArn: "arn:aws:iam::999999999999:role/R", RoleSessionName: "s", TokenCode: p("SECRET")},
		&sts.AssumeRoleResponse{
			Credentials:     &sts.Credentials{AccessKeyId: "ASIANEW", SecretAccessKey: "SECRET", SessionToken: "SECRET", Expiration: noon},
			AssumedRoleUser: &sts.AssumedRoleUser{Arn: "arn:aws:sts::999999999999:assumed-role/R/s", AssumedRoleId: "AROAR:s"},
		})
	web := outcome(t, sts.Service, "AssumeRoleWithWebIdentity", nobody,
		&sts.AssumeRoleWithWebIdentityRequest{RoleArn: "arn:aws:iam::123456789012:role/Web", RoleSessionName: "w", WebIdentityToken: "SECRET"},
		&sts.AssumeRoleWithWebIdentityResponse{
			Provider: p("accounts.example"), Audience: p("aud"), SubjectFromWebIdentityToken: p("sub-1"),
			Credentials: &sts.Credentials{AccessKeyId: "ASIAWEB", SecretAccessKey: "SECRET", SessionToken: "SECRET", Expiration: noon},
		})
	web.Request.Region = ""
	unproven := refused(outcome(t, iam.Service, "ListUsers", nobody, nil, nil), "SignatureDoesNotMatch", "The request signature we calculated does not match")
	unproven.Signature = &sigv4.Signature{AccessKeyID: "AKIAALICE0000000"}
	pasted := refused(outcome(t, iam.Service, "ListUsers", nobody, nil, nil), "InvalidClientTokenId", "The security token included in the request is invalid.")
	pasted.Signature = &sigv4.Signature{AccessKeyID: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	unknown := refused(outcome(t, iot.Service, "ListThings", alice, nil, nil), "UnknownOperationException", "No operation of AWS IoT is at GET /nothing")
	unknown.Request.Operation = nil
	media := outcome(t, kvmedia.Service, "PutMedia", camera,
		&kvmedia.PutMediaInput{StreamName: p("door"), FragmentTimecodeType: "ABSOLUTE", Payload: io.NopCloser(strings.NewReader("SECRET"))},
		&kvmedia.PutMediaOutput{}, awsapi.Check{Resource: "arn:aws:kinesisvideo:us-east-1:123456789012:stream/door/1700000000000"})
	media.HTTP.TLS = &tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	hostile := outcome(t, iot.Service, "CreateThing", alice, &iot.CreateThingRequest{ThingName: "lamp\n{\"eventName\":\"x\"}\x1b[31m"}, &iot.CreateThingResponse{})
	hostile.Request.UserAgent = strings.Repeat("é", 2000)
	large := outcome(t, iam.Service, "PutUserPolicy", alice,
		&iam.PutUserPolicyRequest{UserName: "Bob", PolicyName: "P", PolicyDocument: strings.Repeat("x", 150<<10)}, nil)

	trail, dir := newTrail(t, Options{})
	for _, o := range []awsapi.Outcome{
		outcome(t, iot.Service, "CreateThing", root,
			&iot.CreateThingRequest{ThingName: "lamp", AttributePayload: &iot.AttributePayload{Attributes: map[string]string{"b": "2", "a": "1"}, Merge: p(true)}},
			&iot.CreateThingResponse{ThingName: p("lamp"), ThingArn: p("arn:aws:iot:us-east-1:123456789012:thing/lamp")},
			awsapi.Check{Action: "iot:CreateThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/lamp"},
			awsapi.Check{Action: "iot:Again", Resource: "arn:aws:iot:us-east-1:123456789012:thing/lamp"}),
		created,
		outcome(t, iot.Service, "CreateKeysAndCertificate", alice, &iot.CreateKeysAndCertificateRequest{},
			&iot.CreateKeysAndCertificateResponse{CertificateArn: p("arn:aws:iot:us-east-1:123456789012:cert/c0ffee")}, awsapi.Check{Action: "iot:CreateKeysAndCertificate", Resource: "*"}),
		outcome(t, iot.Service, "AttachPolicy", alice, &iot.AttachPolicyRequest{PolicyName: "Cameras", Target: "arn:aws:iot:us-east-1:123456789012:cert/c0ffee"}, &iot.AttachPolicyResponse{},
			awsapi.Check{Action: "iot:AttachPolicy", Resource: "arn:aws:iot:us-east-1:123456789012:cert/c0ffee"}),
		outcome(t, kinesisvideo.Service, "CreateStream", alice, &kinesisvideo.CreateStreamInput{StreamName: "door"},
			&kinesisvideo.CreateStreamOutput{StreamARN: p("arn:aws:kinesisvideo:us-east-1:123456789012:stream/door/1700000000000")},
			awsapi.Check{Action: "kinesisvideo:CreateStream", Resource: "arn:aws:kinesisvideo:us-east-1:123456789012:stream/door/0"}),
		refused(outcome(t, iam.Service, "DeleteUser", alice, &iam.DeleteUserRequest{UserName: "Bob"}, nil, awsapi.Check{Resource: "arn:aws:iam::123456789012:user/Bob"}),
			"AccessDenied", "User: arn:aws:iam::123456789012:user/Alice is not authorized to perform: iam:DeleteUser on resource: user Bob"),
		outcome(t, iam.Service, "ListUsers", aliceMFA, &iam.ListUsersRequest{}, &iam.ListUsersResponse{}, awsapi.Check{Resource: "*"}),
		outcome(t, iam.Service, "ChangePassword", aliceMFA, &iam.ChangePasswordRequest{OldPassword: "SECRET", NewPassword: "SECRET"}, nil),
		outcome(t, kinesisvideo.Service, "GetDataEndpoint", federated, &kinesisvideo.GetDataEndpointInput{APIName: "PUT_MEDIA", StreamName: p("door")}, &kinesisvideo.GetDataEndpointOutput{}),
		media, assumed, web, unproven, pasted, unknown, hostile, large,
	} {
		trail.Call(o)
	}
	trail.Record(Event{
		Identity: CallerIdentity(alice), Source: "signin.amazonaws.com", Name: "ConsoleLogin", Type: TypeConsoleSignIn, SourceIP: "192.0.2.7",
		UserAgent: "Mozilla/5.0", Response: Fields{"ConsoleLogin": "Success"},
		Additional: Fields{"LoginTo": "https://console.example/?a&b", "MobileVersion": "No", "MFAUsed": "Yes"},
	})
	trail.Record(Event{
		Identity: Identity{Type: IAMUser, Account: account, UserName: awsapi.Hidden}, Unproven: true, Source: "signin.amazonaws.com", Name: "ConsoleLogin",
		Type: TypeConsoleSignIn, ErrorMessage: "No username found in supplied account", Response: Fields{"ConsoleLogin": "Failure"},
	})
	trail.Record(Event{
		Identity: Identity{Type: AWSService, InvokedBy: "credentials.iot.amazonaws.com", PrincipalID: "c0ffee", ARN: "arn:aws:iot:us-east-1:123456789012:cert/c0ffee", Account: account},
		Source:   "iot.amazonaws.com", Name: "AssumeRoleWithCertificate", ReadOnly: true, Request: Fields{"roleAlias": "cams"},
		Response:  Fields{"credentials": Fields{"accessKeyId": "ASIADEV", "sessionToken": "SECRET", "expiration": Time(noon)}},
		Resources: []string{"arn:aws:iot:us-east-1:123456789012:rolealias/cams", "arn:aws:iam::123456789012:role/Cameras"},
	})

	b, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`"(eventID|sharedEventID)":"[0-9a-f-]{36}"`).ReplaceAllString(string(b), `"$1":"…"`)
	if shared := regexp.MustCompile(`"sharedEventID":"([^"]*)"`).FindAllSubmatch(b, -1); len(shared) != 2 || string(shared[0][1]) != string(shared[1][1]) {
		t.Errorf("sharedEventID %q", shared)
	}
	if strings.Contains(got, "SECRET") && strings.Contains(strings.ReplaceAll(got, awsapi.Hidden, ""), "SECRET") {
		t.Error("a secret is in the file")
	}
	for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	golden(t, "records.jsonl", got)
}

// No record is longer than CloudTrail's 256 KB, whatever is in it.
func TestRecordIsBounded(t *testing.T) {
	long := strings.Repeat("\x01", 300<<10)
	e := Event{
		Identity: Identity{Type: long, PrincipalID: long, ARN: long, UserName: long, Session: &awsapi.Session{SourceIdentity: long, Issuer: &awsapi.Issuer{Type: "Role", ARN: long}}},
		Source:   long, Name: "X", UserAgent: long, ErrorCode: long, ErrorMessage: long, RequestID: long,
		Request: Fields{"a": long}, Response: Fields{"a": long[:16<<10]}, Additional: Fields{"a": long},
	}
	e.Identity.Type = Unknown
	for range 1000 {
		e.Resources = append(e.Resources, "arn:aws:iam::123456789012:user/"+long[:1000])
	}
	line := (&record{Event: e, time: noon}).append(nil)
	if len(line) > 256<<10 || !json.Valid(line) {
		t.Errorf("%d bytes", len(line))
	}
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatal(err)
	}
	if got := m["requestParameters"].(map[string]any); got["omitted"] != true || got["originalSize"].(float64) < 300<<10 {
		t.Errorf("%v", got)
	}
}

func BenchmarkCall(b *testing.B) {
	trail, _ := newTrail(b, Options{Size: 1 << 40})
	o := outcome(b, iot.Service, "DescribeThing", camera, &iot.DescribeThingRequest{ThingName: "lamp"}, &iot.DescribeThingResponse{},
		awsapi.Check{Action: "iot:DescribeThing", Resource: "arn:aws:iot:us-east-1:123456789012:thing/lamp"})
	b.ReportAllocs()
	for b.Loop() {
		trail.Call(o)
	}
}

func BenchmarkCallParallel(b *testing.B) {
	trail, _ := newTrail(b, Options{Size: 1 << 40})
	o := outcome(b, iot.Service, "CreateThing", camera,
		&iot.CreateThingRequest{ThingName: "lamp", AttributePayload: &iot.AttributePayload{Attributes: map[string]string{"a": "1"}}},
		&iot.CreateThingResponse{ThingName: p("lamp")}, awsapi.Check{Resource: "arn:aws:iot:us-east-1:123456789012:thing/lamp"})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			trail.Call(o)
		}
	})
}
