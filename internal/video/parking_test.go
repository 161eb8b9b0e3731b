package video

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// A connection goes on in the chunk that the one before it has left, unless that had to leave something behind its last
// fragment, and both are whole.
func TestChunkIsTakenUpAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Limits.ChunkIdle = time.Hour
		st := f.create(t, "cam", 24)
		var sent [][]byte
		put := func(h []byte, cut int) (chunk string, headerOffset int64) {
			t.Helper()
			c := cluster(int64(len(sent))*1000, block(1, 0, 100+len(sent)))
			rest := io.MultiReader(bytes.NewReader(cluster(99_000, block(1, 0, 100))[:cut]), errReader{io.ErrUnexpectedEOF})
			list := f.put(t, st, io.MultiReader(bytes.NewReader(slices.Concat(h, c, tags(tagEndOfFragment, ""))), rest))
			if events(list) != "BRP" && cut == 0 || !slices.ContainsFunc(list, func(a ack) bool { return a.EventType == "PERSISTED" }) {
				t.Errorf("acknowledgements %s", events(list))
			}
			sent = append(sent, c)
			last := must(f.fragmentByNumber(t.Context(), st, must(f.lastNumber(t.Context(), st)), 0))
			return last.chunk, last.headerOffset
		}
		wide := slices.Concat(header(1)[:len(header(1))-1], []byte{2}) // another track type
		chunks := map[string]int{}
		var at []int64
		for i, next := range []struct {
			header []byte
			cut    int
		}{{header(1), 0}, {header(1), 0}, {wide, 0}, {wide, 30}, {wide, 0}, {wide, 0}} {
			if i == 5 {
				f.clock.add(time.Minute) // and it is too old
			}
			chunk, offset := put(next.header, next.cut)
			chunks[chunk]++
			at = append(at, offset)
		}
		if n := slices.Sorted(maps.Values(chunks)); !slices.Equal(n, []int{1, 1, 4}) || at[0] != at[1] || at[1] == at[2] || at[2] != at[3] {
			t.Errorf("fragments by chunk %v, headers at %v", chunks, at)
		}
		sameClusters(t, f.read(t, st, before).clusters, sent)
		if n := len(must(f.leased(t.Context(), chunkRow{}))); n != 1 {
			t.Errorf("%d chunks are leased, want the last", n)
		}

		// Whoever comes while it is written has another.
		chunk, _ := put(wide, 0)
		c := f.parkedChunk(st.ID)
		if c == nil || c.name != chunk || f.parkedChunk(st.ID) != nil {
			t.Fatal("a chunk is given to two, or to none")
		}
		if other, _ := put(wide, 0); other == chunk {
			t.Error("a chunk is written by two")
		}
		must(0, c.release())
	})
}

// A chunk that nobody takes up is ended: in time, with its stream, with the service.
func TestParkedChunksEnd(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	f.Limits.ChunkIdle = time.Hour
	leases := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			n := len(must(f.leased(t.Context(), chunkRow{})))
			if n == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d chunks are leased, want %d", n, want)
			}
		}
	}
	body := slices.Concat(header(1), cluster(0, block(1, 0, 100)))
	cam, gone := f.create(t, "cam", 24), f.create(t, "gone", 24)
	f.put(t, gone, bytes.NewReader(body))
	f.put(t, cam, bytes.NewReader(body))
	leases(2)
	if _, err := call(t, f, f.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: gone.ARN()}); err != nil {
		t.Fatal(err)
	}
	leases(1)
	must(0, f.Service.Close())
	leases(0)
	must(0, f.Service.Start(t.Context()))
	f.Limits.ChunkIdle = time.Millisecond
	f.put(t, cam, bytes.NewReader(body))
	leases(0)
	if r, text := f.verified(t, false); r.Faults != 0 || r.Fragments != 2 {
		t.Errorf("%+v\n%s", r, text)
	}
}
