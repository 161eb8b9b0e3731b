package msglog

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/db"
)

const (
	// rowTarget is the size from which on a row takes no more messages. A
	// whole row is read for one message of it.
	rowTarget = 128 << 10
	// maxFacts bounds the settlements that wait.
	maxFacts = 1 << 16
)

// gathering is what the next commit will write.
type gathering struct {
	rows     []*row
	facts    []fact
	sessions map[SessionID]*sessionChange
	retained map[RetainedTopic][]byte // nil: delete
	dones    []func(error)
	bytes    int
}

// fact is a record about a message of a row that is written already.
type fact struct {
	kind     kind
	packetID uint16
	session  SessionID
	seq      uint64
	row      *row
}

// sessionChange writes or, without state, deletes the row of a session.
type sessionChange struct {
	account, region, clientID string
	state                     []byte
}

// Append takes a batch over and returns at once. When all of it is durable, or
// cannot be made so, done (which may be nil) is called: in the order of the
// calls of Append, from one goroutine, which it must not keep waiting; it may
// call Append, but not Close. An error of Append itself means that nothing was appended and
// done is never called: ErrClosed, ErrTakenOver, ErrBacklog (for batches with
// messages, incoming ids or retained messages only), or text that no database
// takes.
//
// When done is given an error, the messages, incoming ids and retained messages
// of the batch are gone, as if never appended: nothing may be acknowledged.
// The rest of it (Assigned, Released, Settled, Completed, sessions) stands and
// is tried again with the next commit.
func (l *Log) Append(b *Batch, done func(error)) error {
	for i := range b.entries {
		e := &b.entries[i]
		switch e.kind {
		case kindRetain:
			if err := checkText(e.topic.Account, e.topic.Region, e.topic.Topic); err != nil {
				return fmt.Errorf("retain a message: %w", err)
			}
		case kindPut:
			if err := checkText(e.session.Account, e.session.Region, e.session.ClientID); err != nil {
				return fmt.Errorf("put a session: %w", err)
			}
			e.data = encodeSession(e.session)
		}
	}
	l.mu.Lock()
	if l.closed != nil {
		l.mu.Unlock()
		return l.closed
	}
	if !l.loaded {
		l.mu.Unlock()
		panic("msglog: Append before Load")
	}
	if b.bytes > 0 && l.pending > l.o.Pending {
		l.mu.Unlock()
		return ErrBacklog
	}
	for i := range b.entries {
		l.apply(&b.entries[i])
	}
	if done != nil {
		l.gathered.dones = append(l.gathered.dones, done)
	}
	urgent := b.urgent || len(l.gathered.facts) > maxFacts
	l.mu.Unlock()
	wake := l.arm
	if urgent {
		wake = l.kick
	}
	select {
	case wake <- struct{}{}:
	default:
	}
	return nil
}

// checkText refuses here what would fail the commit of everybody.
func checkText(texts ...string) error {
	for _, s := range texts {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return db.ErrText
		}
	}
	return nil
}

// apply does an entry in memory and gathers what is to be written of it.
func (l *Log) apply(e *entry) {
	switch e.kind {
	case kindMessage:
		l.message(e)
	case kindAssigned, kindReleased, kindSettled:
		q := l.queues[e.id]
		if q == nil {
			return
		}
		if p := q.find(e.seq); p != nil && p.state() != stateIncoming {
			l.fact(e.kind, e.id, q, p, e.packetID)
		}
	case kindReceived:
		l.received(e)
	case kindCompleted:
		q := l.queues[e.id]
		if q == nil {
			return
		}
		if seq, ok := q.incoming[e.packetID]; ok {
			l.fact(kindSettled, e.id, q, q.find(seq), 0)
		}
	case kindRetain:
		if l.gathered.retained == nil {
			l.gathered.retained = make(map[RetainedTopic][]byte)
		}
		l.gathered.retained[e.topic] = slices.Clone(e.data)
		l.grow(len(e.data) + len(e.topic.Topic))
	case kindPut:
		if l.queues[e.id] != nil {
			l.change(e.id, &sessionChange{e.session.Account, e.session.Region, e.session.ClientID, e.data})
			l.grow(len(e.data))
		}
	case kindDelete:
		if q := l.queues[e.id]; q != nil {
			l.drop(q)
			delete(l.queues, e.id)
			l.change(e.id, &sessionChange{})
		}
	}
}

func (l *Log) change(id SessionID, c *sessionChange) {
	if l.gathered.sessions == nil {
		l.gathered.sessions = make(map[SessionID]*sessionChange)
	}
	l.gathered.sessions[id] = c
}

func (l *Log) grow(n int) {
	l.gathered.bytes += n
	l.pending += n
}

// message gives a message its sequence number and puts it in the queues of its
// targets.
func (l *Log) message(e *entry) {
	e.seq = l.nextSeq
	l.nextSeq++
	var r *row
	l.scratch = l.scratch[:0]
	for _, t := range e.targets {
		q := l.queues[t.Session]
		if q == nil || t.QoS > 2 {
			continue
		}
		if n := len(q.pairs); n > 0 && q.pairs[n-1].seq == e.seq {
			continue // twice the same session
		}
		if r == nil {
			r = l.gatheringRow()
		}
		state := byte(stateQueued)
		if t.QoS < 2 {
			t.PacketID = 0
		} else if t.PacketID != 0 {
			state = stateAssigned
		}
		q.add(pair{seq: e.seq, slot: r.slot, packetID: t.PacketID, bits: t.QoS | state<<2, flags: t.Flags}, len(e.data))
		l.scratch = append(l.scratch, target{t.Session, t.PacketID, t.QoS, state, t.Flags})
	}
	if r == nil {
		return
	}
	start := len(r.buf)
	var off int
	r.buf, off = appendMessage(r.buf, r.base, e.seq, l.scratch, e.data)
	l.took(r, msg{seq: e.seq, off: uint32(off), size: uint32(len(e.data)), rec: uint32(len(r.buf) - start), live: uint32(len(l.scratch))})
}

// received keeps a packet id as a message of its own, which Completed settles.
func (l *Log) received(e *entry) {
	q := l.queues[e.id]
	if q == nil || e.packetID == 0 {
		return
	}
	if _, ok := q.incoming[e.packetID]; ok {
		return
	}
	seq := l.nextSeq
	l.nextSeq++
	r := l.gatheringRow()
	q.add(pair{seq: seq, slot: r.slot, packetID: e.packetID, bits: stateIncoming << 2}, 0)
	start := len(r.buf)
	r.buf = appendIncoming(r.buf, r.base, seq, e.id, e.packetID)
	l.took(r, msg{seq: seq, rec: uint32(len(r.buf) - start), live: 1})
}

// took notes a message that was appended to a row.
func (l *Log) took(r *row, m msg) {
	r.msgs = append(r.msgs, m)
	r.live++
	r.liveBytes += int(m.rec)
	l.grow(int(m.rec))
}

// gatheringRow returns the row that takes the next message.
func (l *Log) gatheringRow() *row {
	g := &l.gathered
	if n := len(g.rows); n > 0 && len(g.rows[n-1].buf) < rowTarget {
		return g.rows[n-1]
	}
	r := l.newRow(l.nextSeq)
	size := l.usual
	if len(g.rows) > 0 {
		size = rowTarget
	}
	r.buf = slices.Grow(r.buf, size+size/16)
	g.rows = append(g.rows, r)
	return r
}

// newRow makes an empty row with the next id.
func (l *Log) newRow(base uint64) *row {
	r := &row{id: l.nextRow, base: base, buf: make([]byte, rowHeader)}
	l.nextRow++
	l.place(r)
	return r
}

// place gives a row a slot.
func (l *Log) place(r *row) {
	if n := len(l.free); n > 0 {
		r.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.rows[r.slot] = r
		return
	}
	r.slot = uint32(len(l.rows))
	l.rows = append(l.rows, r)
}

// gone takes a row out of memory that is not, or no more, in the database.
func (l *Log) gone(r *row) {
	r.state = rowGone
	r.buf, r.msgs, r.referrers = nil, nil, nil
	l.rows[r.slot] = nil
	l.free = append(l.free, r.slot)
}

// fact does something to a message of a queue.
func (l *Log) fact(k kind, s SessionID, q *queue, p *pair, packetID uint16) {
	seq, r := p.seq, l.rows[p.slot]
	switch k {
	case kindAssigned:
		if p.qos() != 2 || packetID == 0 {
			return
		}
		p.packetID = packetID
		p.setState(stateAssigned)
	case kindReleased:
		if p.state() != stateAssigned {
			return
		}
		p.setState(stateReleased)
	case kindSettled:
		l.remove(q, p)
	}
	if r.state == rowGathering {
		r.touched = true // it will be written as things are then
		return
	}
	l.gathered.facts = append(l.gathered.facts, fact{k, packetID, s, seq, r})
}

// drop empties the queue of a session that ends. Nothing needs to be written of
// it: records of a session that is not there mean nothing.
func (l *Log) drop(q *queue) {
	for q.head < len(q.pairs) {
		p := &q.pairs[q.head]
		l.rows[p.slot].touched = true
		l.remove(q, p)
	}
}

// remove takes a message off a queue and notes what is dead then.
func (l *Log) remove(q *queue, p *pair) {
	r := l.rows[p.slot]
	m := r.msg(p.seq)
	if p.state() == stateIncoming {
		delete(q.incoming, p.packetID)
	} else {
		q.messages--
		q.bytes -= int64(m.size)
	}
	q.remove(p)
	saved := (m.rec - m.size) / m.live // the bytes of a target, about
	if m.live--; m.live == 0 {
		saved = m.rec
		r.live--
	}
	m.rec -= saved
	r.liveBytes -= int(saved)
	if r.stored() {
		l.liveBytes -= int(saved)
		if r.live == 0 && m.live == 0 && r.state == rowStored {
			l.died(r)
		}
	}
}

// died notes a stored row without live messages.
func (l *Log) died(r *row) {
	l.deadRows++
	l.deadBytes += r.size
	if r.refs == 0 {
		l.deletable = append(l.deletable, r)
	}
}

// add appends a pair.
func (q *queue) add(p pair, size int) {
	if n := len(q.pairs); n > 0 && q.pairs[n-1].seq > p.seq {
		q.unsorted = true
	}
	q.pairs = append(q.pairs, p)
	if p.state() == stateIncoming {
		if q.incoming == nil {
			q.incoming = make(map[uint16]uint64)
		}
		q.incoming[p.packetID] = p.seq
		return
	}
	q.messages++
	q.bytes += int64(size)
}
