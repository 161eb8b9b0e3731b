package msglog

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// retryPause is how long the committer waits with what a failed commit left
// behind when nobody appends anything.
const retryPause = time.Second

// commit is what one transaction writes, fixed under Log.mu.
type commit struct {
	number int64
	from   gathering
	rows   []*row // with their records; the last has the facts
	facts  []fact // of from, those that are written
	moves  []*row // rows whose live messages are in moved
	moved  []*row // of rows
	gone   []*row // rows to delete
	spans  []span // their ids
	head   header
}

func (c *commit) empty() bool {
	return len(c.rows) == 0 && len(c.gone) == 0 && len(c.from.sessions) == 0 && len(c.from.retained) == 0
}

// run is the committer: it writes what was gathered while it wrote the last.
func (l *Log) run() {
	defer close(l.stopped)
	var later <-chan time.Time
	for {
		tick := false
		select {
		case <-l.kick:
		case <-later:
			later, tick = nil, true
		case <-l.arm:
			if later == nil {
				later = time.After(l.o.Lazy)
			}
			continue
		case <-l.closing:
			_ = l.commit(true) // told by Close
			return
		}
		if err := l.commit(tick); err != nil {
			later = time.After(retryPause)
		} else if later == nil && l.waiting() {
			later = time.After(l.o.Lazy)
		}
	}
}

// waiting says whether there is work that nobody has asked for.
func (l *Log) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.gathered
	return len(l.deletable) > 0 || l.over() || len(g.rows) > 0 || len(g.facts) > 0 || len(g.sessions) > 0 || len(g.retained) > 0
}

// commit writes what was gathered, with the deletion of dead rows where that is
// worth it or tick says so, and answers those who wait.
func (l *Log) commit(tick bool) error {
	sources := l.sources()
	l.mu.Lock()
	if errors.Is(l.closed, ErrTakenOver) {
		l.mu.Unlock()
		return l.abandon()
	}
	c := l.cut(sources, tick)
	l.mu.Unlock()
	var err error
	if !c.empty() {
		err = l.write(c)
	}
	l.mu.Lock()
	if err == nil {
		l.keep(c)
	} else {
		l.undo(c)
		if errors.Is(err, ErrTakenOver) {
			l.closed = err
		}
	}
	l.last = err
	l.pending -= c.from.bytes
	close(l.room)
	l.room = make(chan struct{})
	l.mu.Unlock()
	l.tell(err)
	for _, done := range c.from.dones {
		done(err)
	}
	return err
}

// abandon answers whoever appended before it was known that another process
// has the log.
func (l *Log) abandon() error {
	l.mu.Lock()
	dones, err := l.gathered.dones, l.closed
	l.gathered.dones = nil
	l.mu.Unlock()
	for _, done := range dones {
		done(err)
	}
	return err
}

// tell logs when commits begin to fail and when they no longer do.
func (l *Log) tell(err error) {
	switch {
	case err != nil && !l.failing:
		l.log.Error("messages cannot be stored; what is published with QoS 1 and 2 is not acknowledged", "err", err)
	case err == nil && l.failing:
		l.log.Info("messages are stored again")
	}
	l.failing = err != nil
}

// cut fixes what the next commit writes. It is as of one moment: records of
// messages that are written here have the state of their queues at it, and
// messages that are settled already are never written.
func (l *Log) cut(sources []source, tick bool) *commit {
	c := &commit{from: l.gathered}
	l.gathered = gathering{}
	dead := l.dead(sources, tick)
	for _, s := range sources {
		if dead.goes(s.row) && s.row.live > 0 {
			l.move(c, s)
		}
	}
	c.moved = slices.Clone(c.rows)
	c.gone = slices.Collect(maps.Keys(dead.rows))
	for _, r := range c.from.rows {
		switch {
		case r.live == 0:
			l.gone(r)
			continue
		case r.touched:
			l.rebuild(r)
		}
		r.state = rowCommitting
		c.rows = append(c.rows, r)
	}
	for _, f := range c.from.facts {
		// A fact about a row that goes goes with it; what it said is in the
		// records of the messages that were moved.
		if f.row.state != rowGone && !dead.goes(f.row) {
			c.facts = append(c.facts, f)
		}
	}
	if len(c.facts) > 0 && len(c.rows) == 0 {
		r := l.newRow(l.nextSeq)
		r.state = rowCommitting
		c.rows = append(c.rows, r)
	}
	for _, f := range c.facts {
		r := c.rows[len(c.rows)-1]
		r.buf = appendFact(r.buf, r.base, f.kind, f.session, f.seq, f.packetID)
	}
	for _, r := range c.rows {
		r.buf = append(r.buf, make([]byte, rowChecksum)...)
	}
	l.commits++
	c.number = l.commits
	c.head = header{nextSeq: l.nextSeq, nextSession: uint64(l.nextID)}
	c.spans = spans(c.gone)
	return c
}

// rebuild writes the records of a gathered row anew, as things are now.
func (l *Log) rebuild(r *row) {
	old := newReader(r.buf, r.base)
	buf := make([]byte, rowHeader, len(r.buf))
	msgs := r.msgs[:0]
	r.liveBytes = 0
	for _, m := range r.msgs {
		old.next() // one record a message
		if m.live == 0 {
			continue
		}
		var ok bool
		if buf, m, ok = l.copyRecord(buf, r.base, &old.record); ok {
			msgs = append(msgs, m)
			r.liveBytes += int(m.rec)
		}
	}
	r.buf, r.msgs, r.touched = buf, slices.Clip(msgs), false
}

// copyRecord appends the record of a message with what is left of its targets.
// It says whether there are any.
func (l *Log) copyRecord(buf []byte, base uint64, old *record) ([]byte, msg, bool) {
	start := len(buf)
	if old.kind == kindReceived {
		buf = appendIncoming(buf, base, old.seq, old.session, old.packetID)
		return buf, msg{seq: old.seq, rec: uint32(len(buf) - start), live: 1}, true
	}
	l.scratch = l.scratch[:0]
	for _, t := range old.targets {
		if p := l.pair(t.session, old.seq); p != nil {
			l.scratch = append(l.scratch, target{t.session, p.packetID, p.qos(), p.state(), p.flags})
		}
	}
	if len(l.scratch) == 0 {
		return buf, msg{}, false
	}
	buf, off := appendMessage(buf, base, old.seq, l.scratch, old.data)
	return buf, msg{seq: old.seq, off: uint32(off), size: uint32(len(old.data)), rec: uint32(len(buf) - start), live: uint32(len(l.scratch))}, true
}

// pair returns a message in the queue of a session, or nil.
func (l *Log) pair(s SessionID, seq uint64) *pair {
	if q := l.queues[s]; q != nil {
		return q.find(seq)
	}
	return nil
}

// keep notes that a commit is durable.
func (l *Log) keep(c *commit) {
	for _, r := range c.moved {
		l.arrive(r)
	}
	for _, f := range c.facts {
		l.refer(c.rows[len(c.rows)-1], f.row)
	}
	for _, r := range c.rows {
		l.store(r)
	}
	for _, r := range c.gone {
		l.deleted(r)
	}
	isGone := func(r *row) bool { return r.state == rowGone }
	l.deletable = slices.DeleteFunc(l.deletable, isGone)
	if len(l.order) > 2*l.stored+64 {
		l.order = slices.DeleteFunc(l.order, isGone)
	}
	for i, r := range c.rows {
		if i == 0 {
			l.usual = min(len(r.buf), rowTarget)
		}
		if cap(r.buf) > 2*len(r.buf) {
			r.buf = slices.Clone(r.buf)
		}
		l.cache.put(r.id, r.buf)
		r.buf = nil
	}
	if cap(l.gathered.facts) == 0 && cap(c.from.facts) <= maxFacts {
		l.gathered.facts = c.from.facts[:0]
	}
}

// store notes that a row is in the database.
func (l *Log) store(r *row) {
	r.state = rowStored
	r.size = len(r.buf)
	r.msgs = slices.Clip(r.msgs)
	l.total += r.size
	l.stored++
	l.liveBytes += r.liveBytes
	l.order = append(l.order, r)
	if r.live == 0 {
		l.died(r)
	}
}

// refer notes that a row says something of an older one.
func (l *Log) refer(from, to *row) {
	if n := len(to.referrers); from != to && to.state != rowGone && (n == 0 || to.referrers[n-1] != from) {
		to.referrers = append(to.referrers, from)
		from.refs++
	}
}

// undo takes back the messages of a commit that failed and keeps the rest for
// the next.
func (l *Log) undo(c *commit) {
	for _, r := range c.moves {
		r.state, r.buf = rowStored, nil
		if r.live == 0 {
			l.died(r)
		}
	}
	for _, r := range c.rows {
		if !slices.Contains(c.moved, r) {
			l.forget(r)
		}
		l.gone(r)
	}
	// What the deletion of rows was to make superfluous is needed again.
	l.gathered.facts = append(c.from.facts, l.gathered.facts...)
	for id, change := range c.from.sessions {
		if l.gathered.sessions[id] == nil {
			l.change(id, change)
		}
	}
}

// forget takes the messages of a row that was not written off their queues.
func (l *Log) forget(r *row) {
	old := newReader(r.buf[:len(r.buf)-rowChecksum], r.base)
	for old.next() {
		switch old.kind {
		case kindMessage:
			for _, t := range old.targets {
				l.forgetPair(t.session, old.seq)
			}
		case kindReceived:
			l.forgetPair(old.session, old.seq)
		}
	}
}

func (l *Log) forgetPair(s SessionID, seq uint64) {
	if q := l.queues[s]; q != nil {
		if p := q.find(seq); p != nil {
			l.remove(q, p)
		}
	}
}
