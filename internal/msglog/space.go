package msglog

import (
	"context"
	"errors"
	"slices"

	"github.com/thingd/thingd/internal/db"
)

const (
	minSlack = 32 << 10
	// Dead rows are deleted when there are so many of them, or when nothing
	// else is to do.
	worthRows  = 32
	worthBytes = 1 << 20
	// moveBytes bounds the rows whose messages one commit moves.
	moveBytes = 512 << 10
	// A row costs memory, too: the messages of small ones are moved together
	// when there are more than so many.
	maxRows  = 1024
	smallRow = rowTarget / 4
	moveRows = 256
)

// source is a row whose live messages are to be moved.
type source struct {
	row *row
	b   []byte
}

// span is a range of row ids.
type span struct{ from, to uint64 }

// over says whether there is so much dead space that messages are to be moved.
func (l *Log) over() bool {
	size := l.total
	for _, r := range l.deletable {
		size -= r.size
	}
	return size > 2*l.liveBytes+l.o.Slack || l.crowded()
}

// crowded says whether there are too many small rows.
func (l *Log) crowded() bool {
	return l.stored-len(l.deletable) > maxRows+l.total/smallRow
}

// sources chooses and reads the rows whose messages the next commit moves: the
// oldest in which something is dead or that keep others, or small ones. So a session that
// sleeps costs the room of what is queued for it and not that of the log since.
func (l *Log) sources() []source {
	var list []source
	l.mu.Lock()
	if l.over() {
		size, crowded := 0, l.crowded()
		for _, r := range l.order {
			if r.state != rowStored || r.live == 0 || r.damaged {
				continue
			}
			keeps := slices.ContainsFunc(r.referrers, func(r *row) bool { return r.state != rowGone })
			if !keeps && r.liveBytes > r.size/10*9 && (!crowded || r.size > smallRow) {
				continue
			}
			if size += r.size; len(list) == moveRows || size > l.atOnce && len(list) > 0 {
				break
			}
			list = append(list, source{row: r})
		}
	}
	l.mu.Unlock()
	for i := range list {
		b, err := l.read(context.Background(), list[i].row.id)
		if err != nil { // only space is at stake: the commit goes on without
			if errors.Is(err, errRow) || errors.Is(err, db.ErrNotFound) {
				list[i].row.damaged = true
				l.log.Error("messages cannot be moved", "batch", list[i].row.id, "err", err)
			}
			return list[:i]
		}
		list[i].b = b
	}
	return list
}

// dead are the rows that the next commit deletes.
type dead struct {
	rows map[*row]bool
	refs map[*row]int // less than they have
}

func (d *dead) goes(r *row) bool { return d.rows[r] }

// dead finds what can be deleted: the rows without use, the sources, and what
// only they have kept.
func (l *Log) dead(sources []source, tick bool) *dead {
	d := &dead{rows: make(map[*row]bool), refs: make(map[*row]int)}
	if !tick && len(sources) == 0 && l.deadRows < worthRows && l.deadBytes < worthBytes && !l.over() {
		return d
	}
	for _, r := range l.deletable {
		l.release(d, r)
	}
	for _, s := range sources {
		// One that is needed for what it says of older rows stays.
		if s.row.state == rowStored && s.row.live > 0 && s.row.refs == d.refs[s.row] {
			l.release(d, s.row)
		}
	}
	return d
}

// release adds a row and those that nothing but it kept.
func (l *Log) release(d *dead, first *row) {
	for todo := []*row{first}; len(todo) > 0; {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if d.rows[r] {
			continue
		}
		d.rows[r] = true
		for _, kept := range r.referrers {
			if kept.state != rowStored {
				continue
			}
			if d.refs[kept]++; kept.live == 0 && kept.refs == d.refs[kept] {
				todo = append(todo, kept)
			}
		}
	}
}

// move writes the live messages of a row into a new one.
func (l *Log) move(c *commit, s source) {
	old, _, err := openRow(s.b)
	if err != nil { // read checked it
		return
	}
	var to *row
	if n := len(c.rows); n > 0 && len(c.rows[n-1].buf) < rowTarget {
		to = c.rows[n-1]
	}
	for old.next() {
		if old.kind != kindMessage && old.kind != kindReceived {
			continue
		}
		m := s.row.msg(old.seq)
		if m == nil || m.live == 0 {
			continue
		}
		if to == nil || len(to.buf) >= rowTarget {
			to = l.newRow(old.seq)
			to.state = rowCommitting
			c.rows = append(c.rows, to)
		}
		buf, copied, ok := l.copyRecord(to.buf, to.base, &old.record)
		if ok {
			to.buf = buf
			to.msgs = append(to.msgs, copied)
		}
	}
	s.row.state, s.row.buf = rowMoving, s.b
	c.moves = append(c.moves, s.row)
}

// arrive notes that a row of moved messages is stored: queues and facts point
// to it from now on. Some messages may have been settled in the meantime.
func (l *Log) arrive(r *row) {
	slices.SortFunc(r.msgs, bySeq)
	for i := range r.msgs {
		r.msgs[i].live = 0
	}
	r.live, r.liveBytes = 0, 0
	old := newReader(r.buf[:len(r.buf)-rowChecksum], r.base)
	for old.next() {
		var m *msg
		switch old.kind {
		case kindMessage:
			m = r.msg(old.seq)
			for _, t := range old.targets {
				if p := l.pair(t.session, old.seq); p != nil {
					p.slot = r.slot
					m.live++
				}
			}
		case kindReceived:
			m = r.msg(old.seq)
			if p := l.pair(old.session, old.seq); p != nil {
				p.slot = r.slot
				m.live++
			}
		default:
			continue
		}
		if m.live > 0 {
			r.live++
			r.liveBytes += int(m.rec)
		}
	}
	for i := range l.gathered.facts {
		if f := &l.gathered.facts[i]; f.row.state == rowMoving && r.msg(f.seq) != nil {
			f.row = r
		}
	}
}

// deleted notes that a row is no more.
func (l *Log) deleted(r *row) {
	l.total -= r.size
	l.stored--
	l.liveBytes -= r.liveBytes
	if r.live == 0 && r.state == rowStored {
		l.deadRows--
		l.deadBytes -= r.size
	}
	for _, kept := range r.referrers {
		if kept.state == rowGone {
			continue
		}
		if kept.refs--; kept.refs == 0 && kept.live == 0 && kept.stored() {
			l.deletable = append(l.deletable, kept)
		}
	}
	l.cache.drop(r.id)
	l.gone(r)
}

// spans are the ranges that the ids of rows make.
func spans(rows []*row) []span {
	ids := make([]uint64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	slices.Sort(ids)
	var list []span
	for _, id := range ids {
		if n := len(list); n > 0 && list[n-1].to+1 == id {
			list[n-1].to = id
		} else {
			list = append(list, span{id, id})
		}
	}
	return list
}
