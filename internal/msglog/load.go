package msglog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/thingd/thingd/internal/db"
)

// loadFacts bounds the facts that wait for their turn while loading.
const loadFacts = 1 << 18

// Load gives, as of the last commit, each session to session and each retained
// message to retained, whose data is theirs to keep. They must not use the
// log or the database. An error of theirs ends it.
func (l *Log) Load(ctx context.Context, session func(*Loaded) error, retained func(RetainedTopic, []byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded || l.closed != nil {
		return errors.New("load message log: it is loaded, or closed")
	}
	err := l.db.Read(ctx, func(tx *db.Tx) error {
		ld := &loader{l: l, ctx: ctx, tx: tx, gone: make(map[SessionID]bool)}
		for _, step := range []func() error{
			ld.numbers,
			ld.rows,
			func() error { return ld.sessions(session) },
			func() error { return ld.retained(retained) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		for id := range ld.gone {
			l.change(id, &sessionChange{})
		}
		return nil
	})
	if err != nil {
		l.closed = fmt.Errorf("load message log: %w", err)
		return l.closed
	}
	l.loaded = true
	l.arm <- struct{}{} // what is dead may go
	go l.run()
	return nil
}

// loader replays the log.
type loader struct {
	l     *Log
	ctx   context.Context
	tx    *db.Tx
	gone  map[SessionID]bool // sessions whose client id a newer one has
	facts []fact             // row is the one that they stand in
}

const selectSessions = `SELECT session, account, region, client_id, state FROM mqtt_sessions ORDER BY account, region, client_id, session`

// numbers finds which sessions there are.
func (ld *loader) numbers() error {
	rows, err := ld.tx.Query(ld.ctx, `SELECT session, account, region, client_id FROM mqtt_sessions ORDER BY account, region, client_id, session`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last Session
	for rows.Next() {
		var s Session
		var id int64
		if err := rows.Scan(&id, &s.Account, &s.Region, &s.ClientID); err != nil {
			return err
		}
		s.ID = SessionID(id)
		if last.ID != 0 && last.Account == s.Account && last.Region == s.Region && last.ClientID == s.ClientID {
			delete(ld.l.queues, last.ID)
			ld.gone[last.ID] = true
		}
		ld.l.queues[s.ID] = &queue{}
		ld.l.nextID = max(ld.l.nextID, s.ID+1)
		last = s
	}
	return rows.Close()
}

// rows replays the rows in their order.
func (ld *loader) rows() error {
	for last, more := int64(0), true; more; {
		rows, err := ld.tx.Query(ld.ctx, `SELECT batch, data FROM mqtt_log WHERE batch > $1 ORDER BY batch LIMIT 8`, last)
		if err != nil {
			return err
		}
		more = false
		for rows.Next() {
			more = true
			var b []byte
			if err := rows.Scan(&last, &b); err != nil {
				return errors.Join(err, rows.Close())
			}
			if err := ld.row(uint64(last), b); err != nil {
				return errors.Join(fmt.Errorf("batch %d of mqtt_log: %w", last, err), rows.Close())
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	ld.settle()
	// Rows are stored from here on: what is dead, is.
	for _, r := range ld.l.order {
		r.state = rowStored
		ld.l.liveBytes += r.liveBytes
		if r.live == 0 {
			ld.l.died(r)
		}
	}
	for _, q := range ld.l.queues {
		q.sort()
		q.pairs = slices.Clip(q.pairs)
	}
	return nil
}

// row takes in the messages of a row. Its facts wait until the queues are in
// order.
func (ld *loader) row(id uint64, b []byte) error {
	old, h, err := openRow(b)
	if err != nil {
		return err
	}
	l := ld.l
	r := &row{id: id, base: h.base, size: len(b), state: rowCommitting}
	l.place(r)
	l.order = append(l.order, r)
	l.total += r.size
	l.stored++
	l.nextRow = id + 1
	l.nextSeq = max(l.nextSeq, h.nextSeq)
	l.nextID = max(l.nextID, SessionID(h.nextSession))
	for start := old.pos; old.next(); start = old.pos {
		m := msg{seq: old.seq, off: uint32(old.off), size: uint32(len(old.data)), rec: uint32(old.pos - start)}
		switch old.kind {
		case kindMessage:
			for _, t := range old.targets {
				if q := l.queues[t.session]; q != nil {
					q.add(pair{old.seq, r.slot, t.packetID, t.qos | t.state<<2, t.flags}, len(old.data))
					m.live++
				}
			}
		case kindReceived:
			if q := l.queues[old.session]; q != nil {
				q.add(pair{seq: old.seq, slot: r.slot, packetID: old.packetID, bits: stateIncoming << 2}, 0)
				m.live++
			}
		default:
			if l.queues[old.session] != nil {
				ld.facts = append(ld.facts, fact{old.kind, old.packetID, old.session, old.seq, r})
			}
			continue
		}
		if m.live > 0 {
			r.msgs = append(r.msgs, m)
			r.live++
			r.liveBytes += int(m.rec)
		}
	}
	slices.SortFunc(r.msgs, bySeq)
	r.msgs = slices.Clip(r.msgs)
	for i := 0; i+1 < len(r.msgs); i++ {
		if r.msgs[i].seq == r.msgs[i+1].seq {
			return fmt.Errorf("%w: a message is in it twice", errRow)
		}
	}
	if len(ld.facts) > loadFacts {
		ld.settle()
	}
	return old.err
}

// settle applies the facts that wait.
func (ld *loader) settle() {
	l := ld.l
	for _, f := range ld.facts {
		q := l.queues[f.session]
		q.sort()
		p := q.find(f.seq)
		if p == nil {
			continue
		}
		in := l.rows[p.slot]
		if f.row.id < in.id {
			continue // the message was moved since, and its record knows
		}
		l.refer(f.row, in)
		switch f.kind {
		case kindAssigned:
			p.packetID = f.packetID
			p.setState(stateAssigned)
		case kindReleased:
			p.setState(stateReleased)
		case kindSettled:
			l.remove(q, p)
		}
	}
	ld.facts = ld.facts[:0]
}

// sessions gives the sessions out.
func (ld *loader) sessions(yield func(*Loaded) error) error {
	rows, err := ld.tx.Query(ld.ctx, selectSessions)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		s := &Loaded{}
		var id int64
		var state []byte
		if err := rows.Scan(&id, &s.Account, &s.Region, &s.ClientID, &state); err != nil {
			return err
		}
		s.ID = SessionID(id)
		q := ld.l.queues[s.ID]
		if q == nil {
			continue
		}
		if err := decodeSession(state, &s.Session); err != nil {
			return fmt.Errorf("session %d: %w", id, err)
		}
		s.Queue = make([]Queued, 0, q.messages)
		for i := range q.pairs {
			switch p := &q.pairs[i]; {
			case p.gone():
			case p.state() == stateIncoming:
				s.Incoming = append(s.Incoming, p.packetID)
			default:
				s.Queue = append(s.Queue, Queued{
					Seq: p.seq, Size: ld.l.rows[p.slot].msg(p.seq).size, PacketID: p.packetID,
					QoS: p.qos(), Flags: p.flags, Released: p.state() == stateReleased,
				})
			}
		}
		if err := yield(s); err != nil {
			return err
		}
	}
	return rows.Close()
}

// retained gives the retained messages out.
func (ld *loader) retained(yield func(RetainedTopic, []byte) error) error {
	rows, err := ld.tx.Query(ld.ctx, `SELECT account, region, topic, message FROM mqtt_retained`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t RetainedTopic
		var b []byte
		if err := rows.Scan(&t.Account, &t.Region, &t.Topic, &b); err != nil {
			return err
		}
		if err := yield(t, b); err != nil {
			return err
		}
	}
	return rows.Close()
}
