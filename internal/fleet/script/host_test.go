package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

// fakeHost is a host without a network. What scripts do is written down.
type fakeHost struct {
	t       *testing.T
	mu      sync.Mutex
	now     time.Time
	device  *Device
	glob    map[string]json.RawMessage
	log     []string
	metrics []Metric
	calls   []Call
	sent    []Message
	filters []string
	once    map[string]json.RawMessage
	// hooks, if they are set
	onSleep   func(ctx context.Context, d time.Duration) error
	onAWS     func(c Call) (json.RawMessage, error)
	onHTTP    func(r HTTPRequest) (*HTTPResponse, error)
	onMedia   func(m Media) (json.RawMessage, error)
	onPublish func(m Message) // may deliver what pending holds
	pending   []Message
}

func newHost(t *testing.T) *fakeHost {
	return &fakeHost{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), glob: map[string]json.RawMessage{}, once: map[string]json.RawMessage{}}
}

func (h *fakeHost) Now() time.Time { return h.now }

func (h *fakeHost) Sleep(ctx context.Context, d time.Duration) error {
	h.now = h.now.Add(d)
	if h.onSleep != nil {
		return h.onSleep(ctx, d)
	}
	return ctx.Err()
}

func (h *fakeHost) Receive(ctx context.Context) error {
	for len(h.pending) > 0 {
		m := h.pending[0]
		h.pending = h.pending[1:]
		if err := h.device.Message(ctx, m); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

func (h *fakeHost) Publish(ctx context.Context, m Message) error {
	h.sent = append(h.sent, m)
	if h.onPublish != nil {
		h.onPublish(m)
	}
	return ctx.Err()
}

func (h *fakeHost) Subscribe(ctx context.Context, filter string, qos byte) error {
	h.filters = append(h.filters, fmt.Sprintf("%s %d", filter, qos))
	return nil
}

func (h *fakeHost) Unsubscribe(ctx context.Context, filter string) error {
	h.filters = append(h.filters, "-"+filter)
	return nil
}

func (h *fakeHost) Connected() bool                      { return true }
func (h *fakeHost) Connect(ctx context.Context) error    { return nil }
func (h *fakeHost) Disconnect(ctx context.Context) error { return nil }

func (h *fakeHost) AWS(ctx context.Context, c Call) (json.RawMessage, error) {
	h.calls = append(h.calls, c)
	if h.onAWS != nil {
		return h.onAWS(c)
	}
	return json.RawMessage(`{}`), nil
}

func (h *fakeHost) HTTP(ctx context.Context, r HTTPRequest) (*HTTPResponse, error) {
	if h.onHTTP != nil {
		return h.onHTTP(r)
	}
	return &HTTPResponse{Status: 200, Body: []byte(`{"ok":true}`), Header: map[string]string{"content-type": "application/json"}}, nil
}

func (h *fakeHost) PutMedia(ctx context.Context, m Media) (json.RawMessage, error) {
	if h.onMedia != nil {
		return h.onMedia(m)
	}
	return json.RawMessage(`{"persisted":3}`), nil
}

func (h *fakeHost) Glob() Glob { return (*fakeGlob)(h) }

func (h *fakeHost) Log(level, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, level+" "+text)
}

func (h *fakeHost) Metric(m Metric) { h.metrics = append(h.metrics, m) }

func (h *fakeHost) Once(ctx context.Context, name string, do func() (json.RawMessage, error)) (json.RawMessage, error) {
	if v, ok := h.once[name]; ok {
		return v, nil
	}
	v, err := do()
	if err == nil {
		h.once[name] = v
	}
	return v, err
}

type fakeGlob fakeHost

func (g *fakeGlob) Get(_ context.Context, key string) (json.RawMessage, bool, error) {
	v, ok := g.glob[key]
	return v, ok, nil
}

func (g *fakeGlob) Set(_ context.Context, key string, value json.RawMessage) error {
	g.glob[key] = value
	return nil
}

func (g *fakeGlob) Delete(_ context.Context, key string) error {
	delete(g.glob, key)
	return nil
}

func (g *fakeGlob) List(_ context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	for k := range g.glob {
		if strings.HasPrefix(k, prefix) && k > after {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// device compiles a model of one stage and makes a device of it.
func device(t *testing.T, m *model.Model, i Info) (*Device, *fakeHost) {
	t.Helper()
	if m.Name == "" {
		m.Name = "test"
	}
	p, err := Compile(m)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	d, err := p.NewDevice(i, h)
	if err != nil {
		t.Fatal(err)
	}
	h.device = d
	t.Cleanup(d.Close)
	return d, h
}

// running runs code as a stage and gives back what it publishes.
func running(t *testing.T, code string) string {
	t.Helper()
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": code}}, Info{Client: 7, Index: 2, Clients: 5, RunID: "run-1", Seed: 42})
	return mustRun(t, d)
}

func mustRun(t *testing.T, d *Device) string {
	t.Helper()
	payload, _, err := d.Run(t.Context(), "running", 3)
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// failing runs code as a stage that fails.
func failing(t *testing.T, code string) *Error {
	t.Helper()
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": code}}, Info{Client: 7, Seed: 42})
	payload, _, err := d.Run(t.Context(), "running", 0)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%s: error %v (%s)", code, err, payload)
	}
	return e
}
