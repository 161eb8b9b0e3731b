package engine_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

// openDoor lets everybody in and allows everything but what it was told to deny.
type openDoor struct{ denied string }

func (o openDoor) Admit(_ context.Context, _ *broker.Credentials, p *mqtt.Connect) (broker.Client, error) {
	if string(p.Username) == "stranger" {
		return nil, &broker.Refusal{Code: mqtt.NotAuthorized, Why: "nobody knows you"}
	}
	return guest(o), nil
}

type guest struct{ denied string }

func (guest) Account() string       { return "123456789012" }
func (guest) Region() string        { return "us-east-1" }
func (guest) PrincipalID() string   { return "guest" }
func (guest) Thing() (string, bool) { return "", false }
func (guest) Version() uint64       { return 1 }

func (g guest) Decide(_ context.Context, a broker.Action, resource string, _ *broker.ConnectInfo) broker.Decision {
	what := a.String() + " " + resource
	return broker.Decision{Allowed: what != g.denied, Why: "denied: " + what, Cacheable: true}
}

// rig is a broker on a socket, and somebody who hears all.
type rig struct {
	t       testing.TB
	address string
	broker  *broker.Broker

	mu    sync.Mutex
	heard []string // "topic payload", as they came
}

func newRig(t testing.TB, limits *broker.Limits, denied string) *rig {
	t.Helper()
	b := &broker.Broker{
		Authority: openDoor{denied}, Limits: func(string) *broker.Limits { return limits }, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, address: l.Addr().String(), broker: b}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				r.broker.Serve(conn, &broker.Credentials{Source: netip.MustParseAddrPort(conn.RemoteAddr().String())})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return r
}

// hear begins to note what is published.
func (r *rig) hear() {
	r.t.Helper()
	c := mqtttest.Dial(r.t, r.address, nil)
	c.Name = "ear"
	c.Connect("id=ear clean")
	c.Say("SUBSCRIBE id=1 #:0")
	c.Expect("SUBACK id=1 0x00")
	go func() {
		for {
			e := c.Next()
			if e.Ended() {
				return
			}
			if p, ok := e.Packet.(*mqtt.Publish); ok {
				r.mu.Lock()
				r.heard = append(r.heard, string(p.Topic)+" "+string(p.Payload))
				r.mu.Unlock()
			}
		}
	}()
}

// by is what was heard of each topic, in its order, once there are n in all.
func (r *rig) by(n int) map[string][]string {
	r.t.Helper()
	out := map[string][]string{}
	r.until(func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.heard) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.heard {
		topic, payload, _ := strings.Cut(line, " ")
		out[topic] = append(out[topic], payload)
	}
	r.heard = nil
	return out
}

func (r *rig) until(what func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !what(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("it did not come to that in 20 s")
		}
	}
}

// plain is the protocol of a model that speaks to the rig.
func (r *rig) plain() *model.Protocol {
	return &model.Protocol{Type: "mqtt", Endpoint: r.address, Security: "none", ClientID: "d{{client()}}", Topic: "t/{{client()}}", QoS: 1}
}

// memory is a Glob of a map.
type memory struct {
	mu sync.Mutex
	m  map[string]json.RawMessage
}

func (g *memory) Get(_ context.Context, key string) (json.RawMessage, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.m[key]
	return v, ok, nil
}

func (g *memory) Set(_ context.Context, key string, value json.RawMessage) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m == nil {
		g.m = map[string]json.RawMessage{}
	}
	g.m[key] = slices.Clone(value)
	return nil
}

func (g *memory) Delete(_ context.Context, key string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.m, key)
	return nil
}

func (g *memory) List(_ context.Context, prefix, after string, limit int) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for k := range g.m {
		if strings.HasPrefix(k, prefix) && k > after {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

func prepare(t testing.TB, o engine.Options) *engine.Run {
	t.Helper()
	if o.Glob == nil {
		o.Glob = &memory{}
	}
	if o.Model.Name == "" {
		o.Model.Name = "test"
	}
	if err := o.Model.Validate(); err != nil {
		t.Fatal(err)
	}
	r, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func do(t testing.TB, o engine.Options) *report.Result {
	t.Helper()
	return finish(t, prepare(t, o))
}

func finish(t testing.TB, r *engine.Run) *report.Result {
	t.Helper()
	res, err := r.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if t.Failed() || testing.Verbose() {
		for _, e := range r.Logs(0, 100) {
			t.Logf("%d %s %s", e.Client, e.Level, e.Text)
		}
	}
	return res
}

// count is a metric's count; 0 if nothing was counted.
func count(res *report.Result, name string) float64 {
	m, _ := res.Metric(name)
	return m.Count
}

// faults is how many errors were counted.
func faults(res *report.Result) (n int) {
	for _, e := range res.Errors {
		n += int(e.Count)
	}
	return n
}

func want(t testing.TB, res *report.Result, counts map[string]float64) {
	t.Helper()
	for name, n := range counts {
		if got := count(res, name); got != n {
			t.Errorf("%s: %v, want %v", name, got, n)
		}
	}
	if t.Failed() {
		b, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", b)
	}
}
