package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// two runs fn with two servers on each kind of database.
func two(t *testing.T, fn func(t *testing.T, a, b *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one := func(s *Service) { s.Limits.AtOnce, s.Shared = 1, true }
		fn(t, newWorld(t, d, one), newWorld(t, d, one))
	})
}

// status is how a run stands for whoever asks this server.
func (w *world) status(id string) string {
	w.t.Helper()
	return w.must("GET", "/fleet/runs/"+id, nil).text("run", "status")
}

// look has this server look at others' runs so many times.
func (w *world) look(seen map[string]watched, times int) {
	w.t.Helper()
	for range times {
		if err := w.watch(w.t.Context(), seen); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) live() {
	w.t.Helper()
	if err := w.beat(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// dead has a server show no more that it lives.
func (w *world) dead() { w.runs.tended() }

// going starts a run that has a worker by the time it returns, and one that waits behind it.
func (w *world) going() (running, waiting string) {
	w.t.Helper()
	w.test("going", "fake: wait", nil)
	w.test("waiting", "fake: wait", nil)
	running = w.run("going", m{})
	for w.until(running, "RUNNING")["snapshot"] == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return running, w.run("waiting", m{})
}

// Servers that share a database leave one another's runs alone, as long as they live.
func TestRunOfAnother(t *testing.T) {
	two(t, func(t *testing.T, a, b *world) {
		running, waiting := a.going()
		seen := map[string]watched{}
		for range 3 {
			b.look(seen, silentFor)
			a.live()
		}
		if err := b.Close(); err != nil { // and comes back
			t.Fatal(err)
		}
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.live()
		for _, w := range []*world{a, b} {
			if got := w.status(running) + " " + w.status(waiting); got != "RUNNING QUEUED" {
				t.Error(got)
			}
		}
		b.refused("DELETE", "/fleet/runs/"+running, nil, "ConflictException", "is under way: stop it first")
		b.refused("POST", "/fleet/tests/going/runs", m{}, "ConflictException", "is under way")

		// Who is asked to stop what another does has that done.
		for _, id := range []string{running, waiting} {
			b.as(other, region).refused("POST", "/fleet/runs/"+id+"/stop", nil, "ResourceNotFoundException", "")
			for range 2 {
				if got := b.must("POST", "/fleet/runs/"+id+"/stop", nil); got.text("status") != "STOPPING" {
					t.Error(got)
				}
			}
		}
		a.live()
		for _, w := range []*world{a, b} {
			if got := w.until(running, "STOPPED", "FAILED"); got.text("run", "status") != "STOPPED" || got["result"] == nil {
				t.Error(got)
			}
			if got := w.until(waiting, "STOPPED", "FAILED"); got.text("run", "status") != "STOPPED" || got.at("run", "startedAt") != nil {
				t.Error(got)
			}
		}
		if got := b.must("POST", "/fleet/runs/"+running+"/stop", nil); got.text("status") != "STOPPED" {
			t.Error(got)
		}
	})
}

// A run that another server has asked to stop does not begin when its turn comes before its server knows.
func TestStoppedBeforeItsTurn(t *testing.T) {
	two(t, func(t *testing.T, a, b *world) {
		running, waiting := a.going()
		b.must("POST", "/fleet/runs/"+waiting+"/stop", nil)
		a.must("POST", "/fleet/runs/"+running+"/stop", nil)
		if got := a.until(waiting, "STOPPED", "FAILED", "SUCCEEDED"); got.text("run", "status") != "STOPPED" || got.at("run", "startedAt") != nil {
			t.Error(got)
		}
	})
}

// The runs of a server that is not heard of any more have failed. Should it live after all, it ends them, and what others
// have done since stands.
func TestSilentServer(t *testing.T) {
	two(t, func(t *testing.T, a, b *world) {
		running, waiting := a.going()
		a.dead()
		seen := map[string]watched{}
		b.look(seen, silentFor)
		if got := b.status(running) + " " + b.status(waiting); got != "RUNNING QUEUED" {
			t.Fatal(got)
		}
		b.look(seen, 1)
		for _, id := range []string{running, waiting} {
			if got := b.must("GET", "/fleet/runs/"+id, nil); got.text("run", "status") != "FAILED" || got.text("run", "statusReason") != ownerSilent || got.at("run", "endedAt") == nil {
				t.Error(got)
			}
		}
		again := b.run("going", m{})
		b.until(again, "RUNNING")
		b.must("DELETE", "/fleet/runs/"+waiting, nil)

		a.live()
		for deadline := time.Now().Add(20 * time.Second); strings.Count(a.log.String(), "ended after it was given up") < 2; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the server that was given up goes on")
			}
		}
		if got := a.must("GET", "/fleet/runs/"+running, nil); got.text("run", "statusReason") != ownerSilent {
			t.Error(got)
		}
		b.refused("GET", "/fleet/runs/"+waiting, nil, "ResourceNotFoundException", "")
		if got := b.status(again); got != "RUNNING" {
			t.Error(got)
		}
	})
}

// A server that comes back under its name knows at once that what it had under way has failed; also what nobody's name is at.
func TestFormerProcess(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		named := func(name string) *world {
			return newWorld(t, d, func(s *Service) { s.Limits.AtOnce, s.Node, s.Shared = 1, name, true })
		}
		one, two := named("one"), named("two")
		former, waiting := one.going()
		two.test("others", "fake: wait", nil)
		others := two.run("others", m{})
		two.until(others, "RUNNING")
		one.dead()
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE fleet_runs SET owner = '' WHERE id = $1`, waiting)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		again := named("one")
		for _, id := range []string{former, waiting} {
			if got := again.must("GET", "/fleet/runs/"+id, nil); got.text("run", "status") != "FAILED" || got.text("run", "statusReason") != serverStopped {
				t.Error(got)
			}
		}
		if got := again.status(others); got != "RUNNING" {
			t.Error(got)
		}
	})
}

// A server that has the database for itself knows that nobody does what was under way, whatever its former process was called, and
// looks for no others.
func TestAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		former := newWorld(t, d, func(s *Service) { s.Limits.AtOnce, s.Node, s.Shared = 1, "one host/id", true })
		running, waiting := former.going()
		former.dead()
		alone := newWorld(t, d, func(s *Service) { s.Limits.AtOnce, s.Node = 1, "another host/id" })
		for _, id := range []string{running, waiting} {
			if got := alone.must("GET", "/fleet/runs/"+id, nil); got.text("run", "status") != "FAILED" || got.text("run", "statusReason") != serverStopped {
				t.Error(got)
			}
		}
		if alone.runs.tended != nil {
			t.Error("it looks for others")
		}
		own := alone.run("going", m{})
		alone.until(own, "RUNNING")
		alone.must("POST", "/fleet/runs/"+own+"/stop", nil)
		alone.until(own, "STOPPED")
	})
}
