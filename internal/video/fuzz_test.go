package video

import (
	"bytes"
	"slices"
	"testing"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// Whatever a producer sends: as many fragments can be read as were acknowledged, and they can be parsed.
func FuzzIngest(f *testing.F) {
	h, one := header(1), cluster(1000, block(1, 0, 10), block(1, 40, 10))
	f.Add(slices.Concat(h, one, one, tags(tagEndOfFragment, "")), uint16(100))
	f.Add(slices.Concat(h, one, tags("a", "b"), header(1, 2), cluster(2000, block(1, 0, 1), block(2, 0, 1)), one), uint16(7))
	f.Add(file(f, "aws-getmedia-cut.mkv")[:3000], uint16(1))
	f.Add(file(f, "kvssink-audio-only.mkv")[:3000], uint16(1000))
	fix := newFixture(f, dbtest.SQLite(f), func(s *Service) { s.Limits.FragmentBytes = 10_000 })
	f.Fuzz(func(t *testing.T, body []byte, piece uint16) {
		st := fix.create(t, "s"+randomText(20), 1)
		w := &wire{}
		_ = fix.ingest(t.Context(), st, false, 0, &piecewise{body, func() int { return int(piece) + 1 }}, w)
		var persisted int
		for i, a := range w.acks(t) {
			switch a.EventType {
			case "PERSISTED":
				persisted++
			case "ERROR":
				if i != len(w.writes)-1 || a.ErrorID < 4000 || a.ErrorID >= 5000 {
					t.Errorf("acknowledgement %d of %d: %+v", i, len(w.writes), a)
				}
			}
		}
		var out sink
		if err := fix.send(t.Context(), st, before, &out); err != nil {
			t.Fatal(err)
		}
		if got := parseMedia(t, out.Bytes()); len(got.clusters) != persisted {
			t.Errorf("%d fragments can be read, %d were persisted", len(got.clusters), persisted)
		}
		for _, c := range parseMedia(t, out.Bytes()).clusters {
			if !bytes.Contains(body, c) {
				t.Error("a cluster is not what was sent")
			}
		}
		if err := fix.deleteStream(t.Context(), st, nil); err != nil {
			t.Fatal(err)
		}
		if err := fix.reapOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
