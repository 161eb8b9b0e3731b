package video

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mkv"
)

// interrupted sends bodies over connections that stay open behind what they bring, as when the machine stops, and
// returns when so many fragments are persisted. The connections end with the test.
func (f *fixture) interrupted(t *testing.T, st *Stream, fragments int, bodies ...[]byte) {
	t.Helper()
	acked := make(chan ack, 1000)
	for _, body := range bodies {
		r, w := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) { acked <- a }}) }()
		must(w.Write(body))
		t.Cleanup(func() {
			_ = w.Close()
			<-done
		})
	}
	for fragments > 0 {
		switch a := <-acked; a.EventType {
		case "PERSISTED":
			fragments--
		case "ERROR":
			t.Fatalf("%+v", a)
		}
	}
}

// What a machine that stops takes out of the index comes back from the chunks: all that was acknowledged, as it was, and
// nothing else.
func TestIndexIsRecovered(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st, gone := f.create(t, "cam", 24), f.create(t, "gone", 24)
		// Of sizes at which records lie across the windows that a chunk is looked through by.
		body := slices.Concat(header(1), tags("x", "y"))
		var sent [][]byte
		for i, size := range []int{100, scanWindow - 200, 300, 2*scanWindow - 20, 20, scanWindow / 2, 7} {
			sent = append(sent, cluster(int64(i)*1000, block(1, 0, size), block(1, 200, 10)))
			body = slices.Concat(body, sent[i], tags("a", "b"), tags(tagEndOfFragment, ""))
		}
		rest := cluster(99_000, block(1, 0, 5000))
		f.interrupted(t, st, 2*len(sent), append(slices.Clone(body), rest[:3000]...), body)
		f.interrupted(t, gone, len(sent), body)
		all := must(f.fragmentsAfter(t.Context(), st, before, 0, 100))
		var clusters [][]byte
		for _, f := range all {
			clusters = append(clusters, sent[f.producer/1000])
		}
		if len(all) != 2*len(sent) {
			t.Fatalf("%d fragments", len(all))
		}
		f.exec(t, `DELETE FROM video_streams WHERE id = $1`, gone.ID)
		f.exec(t, `INSERT INTO video_deleted_streams (account, region, stream) VALUES ($1, $2, $3)`, gone.Account, gone.Region, gone.ID)
		f.exec(t, `DELETE FROM video_fragments WHERE stream = $1`, gone.ID)
		f.exec(t, `DELETE FROM video_fragments WHERE stream = $1 AND media_offset >= $2`, st.ID, scanWindow) // the last that came

		check := func(what string, lost ...fragment) {
			t.Helper()
			next := &fixture{clock: f.clock, dir: f.dir}
			next.start(t, f.DB, nil)
			want := slices.DeleteFunc(slices.Clone(all), func(f fragment) bool { return slices.Contains(lost, f) })
			if got := must(f.fragmentsAfter(t.Context(), st, before, 0, 100)); !slices.Equal(got, want) {
				t.Errorf("%s: %d fragments are in the index, want %d:\n%+v", what, len(got), len(want), got)
			}
			if len(lost) == 0 {
				sameClusters(t, next.read(t, st, before).clusters, clusters)
			}
			if left := must(next.leased(t.Context(), chunkRow{})); len(left) != 0 {
				t.Errorf("%s: leases %v", what, left)
			}
			if r, text := next.verified(t, false); r.Faults != 0 {
				t.Errorf("%s: %+v\n%s", what, r, text)
			}
			// As if it had never been started.
			f.exec(t, `UPDATE video_chunks SET state = 0, size = 0, last = 0 WHERE stream = $1`, st.ID)
		}
		check("some rows")
		f.exec(t, `DELETE FROM video_fragments WHERE stream = $1`, st.ID)
		check("all rows")
		check("no rows")

		path := filepath.Join(f.dir, filepath.FromSlash(all[3].chunk))
		b := must(os.ReadFile(path))
		b[all[3].mediaOffset+all[3].mediaSize-1] ^= 1
		must(0, os.WriteFile(path, b, 0o600))
		f.exec(t, `DELETE FROM video_fragments WHERE stream = $1`, st.ID)
		check("a damaged fragment", all[3])
		if n := len(must(f.fragmentsAfter(t.Context(), gone, before, 0, 100))); n != 0 {
			t.Errorf("%d fragments of a deleted stream", n)
		}
	})
}

// A chunk that cannot be read keeps neither the service from starting nor the other chunks from being ended.
func TestUnreadableChunk(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	body := slices.Concat(header(1), cluster(0, block(1, 0, 100)), tags(tagEndOfFragment, ""))
	var all []fragment
	streams := []*Stream{f.create(t, "a", 24), f.create(t, "b", 24), f.create(t, "c", 24)}
	slices.SortFunc(streams, func(a, b *Stream) int { return strings.Compare(a.ID, b.ID) }) // as they are looked at
	for _, st := range streams {
		f.interrupted(t, st, 1, body)
		all = append(all, must(f.fragmentsAfter(t.Context(), st, before, 0, 100))...)
	}
	f.exec(t, `DELETE FROM video_fragments`)
	path := filepath.Join(f.dir, filepath.FromSlash(all[1].chunk))
	must(0, os.Rename(path, path+".away"))
	must(0, os.Symlink(filepath.Base(path), path)) // a loop

	next := &fixture{clock: f.clock, dir: f.dir}
	next.start(t, f.DB, nil)
	left := must(next.leased(t.Context(), chunkRow{}))
	if len(left) != 1 || left[0].name != all[1].chunk {
		t.Errorf("leases %v", left)
	}
	must(0, os.Rename(path+".away", path))
	must(0, next.reapOnce(t.Context()))
	for i, st := range streams {
		if got := must(next.fragmentsAfter(t.Context(), st, before, 0, 100)); !slices.Equal(got, all[i:i+1]) {
			t.Errorf("%+v", got)
		}
	}
}

// Nodes that share database and files let each other's chunks be, until one ends them.
func TestNodesRecoverTheirOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, func(s *Service) { s.Node = "a" })
		st, gone := f.create(t, "cam", 24), f.create(t, "gone", 24)
		body := slices.Concat(header(1), cluster(0, block(1, 0, 100)), tags(tagEndOfFragment, ""))
		rest := cluster(1000, block(1, 0, 1000))
		f.interrupted(t, st, 1, slices.Concat(body, rest[:500]))
		f.interrupted(t, gone, 1, body)

		other := &fixture{clock: f.clock, dir: f.dir}
		other.start(t, f.DB, func(s *Service) { s.Node = "b" })
		if _, err := call(t, other, other.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: gone.ARN()}); err != nil {
			t.Fatal(err)
		}
		must(0, other.reapOnce(t.Context()))
		if left := must(f.leased(t.Context(), chunkRow{})); len(left) != 2 {
			t.Errorf("leases %v", left)
		}
		all := must(other.fragmentsAfter(t.Context(), st, before, 0, 100))
		if len(all) != 1 {
			t.Fatalf("%d fragments", len(all))
		}
		if fi := must(os.Stat(filepath.Join(f.dir, filepath.FromSlash(all[0].chunk)))); fi.Size() < all[0].mediaOffset+all[0].mediaSize+500 {
			t.Errorf("%d bytes are left of a chunk that is written", fi.Size())
		}
		f.exec(t, `DELETE FROM video_fragments`)

		again := &fixture{clock: f.clock, dir: f.dir} // as if the first had stopped
		again.start(t, f.DB, func(s *Service) { s.Node = "a" })
		must(0, other.reapOnce(t.Context()))
		if got := must(other.fragmentsAfter(t.Context(), st, before, 0, 100)); !slices.Equal(got, all) {
			t.Errorf("%+v", got)
		}
		if r, text := again.verified(t, false); r.Faults != 0 || r.Files != 1 {
			t.Errorf("%+v\n%s", r, text)
		}
	})
}

// A database that is lost in a commit leaves open whether a fragment is indexed: its bytes stay, and so it can be.
func TestCommitInDoubt(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.PostgresURL(t)), nil)
	st := f.create(t, "cam", 24)
	h, one, two := header(1), cluster(0, block(1, 0, 100)), cluster(1000, block(1, 0, 100))
	define := func(statement string) {
		t.Helper()
		must(0, f.DB.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), statement)
			return err
		}))
	}
	define(`CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END$$`)
	define(`CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON video_fragments DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.producer = 1000) EXECUTE FUNCTION leave()`) // it is run by the commit
	end := tags(tagEndOfFragment, "")
	r, w := io.Pipe()
	acked := make(chan ack, 10)
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, &wire{on: func(a ack) { acked <- a }}) }()
	must(w.Write(slices.Concat(h, one, end)))
	for a := <-acked; a.EventType != "PERSISTED"; a = <-acked {
	}
	must(w.Write(slices.Concat(two, end)))
	for a := <-acked; a.EventType != "ERROR"; a = <-acked {
		if a.EventType == "PERSISTED" {
			t.Fatalf("%+v", a)
		}
	}
	must(0, w.Close())
	<-done
	define(`DROP TRIGGER leave ON video_fragments`)
	must(0, f.reapOnce(t.Context()))
	sameClusters(t, f.read(t, st, before).clusters, [][]byte{one, two})
	if r, text := f.verified(t, false); r.Faults != 0 {
		t.Errorf("%+v\n%s", r, text)
	}
}

// What a producer sends is never taken for a record, and what was written without records is kept as it is indexed.
func TestRecordsAreOurs(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 24)
	c := must(f.newChunk(t.Context(), st))
	media := cluster(1000, block(1, 0, 100))
	h := header(1)
	own := fragment{number: f.numbers.next(f.clock.now().UnixMilli()), server: f.clock.now().UnixMilli(), chunk: c.name,
		headerSize: int64(len(h)), mediaOffset: int64(len(h)), mediaSize: int64(len(media)), sum: addSum(0, media)}
	foreign, moved := own, own
	foreign.chunk = "video/other/1.mkv"
	must(0, c.write(slices.Concat(h, media, appendRecord(nil, &foreign)))) // as a record of another chunk says it
	moved.mediaOffset++
	must(0, c.write(appendRecord(nil, &moved))) // or in another place
	must(0, c.flush())
	own.mediaSize += 2 * int64(recordSize)
	own.sum = noSum
	must(0, f.addFragments(t.Context(), st, []fragment{own}))
	must(0, c.write(slices.Concat(media, appendRecord(nil, &foreign), make([]byte, 100))))
	must(0, c.flush())
	must(0, c.file.Close())
	f.exec(t, `UPDATE video_chunks SET size = $1`, own.mediaOffset+own.mediaSize)

	next := &fixture{clock: f.clock, dir: f.dir}
	next.start(t, f.DB, nil)
	if got := must(f.fragmentsAfter(t.Context(), st, before, 0, 100)); !slices.Equal(got, []fragment{own}) {
		t.Errorf("%+v", got)
	}
	var size, last int64
	must(0, f.DB.QueryRow(t.Context(), `SELECT size, last FROM video_chunks`).Scan(&size, &last))
	fi := must(os.Stat(filepath.Join(f.dir, filepath.FromSlash(c.name))))
	if want := own.mediaOffset + own.mediaSize; size != want || fi.Size() != want || last != own.server {
		t.Errorf("the row says %d bytes, the last fragment of %d; the file has %d", size, last, fi.Size())
	}
}

// A record is a Void element that has all of a fragment's row.
func TestRecord(t *testing.T) {
	f := fragment{number: (&numbers{}).next(1_795_303_800_123), producer: 1, server: 2, duration: 3, chunk: "video/a/1-b.mkv",
		headerOffset: 4, headerSize: 5, mediaOffset: 1 << 40, mediaSize: 7, sum: 1<<32 - 1}
	b := appendRecord([]byte("before"), &f)[len("before"):]
	if got, ok := parseRecord(f.chunk, b); !ok || got != f || len(b) != recordSize {
		t.Errorf("%d bytes: %+v, %v", len(b), got, ok)
	}
	for i := range b {
		b[i] ^= 0x40
		if got, ok := parseRecord(f.chunk, b); ok {
			t.Errorf("byte %d changed: %+v", i, got)
		}
		b[i] ^= 0x40
	}
	// A document with records in it is a document.
	var kinds []mkv.Kind
	p := mkv.NewParser(func(e *mkv.Event) error {
		if e.Kind != mkv.KindData && e.Kind != mkv.KindBlock && e.Kind != mkv.KindTimecode {
			kinds = append(kinds, e.Kind)
		}
		return nil
	})
	must(p.Write(slices.Concat(header(1), cluster(0, block(1, 0, 10)), b, cluster(1, block(1, 0, 10)), b)))
	must(0, p.Close())
	if want := []mkv.Kind{mkv.KindHeader, mkv.KindCluster, mkv.KindClusterEnd, mkv.KindCluster, mkv.KindClusterEnd}; !slices.Equal(kinds, want) {
		t.Errorf("%v", kinds)
	}
}

func FuzzRecord(f *testing.F) {
	one := fragment{number: (&numbers{}).next(1_795_303_800_123), mediaSize: 7, chunk: "c"}
	f.Add(appendRecord(nil, &one))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != recordSize {
			return
		}
		if got, ok := parseRecord("c", b); ok && !bytes.Equal(appendRecord(nil, &got), b) {
			t.Error(fmt.Sprint(got))
		}
	})
}
