package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/smithy-go"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/seal"
)

const (
	account = "123456789012"
	other   = "210987654321"
	region  = "us-east-1"
)

// shared is one issuer for all tests, and device keys by turns: making one takes
// a while.
var shared struct {
	once sync.Once
	dir  string

	mu    sync.Mutex
	keys  [16]*rsa.PrivateKey
	taken int
}

// sharedKey is a device's key that tests of others have had too.
func sharedKey() (_ *rsa.PrivateKey, err error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	k := &shared.keys[shared.taken%len(shared.keys)]
	shared.taken++
	if *k == nil {
		*k, err = generateKey()
	}
	return *k, err
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 {
		code = answered.check()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

func testBox() *seal.Box {
	box, err := seal.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	return box
}

func testIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "thingd-registry-test-")
		if err != nil {
			tb.Fatal(err)
		}
		shared.dir = dir
	})
	return &Issuer{Dir: shared.dir, Seal: testBox(), Log: testLog(tb), Now: time.Now}
}

func testLog(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

// world is a registry behind the real protocol. Who may do what is up to the
// test; signatures are parsed but not verified.
type world struct {
	*Service
	*sdk.Client // of account in region
	t           testing.TB
	url         string
	guard       *guard
	ahead       atomic.Int64 // of the clock
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, guard: &guard{}}
	w.Service = &Service{
		DB: d, Log: testLog(t), Issuer: testIssuer(t), SpareKeys: 1,
		Now:       func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
		Endpoints: Endpoints{Host: "thingd.test", DevicePort: 8443},
	}
	if _, measured := t.(*testing.B); !measured {
		w.newKey = sharedKey
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	gateway := &awsapi.Gateway{Identity: w.guard, Log: testLog(t), Now: w.Now, Observe: answered.note}
	server := httptest.NewServer(gateway.Handler(iot.Service.Bind(w.Service)))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.Client = w.as(account, region)
	return w
}

// each runs fn with a world on both databases.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newWorld(t, d)) })
}

func (w *world) as(account, region string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &w.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIA"+account, "secret", ""),
	})
}

// ctx is the context of a request of an account for direct calls.
func (w *world) ctx(account, region string) context.Context {
	return awsapi.WithRequest(context.WithoutCancel(w.t.Context()), &awsapi.Request{
		Caller: &awsapi.Caller{Type: awsapi.Root, Account: account}, Region: region, Service: iot.Service,
	})
}

// guard is an Identity that takes everybody for who they say they are, and
// notes what it was asked to allow.
type guard struct {
	mu     sync.Mutex
	checks []awsapi.Check
	deny   func(awsapi.Check) bool
}

func (g *guard) Authenticate(_ context.Context, _ *http.Request, sig *sigv4.Signature, _ sigv4.Payload) (*awsapi.Caller, error) {
	a := strings.TrimPrefix(sig.AccessKeyID, "AKIA")
	return &awsapi.Caller{Type: awsapi.Root, Account: a, ARN: "arn:aws:iam::" + a + ":root"}, nil
}

func (g *guard) Authorize(_ context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checks = checks
	for _, c := range checks {
		if g.deny != nil && g.deny(c) {
			return awsapi.ErrAccessDenied("denied by the test: %s", c.Resource)
		}
	}
	return nil
}

func (g *guard) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var parts []string
	for _, c := range g.checks {
		parts = append(parts, strings.TrimSpace(fmt.Sprint(c.Action, " ", c.Resource, " ", c.Keys)))
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), " map[]", "")
}

// must returns the answer of a call that has to succeed.
func must[T any](out T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return out
	}
}

// refused checks that a call failed with an error of a code, a status and a
// message that contains text.
func refused(tb testing.TB, err error, code string, status int, text string) {
	tb.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		tb.Errorf("got %v, want %s", err, code)
		return
	}
	r, _ := errors.AsType[*awshttp.ResponseError](err)
	if e.ErrorCode() != code || r == nil || r.HTTPStatusCode() != status || !strings.Contains(e.ErrorMessage(), text) {
		tb.Errorf("got %s %d %q, want %s %d %q", e.ErrorCode(), r.HTTPStatusCode(), e.ErrorMessage(), code, status, text)
	}
}

func str(s string) *string { return aws.String(s) }

const policyDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

func (w *world) policy(name string) {
	w.t.Helper()
	must(w.Client.CreatePolicy(context.WithoutCancel(w.t.Context()), &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: str(policyDocument)}))(w.t)
}

func (w *world) thing(name string) {
	w.t.Helper()
	must(w.Client.CreateThing(context.WithoutCancel(w.t.Context()), &sdk.CreateThingInput{ThingName: &name}))(w.t)
}

// certificate makes an active certificate and returns its id and ARN.
func (w *world) certificate() (id, arn string) {
	w.t.Helper()
	out := must(w.Client.CreateKeysAndCertificate(context.WithoutCancel(w.t.Context()), &sdk.CreateKeysAndCertificateInput{SetAsActive: true}))(w.t)
	return *out.CertificateId, *out.CertificateArn
}

// Recognize is awsapi.Identity.
func (*guard) Recognize(context.Context, *sigv4.Signature) error { return nil }
