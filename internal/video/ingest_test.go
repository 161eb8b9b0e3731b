package video

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mkv"
)

// A real kvssink body, however it arrives, is acknowledged in order and comes back byte for byte.
func TestIngestRealBody(t *testing.T) {
	body := file(t, "kvssink-av-30s.mkv")
	sent := parseMedia(t, body)
	r := rand.New(rand.NewPCG(3, 4))
	edges := boundaries(t, body)
	each(t, func(t *testing.T, f *fixture) {
		for name, cut := range map[string]func() int{
			"whole":      func() int { return 1 << 20 },
			"random":     func() int { return 1 + r.IntN(3000) },
			"boundaries": edges(),
		} {
			t.Run(name, func(t *testing.T) {
				st := f.create(t, name, 24)
				list := f.put(t, st, &piecewise{body, cut})
				checkAcks(t, list, 15)
				if *list[0].FragmentTimecode != 1795303730634 {
					t.Errorf("first timecode %d", *list[0].FragmentTimecode)
				}
				out := f.read(t, st, before)
				sameClusters(t, out.clusters, sent.clusters)
				var numbers []string
				for _, a := range list {
					if a.EventType == "PERSISTED" {
						numbers = append(numbers, a.FragmentNumber)
					}
				}
				for i := range out.clusters {
					if !bytes.HasPrefix(out.headers[i], sent.headers[0]) {
						t.Fatalf("header %d is not what was sent", i)
					}
					if out.tags[i]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != numbers[i] {
						t.Errorf("fragment %d has number %v, acknowledged %s", i, out.tags[i], numbers[i])
					}
					last := out.behind[i][len(out.behind[i])-1]
					if len(out.behind[i]) != 1 || last["AWS_KINESISVIDEO_CONTINUATION_TOKEN"] != numbers[i] || last["AWS_KINESISVIDEO_MILLIS_BEHIND_NOW"] == "" {
						t.Errorf("behind fragment %d: %v", i, out.behind[i])
					}
				}
			})
		}
	})
}

// checkAcks wants n fragments, each BUFFERING, RECEIVED, PERSISTED in this order, fragments in theirs.
func checkAcks(t *testing.T, list []ack, n int) {
	t.Helper()
	state := map[string]string{}
	var begun, persisted []string
	for _, a := range list {
		switch was := state[a.FragmentNumber]; {
		case a.EventType == "BUFFERING" && was == "":
			begun = append(begun, a.FragmentNumber)
		case a.EventType == "RECEIVED" && was == "BUFFERING":
		case a.EventType == "PERSISTED" && was == "RECEIVED":
			persisted = append(persisted, a.FragmentNumber)
		default:
			t.Errorf("%s after %q of %s", a.EventType, was, a.FragmentNumber)
		}
		state[a.FragmentNumber] = a.EventType
		if a.FragmentTimecode == nil || len(a.FragmentNumber) != 47 {
			t.Errorf("acknowledgement %+v", a)
		}
	}
	if len(begun) != n || !slices.Equal(begun, persisted) || !slices.IsSorted(begun) {
		t.Errorf("%d fragments begun, %d persisted, want %d, in order", len(begun), len(persisted), n)
	}
}

// boundaries gives the distances between the places where something begins in a body.
func boundaries(t *testing.T, body []byte) func() func() int {
	var at []int
	p := mkv.NewParser(func(e *mkv.Event) error {
		at = append(at, int(e.Offset))
		return nil
	})
	if _, err := p.Write(body); err != nil {
		t.Fatal(err)
	}
	slices.Sort(at)
	at = slices.Compact(append(at, len(body)))
	return func() func() int {
		i, last := -1, 0
		return func() int {
			for i++; i < len(at) && at[i] <= last; i++ {
			}
			if i >= len(at) {
				return 1 << 20
			}
			n := at[i] - last
			last = at[i]
			return n
		}
	}
}

func TestIngestByteByByte(t *testing.T) {
	body := file(t, "kvssink-audio-only.mkv")
	sent := parseMedia(t, body)
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "bytes", 1)
	checkAcks(t, f.put(t, st, &piecewise{body, func() int { return 1 }}), len(sent.clusters))
	sameClusters(t, f.read(t, st, before).clusters, sent.clusters)
}

// What GetMedia answers can be sent to PutMedia: documents one behind another, sized clusters, CRCs, foreign tags.
func TestIngestManyDocuments(t *testing.T) {
	body := file(t, "aws-getmedia-cut.mkv")
	sent := parseMedia(t, body)
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "documents", 1)
	// AWS's own tags behind a fragment are not a producer's to send.
	if got := events(f.put(t, st, bytes.NewReader(body))); got != "BE FRAGMENT_METADATA_LIMIT_REACHED" {
		t.Errorf("with AWS's tags: %s", got)
	}
	body = bytes.ReplaceAll(body, []byte("AWS_KINESISVIDEO_"), []byte("xxx_KINESISVIDEO_"))
	checkAcks(t, f.put(t, st, bytes.NewReader(body)), 3)
	out := f.read(t, st, before)
	sameClusters(t, out.clusters, sent.clusters)
	for i := range out.clusters {
		if want := bytes.ReplaceAll(sent.headers[i], []byte("AWS_"), []byte("xxx_")); !bytes.HasPrefix(out.headers[i], want) {
			t.Errorf("header %d differs", i)
		}
		if len(out.behind[i]) != 2 || out.behind[i][0]["xxx_KINESISVIDEO_CONTINUATION_TOKEN"] == "" {
			t.Errorf("the producer's tags behind fragment %d: %v", i, out.behind[i])
		}
	}
}

// el makes an element from its ID and a body of less than 2^28 bytes.
func el(id string, parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	n := len(b)
	return append([]byte(id+string([]byte{0x10 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)})), b...)
}

func header(tracks ...byte) []byte {
	var entries []byte
	for _, n := range tracks {
		entries = append(entries, el("\xAE", el("\xD7", []byte{n}), el("\x83", []byte{1}))...)
	}
	return slices.Concat(el("\x1A\x45\xDF\xA3", el("\x42\x82", []byte("matroska"))), []byte("\x18\x53\x80\x67\xFF"), el("\x16\x54\xAE\x6B", entries))
}

func block(track byte, ticks int16, size int) []byte {
	return el("\xA3", []byte{0x80 | track, byte(uint16(ticks) >> 8), byte(ticks), 0x80}, make([]byte, size))
}

// cluster has no size, as those of kvssink.
func cluster(ms int64, blocks ...[]byte) []byte {
	var t [8]byte
	for i := range t {
		t[7-i] = byte(ms >> (8 * i))
	}
	return slices.Concat([]byte("\x1F\x43\xB6\x75\xFF"), el("\xE7", t[:]), bytes.Join(blocks, nil))
}

func tags(pairs ...string) []byte {
	var list []mkv.Tag
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, mkv.Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return mkv.AppendTags(nil, list...)
}

func TestIngestAcks(t *testing.T) {
	const ms = 1_795_303_800_000
	h, one := header(1), cluster(ms, block(1, 0, 10), block(1, 40, 10))
	eof := tags(tagEndOfFragment, "")
	ten := make([]string, 0, 22)
	for range 11 {
		ten = append(ten, "k", "v")
	}
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.Limits.FragmentBytes = 5000 })
	tests := []struct {
		name, want string // events, with PERSISTED left out
		body       []byte
	}{
		{"empty body", "", nil},
		{"a header alone", "", h},
		{"a piece of a header", "", h[:20]},
		{"END_OF_FRAGMENT alone", "", eof},
		{"one fragment", "BR", slices.Concat(h, one)},
		{"END_OF_FRAGMENT, then nothing", "BR", slices.Concat(h, one, eof)},
		{"twice the same fragment", "BRBR", slices.Concat(h, one, one)},
		{"new document", "BRBR", slices.Concat(h, one, h, one)},
		{"tags behind", "BR", slices.Concat(h, one, tags("a", "b"), tags("AWS_KINESISVIDEO_NOTIFICATION", ""), eof)},
		{"ten tags", "BR", slices.Concat(h, one, tags(ten[2:]...))},
		{"eleven tags", "BE FRAGMENT_METADATA_LIMIT_REACHED", slices.Concat(h, one, tags(ten...))},
		{"long tag", "BE FRAGMENT_METADATA_LIMIT_REACHED", slices.Concat(h, one, tags("a", strings.Repeat("b", 257)))},
		{"reserved tag", "BE FRAGMENT_METADATA_LIMIT_REACHED", slices.Concat(h, one, tags("AWS_X", ""))},
		{"back in time", "BRE FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS", slices.Concat(h, one, cluster(ms-1, block(1, 0, 1)))},
		{"too large", "BE MAX_FRAGMENT_SIZE_REACHED", slices.Concat(h, cluster(ms, block(1, 0, 6000)))},
		{"twenty seconds", "BR", slices.Concat(h, cluster(ms, block(1, 0, 1), block(1, 20_000, 1)))},
		{"too long", "BE MAX_FRAGMENT_DURATION_REACHED", slices.Concat(h, cluster(ms, block(1, 0, 1), block(1, 20_001, 1)))},
		// A producer that begins amid a fragment is to go back, not to give it up.
		{"no header", "", one[20:]},
		{"not Matroska", "", []byte("hello, world, this is no Matroska")},
		{"rubbish behind a fragment", "BRE INVALID_MKV_DATA", slices.Concat(h, one, eof, make([]byte, 10))},
		{"ended inside tags", "BRE INVALID_MKV_DATA", slices.Concat(h, one, eof[:20])},
		{"cut inside a block, ended in order", "BRBE INVALID_MKV_DATA", slices.Concat(h, one, one[:len(one)-3])},
		{"Xiph lacing", "BE INVALID_MKV_DATA", slices.Concat(h, cluster(ms, el("\xA3", []byte{0x81, 0, 0, 2, 0, 0})))},
		{"fixed lacing", "BE INVALID_MKV_DATA", slices.Concat(h, cluster(ms, el("\xA3", []byte{0x81, 0, 0, 4, 0, 0})))},
		{"EBML lacing", "BE INVALID_MKV_DATA", slices.Concat(h, cluster(ms, el("\xA3", []byte{0x81, 0, 0, 6, 0, 0})))},
		{"EBML lacing in a group", "BE INVALID_MKV_DATA", slices.Concat(h, cluster(ms, el("\xA0", el("\xA1", []byte{0x81, 0, 0, 6, 0, 0}))))},
		{"unknown track", "BE TRACK_NUMBER_MISMATCH", slices.Concat(h, cluster(ms, block(2, 0, 1)))},
		{"track without frames", "BE FRAMES_MISSING_FOR_TRACK", slices.Concat(header(1, 2), one)},
		{"three tracks", "BR", slices.Concat(header(1, 2, 3), cluster(ms, block(1, 0, 1), block(3, 0, 1), block(2, 0, 1)))},
		{"four tracks", "E MORE_THAN_ALLOWED_TRACKS_FOUND", slices.Concat(header(1, 2, 3, 4), one)},
		{"beyond all time", "E INVALID_PRODUCER_TIMESTAMP", slices.Concat(h, cluster(1<<60, block(1, 0, 1)))},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := f.create(t, "s"+string(rune('a'+i)), 1)
			list := f.put(t, st, bytes.NewReader(tt.body))
			kept := 0
			var rest []ack
			for _, a := range list {
				if a.EventType == "PERSISTED" {
					kept++
				} else {
					rest = append(rest, a)
				}
			}
			if got := events(rest); got != tt.want {
				t.Errorf("events %q, want %q", got, tt.want)
			}
			if received := strings.Count(tt.want, "R") - strings.Count(tt.want[max(0, strings.Index(tt.want, "E")):], "R"); strings.Contains(tt.want, "E") && kept != received || !strings.Contains(tt.want, "E") && kept != strings.Count(tt.want, "R") {
				t.Errorf("%d persisted", kept)
			}
			if n := len(list); n > 0 && list[n-1].EventType == "ERROR" && list[n-1].ErrorID < 4000 {
				t.Errorf("error id %d", list[n-1].ErrorID)
			}
			out := f.read(t, st, before)
			if len(out.clusters) != kept {
				t.Errorf("%d fragments can be read, %d were persisted", len(out.clusters), kept)
			}
			if bytes.Contains(out.raw, []byte(tagEndOfFragment)) {
				t.Error("consumers get END_OF_FRAGMENT")
			}
		})
	}
}

// A body that breaks off leaves what was complete, and nothing of the rest.
func TestIngestCut(t *testing.T) {
	h := header(1)
	a, b := cluster(1000, block(1, 0, 3000)), cluster(2000, block(1, 0, 3000))
	body := slices.Concat(h, a, b)
	broken := fmt.Errorf("read tcp: %w", syscall.ECONNRESET)
	f := newFixture(t, dbtest.SQLite(t), nil)
	for _, at := range []int{0, 1, len(h), len(h) + 5, len(h) + len(a) - 1, len(h) + len(a), len(h) + len(a) + 5, len(body) - 1, len(body)} {
		st := f.create(t, "cut"+time.Duration(at).String(), 1)
		list := f.put(t, st, io.MultiReader(bytes.NewReader(body[:at]), errReader{broken}))
		want := 0
		if at > len(h)+len(a)+4 { // the second cluster's ID and size end the first
			want = 1
		}
		persisted := 0
		for _, a := range list {
			if a.EventType == "PERSISTED" {
				persisted++
			}
			if a.EventType == "ERROR" {
				t.Errorf("cut at %d: %+v", at, a)
			}
		}
		if out := f.read(t, st, before); persisted != want || len(out.clusters) != want {
			t.Errorf("cut at %d of %d: %d persisted, %d stored, want %d", at, len(body), persisted, len(out.clusters), want)
		}
	}
	// Nothing but the complete fragments takes space, once garbage is removed.
	if err := f.reapOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	var total int64
	for info, err := range f.Blobs.List("") {
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size
	}
	if want := 3 * int64(len(h)+len(a)+recordSize); total != want {
		t.Errorf("%d bytes in files, want %d", total, want)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// END_OF_FRAGMENT gets its PERSISTED while the connection stays open: kvssink waits for it.
func TestEndOfFragmentIsPersistedAtOnce(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "eof", 1)
	r, w := io.Pipe()
	persisted := make(chan ack, 1)
	out := &wire{on: func(a ack) {
		if a.EventType == "PERSISTED" {
			persisted <- a
		}
	}}
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
	for i := range 3 {
		if _, err := w.Write(slices.Concat(header(1), cluster(int64(1000+i), block(1, 0, 100)), tags(tagEndOfFragment, ""))); err != nil {
			t.Fatal(err)
		}
		if a := <-persisted; *a.FragmentTimecode != int64(1000+i) {
			t.Errorf("persisted %+v", a)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRelativeTimecodes(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "relative", 1)
	w := &wire{}
	body := slices.Concat(header(1), cluster(2500, block(1, 0, 1), block(1, 500, 1), block(1, 1000, 1)))
	if err := f.ingest(t.Context(), st, true, 1_000_000, bytes.NewReader(body), w); err != nil {
		t.Fatal(err)
	}
	if a := w.acks(t)[0]; *a.FragmentTimecode != 2500 {
		t.Errorf("acknowledged timecode %d, want the producer's own 2500", *a.FragmentTimecode)
	}
	list := must(f.fragmentsAfter(t.Context(), st, before, 0, 10))
	if len(list) != 1 || list[0].producer != 1_002_500 || list[0].server != f.clock.now().UnixMilli() || list[0].duration != 1500 {
		t.Errorf("stored %+v", list)
	}
	if got := f.read(t, st, before).tags[0]["AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"]; got != "1002.500" {
		t.Errorf("producer timestamp %s", got)
	}
}

func TestParseSeconds(t *testing.T) {
	for text, want := range map[string]int64{
		"1795303731.355": 1795303731355, "1795303731.5": 1795303731500, "1795303731": 1795303731000, "0": 0,
		".5": 500, "1.0009": 1000, "": -1, "x": -1, "-1": -1, "1e9": -1, "1.2.3": -1, ".": -1, "999999999999": -1, "1/2": -1,
		strings.Repeat("9", 64): -1,
	} {
		got, ok := parseSeconds(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// A stream that is deleted under a producer: 4008.
func TestIngestIntoDeletedStream(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "gone", 1)
		one := cluster(1000, block(1, 0, 10))
		r, w := io.Pipe()
		persisted := make(chan ack, 10)
		out := &wire{on: func(a ack) {
			if a.EventType == "PERSISTED" {
				persisted <- a
			}
		}}
		done := make(chan error, 1)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
		must(w.Write(slices.Concat(header(1), one, one)))
		<-persisted
		if err := f.deleteStream(t.Context(), st, nil); err != nil {
			t.Fatal(err)
		}
		must(w.Write(slices.Concat(one, one[:5])))
		w.Close()
		<-done
		list := out.acks(t)
		var failed int
		for _, a := range list {
			if a.EventType == "ERROR" {
				if failed++; a.ErrorID != 4008 {
					t.Errorf("error %+v", a)
				}
			}
		}
		if failed != 1 {
			t.Errorf("acks %s", events(list))
		}
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		for info := range f.Blobs.List("") {
			t.Errorf("file %s is left", info.Name)
		}
		noRows(t, f.DB, "video_fragments", "video_chunks", "video_deleted_streams")
	})
}

func noRows(t *testing.T, d *db.DB, tables ...string) {
	t.Helper()
	for _, table := range tables {
		var n int64
		if err := d.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
}

// Two connections to one stream, as at a renewal of credentials.
func TestTwoConnections(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "two", 1)
		r1, w1 := io.Pipe()
		r2, w2 := io.Pipe()
		out1, out2 := &wire{}, &wire{}
		done := make(chan error, 2)
		go func() { done <- f.ingest(t.Context(), st, false, 0, r1, out1) }()
		go func() { done <- f.ingest(t.Context(), st, false, 0, r2, out2) }()
		must(w1.Write(slices.Concat(header(1), cluster(1000, block(1, 0, 10)))))
		must(w2.Write(slices.Concat(header(1), cluster(3000, block(1, 0, 10)))))
		must(w1.Write(slices.Concat(cluster(2000, block(1, 0, 10)), tags(tagEndOfFragment, ""))))
		w1.Close()
		must(w2.Write(cluster(4000, block(1, 0, 10))))
		w2.Close()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		checkAcks(t, out1.acks(t), 2)
		checkAcks(t, out2.acks(t), 2)
		if out := f.read(t, st, before); len(out.clusters) != 4 {
			t.Errorf("%d fragments", len(out.clusters))
		}
	})
}

// Chunks are ended when they are long or old enough, and readers do not notice.
func TestChunksRoll(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.Limits.ChunkBytes = 300 << 10 })
	st := f.create(t, "roll", 1)
	body := file(t, "kvssink-av-30s.mkv")
	checkAcks(t, f.put(t, st, bytes.NewReader(body)), 15)
	var files, size int64
	for info, err := range f.Blobs.List("") {
		if err != nil {
			t.Fatal(err)
		}
		files++
		size = max(size, info.Size)
	}
	if files < 3 || files > 6 || size > 500<<10 {
		t.Errorf("%d files, the largest with %d bytes", files, size)
	}
	sameClusters(t, f.read(t, st, before).clusters, parseMedia(t, body).clusters)
}

// A silent producer hears IDLE, and Close does not wait for it.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, IdlePut: 30 * time.Second}
		s.Limits = s.Limits.withDefaults()
		s.ctx, s.cancel = t.Context(), func() {}
		r, w := io.Pipe()
		out := &wire{}
		done := make(chan error, 1)
		go func() { done <- s.ingest(t.Context(), &Stream{}, false, 0, r, out) }()
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if got := events(out.acks(t)); got != "II" {
			t.Errorf("after 25 seconds of silence: %s", got)
		}
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
