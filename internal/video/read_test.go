package video

import (
	"bytes"
	"context"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// fill stores n fragments of two seconds, each two seconds after the other by both clocks, the producer's an hour behind.
func fill(t testing.TB, f *fixture, st *Stream, n int) []fragment {
	t.Helper()
	for range n {
		ms := f.clock.now().Add(-time.Hour).UnixMilli()
		list := f.put(t, st, bytes.NewReader(slices.Concat(header(1), cluster(ms, block(1, 0, 10), block(1, 1000, 10)))))
		if events(list) != "BRP" {
			t.Fatalf("acks %s", events(list))
		}
		f.clock.add(2 * time.Second)
	}
	return must(f.fragmentsAfter(t.Context(), st, before, 0, n+1))
}

func TestStartSelectors(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 24)
		list := fill(t, f, st, 5)
		at := func(ms int64) *time.Time { return ptr(time.UnixMilli(ms)) }
		tests := []struct {
			name string
			sel  kvmedia.StartSelector
			want int // index of the first fragment; 5: none; -1: refused
		}{
			{"earliest", kvmedia.StartSelector{StartSelectorType: "EARLIEST"}, 0},
			{"now", kvmedia.StartSelector{StartSelectorType: "NOW"}, 5},
			{"after a number", kvmedia.StartSelector{StartSelectorType: "FRAGMENT_NUMBER", AfterFragmentNumber: &list[2].number}, 3},
			{"after a small number", kvmedia.StartSelector{StartSelectorType: "FRAGMENT_NUMBER", AfterFragmentNumber: ptr("7")}, 0},
			{"after a huge number", kvmedia.StartSelector{StartSelectorType: "FRAGMENT_NUMBER", AfterFragmentNumber: ptr("10" + list[0].number[1:])}, 5},
			{"after no number", kvmedia.StartSelector{StartSelectorType: "FRAGMENT_NUMBER"}, -1},
			{"token", kvmedia.StartSelector{StartSelectorType: "CONTINUATION_TOKEN", ContinuationToken: &list[0].number}, 1},
			{"no token", kvmedia.StartSelector{StartSelectorType: "CONTINUATION_TOKEN"}, -1},
			{"bad token", kvmedia.StartSelector{StartSelectorType: "CONTINUATION_TOKEN", ContinuationToken: ptr("abc")}, -1},
			{"server, at its start", kvmedia.StartSelector{StartSelectorType: "SERVER_TIMESTAMP", StartTimestamp: at(list[2].server)}, 2},
			{"server, inside", kvmedia.StartSelector{StartSelectorType: "SERVER_TIMESTAMP", StartTimestamp: at(list[2].server + 1999)}, 2},
			{"server, before all", kvmedia.StartSelector{StartSelectorType: "SERVER_TIMESTAMP", StartTimestamp: at(1)}, 0},
			{"server, behind all", kvmedia.StartSelector{StartSelectorType: "SERVER_TIMESTAMP", StartTimestamp: at(list[4].server + 2000)}, 5},
			{"server, no time", kvmedia.StartSelector{StartSelectorType: "SERVER_TIMESTAMP"}, -1},
			{"producer, inside", kvmedia.StartSelector{StartSelectorType: "PRODUCER_TIMESTAMP", StartTimestamp: at(list[3].producer + 5)}, 3},
			{"producer, before all", kvmedia.StartSelector{StartSelectorType: "PRODUCER_TIMESTAMP", StartTimestamp: at(0)}, 0},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				in := &kvmedia.GetMediaInput{StreamName: &st.Name, StartSelector: tt.sel}
				out, err := call(t, f, f.GetMedia, in)
				if tt.want < 0 {
					if code(t, err) != "InvalidArgumentException" {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil || *out.ContentType != "video/webm" || out.Payload == nil {
					t.Fatalf("%+v, %v", out, err)
				}
				after, err := f.startAfter(t.Context(), st, tt.sel)
				if err != nil {
					t.Fatal(err)
				}
				got := f.read(t, st, after)
				if len(got.clusters) != 5-tt.want {
					t.Fatalf("%d fragments, want %d", len(got.clusters), 5-tt.want)
				}
				if tt.want < 5 && got.tags[0]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != list[tt.want].number {
					t.Errorf("starts with %v", got.tags[0])
				}
			})
		}
	})
}

// What a consumer gets for one fragment, to the byte.
func TestFragmentBytes(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 24)
	h, c, metadata := header(1), cluster(5, block(1, 0, 10)), tags("a", "b")
	f.put(t, st, bytes.NewReader(slices.Concat(h, c, metadata, tags(tagEndOfFragment, ""))))
	f.clock.add(1234 * time.Millisecond)
	got := f.read(t, st, before)
	number := must(f.lastNumber(t.Context(), st))
	want := slices.Concat(h,
		tags("AWS_KINESISVIDEO_FRAGMENT_NUMBER", number, "AWS_KINESISVIDEO_SERVER_TIMESTAMP", "1795303800.123", "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", "0.005"),
		c, metadata,
		tags("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "1234", "AWS_KINESISVIDEO_CONTINUATION_TOKEN", number))
	if !bytes.Equal(got.raw, want) {
		t.Errorf("got\n%x\nwant\n%x", got.raw, want)
	}
}

// GetMedia goes on with fragments as they come, and ends when none does or the stream is deleted.
func TestGetMediaFollows(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.IdleGet = time.Minute })
	st := f.create(t, "live", 24)
	fill(t, f, st, 1)
	after := must(f.startAfter(t.Context(), st, kvmedia.StartSelector{StartSelectorType: "NOW"}))
	out := &signalSink{news: make(chan int, 10)}
	done := make(chan error, 1)
	go func() { done <- f.send(t.Context(), st, after, out) }()
	for i := range 3 {
		fill(t, f, st, 1)
		if n := <-out.news; n != i+1 {
			t.Errorf("flush %d, want %d", n, i+1)
		}
	}
	if g := parseMedia(t, out.b.Bytes()); len(g.clusters) != 3 {
		t.Errorf("%d fragments", len(g.clusters))
	}
	if err := f.deleteStream(t.Context(), st, nil); err != nil {
		t.Fatal(err)
	}
	f.live.changed(st.ID)
	if err := <-done; err != errGone {
		t.Errorf("of a deleted stream: %v", err)
	}
}

type signalSink struct {
	b    bytes.Buffer
	n    int
	news chan int
}

func (s *signalSink) Write(p []byte) (int, error) { return s.b.Write(p) }

func (s *signalSink) Flush() error {
	s.n++
	s.news <- s.n
	return nil
}

func TestListFragments(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 24)
		list := fill(t, f, st, 7)
		f.create(t, "other", 24)
		pages := func(in kvarchive.ListFragmentsInput) (got []kvarchive.Fragment, n int) {
			t.Helper()
			in.StreamName = &st.Name
			for {
				out, err := call(t, f, f.ListFragments, &in)
				if err != nil {
					t.Fatal(err)
				}
				n++
				got = append(got, out.Fragments...)
				if out.NextToken == nil {
					return got, n
				}
				in.NextToken, in.FragmentSelector = out.NextToken, nil
			}
		}
		sel := func(by string, from, to int64) *kvarchive.FragmentSelector {
			return &kvarchive.FragmentSelector{FragmentSelectorType: by, TimestampRange: kvarchive.TimestampRange{
				StartTimestamp: time.UnixMilli(from), EndTimestamp: time.UnixMilli(to),
			}}
		}
		tests := []struct {
			name        string
			sel         *kvarchive.FragmentSelector
			max         int64
			first, n, p int
		}{
			{"all", nil, 100, 0, 7, 1},
			{"by three", nil, 3, 0, 7, 3},
			{"by seven", nil, 7, 0, 7, 1},
			{"producer, inclusive", sel("PRODUCER_TIMESTAMP", list[1].producer, list[3].producer), 2, 1, 3, 2},
			{"producer, between", sel("PRODUCER_TIMESTAMP", list[1].producer+1, list[3].producer-1), 2, 2, 1, 1},
			{"server, inclusive", sel("SERVER_TIMESTAMP", list[2].server, list[6].server), 1, 2, 5, 5},
			{"server, nothing", sel("SERVER_TIMESTAMP", list[6].server+1, list[6].server+1e6), 1, 0, 0, 1},
		}
		for _, tt := range tests {
			got, n := pages(kvarchive.ListFragmentsInput{FragmentSelector: tt.sel, MaxResults: &tt.max})
			if len(got) != tt.n || n != tt.p {
				t.Errorf("%s: %d fragments on %d pages, want %d on %d", tt.name, len(got), n, tt.n, tt.p)
				continue
			}
			for i, g := range got {
				w := list[tt.first+i]
				if *g.FragmentNumber != w.number || g.ProducerTimestamp.UnixMilli() != w.producer || g.ServerTimestamp.UnixMilli() != w.server ||
					*g.FragmentLengthInMilliseconds != 2000 || *g.FragmentSizeInBytes != w.mediaSize {
					t.Errorf("%s: fragment %d is %+v, want %+v", tt.name, i, g, w)
				}
			}
		}
		first, _ := call(t, f, f.ListFragments, &kvarchive.ListFragmentsInput{StreamName: &st.Name, MaxResults: ptr(int64(1))})
		for name, in := range map[string]*kvarchive.ListFragmentsInput{
			"end before start":       {StreamName: &st.Name, FragmentSelector: sel("SERVER_TIMESTAMP", 2, 1)},
			"no token":               {StreamName: &st.Name, NextToken: ptr("AAAA")},
			"another stream's token": {StreamName: ptr("other"), NextToken: first.NextToken},
		} {
			if _, err := call(t, f, f.ListFragments, in); code(t, err) != "InvalidArgumentException" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestGetMediaForFragmentList(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 24)
	list := fill(t, f, st, 3)
	in := &kvarchive.GetMediaForFragmentListInput{StreamName: &st.Name, Fragments: []string{list[2].number, list[0].number}}
	if out, err := call(t, f, f.GetMediaForFragmentList, in); err != nil || *out.ContentType != "video/webm" {
		t.Errorf("%+v, %v", out, err)
	}
	var out sink
	if err := f.sendList(t.Context(), st, in.Fragments, &out); err != nil {
		t.Fatal(err)
	}
	g := parseMedia(t, out.Bytes())
	if len(g.tags) != 2 || g.tags[0]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != list[2].number || g.tags[1]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != list[0].number {
		t.Errorf("tags %v", g.tags)
	}
	out.Reset()
	if err := f.sendList(t.Context(), st, []string{list[0].number, "12", list[1].number}, &out); err != nil {
		t.Fatal(err)
	}
	g = parseMedia(t, out.Bytes())
	if len(g.clusters) != 1 || len(g.behind[0]) != 1 || g.behind[0][0]["AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"] != "4000" || g.behind[0][0]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != "12" {
		t.Errorf("of a missing fragment: %v", g.behind)
	}
}

// Fragments cannot be read once they have outlived their retention, and their space is given back.
func TestRetention(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st, none := f.create(t, "hour", 1), f.create(t, "none", 0)
		fill(t, f, st, 2)
		fill(t, f, none, 2)
		if out, err := call(t, f, f.ListFragments, &kvarchive.ListFragmentsInput{StreamName: &none.Name}); err != nil || len(out.Fragments) != 0 {
			t.Errorf("a stream without retention lists %d fragments, %v", len(out.Fragments), err)
		}
		if n := len(f.read(t, none, before).clusters); n != 2 {
			t.Errorf("a stream without retention has %d fragments at hand", n)
		}
		f.clock.add(6 * time.Minute)
		fill(t, f, st, 1)
		check := func(st *Stream, want int) {
			t.Helper()
			if n := len(f.read(t, st, before).clusters); n != want {
				t.Errorf("%s: %d fragments can be read, want %d", st.Name, n, want)
			}
		}
		check(none, 0)
		check(st, 3)
		f.clock.add(54 * time.Minute)
		check(st, 1) // before the reaper has come by
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(st, 1)
		var files []string
		for info, err := range f.Blobs.List("") {
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, info.Name)
		}
		if len(files) != 1 || !strings.HasPrefix(files[0], "video/"+st.ID+"/") {
			t.Errorf("files %v", files)
		}
		f.clock.add(time.Hour)
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		noRows(t, f.DB, "video_fragments", "video_chunks")
	})
}

// Many fragments go in several transactions.
func TestReapInBatches(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "many", 1)
		var body []byte
		body = append(body, header(1)...)
		for i := range 2*reapBatch + 10 {
			body = append(body, cluster(int64(i), block(1, 0, 1))...)
		}
		f.put(t, st, bytes.NewReader(body))
		if err := f.deleteStream(t.Context(), st, nil); err != nil {
			t.Fatal(err)
		}
		// What is to be done survives the process.
		if err := f.Service.Close(); err != nil {
			t.Fatal(err)
		}
		f.start(t, f.DB, nil)
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		noRows(t, f.DB, "video_fragments", "video_chunks", "video_deleted_streams")
	})
}

// A process that dies leaves leased chunks: the next one ends them, and keeps what is in the index.
func TestRecovery(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "crash", 1)
		leave := func(n int) { // a connection that never ends
			c, err := f.newChunk(t.Context(), st)
			if err != nil {
				t.Fatal(err)
			}
			h, one := header(1), cluster(1000, block(1, 0, 100))
			must(0, c.write(h))
			for i := range n {
				frag := fragment{number: f.numbers.next(f.clock.now().UnixMilli()), server: f.clock.now().UnixMilli(), chunk: c.name,
					headerSize: int64(len(h)), mediaOffset: c.size, mediaSize: int64(len(one))}
				must(0, c.write(one))
				must(0, c.flush())
				must(0, f.addFragments(t.Context(), st, []fragment{frag}))
				_ = i
			}
			must(0, c.write(make([]byte, 500)))
			must(0, c.flush())
			must(0, c.file.Close())
		}
		leave(2)
		leave(0)
		if err := f.Service.Close(); err != nil {
			t.Fatal(err)
		}
		f.start(t, f.DB, nil)
		if n := len(f.read(t, st, before).clusters); n != 2 {
			t.Errorf("%d fragments", n)
		}
		if err := f.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		var files int
		var size int64
		for file := range f.Blobs.List("") {
			files++
			size += file.Size
		}
		if left := must(f.leased(t.Context(), chunkRow{})); files != 1 || len(left) != 0 {
			t.Errorf("%d files, leases %v", files, left)
		}
		if want := int64(len(header(1)) + 2*len(cluster(1000, block(1, 0, 100)))); size != want {
			t.Errorf("%d bytes are kept, %d are indexed", size, want)
		}
	})
}

func TestNumbers(t *testing.T) {
	var n numbers
	seen := []string{n.next(1_795_303_800_000), n.next(1_795_303_800_000), n.next(1_795_303_799_000), n.next(1_795_303_800_001)}
	n.seen(seen[3])
	seen = append(seen, n.next(5), n.next(6))
	var ahead numbers
	n.seen(ahead.next(2_000_000_000_000))
	seen = append(seen, n.next(1_795_303_800_002))
	n.seen("")
	n.seen("garbage")
	n.seen(strings.Repeat("9", 47)) // beyond all times: not ours
	seen = append(seen, n.next(2_000_000_000_000), n.next(2_000_000_000_100))
	if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("not rising: %v", seen)
	}
	for _, s := range seen {
		if len(s) != numberDigits || !strings.HasPrefix(s, "91343") {
			t.Errorf("number %s", s)
		}
		v, _ := new(big.Int).SetString(s, 10)
		if b := justBefore(s); b >= s || b <= v.Sub(v, big.NewInt(1)).String() {
			t.Errorf("just before %s is %s", s, b)
		}
	}
	for _, s := range []string{"91343852333181432387730302044767688728495780000", "10000000000000000000000000000000000000000000000"} {
		if b := justBefore(s); b >= s {
			t.Errorf("just before %s is %s", s, b)
		}
	}
}

// The wait for live fragments ends by the clock alone.
func TestGetMediaIdle(t *testing.T) {
	d := dbtest.SQLite(t)
	f := newFixture(t, d, func(s *Service) { s.IdleGet = 50 * time.Millisecond })
	st := f.create(t, "quiet", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out sink
	if err := f.send(ctx, st, before, &out); err != nil || out.Len() != 0 {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l live
		l.changed("a")
		a, b := l.next("a"), l.next("a")
		l.changed("b")
		synctest.Wait()
		select {
		case <-a:
			t.Error("woken by another stream")
		default:
		}
		l.changed("a")
		<-a
		<-b
		if c := l.next("a"); c == a {
			t.Error("an old channel")
		}
	})
}
