package video

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// verified runs Verify as on a stopped server.
func (f *fixture) verified(t *testing.T, mend bool) (*VerifyReport, string) {
	t.Helper()
	var faults []string
	last := VerifyProgress{}
	r, err := f.Verify(t.Context(), VerifyOptions{Mend: mend, Fault: func(text string) { faults = append(faults, text) },
		Progress: func(p VerifyProgress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, text := range faults {
		n := 1
		if _, of, ok := strings.Cut(text, ": whole fragments that the index lacks: "); ok {
			n = must(strconv.Atoi(of))
		}
		told += n
	}
	if told != r.Faults || r.Faults != r.sum() {
		t.Errorf("%d faults, told %d: %+v", r.Faults, told, r)
	}
	if last.Files > last.AllFiles || last.Bytes > 2*last.AllBytes {
		t.Errorf("progress %+v", last)
	}
	return r, strings.Join(faults, "\n")
}

func (r *VerifyReport) sum() int {
	return r.Damaged + r.Recovered + r.Unindexed + r.Corrected + r.Ownerless + r.Unknown + r.Tails
}

// exec changes the tables behind the service's back.
func (f *fixture) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	err := f.DB.Write(t.Context(), func(tx *db.Tx) error {
		n, err := tx.Exec(t.Context(), statement, args...)
		if err == nil && n == 0 {
			t.Errorf("%s changed nothing", statement)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 24)
		body := slices.Concat(header(1), cluster(0, block(1, 0, 100)), tags("a", "b"), cluster(2000, block(1, 0, 200)), cluster(4000, block(1, 0, 300)))
		chunk := func() (name, path string, list []fragment) {
			t.Helper()
			before := must(f.lastNumber(t.Context(), st))
			f.put(t, st, bytes.NewReader(body))
			list = must(f.fragmentsAfter(t.Context(), st, before, 0, 10))
			if len(list) != 3 {
				t.Fatalf("%d fragments", len(list))
			}
			return list[0].chunk, filepath.Join(f.dir, filepath.FromSlash(list[0].chunk)), list
		}
		whole, _, _ := chunk()
		if r, text := f.verified(t, true); r.Faults != 0 || r.Fragments != 3 || r.Streams != 1 || r.Files != 1 || r.Bytes != int64(len(body)-len(header(1))) {
			t.Errorf("of what is whole: %+v\n%s", r, text)
		}

		change := func(path string, at int64) {
			t.Helper()
			b := must(os.ReadFile(path))
			b[at] ^= 1
			must(0, os.WriteFile(path, b, 0o600))
		}
		lose := func(list ...fragment) {
			t.Helper()
			for _, g := range list {
				f.exec(t, `DELETE FROM video_fragments WHERE number = $1`, g.number)
			}
		}
		unrecorded := func(path string, list []fragment) { // Void elements all the same
			t.Helper()
			for _, g := range list {
				change(path, g.mediaOffset+g.mediaSize+int64(recordSize)-1)
			}
		}
		tests := []struct {
			name   string
			damage func(name, path string, list []fragment)
			want   VerifyReport // but for its sums
			left   int          // fragments of the chunk
			says   string
		}{
			{"a bit of a frame", func(_, path string, list []fragment) { change(path, list[1].mediaOffset+list[1].mediaSize-1) },
				VerifyReport{Damaged: 1}, 2, "its bytes are not those that were received"},
			{"a bit of a frame of before there were sums", func(name, path string, list []fragment) {
				change(path, list[1].mediaOffset+list[1].mediaSize-1)
				f.exec(t, `UPDATE video_fragments SET crc = -1 WHERE chunk = $1`, name)
			}, VerifyReport{}, 3, ""},
			{"a cluster's id, of before there were sums", func(name, path string, list []fragment) {
				change(path, list[0].mediaOffset+1)
				f.exec(t, `UPDATE video_fragments SET crc = -1 WHERE chunk = $1`, name)
			}, VerifyReport{Damaged: 1}, 2, "it is no whole cluster"},
			{"the header", func(_, path string, list []fragment) { change(path, list[0].headerOffset) }, VerifyReport{Damaged: 3, Corrected: 1}, 0, "its header is damaged"},
			{"the file's end", func(_, path string, list []fragment) { must(0, os.Truncate(path, list[2].mediaOffset+3)) },
				VerifyReport{Damaged: 1, Corrected: 1, Tails: 1}, 2, "its file has "},
			{"the file", func(_, path string, _ []fragment) { must(0, os.Remove(path)) }, VerifyReport{Damaged: 3, Corrected: 1}, 0, "its file is missing"},
			{"the file's row", func(name, _ string, _ []fragment) { f.exec(t, `DELETE FROM video_chunks WHERE chunk = $1`, name) },
				VerifyReport{Unindexed: 1}, 3, "has fragments and no row"},
			{"the row's size", func(name, _ string, _ []fragment) {
				f.exec(t, `UPDATE video_chunks SET size = 5, last = 5 WHERE chunk = $1`, name)
			}, VerifyReport{Corrected: 1}, 3, "is corrected"},
			{"the row's state", func(name, _ string, _ []fragment) {
				f.exec(t, `UPDATE video_chunks SET state = 2 WHERE chunk = $1`, name)
			}, VerifyReport{Corrected: 1}, 3, "is corrected"},
			{"a tail", func(_, path string, _ []fragment) {
				must(0, os.WriteFile(path, append(must(os.ReadFile(path)), "more"...), 0o600))
			}, VerifyReport{Tails: 1}, 3, "has 4 bytes behind its last fragment"},
			{"the rows of fragments", func(name, _ string, _ []fragment) {
				f.exec(t, `DELETE FROM video_fragments WHERE chunk = $1`, name)
			}, VerifyReport{Recovered: 3}, 3, "whole fragments that the index lacks: 3"},
			{"a fragment's row", func(_, _ string, list []fragment) { lose(list[1]) }, VerifyReport{Recovered: 1}, 3, "that the index lacks: 1"},
			{"the last fragment's row, and what is told of it", func(name, _ string, list []fragment) {
				lose(list[2])
				f.exec(t, `UPDATE video_chunks SET size = $2, last = 5 WHERE chunk = $1`, name, list[1].mediaOffset+list[1].mediaSize+int64(recordSize))
			}, VerifyReport{Recovered: 1, Corrected: 1}, 3, "that the index lacks: 1"},
			{"both rows", func(name, _ string, list []fragment) {
				lose(list...)
				f.exec(t, `DELETE FROM video_chunks WHERE chunk = $1`, name)
			}, VerifyReport{Recovered: 3, Unindexed: 1}, 3, "has fragments and no row"},
			{"all rows, and a bit of a frame", func(_, path string, list []fragment) {
				lose(list...)
				change(path, list[1].mediaOffset+list[1].mediaSize-1)
			}, VerifyReport{Recovered: 2}, 2, "that the index lacks: 2"},
			{"both rows, and the file's end", func(name, path string, list []fragment) {
				lose(list...)
				f.exec(t, `DELETE FROM video_chunks WHERE chunk = $1`, name)
				change(path, list[2].mediaOffset+list[2].mediaSize-1)
			}, VerifyReport{Recovered: 2, Unindexed: 1, Tails: 1}, 2, "bytes behind its last fragment"},
			{"both rows, and all fragments", func(name, path string, list []fragment) {
				lose(list...)
				f.exec(t, `DELETE FROM video_chunks WHERE chunk = $1`, name)
				change(path, 0)
			}, VerifyReport{Unknown: 1}, 0, "has no row and no fragment"},
			{"what a fragment's row says", func(_, _ string, list []fragment) {
				f.exec(t, `UPDATE video_fragments SET media_offset = media_offset + 1 WHERE number = $1`, list[1].number)
			}, VerifyReport{Damaged: 1, Recovered: 1}, 3, "its bytes are not those that were received"},
			{"the rows of fragments in garbage", func(name, _ string, list []fragment) {
				lose(list...)
				f.exec(t, `UPDATE video_chunks SET state = 2 WHERE chunk = $1`, name)
			}, VerifyReport{}, 0, ""},
			{"the rows of fragments in what is leased", func(name, _ string, list []fragment) {
				lose(list...)
				f.exec(t, `UPDATE video_chunks SET state = 0, size = 0, last = 0 WHERE chunk = $1`, name)
			}, VerifyReport{}, 0, ""},
			{"a fragment's row, of before there were records", func(_, path string, list []fragment) {
				unrecorded(path, list)
				lose(list[1])
			}, VerifyReport{}, 2, ""},
			{"the rows of fragments, of before there were records", func(_, path string, list []fragment) {
				unrecorded(path, list)
				lose(list...)
			}, VerifyReport{}, 0, ""}, // as if they were outlived
			{"both rows, of before there were records", func(name, path string, list []fragment) {
				unrecorded(path, list)
				lose(list...)
				f.exec(t, `DELETE FROM video_chunks WHERE chunk = $1`, name)
			}, VerifyReport{Unknown: 1}, 0, "has no row and no fragment"},
		}
		for _, tt := range tests {
			name, path, list := chunk()
			tt.damage(name, path, list)
			check := func(mend bool, want VerifyReport) {
				t.Helper()
				got, text := f.verified(t, mend)
				got.Streams, got.Fragments, got.Files, got.Bytes = 0, 0, 0, 0
				want.Faults = want.sum()
				if *got != want {
					t.Errorf("%s, mend %v: %+v, want %+v\n%s", tt.name, mend, *got, want, text)
				}
				if tt.says != "" && want.Faults > 0 && !strings.Contains(text, tt.says) {
					t.Errorf("%s: told\n%s\nwant %q", tt.name, text, tt.says)
				}
			}
			check(false, tt.want)
			check(true, tt.want)
			check(true, VerifyReport{Unknown: tt.want.Unknown}) // what is mended is no fault any more
			n := 0
			for _, g := range must(f.fragmentsAfter(t.Context(), st, before, 0, 1000)) {
				if g.chunk == name {
					n++
				}
			}
			if n != tt.left {
				t.Errorf("%s: %d fragments are left, want %d", tt.name, n, tt.left)
			}
			if tt.want.Unknown > 0 {
				must(0, os.Remove(path))
			}
			f.exec(t, `UPDATE video_fragments SET server = server WHERE chunk = $1`, whole)
		}
		// What is left can be read, to the last byte.
		got := f.read(t, st, before)
		if all := must(f.fragmentsAfter(t.Context(), st, before, 0, 1000)); len(got.clusters) != len(all) {
			t.Errorf("%d of %d fragments can be read", len(got.clusters), len(all))
		}
	})
}

// stored is all that the index and the directory have.
func (f *fixture) stored(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, st := range must(f.allStreams(t.Context())) {
		fmt.Fprintln(&b, st.Name, must(f.fragmentsAfter(t.Context(), st, before, 0, 1<<20)))
	}
	rows := must(f.DB.Query(t.Context(), `SELECT chunk, state, size, last FROM video_chunks ORDER BY chunk`))
	for rows.Next() {
		var name string
		var r row
		must(0, rows.Scan(&name, &r.state, &r.size, &r.last))
		fmt.Fprintln(&b, name, r)
	}
	must(0, rows.Close())
	for info, err := range f.Blobs.List("") {
		fmt.Fprintln(&b, info.Name, info.Size, must(0, err))
	}
	return b.String()
}

// A database that was restored from an older copy gets back what came since, but for what is outlived by now, of streams
// that were made since, and of those that are deleted.
func TestVerifyRestoredDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st, deleted := f.create(t, "cam", 24), f.create(t, "deleted", 24)
		put := func(st *Stream, n int) {
			t.Helper()
			body := header(1)
			for i := range n {
				body = slices.Concat(body, cluster(int64(i)*10, block(1, 0, 10)), tags(tagEndOfFragment, ""))
			}
			f.put(t, st, bytes.NewReader(body))
		}
		put(st, 2)
		copied := f.clock.now()
		f.clock.add(time.Millisecond)
		put(st, 1) // to be outlived
		parts := [][]byte{slices.Concat(header(1), cluster(0, block(1, 0, 10))), cluster(1000, block(1, 0, 10)), cluster(2000, block(1, 0, 10))}
		next := 0
		f.put(t, st, &piecewise{slices.Concat(parts...), func() int {
			f.clock.add(10 * time.Second)
			next++
			return len(parts[next-1])
		}})
		since := f.clock.now()
		f.clock.add(time.Hour)
		put(st, reapBatch+100)
		put(st, 3)
		put(deleted, 2)
		made := f.create(t, "made", 24)
		put(made, 2)
		all := must(f.fragmentsAfter(t.Context(), st, before, 0, 1000))
		if len(all) != 2+1+3+reapBatch+100+3 || all[5].server != since.UnixMilli() || all[4].server != since.UnixMilli()-10_000 || all[3].chunk != all[5].chunk {
			t.Fatalf("%d fragments", len(all))
		}
		f.clock.add(since.Add(-5*time.Second + 24*time.Hour).Sub(f.clock.now())) // within the three
		kept := all[5:]

		f.exec(t, `DELETE FROM video_fragments WHERE server > $1`, copied.UnixMilli())
		f.exec(t, `DELETE FROM video_chunks WHERE last > $1`, copied.UnixMilli())
		f.exec(t, `DELETE FROM video_streams WHERE id = $1`, made.ID)
		if err := f.deleteStream(t.Context(), deleted, nil); err != nil {
			t.Fatal(err)
		}

		report := VerifyReport{Streams: 1, Recovered: len(kept), Unindexed: 3, Unknown: 2}
		want := slices.Concat(all[:2], kept) // what the copy has, the reaper removes
		report.Fragments, report.Files = len(want), 6
		for _, g := range want {
			report.Bytes += g.mediaSize
		}
		report.Faults = report.sum()
		stored := f.stored(t)
		for range 2 {
			if r, text := f.verified(t, false); *r != report {
				t.Errorf("%+v, want %+v\n%s", *r, report, text)
			}
		}
		if now := f.stored(t); now != stored {
			t.Errorf("without mending there was\n%s\nand is\n%s", stored, now)
		}
		if r, text := f.verified(t, true); *r != report {
			t.Errorf("%+v, want %+v\n%s", *r, report, text)
		}
		if got := must(f.fragmentsAfter(t.Context(), st, before, 0, 1000)); !slices.Equal(got, want) {
			t.Errorf("%d fragments are in the index, want %d", len(got), len(want))
		}
		if n := len(f.read(t, st, before).clusters); n != len(kept) {
			t.Errorf("%d fragments can be read", n)
		}
		report.Recovered, report.Unindexed, report.Faults = 0, 0, 2
		stored = f.stored(t)
		if r, text := f.verified(t, true); *r != report {
			t.Errorf("again: %+v, want %+v\n%s", *r, report, text)
		}
		if now := f.stored(t); now != stored {
			t.Errorf("again: there was\n%s\nand is\n%s", stored, now)
		}
		// What was recovered is given back in its time.
		f.clock.add(24 * time.Hour)
		must(0, f.reapOnce(t.Context()))
		if r, _ := f.verified(t, true); r.Fragments != 0 || r.Files != 2 || r.Faults != 2 {
			t.Errorf("when all is outlived: %+v", r)
		}
	})
}

// What nobody knows is found, and what is being deleted is let be.
func TestVerifyStreams(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		gone, deleted, kept := f.create(t, "gone", 24), f.create(t, "deleted", 24), f.create(t, "kept", 24)
		for _, st := range []*Stream{gone, deleted, kept} {
			fill(t, f, st, 2)
		}
		f.exec(t, `DELETE FROM video_streams WHERE id = $1`, gone.ID)
		if err := f.deleteStream(t.Context(), deleted, nil); err != nil {
			t.Fatal(err)
		}
		stranger := filepath.Join(f.dir, "video", "stranger", "1.mkv")
		must(0, os.MkdirAll(filepath.Dir(stranger), 0o700))
		must(0, os.WriteFile(stranger, []byte("?"), 0o600))
		for range 2 { // without mending, and again with the same result
			if r, text := f.verified(t, false); r.Ownerless != 1 || r.Unknown != 1 || r.Faults != 2 || r.Streams != 1 || r.Fragments != 2 {
				t.Errorf("%+v\n%s", r, text)
			}
		}
		if r, _ := f.verified(t, true); r.Ownerless != 1 {
			t.Errorf("%+v", r)
		}
		if r, text := f.verified(t, true); r.Ownerless != 0 || r.Faults != 1 {
			t.Errorf("%+v\n%s", r, text)
		}
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(f.dir, "video", gone.ID)); !os.IsNotExist(err) {
			t.Errorf("the files of the stream that is gone: %v", err)
		}
		if n := len(f.read(t, kept, before).clusters); n != 2 {
			t.Errorf("%d fragments of the stream that is kept", n)
		}
	})
}
