package video

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	if len(faults) != r.Faults || r.Faults != r.Damaged+r.Unindexed+r.Corrected+r.Ownerless+r.Unknown+r.Tails {
		t.Errorf("%d faults, told %d: %+v", r.Faults, len(faults), r)
	}
	if last.Files > last.AllFiles || last.Bytes > 2*last.AllBytes {
		t.Errorf("progress %+v", last)
	}
	return r, strings.Join(faults, "\n")
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
			}, VerifyReport{}, 0, ""}, // as if they were outlived
			{"both rows", func(name, path string, _ []fragment) {
				f.exec(t, `DELETE FROM video_fragments WHERE chunk = $1`, name)
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
				want.Faults = want.Damaged + want.Unindexed + want.Corrected + want.Ownerless + want.Unknown + want.Tails
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
