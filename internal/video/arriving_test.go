package video

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
)

// Two producers at one stream: what the slow one began first comes first, in GetMedia, however long it takes.
func TestTwoProducers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.IdleGet = time.Minute
		st := f.create(t, "both", 24)
		after := must(f.startAfter(t.Context(), st, kvmedia.StartSelector{StartSelectorType: "NOW"}))
		out := &signalSink{news: make(chan int, 10)}
		done := make(chan error, 1)
		go func() { done <- f.send(t.Context(), st, after, out) }()

		read, write := net.Pipe()
		began := make(chan bool, 10)
		slow := &wire{on: func(a ack) { began <- true }}
		ended := make(chan error, 1)
		go func() { ended <- f.ingest(t.Context(), st, false, 0, read, slow) }()
		one := cluster(90_000, block(1, 0, 10), block(1, 900, 20))
		must(write.Write(slices.Concat(header(1), one[:len(one)-5])))
		<-began // BUFFERING: it has its number
		// Meanwhile another producer, whose clock is behind, sends two fragments.
		two, three := cluster(10_000, block(1, 0, 30)), cluster(11_000, block(1, 0, 40))
		f.clock.add(time.Second)
		f.put(t, st, bytes.NewReader(slices.Concat(header(1), two, three)))
		select {
		case <-out.news:
			t.Error("a fragment was sent before one that began earlier")
		case <-time.After(100 * time.Millisecond):
		}
		must(write.Write(one[len(one)-5:]))
		must(0, write.Close())
		<-ended
		for range 3 {
			<-out.news
		}
		if err := f.deleteStream(t.Context(), st, nil); err != nil {
			t.Fatal(err)
		}
		f.live.changed(st.ID)
		<-done
		got := parseMedia(t, out.b.Bytes())
		sameClusters(t, got.clusters, [][]byte{one, two, three})
		var numbers []string
		for _, tags := range got.tags {
			numbers = append(numbers, tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"])
		}
		if !slices.IsSorted(numbers) {
			t.Errorf("numbers %v", numbers)
		}
	})
}

// ListFragments goes by the clock that is asked for, whatever the order in which fragments came; so do the selectors.
func TestClocks(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "both", 24)
		for _, ms := range []int64{90_000, 10_000, 50_000} {
			f.put(t, st, bytes.NewReader(slices.Concat(header(1), cluster(ms, block(1, 0, 1), block(1, 1000, 1)))))
			f.clock.add(10 * time.Second)
		}
		for by, want := range map[string]string{"PRODUCER_TIMESTAMP": "[10000 50000 90000]", "SERVER_TIMESTAMP": "[90000 10000 50000]"} {
			out, err := call(t, f, f.ListFragments, &kvarchive.ListFragmentsInput{StreamName: &st.Name, FragmentSelector: &kvarchive.FragmentSelector{
				FragmentSelectorType: by, TimestampRange: kvarchive.TimestampRange{StartTimestamp: time.UnixMilli(0), EndTimestamp: f.clock.now()},
			}})
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, g := range out.Fragments {
				got = append(got, g.ProducerTimestamp.UnixMilli())
			}
			if fmt.Sprint(got) != want {
				t.Errorf("by %s: %v", by, got)
			}
		}
		// A long fragment around a short one: a time is in the long one, though the short one starts later.
		f.put(t, st, bytes.NewReader(slices.Concat(header(1), cluster(200_000, block(1, 0, 1), block(1, 8000, 1)))))
		f.put(t, st, bytes.NewReader(slices.Concat(header(1), cluster(202_000, block(1, 0, 1), block(1, 100, 1)))))
		for ms, want := range map[int64]int64{200_000: 200_000, 201_000: 200_000, 202_050: 202_000, 205_000: 200_000, 49_000: 50_000, 50_500: 50_000} {
			got, err := f.fragmentAt(t.Context(), st, byProducer, ms, 0)
			if err != nil || got.producer != want {
				t.Errorf("at %d: fragment of %d, %v, want %d", ms, got.producer, err, want)
			}
		}
	})
}

// A fragment whose producer has stopped in its middle is not waited for, and is sent when it comes all the same.
func TestLateFragment(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "late", 24)
		stuck := false
		begin := func(from string) string {
			return f.arriving.begin(&f.numbers, st.ID, f.clock.now().UnixMilli(), from, func() bool { return stuck })
		}
		late, broken := begin("a"), begin("b")
		quick := fill(t, f, st, 1)[0]
		var out sink
		r := &reader{s: f.Service, st: st, sender: sender{s: f.Service, w: &out}, w: &out, late: map[string]bool{}}
		defer r.sender.close()
		next := func(want string) {
			t.Helper()
			out.Reset()
			for {
				_, more, err := r.next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !more {
					break
				}
			}
			got := ""
			for _, tags := range parseMedia(t, out.Bytes()).tags {
				got += tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"]
			}
			if got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		}
		next("")
		stuck = true
		next(quick.number)
		row := quick
		row.number = late
		must(0, f.addFragments(t.Context(), st, []fragment{row}))
		next("") // it is still on its way, as far as we know
		f.arriving.end(st.ID, late)
		if !f.arriving.leave(st.ID, "b") || f.arriving.leave(st.ID, "b") {
			t.Error("a connection that ends is forgotten once")
		}
		next(late)
		next("")
		if len(r.late) != 0 || len(f.arriving.streams) != 0 || broken < late {
			t.Errorf("left behind: %v, %v", r.late, f.arriving.streams)
		}
	})
}
