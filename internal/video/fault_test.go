package video

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// A fragment that cannot be persisted: an ERROR that lets the producer send it again, and no PERSISTED.
func TestStorageFails(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 1)
		r, w := io.Pipe()
		acked := make(chan ack, 10)
		out := &wire{on: func(a ack) { acked <- a }}
		done := make(chan error, 1)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
		one := slices.Concat(cluster(1000, block(1, 0, 10)), tags(tagEndOfFragment, ""))
		must(w.Write(slices.Concat(header(1), one)))
		for _, want := range []string{"BUFFERING", "RECEIVED", "PERSISTED"} {
			if a := <-acked; a.EventType != want {
				t.Fatalf("%+v, want %s", a, want)
			}
		}
		err := f.DB.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `ALTER TABLE video_fragments RENAME TO away`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		must(w.Write(one))
		var number string
		for _, want := range []string{"BUFFERING", "RECEIVED", "ERROR"} {
			a := <-acked
			if a.EventType != want {
				t.Fatalf("%+v, want %s", a, want)
			}
			if number == "" {
				number = a.FragmentNumber
			}
			if want == "ERROR" && (a.ErrorID != 5001 || a.ErrorCode != "ARCHIVAL_ERROR" || a.FragmentNumber != number || *a.FragmentTimecode != 1000) {
				t.Errorf("%+v", a)
			}
		}
		w.Close()
		<-done
		if n := len(acked); n != 0 {
			t.Errorf("%d acknowledgements behind the ERROR", n)
		}
	})
}

// A producer that has gone does not keep what it sent from being stored.
func TestProducerTakesNoAcks(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	gone := errors.New("broken pipe")
	w := &wire{err: gone}
	err := f.ingest(t.Context(), st, false, 0, bytes.NewReader(slices.Concat(header(1), cluster(1, block(1, 0, 1)))), w)
	if !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	if err := f.reapOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	noRows(t, f.DB, "video_chunks")
}

// Close lets a connection persist what it has completely received, and ends it in the middle of the next fragment.
func TestCloseEndsConnections(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	r, w := net.Pipe()
	received := make(chan bool, 10)
	out := &wire{on: func(a ack) { received <- a.EventType == "BUFFERING" && *a.FragmentTimecode == 2000 }}
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
	must(w.Write(slices.Concat(header(1), cluster(1000, block(1, 0, 10)), cluster(2000, block(1, 0, 10)))))
	for !<-received {
	}
	if err := f.Service.Close(); err != nil {
		t.Fatal(err)
	}
	<-done // the body was interrupted
	if got := events(out.acks(t)); got != "BRBP" && got != "BRPB" {
		t.Errorf("acknowledgements %s", got)
	}
	if err := f.ingest(t.Context(), st, false, 0, bytes.NewReader(nil), &wire{}); err != errClosing {
		t.Errorf("after Close: %v", err)
	}
	// And on again, as after --dev's reset.
	if err := f.Service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(f.read(t, st, before).clusters); n != 1 {
		t.Errorf("%d fragments", n)
	}
	checkAcks(t, f.put(t, st, bytes.NewReader(slices.Concat(header(1), cluster(2000, block(1, 0, 10))))), 1)
}

// large reads as a cluster with one frame of a size, in blocks of zeros.
func large(size int) io.Reader {
	head := slices.Concat(header(1), cluster(1), []byte{0xA3, 0x10 | byte((size+4)>>24), byte((size + 4) >> 16), byte((size + 4) >> 8), byte(size + 4), 0x81, 0, 0, 0x80})
	return io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, int64(size)))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Memory does not grow with a fragment.
func TestMemory(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	f.put(t, st, large(1000)) // what the first costs: statements, pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list := f.put(t, st, large(48<<20))
	runtime.ReadMemStats(&after)
	if events(list) != "BRP" {
		t.Errorf("acknowledgements %s", events(list))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
		t.Errorf("a fragment of 48 MiB cost %d KiB of memory in all", n>>10)
	}
	if list := f.put(t, st, large(51<<20)); events(list) != "BE MAX_FRAGMENT_SIZE_REACHED" {
		t.Errorf("acknowledgements %s", events(list))
	}
}
