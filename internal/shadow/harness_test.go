package shadow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

// world is a shadow service between a bus that remembers and the real protocol.
type world struct {
	*Service
	t   testing.TB
	url string
	now atomic.Int64 // seconds

	mu       sync.Mutex
	messages []message
	checks   []awsapi.Check
}

// message is one that the service has published.
type message struct{ account, topic, payload string }

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{t: t}
	w.now.Store(1760000000)
	w.Service = &Service{
		DB: d, Bus: w, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry(),
		Now: func() time.Time { return time.Unix(w.now.Load(), 0) },
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gateway := &awsapi.Gateway{Identity: w, Log: w.Log, Now: w.Now}
	server := httptest.NewServer(gateway.Handler(iotdata.Service.Bind(w.Service)))
	w.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// each runs fn with a world on both databases.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newWorld(t, d)) })
}

// Publish is Bus.
func (w *world) Publish(_ context.Context, account, region, topic string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, message{account, topic, string(payload)})
	return nil
}

// take is what was published since the last time, once all requests are answered.
func (w *world) take() []message {
	w.lanes.work.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.messages
	w.messages = nil
	return out
}

// send is a client's message.
func (w *world) send(account, client, topic, payload string) {
	w.t.Helper()
	m := &Message{Account: account, Region: region, Topic: topic, Payload: []byte(payload), ClientID: client}
	if err := w.Handle(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
	// Nothing of the message is kept.
	copy(m.Payload, bytes.Repeat([]byte{'x'}, len(m.Payload)))
}

// call is a request over HTTP, its answer as text.
func (w *world) call(account, method, path, body string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	key := sigv4.Credentials{AccessKeyID: "AKIA" + account, SecretAccessKey: "secret"}
	if err := sigv4.Sign(r, []byte(body), key, region, "iotdata", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), resp.Header.Get("x-amzn-RequestId"), "TRACE")
	return strings.Join(slices.DeleteFunc([]string{fmt.Sprint(resp.StatusCode), resp.Header.Get("x-amzn-ErrorType"), text}, func(s string) bool { return s == "" }), " ")
}

// Recognize is awsapi.Identity.
func (*world) Recognize(context.Context, *sigv4.Signature) error { return nil }

// Authenticate is awsapi.Identity: everybody is who they say they are.
func (*world) Authenticate(_ context.Context, _ *http.Request, sig *sigv4.Signature, _ sigv4.Payload) (*awsapi.Caller, error) {
	a := strings.TrimPrefix(sig.AccessKeyID, "AKIA")
	return &awsapi.Caller{Type: awsapi.Root, Account: a, ARN: "arn:aws:iam::" + a + ":root", UserID: a}, nil
}

// Authorize is awsapi.Identity.
func (w *world) Authorize(_ context.Context, _ *awsapi.Request, checks []awsapi.Check) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks = checks
	return nil
}
