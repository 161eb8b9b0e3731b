package video

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// Bytes that cannot be put on disk: their rows go again, and the producer gets an ERROR that lets it send them again.
func TestSyncFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, nil)
		durable, err := blob.Open(f.dir, blob.Options{Sync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer durable.Close() //nolint:errcheck // the test is over
		f.Blobs = durable
		st := f.create(t, "cam", 1)
		r, w := io.Pipe()
		acked := make(chan ack, 10)
		done := make(chan error, 1)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) { acked <- a }}) }()
		expect := func(events ...string) (last ack) {
			t.Helper()
			for _, want := range events {
				if last = <-acked; last.EventType != want {
					t.Fatalf("%+v, want %s", last, want)
				}
			}
			return last
		}
		one, eof := cluster(1000, block(1, 0, 10)), tags(tagEndOfFragment, "")
		must(w.Write(slices.Concat(header(1), one, eof)))
		expect("BUFFERING", "RECEIVED", "PERSISTED")
		kept := must(f.fragmentsAfter(t.Context(), st, before, 0, 10))
		must(w.Write(one))
		number := expect("BUFFERING").FragmentNumber
		unsyncable(t, filepath.Join(f.dir, kept[0].chunk))
		must(w.Write(eof))
		if a := expect("RECEIVED", "ERROR"); a.ErrorID != 5001 || a.FragmentNumber != number {
			t.Errorf("%+v", a)
		}
		if got := must(f.fragmentsAfter(t.Context(), st, before, 0, 10)); !slices.Equal(got, kept) {
			t.Errorf("the index has %+v, want %+v", got, kept)
		}
		w.Close()
		<-done
		if len(acked) != 0 {
			t.Errorf("%+v behind the ERROR", <-acked)
		}
		if n := len(f.read(t, st, before).clusters); n != 1 {
			t.Errorf("%d fragments can be read, want 1", n)
		}
		if list := must(f.leased(t.Context(), chunkRow{})); len(list) != 0 {
			t.Errorf("leases %v are left", list)
		}
		if r, text := f.verified(t, false); r.Faults != 0 {
			t.Error(text)
		}
	})
}

// unsyncable puts in the place of a file that this process has open one that takes everything and syncs nothing.
func unsyncable(t *testing.T, path string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, entry := range must(os.ReadDir("/proc/self/fd")) {
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		if !strings.HasSuffix(target, path) {
			continue
		}
		var fd int
		must(fmt.Sscan(entry.Name(), &fd))
		if err := syscall.Dup3(int(null.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s is not open", path)
}
