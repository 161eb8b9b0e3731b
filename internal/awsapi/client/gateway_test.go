package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/client"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

var key = sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}

// identity knows one key, verifies what it signed, and refuses actions.
type identity struct {
	refuse  string
	regions []string // that were signed for
}

func (i *identity) Recognize(context.Context, *sigv4.Signature) error { return nil }

func (i *identity) Authenticate(_ context.Context, r *http.Request, s *sigv4.Signature, p sigv4.Payload) (*awsapi.Caller, error) {
	i.regions = append(i.regions, s.Region)
	if s.Token != key.SessionToken {
		return nil, &sigv4.Error{Kind: sigv4.UnknownKey, Message: "no such token"}
	}
	if err := s.Verify(r, sigv4.SigningKey(key.SecretAccessKey, s.Date, s.Region, s.Service), p, time.Now()); err != nil {
		return nil, err
	}
	return &awsapi.Caller{Type: awsapi.Root, Account: "123456789012"}, nil
}

func (i *identity) Authorize(_ context.Context, _ *awsapi.Request, checks []awsapi.Check) error {
	for _, c := range checks {
		if c.Action == i.refuse {
			return awsapi.ErrAccessDenied("not authorized to perform: %s on resource: %s", c.Action, c.Resource)
		}
	}
	return nil
}

// domain serves a few operations of each protocol.
type domain struct{ published []byte }

func (d *domain) CreateThing(_ context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error) {
	if in.ThingName == "taken" {
		return nil, iot.ErrResourceAlreadyExistsException("Thing taken already exists <in> account & region")
	}
	return &iot.CreateThingResponse{ThingName: &in.ThingName}, nil
}

func (d *domain) Publish(_ context.Context, in *iotdata.PublishRequest) (*iotdata.PublishResponse, error) {
	d.published = in.Payload
	return &iotdata.PublishResponse{}, nil
}

func (d *domain) ListUsers(_ context.Context, in *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
	return &iam.ListUsersResponse{IsTruncated: new(false), Users: []iam.User{{
		UserName: in.PathPrefix, Path: new("/"), Arn: "arn:aws:iam::1:user/<a>", UserId: "AIDA", CreateDate: time.Unix(1768478400, 0), Tags: []iam.Tag{{Key: "k", Value: "v & w"}},
	}}}, nil
}

func (d *domain) GetUser(context.Context, *iam.GetUserRequest) (*iam.GetUserResponse, error) {
	return nil, iam.ErrNoSuchEntityException("The user with name <x> cannot be found.")
}

func (d *domain) DeleteUser(context.Context, *iam.DeleteUserRequest) (*iam.DeleteUserResponse, error) {
	return &iam.DeleteUserResponse{}, nil
}

func (d *domain) GetCallerIdentity(context.Context, *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	return &sts.GetCallerIdentityResponse{Account: new("123456789012"), Arn: new("arn:aws:iam::123456789012:root"), UserId: new("123456789012")}, nil
}

// Resolve is asked for operations of iotdata and iam.
func (d *domain) Resolve(_ context.Context, op *awsapi.Operation, _ any) (*awsapi.Resolution, error) {
	return &awsapi.Resolution{Checks: []awsapi.Check{{Action: "iam:" + op.Name, Resource: "*"}}}, nil
}

// newGateway serves the domain as the server does, by the signing name.
func newGateway(t *testing.T) (*client.Client, *identity, *domain) {
	t.Helper()
	id, d := &identity{}, &domain{}
	g := &awsapi.Gateway{Identity: id, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now}
	handlers := map[string]http.Handler{}
	for _, s := range []*awsapi.Service{iot.Service, iotdata.Service, iam.Service, sts.Service} {
		handlers[s.SigningName] = g.Handler(s.Bind(d))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		handlers[scope[3]].ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return &client.Client{Endpoint: srv.URL + "/", Region: "eu-west-1", Credentials: key}, id, d
}

func call(t *testing.T, c *client.Client, service, operation, params string) map[string]any {
	t.Helper()
	answer, err := c.Do(t.Context(), client.Call{Service: service, Operation: operation, Params: json.RawMessage(params)})
	if err != nil {
		t.Fatalf("%s %s: %v", service, operation, err)
	}
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return m
}

// refused calls and expects the service's refusal.
func refused(t *testing.T, c *client.Client, service, operation, params string) *client.Error {
	t.Helper()
	answer, err := c.Do(t.Context(), client.Call{Service: service, Operation: operation, Params: json.RawMessage(params)})
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatalf("%s %s: %s, %v", service, operation, answer, err)
	}
	return e
}

// TestGateway: the client and the server of the same models understand each other.
func TestGateway(t *testing.T) {
	c, id, d := newGateway(t)
	if got := call(t, c, "iot", "createThing", `{"thingName":"a:b","attributePayload":{"attributes":{"k":"v"}}}`); got["thingName"] != "a:b" {
		t.Error(got)
	}
	if got := call(t, c, "iot-data", "Publish", `{"topic":"a/b//c d","payload":{"n":1}}`); len(got) != 0 || string(d.published) != `{"n":1}` {
		t.Errorf("%v, published %s", got, d.published)
	}
	if got := call(t, c, "sts", "GetCallerIdentity", ``); got["Account"] != "123456789012" || len(got) != 3 {
		t.Error(got)
	}
	want := `{"IsTruncated":false,"Users":[{"Arn":"arn:aws:iam::1:user/<a>","CreateDate":"2026-01-15T12:00:00Z","Path":"/","Tags":[{"Key":"k","Value":"v & w"}],"UserId":"AIDA","UserName":"/u+%~/"}]}`
	if got, err := c.Call(t.Context(), "IAM", "ListUsers", map[string]any{"PathPrefix": "/u+%~/"}); err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if got := call(t, c, "iam", "DeleteUser", `{"UserName":"a"}`); len(got) != 0 {
		t.Error(got)
	}
	// IAM is signed for its one region, wherever its caller is.
	if got := strings.Join(id.regions, " "); got != "eu-west-1 eu-west-1 eu-west-1 us-east-1 us-east-1" {
		t.Errorf("signed for %s", got)
	}
}

func TestRefusals(t *testing.T) {
	c, id, _ := newGateway(t)
	e := refused(t, c, "iot", "CreateThing", `{"thingName":"taken"}`)
	if e.Code != "ResourceAlreadyExistsException" || e.Status != 409 || e.Message != "Thing taken already exists <in> account & region" || len(e.RequestID) != 36 || e.Attempts != 1 {
		t.Errorf("%+v", e)
	}
	if e.Error() != "iot CreateThing: ResourceAlreadyExistsException: Thing taken already exists <in> account & region" {
		t.Error(e)
	}
	e = refused(t, c, "iam", "GetUser", `{"UserName":"x"}`)
	if e.Code != "NoSuchEntity" || e.Status != 404 || e.Message != "The user with name <x> cannot be found." || len(e.RequestID) != 36 {
		t.Errorf("%+v", e)
	}
	id.refuse = "iam:DeleteUser"
	if e = refused(t, c, "iam", "DeleteUser", `{"UserName":"x"}`); e.Code != "AccessDenied" || e.Status != 403 {
		t.Errorf("%+v", e)
	}
	if e = refused(t, c, "iot", "DescribeJob", `{"jobId":"x"}`); e.Code != "NotImplementedException" || e.Status != 501 || e.Attempts != 1 {
		t.Errorf("%+v", e)
	}
	for _, bad := range []struct{ service, operation, params, region, code, message string }{
		{"iot", "CreateThing", `{"thingNme":"a"}`, "", client.CodeParameters, "there is no parameter thingNme"},
		{"iot", "CreateThings", ``, "", client.CodeParameters, `AWS IoT has no operation "CreateThings"`},
		{"s3", "ListBuckets", ``, "", client.CodeParameters, `there is no service "s3"; there are iot, iot-data`},
		{"kinesis-video-media", "GetMedia", ``, "", client.CodeParameters, "it streams"},
		{"iot", "ListThings", ``, "x.evil.example/", client.CodeParameters, `"x.evil.example/" is no region`},
	} {
		_, err := c.Do(t.Context(), client.Call{Service: bad.service, Operation: bad.operation, Params: json.RawMessage(bad.params), Region: bad.region})
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Code != bad.code || !strings.Contains(e.Message, bad.message) || e.Status != 0 {
			t.Errorf("%s %s: %v", bad.service, bad.operation, err)
		}
	}
	c.Credentials = sigv4.Credentials{}
	if e = refused(t, c, "iot", "ListThings", ``); e.Code != client.CodeCredentials {
		t.Errorf("%+v", e)
	}
	// A call's own key stands in for the client's.
	_, err := c.Do(t.Context(), client.Call{Service: "sts", Operation: "GetCallerIdentity", Credentials: sigv4.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "x", SessionToken: "another"}})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "InvalidClientTokenId" {
		t.Error(err)
	}
}

// TestErrorForms: errors as services and what stands before them write them.
func TestErrorForms(t *testing.T) {
	for _, tt := range []struct {
		service, operation string
		status             int
		header, body       string
		code, message      string
	}{
		{"iot", "ListThings", 400, "com.amazonaws.iot#InvalidRequestException:http://internal.amazon.com/", `{"Message":"m"}`, "InvalidRequestException", "m"},
		{"iot", "ListThings", 400, "", `{"__type":"com.amazon.coral#ValidationException","message":"m"}`, "ValidationException", "m"},
		{"iot", "ListThings", 403, "", `{"code":"Forbidden","message":"m"}`, "Forbidden", "m"},
		{"iot", "ListThings", 413, "", `<html>too large</html>`, "HTTP413", "Request Entity Too Large"},
		{"iot", "ListThings", 301, "", ``, "HTTP301", "Moved Permanently"},
		{"sts", "GetCallerIdentity", 403, "", `<ErrorResponse xmlns="https://x/"><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>a &lt; b</Message></Error><RequestId>r</RequestId></ErrorResponse>`, "ExpiredToken", "a < b"},
		{"sts", "GetCallerIdentity", 403, "", `<`, "HTTP403", "Forbidden"},
	} {
		c := &client.Client{Region: "eu-west-1", Credentials: key, HTTP: &http.Client{Transport: answers(func(*http.Request) (int, string, string) { return tt.status, tt.header, tt.body })}}
		e := refused(t, c, tt.service, tt.operation, "")
		if e.Code != tt.code || e.Message != tt.message || e.Status != tt.status {
			t.Errorf("%s: %+v", tt.body, e)
		}
	}
}

// answers is a transport that makes up its answers: status, error type, body.
type answers func(*http.Request) (status int, errorType, body string)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, errorType, body := f(r)
	h := http.Header{}
	if errorType != "" {
		h.Set("x-amzn-ErrorType", errorType)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}
