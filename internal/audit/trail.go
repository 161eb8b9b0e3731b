package audit

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/journal"
)

// File is the name of the file that is being written. Those before it have the
// time at which they ended in their names: audit-20060102T150405.000000000Z.jsonl.
const File = trailName + ".jsonl"

const trailName = "audit"

// The defaults of Options.
const (
	DefaultSize = 64 << 20
	DefaultKeep = 10
)

// Records of refused callers who proved nothing are limited: anybody can make
// them, and they must not push out those of callers who count. What is left out
// is told in a record of its own.
const (
	strangersAtOnce    = 1000
	strangersPerSecond = 10
	noteEvery          = 10 * time.Second
)

// largeScratch is the largest buffer that is kept for the next record.
const largeScratch = 64 << 10

// Options are what a Trail is told. Now, Log and Registerer must be set.
type Options struct {
	Size       int64  // bytes after which a new file is begun; 0: DefaultSize
	Keep       int    // files besides the current one
	Region     string // of what is recorded without one
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Trail writes records. It is safe for concurrent use.
type Trail struct {
	o       Options
	metrics *metrics
	scratch sync.Pool // *[]byte

	mu        sync.Mutex
	out       journal.File
	strangers bucket
	limited   gap // by strangers
	lost      gap // while the file could not be written
	failing   bool
	growing   bool
}

// gap are records that are not in the trail and not told of yet.
type gap struct {
	n     int64
	since time.Time
}

// Open makes the trail of a directory, which is made (0700) if it is missing.
// That nothing can be written there is no error: it is logged and counted, and
// tried again.
func Open(dir string, o Options) (*Trail, error) {
	if o.Size <= 0 {
		o.Size = DefaultSize
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	t := &Trail{
		o: o, metrics: m,
		out:       journal.File{Dir: dir, Name: trailName, Max: o.Size, Keep: max(o.Keep, 0)},
		strangers: bucket{perSecond: strangersPerSecond, most: strangersAtOnce, tokens: strangersAtOnce},
	}
	t.scratch.New = func() any { b := make([]byte, 0, 4<<10); return &b }
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told(t.out.Open(o.Now()))
	return t, nil
}

// Record writes an event. When it returns the line is with the operating
// system: a process that is killed then has not lost it. A failure is logged and
// counted, and not the caller's business. Errors of anonymous and of unproven
// callers are limited to ten a second after the first thousand.
func (t *Trail) Record(e Event) { t.write(&record{Event: e}) }

// Rotate begins a new file.
func (t *Trail) Rotate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Rotate(t.o.Now())
	t.grows(t.out.Stuck())
}

// Close tells of what was left out and closes the file. Records that come later
// are lost.
func (t *Trail) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(t.o.Now(), true)
	return t.out.Close()
}

func (t *Trail) write(r *record) {
	r.time = t.o.Now()
	if r.Region == "" {
		r.Region = t.o.Region
	}
	if (r.ErrorCode != "" || r.ErrorMessage != "") && (r.Unproven || r.Identity.Type == "") && !t.admit(r.time) {
		return
	}
	scratch := t.scratch.Get().(*[]byte)
	line := append(r.append((*scratch)[:0]), '\n')
	t.mu.Lock()
	t.note(r.time, false)
	t.put(line, r.time)
	t.mu.Unlock()
	if cap(line) <= largeScratch {
		*scratch = line
		t.scratch.Put(scratch)
	}
}

// admit says whether a record of a stranger is to be written.
func (t *Trail) admit(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.strangers.take(now) {
		return true
	}
	t.metrics.lost.WithLabelValues("limited").Inc()
	t.limited.add(now)
	return false
}

func (t *Trail) put(line []byte, now time.Time) {
	err := t.out.Write(line, now)
	t.told(err)
	t.grows(t.out.Stuck())
	if err != nil {
		t.metrics.lost.WithLabelValues("unwritable").Inc()
		t.lost.add(now)
		return
	}
	t.metrics.records.Inc()
}

func (g *gap) add(now time.Time) {
	if g.n == 0 {
		g.since = now
	}
	g.n++
}

// note writes what is missing into the trail itself, once it can be.
func (t *Trail) note(now time.Time, all bool) {
	if t.lost.n > 0 && t.out.Ready(now) {
		t.tell(&t.lost, "the audit file could not be written", now)
	}
	if t.limited.n > 0 && (all || now.Sub(t.limited.since) >= noteEvery) {
		t.tell(&t.limited, "too many refused callers who proved nothing", now)
	}
}

func (t *Trail) tell(g *gap, reason string, now time.Time) {
	r := &record{time: now, Event: Event{
		Identity: Identity{Type: AWSService, InvokedBy: ownSource}, Source: ownSource, Name: "RecordsLeftOut", Type: TypeServiceEvent,
		Region: t.o.Region, Additional: Fields{
			"records": g.n, "since": g.since.UTC().Format(timeForm), "reason": reason,
		},
	}}
	if err := t.out.Write(append(r.append(nil), '\n'), now); err != nil {
		t.told(err)
		return
	}
	*g = gap{}
}

// ownSource is the eventSource of records about the trail itself.
const ownSource = "audit.thingd"

// told logs that the trail cannot be written, or is again: once a change.
func (t *Trail) told(err error) {
	if failing := err != nil; failing != t.failing {
		t.failing = failing
		if failing {
			t.metrics.failing.Set(1)
			t.o.Log.Error("the audit trail cannot be written: calls are answered and not recorded", "err", err)
		} else {
			t.metrics.failing.Set(0)
			t.o.Log.Info("the audit trail is written again", "lost", t.lost.n)
		}
	}
}

// grows logs that no new file can be begun, once a change.
func (t *Trail) grows(err error) {
	if growing := err != nil; growing != t.growing {
		t.growing = growing
		if growing {
			t.o.Log.Error("the audit file cannot be rotated, it grows beyond its size", "err", err)
		}
	}
}
