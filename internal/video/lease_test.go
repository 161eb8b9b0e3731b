package video

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thingd/thingd/internal/db"
)

// crashed leaves a stream as a process does that was ended while a connection wrote: a leased chunk with fragments, of
// which those from the first-th on were persisted last, all at once.
func (f *fixture) crashed(t *testing.T, st *Stream, fragments, first int) (path string, list []fragment) {
	t.Helper()
	r, w := io.Pipe()
	acked := make(chan ack, 10)
	done := make(chan error, 1)
	go func() {
		done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) {
			if a.EventType == "PERSISTED" {
				acked <- a
			}
		}})
	}()
	must(w.Write(header(1)))
	for i := range fragments {
		must(w.Write(slices.Concat(cluster(int64(i)*1000, block(1, 0, 5000)), tags(tagEndOfFragment, ""))))
		<-acked
	}
	list = must(f.fragmentsAfter(t.Context(), st, before, 0, 100))
	if len(list) != fragments {
		t.Fatalf("%d fragments", len(list))
	}
	// What is written down is that the last one's bytes may not be on disk, and those before are.
	var unsynced string
	var synced int64
	if err := f.DB.QueryRow(t.Context(), `SELECT unsynced, synced FROM video_chunks`).Scan(&unsynced, &synced); err != nil {
		t.Fatal(err)
	}
	last := list[fragments-1]
	if unsynced != last.number || synced > last.mediaOffset || fragments > 1 && synced != list[fragments-2].mediaOffset+list[fragments-2].mediaSize {
		t.Errorf("unsynced from fragment %s on, from byte %d on; the last is %+v", unsynced, synced, last)
	}
	w.Close()
	if err := errors.Join(<-done, f.Close()); err != nil {
		t.Fatal(err)
	}
	synced = 0
	if first > 0 {
		synced = list[first-1].mediaOffset + list[first-1].mediaSize
	}
	f.exec(t, `UPDATE video_chunks SET state = $1, unsynced = $2, synced = $3`, int64(chunkLeased), list[first].number, synced)
	return filepath.Join(f.dir, filepath.FromSlash(last.chunk)), list
}

// After a crash of the machine the index may have fragments whose bytes are not on disk: of the last ones of each chunk
// that was being written, what is not whole is not served.
func TestTornChunks(t *testing.T) {
	spoil := func(path string, from, to int64) { // what a file system has there that never wrote them
		b := must(os.ReadFile(path))
		for i := range b[from:to] {
			b[from:to][i] = 0xDB
		}
		must(0, os.WriteFile(path, b, 0o600))
	}
	end := func(f fragment) int64 { return f.mediaOffset + f.mediaSize }
	tests := []struct {
		name  string
		first int // of the last ones
		tear  func(path string, list []fragment)
		left  []int
	}{
		{"nothing", 2, func(string, []fragment) {}, []int{0, 1, 2, 3}},
		{"the last byte", 3, func(path string, list []fragment) { must(0, os.Truncate(path, end(list[3])-1)) }, []int{0, 1, 2}},
		{"cut within the first of two", 2, func(path string, list []fragment) { must(0, os.Truncate(path, list[2].mediaOffset+100)) }, []int{0, 1}},
		{"all of both", 2, func(path string, list []fragment) { must(0, os.Truncate(path, end(list[1]))) }, []int{0, 1}},
		{"other bytes at the end", 2, func(path string, list []fragment) { spoil(path, end(list[3])-4096, end(list[3])) }, []int{0, 1, 2}},
		{"other bytes in the first of two", 2, func(path string, list []fragment) { spoil(path, end(list[2])-4096, end(list[2])) }, []int{0, 1, 3}},
		{"other bytes in what was on disk", 2, func(path string, list []fragment) { spoil(path, list[1].mediaOffset, end(list[1])) }, []int{0, 1, 2, 3}}, // not looked at
		{"the header of the first ones", 0, func(path string, list []fragment) { spoil(path, 40, list[0].headerSize) }, nil},
		{"everything", 0, func(path string, list []fragment) { must(0, os.Truncate(path, 0)) }, nil},
		{"the file", 0, func(path string, list []fragment) { must(0, os.Remove(path)) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				st := f.create(t, "cam", 24)
				path, list := f.crashed(t, st, 4, tt.first)
				looked := tt.name != "other bytes in what was on disk"
				tt.tear(path, list)
				if r, text := f.verified(t, false); looked && r.Faults != 0 {
					t.Errorf("a crash is a fault: %s", text)
				}
				f.start(t, f.DB, nil)
				var want []string
				for _, i := range tt.left {
					want = append(want, list[i].number)
				}
				var got []string
				for _, g := range must(f.fragmentsAfter(t.Context(), st, before, 0, 100)) {
					got = append(got, g.number)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q are left, want %q", got, want)
				}
				if list := must(f.leased(t.Context(), chunkRow{})); len(list) != 0 {
					t.Errorf("leases %v are left", list)
				}
				if r, text := f.verified(t, false); looked && r.Faults != 0 {
					t.Errorf("faults are left: %s", text)
				}
				if looked {
					if n := len(f.read(t, st, before).clusters); n != len(want) {
						t.Errorf("%d fragments can be read, want %d", n, len(want))
					}
				}
				if err := f.reapOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
				fi, err := os.Stat(path)
				switch {
				case len(want) == 0 && !errors.Is(err, os.ErrNotExist):
					t.Errorf("the file is still there: %v", err)
				case len(want) > 0 && (err != nil || fi.Size() != end(list[tt.left[len(want)-1]])):
					t.Errorf("the file has %d bytes, %v", fi.Size(), err)
				}
				if len(want) == 0 {
					noRows(t, f.DB, "video_chunks", "video_fragments")
				}
			})
		})
	}
}

// A transaction of which nobody can tell whether it is there is taken back, at the latest by the reaper.
func TestIndexInDoubt(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 24)
		r, w := io.Pipe()
		acked := make(chan ack, 10)
		done := make(chan error, 1)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) { acked <- a }}) }()
		one := slices.Concat(cluster(1000, block(1, 0, 10)), tags(tagEndOfFragment, ""))
		must(w.Write(slices.Concat(header(1), one)))
		for a := range acked {
			if a.EventType == "PERSISTED" {
				break
			}
		}
		kept := must(f.fragmentsAfter(t.Context(), st, before, 0, 10))
		rename := func(from, to string) {
			t.Helper()
			err := f.DB.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), `ALTER TABLE `+from+` RENAME TO `+to)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		rename("video_fragments", "away")
		must(w.Write(one))
		for a := range acked {
			if a.EventType == "ERROR" {
				break
			}
		}
		w.Close()
		<-done
		// As if it had been there after all.
		rename("away", "video_fragments")
		f.exec(t, `INSERT INTO video_fragments (account, region, stream, `+fragmentColumns+`)
			SELECT account, region, stream, number || '0', producer, server, duration, chunk, header_offset, header_size,
			media_offset + media_size, media_size, crc, header_crc FROM video_fragments`)
		f.exec(t, `UPDATE video_chunks SET size = size + 100, unsynced = $1, synced = size`, kept[0].number+"0")
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := must(f.fragmentsAfter(t.Context(), st, before, 0, 10)); !slices.Equal(got, kept) {
			t.Errorf("%+v are left, want %+v", got, kept)
		}
		if list := must(f.leased(t.Context(), chunkRow{})); len(list) != 0 {
			t.Errorf("leases %v are left", list)
		}
		if r, text := f.verified(t, false); r.Faults != 0 {
			t.Error(text)
		}
	})
}
