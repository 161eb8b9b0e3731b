package video

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// A cluster that says its size is whole when so many bytes have come: a producer that is silent behind it until the
// connection ends, as at a gap in a recording, has it persisted, and hears so.
func TestSizedClusterIsWhole(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.IdlePut = 300 * time.Millisecond })
	sized := slices.Concat(header(1), el("\x1F\x43\xB6\x75", el("\xE7", []byte{5}), block(1, 0, 3)))

	silent := f.create(t, "silent", 1)
	r, w := net.Pipe()
	defer func() { _ = w.Close() }()
	out := &wire{}
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), silent, false, 0, r, out) }()
	must(w.Write(sized))
	if err := <-done; err != nil {
		t.Error(err)
	}
	list := slices.DeleteFunc(out.acks(t), func(a ack) bool { return a.EventType == "IDLE" })
	if got := events(list); got != "BRP" {
		t.Errorf("acknowledgements %s", got)
	}

	if n := len(f.read(t, silent, before).clusters); n != 1 {
		t.Errorf("%d fragments can be read", n)
	}
}
