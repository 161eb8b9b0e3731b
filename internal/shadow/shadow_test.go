package shadow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// codes are the codes of the rejected among messages, and "ok" for the accepted.
func codes(messages []message) []string {
	var out []string
	for _, m := range messages {
		switch {
		case strings.HasSuffix(m.topic, "/accepted"):
			out = append(out, "ok")
		case strings.HasSuffix(m.topic, "/rejected"):
			var r struct{ Code int }
			if err := json.Unmarshal([]byte(m.payload), &r); err != nil {
				panic(err)
			}
			out = append(out, fmt.Sprint(r.Code))
		}
	}
	return out
}

// blocking is a bus that stands still until it is let go.
type blocking struct {
	*world
	gate chan struct{}
}

func (b *blocking) Publish(ctx context.Context, account, region, topic string, payload []byte) error {
	<-b.gate
	return b.world.Publish(ctx, account, region, topic, payload)
}

// Ten requests of a connection for one thing may be unanswered; others are not held by it, and when they are
// answered it goes on.
func TestInFlight(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := &blocking{world: w, gate: make(chan struct{})}
		w.Bus = b
		open := sync.OnceFunc(func() { close(b.gate) })
		defer open()
		for i := range 12 { // updates: what they tell first of all is held up
			w.send(account, "one", fmt.Sprintf("$aws/things/t/shadow/name/n%d/update", i%3), `{"state":{"reported":{"a":1}},"clientToken":"one"}`)
		}
		w.send(account, "two", "$aws/things/t/shadow/get", `{"clientToken":"two"}`)
		w.send(account, "one", "$aws/things/other/shadow/get", ``)
		w.send("210987654321", "one", "$aws/things/t/shadow/get", ``)
		open()
		got := codes(w.take())
		slices.Sort(got)
		want := slices.Concat(slices.Repeat([]string{"404"}, 3), []string{"429", "429"}, slices.Repeat([]string{"ok"}, 10))
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		w.send(account, "one", "$aws/things/t/shadow/get", ``)
		if got := codes(w.take()); !slices.Equal(got, []string{"404"}) {
			t.Errorf("afterwards %v", got)
		}
	})
}

func TestRefusedByLimitKeepsToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 21 {
			w.send(account, "c", "$aws/things/t/shadow/get", `{"clientToken":"tok"}`)
			w.lanes.work.Wait()
		}
		m := w.take()
		if got := m[20].payload; got != `{"code":429,"message":"Too many requests","timestamp":1760000000,"clientToken":"tok"}` {
			t.Errorf("the 21st: %s", got)
		}
		w.Limits = func(string) Limits { return Limits{State: 8192} }
		for range 50 {
			w.send(account, "c", "$aws/things/t/shadow/get", ``)
		}
		if got := codes(w.take()); slices.Contains(got, "429") {
			t.Errorf("without limits %v", got)
		}
	})
}

// Many clients, many shadows, at once: each shadow's versions are one after the other, nothing is lost, and of those
// who name a version one wins.
func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.Limits = func(string) Limits { return Limits{State: 8192} }
		const clients, shadows, rounds = 8, 4, 10
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for r := range rounds {
					for s := range shadows {
						w.send(account, fmt.Sprint(c), fmt.Sprintf("$aws/things/t%d/shadow/update", s), fmt.Sprintf(`{"state":{"reported":{"c%d":%d}}}`, c, r))
					}
				}
			})
		}
		wg.Wait()
		seen := map[string][]int64{}
		for _, m := range w.take() {
			if strings.HasSuffix(m.topic, "/accepted") {
				var d struct{ Version int64 }
				if err := json.Unmarshal([]byte(m.payload), &d); err != nil {
					t.Fatal(err)
				}
				seen[m.topic] = append(seen[m.topic], d.Version)
			}
		}
		for topic, versions := range seen {
			for i, v := range versions {
				if v != int64(i+1) {
					t.Fatalf("%s: versions %v", topic, versions)
				}
			}
			if len(versions) != clients*rounds {
				t.Errorf("%s: %d versions", topic, len(versions))
			}
		}
		var state struct {
			State struct{ Reported map[string]int }
		}
		_, text, _ := strings.Cut(w.call(account, "GET", "/things/t0/shadow", ""), " ")
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			t.Fatal(err)
		}
		for c := range clients {
			if state.State.Reported[fmt.Sprintf("c%d", c)] != rounds-1 {
				t.Errorf("client %d's last update is lost: %s", c, text)
			}
		}
		w.take()
		for range clients {
			wg.Go(func() {
				w.send(account, "x", "$aws/things/t0/shadow/update", fmt.Sprintf(`{"state":{"desired":{"a":1}},"version":%d}`, clients*rounds))
			})
		}
		wg.Wait()
		got := codes(w.take())
		slices.Sort(got)
		if want := append(slices.Repeat([]string{"409"}, clients-1), "ok"); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// Two servers on one database: neither loses what the other wrote, of two with one version one wins, and what one
// has deleted the other does not bring back.
func TestTwoServers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newWorld(t, w.DB)
		both := []*world{w, v}
		for i := range 20 {
			both[i%2].send(account, "c", "$aws/things/t/shadow/update", fmt.Sprintf(`{"state":{"reported":{"k%d":1}}}`, i))
			both[i%2].lanes.work.Wait()
		}
		answer := w.call(account, "GET", "/things/t/shadow", "")
		if !strings.Contains(answer, `"version":20`) || strings.Count(answer, `":1,"k`) != 19 {
			t.Errorf("after 20 updates: %s", answer)
		}
		w.now.Add(10)
		v.now.Add(10)
		w.take()
		v.take()
		for _, x := range both {
			x.send(account, "c", "$aws/things/t/shadow/update", `{"state":{"reported":{"x":1}},"version":20}`)
		}
		if got := append(codes(w.take()), codes(v.take())...); !slices.Contains(got, "ok") || !slices.Contains(got, "409") {
			t.Errorf("both with version 20: %v", got)
		}
		w.call(account, "DELETE", "/things/t/shadow", "")
		if got := v.call(account, "POST", "/things/t/shadow", `{"state":{"desired":{"new":1}}}`); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"version":22`) {
			t.Errorf("after the delete: %s", got)
		}
		if got := v.call(account, "GET", "/things/t/shadow", ""); strings.Contains(got, "k1") {
			t.Errorf("what was deleted is back: %s", got)
		}
	})
}

// A fault of the database is told as such, with the token, and nothing is accepted.
func TestDatabaseGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Log = slog.New(slog.DiscardHandler)
		w.send(account, "c", "$aws/things/t/shadow/update", `{"state":{}}`)
		w.take()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for _, op := range []string{"update", "get", "delete"} {
			w.send(account, "c", "$aws/things/t/shadow/"+op, `{"state":{},"clientToken":"x"}`)
			got := w.take()
			if len(got) != 1 || got[0].topic != "$aws/things/t/shadow/"+op+"/rejected" || got[0].payload != `{"code":500,"message":"Internal service failure","timestamp":1760000000,"clientToken":"x"}` {
				t.Errorf("%s: %+v", op, got)
			}
		}
		if got := w.call(account, "POST", "/things/t/shadow", `{"state":{}}`); !strings.HasPrefix(got, "500 InternalFailureException") {
			t.Errorf("over HTTP: %s", got)
		}
	})
}

// What was accepted is there for who opens the database next.
func TestReopened(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	var before string
	for i := range 2 {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, d)
		if i == 0 {
			w.call(account, "POST", "/things/t/shadow", `{"state":{"desired":{"a":[1,{"b":"é"}]},"reported":{"n":1.50}}}`)
		}
		got := w.call(account, "GET", "/things/t/shadow", "")
		if i == 1 && got != before {
			t.Errorf("%s, before it was\n%s", got, before)
		}
		before = got
		w.lanes.work.Wait()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was taken before the end is answered, what comes later fails.
func TestClose(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	w.Limits = func(string) Limits { return Limits{State: 8192} }
	for range 50 {
		w.send(account, "c", "$aws/things/t/shadow/update", `{"state":{}}`)
	}
	w.lanes.close()
	if got := codes(w.take()); len(got) != 50 || slices.Contains(got, "500") {
		t.Errorf("%v", got)
	}
	if err := w.Handle(t.Context(), &Message{Account: account, Region: region, Topic: "$aws/things/t/shadow/get"}); err == nil {
		t.Error("taken after the end")
	}
	if got := w.call(account, "GET", "/things/t/shadow", ""); !strings.HasPrefix(got, "500") {
		t.Error(got)
	}
}

// Invalidate is for a database that is another one now.
func TestInvalidate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.call(account, "POST", "/things/t/shadow", `{"state":{"desired":{"a":1}}}`)
		if err := w.DB.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Invalidate()
		if got := w.call(account, "POST", "/things/t/shadow", `{"state":{"desired":{"b":1}}}`); !strings.Contains(got, `"version":1`) {
			t.Error(got)
		}
	})
}

// Too much that waits holds up those who send it, until their context ends; what was taken is done all the same.
func TestRoom(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := &blocking{world: w, gate: make(chan struct{})}
		w.Bus = b
		open := sync.OnceFunc(func() { close(b.gate) })
		defer open()
		w.Limits = func(string) Limits { return Limits{State: 8192} }
		m := &Message{Account: account, Region: region, Topic: "$aws/things/t/shadow/update", ClientID: "c", Payload: []byte(`{"state":{},"x":"` + strings.Repeat("x", 100_000) + `"}`)}
		const fits = maxWaiting / (100_000 + requestCost + 17)
		for range fits {
			if err := w.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.Handle(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one too many: %v", err)
		}
		open()
		if got := codes(w.take()); len(got) != fits {
			t.Errorf("%d of %d are answered", len(got), fits)
		}
		if err := w.Handle(t.Context(), m); err != nil {
			t.Error(err)
		}
	})
}

func TestGate(t *testing.T) {
	var g gate
	l := Limits{Rate: 20, InFlight: 10}
	now := time.Unix(1000, 0)
	of := func(i int) thing { return thing{account, region, fmt.Sprint(i)} }
	for i := range 5000 {
		if !g.enter(of(i), "c", l, now) {
			t.Fatal(i)
		}
		g.leave(of(i), "c")
		now = now.Add(time.Millisecond)
	}
	if len(g.things) > 3000 {
		t.Errorf("%d things are remembered", len(g.things))
	}
	taken := 0
	for range 100 {
		if g.enter(of(0), "", l, now) {
			taken++
		}
	}
	if taken != 20 {
		t.Errorf("%d of 20", taken)
	}
	if g.enter(of(0), "", l, now.Add(-time.Hour)) {
		t.Error("a clock that was set back gives more")
	}
	if !g.enter(of(0), "", l, now.Add(50*time.Millisecond-time.Hour)) {
		t.Error("nothing after a twentieth of a second")
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	for i := range 20000 {
		r := &record{}
		r.State = strings.Repeat("x", 8192)
		c.set(id{thing: fmt.Sprint(i)}, r)
		if i%2 == 0 {
			c.drop(id{thing: fmt.Sprint(i)})
		}
	}
	if n := len(c.new) + len(c.old); n > 2*cacheBytes/8192 || n < cacheBytes/2/8192 {
		t.Errorf("%d rows", n)
	}
	if _, ok := c.get(id{thing: "19999"}); !ok {
		t.Error("the last is not there")
	}
	if _, ok := c.get(id{thing: "19998"}); ok {
		t.Error("what was dropped is there")
	}
	c.clear()
	if _, ok := c.get(id{thing: "19999"}); ok || c.size != 0 {
		t.Error("cleared, and something is there")
	}
}

// Updates of 10,000 shadows, 256 at once: what the database makes durable a second.
func BenchmarkUpdate(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			url := "sqlite:" + filepath.Join(b.TempDir(), "b.db")
			if kind == "postgres" {
				url = dbtest.PostgresURL(b)
			}
			d, err := db.Open(b.Context(), url, db.Options{Sync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			bus := &counting{}
			s := &Service{DB: d, Bus: bus, Log: slog.New(slog.DiscardHandler), Now: time.Now}
			if err := s.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			const shadows = 10_000
			payloads := [][]byte{
				[]byte(`{"state":{"desired":{"mode":"auto","interval":30,"limits":{"low":1.5,"high":9.5}},"reported":{"battery":87,"position":{"lat":52.52,"lon":13.405}}}}`),
				[]byte(`{"state":{"reported":{"battery":86,"position":{"lat":52.53}}},"clientToken":"0b1b5e7c-9b8a-4a39-bb5e-5f4d6c7b8a90"}`),
			}
			window := make(chan struct{}, 256)
			bus.done = window
			send := func(i int, payload []byte) {
				window <- struct{}{}
				m := &Message{Account: account, Region: region, Topic: fmt.Sprintf("$aws/things/thing-%d/shadow/update", i%shadows), Payload: payload, ClientID: "c"}
				if err := s.Handle(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
			s.Limits = func(string) Limits { return Limits{State: 8192} }
			for i := range shadows {
				send(i, payloads[0])
			}
			s.lanes.work.Wait()
			b.ResetTimer()
			for i := range b.N {
				send(i*7919, payloads[1])
			}
			s.lanes.work.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
			if n := bus.rejected.Load(); n > 0 {
				b.Errorf("%d were rejected", n)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// counting is a bus that gives way to the next request when one is answered.
type counting struct {
	done     chan struct{}
	rejected atomic.Int64
}

func (c *counting) Publish(_ context.Context, _, _, topic string, _ []byte) error {
	switch {
	case strings.HasSuffix(topic, "/rejected"):
		c.rejected.Add(1)
		<-c.done
	case strings.HasSuffix(topic, "/accepted"):
		<-c.done
	}
	return nil
}
