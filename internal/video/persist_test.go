package video

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// A connection whose fragments cannot be persisted as fast as they come is read no further until they are; and it has a
// persister only while it has fragments.
func TestPersisterHoldsUpItsReader(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	r, w := net.Pipe()
	acked := make(chan ack, 200)
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) { acked <- a }}) }()
	fragmentAt := func(ms int64) []byte {
		return slices.Concat(cluster(ms, block(1, 0, 100)), tags(tagEndOfFragment, ""))
	}
	must(w.Write(slices.Concat(header(1), fragmentAt(0))))
	for a := range acked {
		if a.EventType == "PERSISTED" {
			break
		}
	}
	var x *session
	u := f.traffic.of(st.ID)
	for x = range u.sessions {
	}
	u.mu.Unlock()
	until := func(what string, cond func(*queue) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			x.queue.mu.Lock()
			ok := cond(&x.queue)
			x.queue.mu.Unlock()
			if ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	until("a persister without fragments", func(q *queue) bool { return !q.busy && q.waiting == nil })

	held, release := make(chan struct{}), make(chan struct{})
	holding := make(chan error, 1)
	go func() {
		holding <- f.DB.Write(context.Background(), func(*db.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	const sent = 30
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 1; i <= sent && err == nil; i++ {
			_, err = w.Write(fragmentAt(int64(i) * 1000))
		}
		written <- err
	}()
	until("the queue does not fill", func(q *queue) bool { return len(q.waiting) == mostWaiting })
	select {
	case <-written:
		t.Error("all was read although nothing could be persisted")
	default:
	}
	for len(acked) > 0 {
		if a := <-acked; a.EventType == "PERSISTED" {
			t.Errorf("%+v, while the database is held", a)
		}
	}
	close(release)
	if err := <-holding; err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for next := int64(1); next <= sent; {
		switch a := <-acked; {
		case a.EventType == "ERROR":
			t.Fatalf("%+v", a)
		case a.EventType == "PERSISTED" && *a.FragmentTimecode != next*1000:
			t.Fatalf("%+v, want that of %d", a, next*1000)
		case a.EventType == "PERSISTED":
			next++
		}
	}
	until("a persister without fragments", func(q *queue) bool { return !q.busy && q.waiting == nil })
	_ = w.Close()
	<-done
	if n := len(f.read(t, st, before).clusters); n != sent+1 {
		t.Errorf("%d fragments can be read, want %d", n, sent+1)
	}
}

// What waits behind a fragment that cannot be persisted is dropped, and its reader goes on to the end of the answer.
func TestPersisterFailsWithFragmentsWaiting(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	r, w := net.Pipe()
	begun := make(chan struct{}, 100)
	out := &wire{on: func(ack) { begun <- struct{}{} }}
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
	held, release := make(chan struct{}), make(chan struct{})
	must(w.Write(slices.Concat(header(1), cluster(0, block(1, 0, 100)))))
	<-begun // it has its chunk
	gone := make(chan error, 1)
	go func() {
		gone <- f.DB.Write(context.Background(), func(tx *db.Tx) error {
			close(held)
			<-release
			_, err := tx.Exec(context.Background(), `ALTER TABLE video_fragments RENAME TO away`)
			return err
		})
	}()
	<-held
	go func() {
		for i := int64(1); ; i++ { // until the connection is closed
			if _, err := w.Write(slices.Concat(tags(tagEndOfFragment, ""), cluster(i*1000, block(1, 0, 100)))); err != nil {
				return
			}
		}
	}()
	u := f.traffic.of(st.ID)
	var x *session
	for x = range u.sessions {
	}
	u.mu.Unlock()
	full := func() bool {
		x.queue.mu.Lock()
		defer x.queue.mu.Unlock()
		return len(x.queue.waiting) == mostWaiting
	}
	for deadline := time.Now().Add(20 * time.Second); !full(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue does not fill")
		}
	}
	close(release)
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("no error")
	}
	_ = w.Close()
	_ = r.Close()
	list := out.acks(t)
	if last := list[len(list)-1]; last.EventType != "ERROR" || last.ErrorID != 5001 {
		t.Errorf("the last acknowledgement is %+v", last)
	}
	if slices.ContainsFunc(list, func(a ack) bool { return a.EventType == "PERSISTED" }) {
		t.Errorf("acknowledgements %s", events(list))
	}
	if list := must(f.leased(t.Context(), chunkRow{})); len(list) != 0 {
		t.Errorf("leases %v are left", list)
	}
}
