package engine

import (
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

const (
	runLines       = 2048 // of a run's log are kept
	deviceLines    = 50   // of each device's
	deviceLinesBig = 5    // in fleets of more than bigFleet
	bigFleet       = 500
	deviceLineCut  = 512
)

// logs are the latest lines of a run.
type logs struct {
	mu   sync.Mutex
	seq  uint64
	ring []report.LogEntry // the oldest at seq%runLines once it is full
	tell func(report.LogEntry)
}

// write notes a line and hands it out with its number.
func (l *logs) write(at time.Time, client int, level, text string) report.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := report.LogEntry{Seq: l.seq + 1, Time: at, Client: client, Level: level, Text: cut(text, maxText)}
	if len(l.ring) < runLines {
		l.ring = append(l.ring, e)
	} else {
		l.ring[l.seq%runLines] = e
	}
	l.seq++
	if l.tell != nil {
		l.tell(e)
	}
	return e
}

// after are up to limit lines with a number over seq, the oldest first, as far as they are kept.
func (l *logs) after(seq uint64, limit int) []report.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := uint64(0) // number of the oldest that is kept, less one
	if l.seq > uint64(len(l.ring)) {
		first = l.seq - uint64(len(l.ring))
	}
	var out []report.LogEntry
	for s := max(first, seq); s < l.seq && len(out) < limit; s++ {
		out = append(out, l.ring[s%runLines])
	}
	return out
}
