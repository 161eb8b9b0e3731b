package msglog

import (
	"testing"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// What is said of a message while it is being moved counts, whether the commit
// that moves it succeeds or fails.
func TestSaidWhileMoved(t *testing.T) {
	for _, fails := range []bool{false, true} {
		d := dbtest.SQLite(t)
		l, err := Open(t.Context(), d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.loaded = true // and no committer: the test commits
		a, b := l.NewSession(), l.NewSession()
		var batch Batch
		do := func(fill func()) {
			t.Helper()
			batch.Reset()
			fill()
			if err := l.Append(&batch, nil); err != nil {
				t.Fatal(err)
			}
		}
		commit := func() {
			t.Helper()
			if err := l.commit(true); err != nil {
				t.Fatal(err)
			}
		}
		var seqs [4]uint64
		do(func() {
			batch.PutSession(&Session{ID: a, ClientID: "a"})
			batch.PutSession(&Session{ID: b, ClientID: "b"})
			for range seqs {
				batch.Message([]byte("message"), []Target{{Session: a, QoS: 2}, {Session: b, QoS: 1}})
			}
			batch.Message(make([]byte, 5000), []Target{{Session: a, QoS: 1}})
		})
		for i := range seqs {
			seqs[i] = batch.Seq(2 + i)
		}
		big := batch.Seq(6)
		commit()
		do(func() {
			batch.Settled(a, big)
			batch.Assigned(a, seqs[0], 1) // stands in a row that lives on
			batch.Message([]byte("later"), []Target{{Session: a, QoS: 1}})
		})
		commit()
		l.atOnce, l.o.Slack = 1, 0
		sources := l.sources()
		if len(sources) != 1 {
			t.Fatalf("%d rows are to be moved, want 1", len(sources))
		}
		do(func() { batch.Released(a, seqs[0]) })
		l.mu.Lock()
		c := l.cut(sources, true)
		l.mu.Unlock()
		if len(c.moved) != 1 {
			t.Fatal("nothing is moved")
		}
		do(func() {
			batch.Settled(a, seqs[1])
			batch.Settled(b, seqs[2])
			batch.Settled(a, seqs[2])
			batch.Assigned(a, seqs[3], 4)
		})
		if data, err := l.Message(t.Context(), b, seqs[1]); err != nil || string(data) != "message" {
			t.Fatal(err)
		}
		if fails {
			l.mu.Lock()
			l.undo(c)
			l.mu.Unlock()
		} else {
			if err := l.write(c); err != nil {
				t.Fatal(err)
			}
			l.mu.Lock()
			l.keep(c)
			l.mu.Unlock()
		}
		w := &world{t: t, d: d, l: l}
		w.sound()
		l.o.Slack = 1 << 20 // no more moves
		commit()
		w.sound()
		l, err = Open(t.Context(), d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		queues := make(map[SessionID][]Queued)
		err = l.Load(t.Context(), func(s *Loaded) error { queues[s.ID] = s.Queue; return nil }, func(RetainedTopic, []byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		qa, qb := queues[a], queues[b]
		if len(qa) != 3 || qa[0] != (Queued{seqs[0], 7, 1, 2, 0, true}) || qa[1] != (Queued{seqs[3], 7, 4, 2, 0, false}) || qa[2].Size != 5 {
			t.Errorf("fails %v: a has %+v", fails, qa)
		}
		if len(qb) != 3 || qb[0].Seq != seqs[0] || qb[1].Seq != seqs[1] || qb[2].Seq != seqs[3] {
			t.Errorf("fails %v: b has %+v", fails, qb)
		}
		for _, seq := range seqs[:2] {
			if data, err := l.Message(t.Context(), b, seq); err != nil || string(data) != "message" {
				t.Error(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
