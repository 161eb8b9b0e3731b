package awsapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// fakeIdentity knows everybody, allows what deny does not, and writes down
// the order of things.
type fakeIdentity struct {
	mu      sync.Mutex
	mute    bool // no events, for concurrent requests
	events  []string
	checks  []awsapi.Check
	request awsapi.Request
	unknown bool
	fault   error // of authentication
	deny    error

	explained bool // the refusal
}

func (f *fakeIdentity) note(event string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.mute {
		f.events = append(f.events, event)
	}
}

// Recognize is awsapi.Identity.
func (f *fakeIdentity) Recognize(context.Context, *sigv4.Signature) error {
	f.note("recognize")
	if f.unknown {
		return sigv4.NewError(sigv4.UnknownKey)
	}
	return nil
}

func (f *fakeIdentity) Authenticate(_ context.Context, _ *http.Request, sig *sigv4.Signature, _ sigv4.Payload) (*awsapi.Caller, error) {
	f.note("authenticate")
	if f.fault != nil {
		return nil, f.fault
	}
	if f.unknown {
		return nil, sigv4.NewError(sigv4.UnknownKey)
	}
	return &awsapi.Caller{Type: awsapi.User, Account: "123456789012", AccessKeyID: sig.AccessKeyID}, nil
}

func (f *fakeIdentity) Authorize(_ context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	f.note("authorize")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checks, f.request, req.Explained = checks, *req, f.explained
	return f.deny
}

// domain serves a few operations.
type domain struct {
	f        *fakeIdentity
	describe func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error)
}

func (d *domain) DescribeThing(ctx context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
	d.f.events = append(d.f.events, "method")
	if d.describe != nil {
		return d.describe(ctx, in)
	}
	return &iot.DescribeThingResponse{ThingName: &in.ThingName, Version: new(int64(1))}, nil
}

func (d *domain) CreateThingType(context.Context, *iot.CreateThingTypeRequest) (*iot.CreateThingTypeResponse, error) {
	return &iot.CreateThingTypeResponse{}, nil
}

func (d *video) UntagStream(context.Context, *kinesisvideo.UntagStreamInput) (*kinesisvideo.UntagStreamOutput, error) {
	return &kinesisvideo.UntagStreamOutput{}, nil
}

func (d *video) CreateStream(context.Context, *kinesisvideo.CreateStreamInput) (*kinesisvideo.CreateStreamOutput, error) {
	return &kinesisvideo.CreateStreamOutput{}, nil
}

func (d *domain) ListUsers(context.Context, *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
	d.f.events = append(d.f.events, "method")
	return &iam.ListUsersResponse{}, nil
}

func (d *domain) Resolve(context.Context, *awsapi.Operation, any) (*awsapi.Resolution, error) {
	d.f.events = append(d.f.events, "resolve")
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "r"}, {Action: "iam:PassRole", Resource: "role"}}}, nil
}

// video serves a few more.
type video struct{ f *fakeIdentity }

// PutMedia acknowledges each line.
func (d *video) PutMedia(ctx context.Context, in *kvmedia.PutMediaInput) (*kvmedia.PutMediaOutput, error) {
	d.f.events = append(d.f.events, "method")
	if awsapi.Target(ctx) != "the stream" {
		return nil, fmt.Errorf("the target is %v", awsapi.Target(ctx))
	}
	return &kvmedia.PutMediaOutput{Payload: func(w *awsapi.StreamWriter) error {
		for s := bufio.NewScanner(in.Payload); s.Scan(); {
			if _, err := fmt.Fprintf(w, "ack %s\n", s.Text()); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func (d *video) Resolve(_ context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	d.f.events = append(d.f.events, "resolve")
	switch in := in.(type) {
	case *kvmedia.PutMediaInput:
		if in.StreamName != nil && *in.StreamName == "nowhere" {
			return nil, kvmedia.ErrResourceNotFoundException("The requested stream is not found or not active.")
		}
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "arn:stream"}}, Target: "the stream"}, nil
	case *kvmedia.GetMediaInput:
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "arn:stream"}}}, nil
	case *kinesisvideo.UntagStreamInput, *kinesisvideo.CreateStreamInput:
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "r"}, {Action: "iam:PassRole", Resource: "role"}}}, nil
	}
	return nil, fmt.Errorf("nothing to resolve for %s", op.Name)
}

// stand is a gateway over everything, for one test.
type stand struct {
	*fakeIdentity
	domain   *domain
	gateway  *awsapi.Gateway
	outcomes []awsapi.Outcome
	log      bytes.Buffer
}

func newStand() *stand {
	s := &stand{fakeIdentity: &fakeIdentity{}}
	s.domain = &domain{f: s.fakeIdentity}
	s.gateway = &awsapi.Gateway{
		Identity: s.fakeIdentity, Now: time.Now, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Observe: func(o awsapi.Outcome) { s.outcomes = append(s.outcomes, o) },
	}
	return s
}

// handler serves a service, or the two of one signing name.
func (s *stand) handler(service *awsapi.Service) http.Handler {
	if service.SigningName == kvmedia.Service.SigningName { // one signing name, two APIs
		v := &video{f: s.fakeIdentity}
		return s.gateway.Handler(kinesisvideo.Service.Bind(v), kvmedia.Service.Bind(v))
	}
	return s.gateway.Handler(service.Bind(s.domain))
}

func (s *stand) do(t *testing.T, service *awsapi.Service, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler(service).ServeHTTP(w, r)
	if len(s.outcomes) != 1 || s.outcomes[0].Status != w.Code {
		t.Errorf("observed %v, answered %d", s.outcomes, w.Code)
	}
	if id := w.Header().Get("x-amzn-RequestId"); len(id) != 36 || s.outcomes[0].Request.ID != id {
		t.Errorf("request id %q", id)
	}
	return w
}

// TestRefused: of the refusals of a known caller, those that nobody keeps yet
// are handed out, before they are answered.
func TestRefused(t *testing.T) {
	no := awsapi.ErrAccessDenied("no")
	for name, tt := range map[string]struct {
		fault, deny error
		explained   bool
		want        int
	}{
		"denied": {nil, no, false, 1}, "explained": {nil, no, true, 0}, "allowed": {nil, nil, false, 0},
		"unknown": {sigv4.NewError(sigv4.UnknownKey), nil, false, 0}, "invalid": {nil, iam.ErrNoSuchEntityException("none"), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand()
			s.fault, s.deny, s.explained = tt.fault, tt.deny, tt.explained
			n := 0
			s.gateway.Refused = func(o awsapi.Outcome) {
				n++
				if o.Error.Message != "no" || o.Request.Caller.Type == awsapi.Anonymous || len(o.Checks) != 1 {
					t.Errorf("%+v", o)
				}
				o.Request.Explained = true
			}
			w := s.do(t, iot.Service, signed(t, iot.Service, request("GET", "/things/lamp", "")))
			if n != tt.want || (w.Header().Get("X-Thingd-Explain") != "") != (n > 0 || tt.explained) {
				t.Errorf("%d handed out, answer %v", n, w.Header())
			}
		})
	}
}

func request(method, target, body string) *http.Request {
	return httptest.NewRequest(method, target, strings.NewReader(body))
}

// signed signs as the service's clients do. The key is nobody's.
func signed(t *testing.T, service *awsapi.Service, r *http.Request) *http.Request {
	t.Helper()
	cred := sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	if err := sigv4.Sign(r, nil, cred, "eu-west-1", service.SigningName, time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func form(pairs string) *http.Request {
	r := request("POST", "/", pairs)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestGatewayOrder(t *testing.T) {
	denied := awsapi.ErrAccessDenied("User: x is not authorized to perform: y")
	for _, c := range []struct {
		name    string
		service *awsapi.Service
		r       *http.Request
		prepare func(*stand)
		status  int
		code    string
		text    string
		events  string
	}{
		{"served", iot.Service, request("GET", "/things/lamp", ""), nil, 200, "", "lamp", "authenticate authorize method"},
		{"unknown key", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) { s.unknown = true }, 403, "UnrecognizedClientException", "security token", "authenticate"},
		{"unknown key, query", iam.Service, form("Action=ListUsers&Version=2010-05-08"), func(s *stand) { s.unknown = true }, 403, "InvalidClientTokenId", "security token", "authenticate"},
		{"unknown operation", iot.Service, request("GET", "/nothing", ""), nil, 404, "UnknownOperationException", "", "authenticate"},
		{"unknown method", iot.Service, request("PUT", "/things/lamp", ""), nil, 404, "UnknownOperationException", "", "authenticate"},
		{"unknown operation and key", iot.Service, request("GET", "/nothing", ""), func(s *stand) { s.unknown = true }, 403, "UnrecognizedClientException", "", "authenticate"},
		{"unknown action", iam.Service, form("Action=Fly&Version=2010-05-08"), nil, 400, "InvalidAction", "Could not find operation Fly for version 2010-05-08", "authenticate"},
		{"another version", iam.Service, form("Action=ListUsers&Version=2000-01-01"), nil, 400, "InvalidAction", "Could not find operation ListUsers for version 2000-01-01", "authenticate"},
		{"action in the URL", iam.Service, request("GET", "/?Action=ListUsers&Version=2010-05-08", ""), nil, 200, "", "<Users></Users>", "authenticate authorize method"},
		{"501", iot.Service, request("GET", "/jobs/j", ""), nil, 501, "NotImplementedException", "iot:DescribeJob", "authenticate"},
		{"501 before decoding", iot.Service, request("PUT", "/jobs/j", "{"), nil, 501, "NotImplementedException", "iot:CreateJob", "authenticate"},
		{"501, query", iam.Service, form("Action=ListMFADevices&Version=2010-05-08"), nil, 501, "NotImplementedException", "iam:ListMFADevices", "authenticate"},
		{"501 to strangers", iot.Service, request("GET", "/jobs/j", ""), func(s *stand) { s.unknown = true }, 403, "UnrecognizedClientException", "", "authenticate"},
		{"invalid", iot.Service, request("GET", "/things/a%20b", ""), nil, 400, "InvalidRequestException", "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+", "authenticate"},
		{"denied", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) { s.deny = denied }, 403, "AccessDeniedException", "not authorized to perform", "authenticate authorize"},
		{"denied, query", iam.Service, form("Action=ListUsers"), func(s *stand) { s.deny = denied }, 403, "AccessDenied", "not authorized to perform", "authenticate authorize"},
		{"not found", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) {
			s.domain.describe = func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
				return nil, fmt.Errorf("describe: %w", iot.ErrResourceNotFoundException("Thing %s not found", "lamp"))
			}
		}, 404, "ResourceNotFoundException", "Thing lamp not found", "authenticate authorize method"},
		{"our fault", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) {
			s.domain.describe = func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
				return nil, errors.New("disk on fire")
			}
		}, 500, "InternalFailureException", "unknown error", "authenticate authorize method"},
		{"panic", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) {
			s.domain.describe = func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
				panic("disk on fire")
			}
		}, 500, "InternalFailureException", "unknown error", "authenticate authorize method"},
		{"body too large", iot.Service, request("POST", "/thing-types/t", strings.Repeat(" ", 2<<20)), nil, 413, "RequestEntityTooLargeException", "larger than", ""},
		{"chunked body too large", iot.Service, func() *http.Request {
			r := request("POST", "/thing-types/t", strings.Repeat(" ", 2<<20))
			r.ContentLength = -1
			return r
		}(), nil, 413, "RequestEntityTooLargeException", "larger than", "recognize"},
		{"form too large", iam.Service, form(strings.Repeat("a", 3<<20)), nil, 413, "RequestEntityTooLarge", "larger than", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand()
			if c.prepare != nil {
				c.prepare(s)
			}
			w := s.do(t, c.service, signed(t, c.service, c.r))
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if got := strings.Join(s.events, " "); got != c.events {
				t.Errorf("events %q, want %q", got, c.events)
			}
			if code := errorCode(t, c.service, w); code != c.code {
				t.Errorf("error %q, want %q", code, c.code)
			}
			if !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("answer %s, want %q in it", w.Body, c.text)
			}
			if strings.Contains(w.Body.String(), "fire") {
				t.Errorf("the answer tells of the inside: %s", w.Body)
			}
			if (w.Code == 500) != (strings.Count(s.log.String(), "on fire") == 1) {
				t.Errorf("the log says %q", s.log.String())
			}
			if e := s.outcomes[0].Error; (e == nil) != (c.code == "") || e != nil && e.Code != c.code {
				t.Errorf("observed %v", e)
			}
		})
	}
}

// errorCode reads an error as clients do.
func errorCode(t *testing.T, service *awsapi.Service, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Code < 300 {
		return ""
	}
	if service.Protocol == awsapi.RESTJSON {
		var body struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Message == "" {
			t.Errorf("error body %q", w.Body)
		}
		if ct := w.Header().Get("Content-Type"); ct != "application/json" {
			t.Errorf("Content-Type %q", ct)
		}
		return w.Header().Get("x-amzn-ErrorType")
	}
	var body struct {
		XMLName   xml.Name
		Error     struct{ Type, Code, Message string }
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("error body %q: %v", w.Body, err)
	}
	kind := "Sender"
	if w.Code >= 500 {
		kind = "Receiver"
	}
	if body.XMLName.Local != "ErrorResponse" || body.XMLName.Space != service.Namespace || body.Error.Type != kind || body.Error.Message == "" ||
		body.RequestID != w.Header().Get("x-amzn-RequestId") || w.Header().Get("Content-Type") != "text/xml" {
		t.Errorf("error body %q", w.Body)
	}
	return body.Error.Code
}

func TestGatewayUnsigned(t *testing.T) {
	for _, c := range []struct {
		service    *awsapi.Service
		r          *http.Request
		code, text string
	}{
		{iot.Service, request("GET", "/things/lamp", ""), "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{iam.Service, form("Action=ListUsers"), "MissingAuthenticationToken", "Request is missing Authentication Token"},
		// Operations that may come unsigned are asked about next.
		{sts.Service, form("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"), "NotImplementedException", "sts:AssumeRoleWithWebIdentity"},
	} {
		s := newStand()
		w := s.do(t, c.service, c.r)
		if code := errorCode(t, c.service, w); code != c.code || !strings.Contains(w.Body.String(), c.text) || len(s.events) > 0 {
			t.Errorf("%s: %s %s, events %v", c.service.Name, code, w.Body, s.events)
		}
	}
}

// duplexRecorder can be read from while it is written to.
type duplexRecorder struct{ *httptest.ResponseRecorder }

func (duplexRecorder) EnableFullDuplex() error { return nil }

// What an operation takes from a header must be covered by the signature.
func TestGatewayUnsignedInputHeader(t *testing.T) {
	s := newStand()
	r := request("POST", "/putMedia", "")
	r.Header.Set("X-Amzn-Stream-Name", "mine")
	r.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	signed(t, kvmedia.Service, r)
	w := &duplexRecorder{httptest.NewRecorder()}
	if s.handler(kvmedia.Service).ServeHTTP(w, r); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s = newStand()
	r.Body = io.NopCloser(strings.NewReader(""))
	r.Header.Set("X-Amzn-Stream-Arn", "another's")
	synctest.Test(t, func(t *testing.T) {
		w := s.do(t, kvmedia.Service, r)
		if code := errorCode(t, kvmedia.Service, w); code != "InvalidSignatureException" || len(s.events) > 0 {
			t.Errorf("%s %s, events %v", code, w.Body, s.events)
		}
	})
}

// A refused PutMedia is answered late: kvssink asks again at once.
func TestGatewayRefusalDelay(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*stand, *http.Request)
		code    string
		delay   time.Duration
	}{
		{"denied", func(s *stand, _ *http.Request) { s.deny = awsapi.ErrAccessDenied("no") }, "AccessDeniedException", 700 * time.Millisecond},
		{"unknown", func(s *stand, _ *http.Request) { s.unknown = true }, "UnrecognizedClientException", 700 * time.Millisecond},
		{"not found", func(_ *stand, r *http.Request) { r.Header.Set("X-Amzn-Stream-Name", "nowhere") }, "ResourceNotFoundException", 700 * time.Millisecond},
		{"invalid", func(_ *stand, r *http.Request) { r.Header.Set("X-Amzn-Fragment-Timecode-Type", "x") }, "InvalidArgumentException", 700 * time.Millisecond},
		{"another operation", func(_ *stand, r *http.Request) { r.URL.Path = "/getMedia" }, "NotImplementedException", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStand()
				r := request("POST", "/putMedia", "")
				r.Header.Set("X-Amzn-Stream-Name", "mine")
				r.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
				c.prepare(s, r)
				start := time.Now()
				w := s.do(t, kvmedia.Service, signed(t, kvmedia.Service, r))
				if code := errorCode(t, kvmedia.Service, w); code != c.code {
					t.Errorf("%s %s", code, w.Body)
				}
				if d := time.Since(start); d != c.delay {
					t.Errorf("answered after %v, want %v", d, c.delay)
				}
				if c.delay > 0 && w.Header().Get("Connection") != "close" {
					t.Error("a body that nobody reads keeps the connection")
				}
			})
		})
	}
}

// Acks come back while the body is still being sent.
func TestGatewayStreams(t *testing.T) {
	s := newStand()
	server := httptest.NewServer(s.handler(kvmedia.Service))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test is over
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	r, err := http.NewRequest("POST", server.URL+"/putMedia", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amzn-Stream-Name", "mine")
	r.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	signed(t, kvmedia.Service, r)
	fmt.Fprintf(conn, "POST /putMedia HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n", r.URL.Host)
	if err := r.Header.Write(conn); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "\r\n")
	in := bufio.NewReader(conn)
	status := func(want string) {
		t.Helper()
		line, err := in.ReadString('\n')
		for err == nil && strings.TrimSpace(line) == "" {
			line, err = in.ReadString('\n')
		}
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Fatalf("%q, %v; want %s", line, err, want)
		}
	}
	// The answer's head is sent before the body is asked for.
	line, err := in.Peek(len("HTTP/1.1 100"))
	if err != nil {
		t.Fatal(err)
	}
	if string(line) == "HTTP/1.1 100" {
		status("100")
	}
	status("200")
	for { // the header
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	for i := range 3 {
		text := fmt.Sprintf("fragment %d\n", i)
		fmt.Fprintf(conn, "%x\r\n%s\r\n", len(text), text)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "HTTP/1.1 100") || strings.HasPrefix(line, "ack") && line != "ack "+text {
				t.Fatalf("got %q", line)
			}
			if line == "ack "+text {
				break
			}
		}
	}
	fmt.Fprint(conn, "0\r\n\r\n")
	rest, _ := in.ReadString('0')
	if !strings.HasSuffix(rest, "0") {
		t.Errorf("the answer goes on with %q", rest)
	}
	if got := strings.Join(s.events, " "); got != "authenticate resolve authorize method" {
		t.Errorf("events %s", got)
	}
	if want := []awsapi.Check{{Action: "kinesisvideo:PutMedia", Resource: "arn:stream"}}; !reflect.DeepEqual(s.checks, want) {
		t.Errorf("checks %v", s.checks)
	}
}

func TestGatewayAuthorization(t *testing.T) {
	for _, c := range []struct {
		name    string
		service *awsapi.Service
		r       *http.Request
		check   awsapi.Check
		tags    map[string]string
		keys    []string
	}{
		{"template", iot.Service, request("GET", "/things/la:mp", ""), awsapi.Check{Action: "iot:DescribeThing", Resource: "arn:aws:iot:eu-west-1:123456789012:thing/la:mp"}, nil, nil},
		{"star", iam.Service, form("Action=ListUsers"), awsapi.Check{Action: "iam:ListUsers", Resource: "*"}, nil, nil},
		{"list of tags", iot.Service, request("POST", "/thing-types/t", `{"tags":[{"Key":"b","Value":"2"},{"Key":"a"}]}`),
			awsapi.Check{Action: "iot:CreateThingType"}, map[string]string{"b": "2", "a": ""}, []string{"b", "a"}},
		{"map of tags", kinesisvideo.Service, request("POST", "/createStream", `{"StreamName":"s","Tags":{"b":"2","a":"1"}}`),
			awsapi.Check{Action: "kinesisvideo:CreateStream"}, map[string]string{"b": "2", "a": "1"}, []string{"a", "b"}},
		{"tag keys", kinesisvideo.Service, request("POST", "//untagStream", `{"StreamName":"s","TagKeyList":["x","y"]}`),
			awsapi.Check{Action: "kinesisvideo:UntagStream"}, nil, []string{"x", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand()
			if w := s.do(t, c.service, signed(t, c.service, c.r)); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if s.checks[0].Action != c.check.Action || c.check.Resource != "" && s.checks[0].Resource != c.check.Resource {
				t.Errorf("checks %v, want %v", s.checks, c.check)
			}
			if !reflect.DeepEqual(s.request.Tags, c.tags) || !slices.Equal(s.request.TagKeys, c.keys) {
				t.Errorf("tags %v %v, want %v %v", s.request.Tags, s.request.TagKeys, c.tags, c.keys)
			}
			if s.request.Region != "eu-west-1" || s.request.SourceIP != "192.0.2.1" || s.request.Caller.Account != "123456789012" {
				t.Errorf("request %+v", s.request)
			}
		})
	}
}

// A panic behind the first byte must not look like a whole answer.
func TestGatewayPanicInStream(t *testing.T) {
	s := newStand()
	api := kvmedia.Service.Bind(panicker{})
	server := httptest.NewServer(s.gateway.Handler(api))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	r, err := http.NewRequest("POST", server.URL+"/getMedia", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"StreamName":"s","StartSelector":{"StartSelectorType":"NOW"}}`
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	resp, err := http.DefaultClient.Do(signed(t, kvmedia.Service, r))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read below
	if _, err := io.ReadAll(resp.Body); err == nil || resp.StatusCode != 200 {
		t.Errorf("%d, read with %v", resp.StatusCode, err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "video/webm" {
		t.Errorf("Content-Type %q", ct)
	}
}

type panicker struct{}

func (panicker) GetMedia(context.Context, *kvmedia.GetMediaInput) (*kvmedia.GetMediaOutput, error) {
	return &kvmedia.GetMediaOutput{ContentType: new("video/webm"), Payload: func(w *awsapi.StreamWriter) error {
		_, _ = w.Write([]byte("some"))
		_ = w.Flush()
		panic("stream")
	}}, nil
}

func (panicker) Resolve(context.Context, *awsapi.Operation, any) (*awsapi.Resolution, error) {
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "*"}}}, nil
}

// Every fault of a signature has its codes.
func TestSignatureFaults(t *testing.T) {
	for _, c := range []struct {
		kind        sigv4.Kind
		query, json string
		status      int
	}{
		{sigv4.MissingToken, "MissingAuthenticationToken", "MissingAuthenticationTokenException", 403},
		{sigv4.Malformed, "IncompleteSignature", "IncompleteSignatureException", 400},
		{sigv4.UnknownKey, "InvalidClientTokenId", "UnrecognizedClientException", 403},
		{sigv4.ExpiredToken, "ExpiredToken", "ExpiredTokenException", 403},
		{sigv4.Mismatch, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{sigv4.Expired, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
		{sigv4.Scope, "SignatureDoesNotMatch", "InvalidSignatureException", 403},
	} {
		for service, want := range map[*awsapi.Service]string{iam.Service: c.query, iot.Service: c.json} {
			s := newStand()
			s.fault = &sigv4.Error{Kind: c.kind, Message: "text"}
			w := s.do(t, service, signed(t, service, request("GET", "/things/lamp", "")))
			if code := errorCode(t, service, w); code != want || w.Code != c.status {
				t.Errorf("kind %d: %d %s, want %d %s", c.kind, w.Code, code, c.status, want)
			}
		}
	}
}

func TestErrorMembers(t *testing.T) {
	s := newStand()
	s.domain.describe = func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
		return nil, iot.ErrResourceAlreadyExistsException("a %q <b> & c", "x").With("resourceArn", "arn:1").With("resourceId", "2")
	}
	w := s.do(t, iot.Service, signed(t, iot.Service, request("GET", "/things/lamp", "")))
	if want := `{"message":"a \"x\" <b> & c","resourceArn":"arn:1","resourceId":"2"}`; w.Body.String() != want || w.Code != 409 {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
}
