package broker

import (
	"slices"

	"github.com/thingd/thingd/internal/msglog"
)

// progress is how far an outgoing message is.
type progress uint8

const (
	free     progress = iota
	awaiting          // the log has to have its packet id before it goes out
	sent              // PUBACK or PUBREC is next
	awaitRel          // PUBREC has come; the log has to have it before PUBREL goes out
	released          // PUBCOMP is next
)

// slot is a message that a client has not acknowledged.
type slot struct {
	item
	id    uint16
	state progress
	order uint64 // rising, as they were sent first
	since int64  // wheel's second when it was sent
}

// inflight is the messages that a client has not acknowledged, as a ring in
// which each lies at its packet identifier, modulo its size.
type inflight struct {
	slots []slot // nil: none; the length is a power of two
	n     int
	last  uint16
	count uint64
}

// smallest is the least size of the ring, and what it shrinks to.
const smallest = 4

// add finds a packet identifier that is not in use, and room. [MQTT-2.2.1-3]
func (f *inflight) add(it item, state progress) *slot {
	if 2*f.n >= len(f.slots) {
		f.resize(max(smallest, 2*len(f.slots)))
	}
	for {
		f.last++
		if f.last == 0 {
			f.last = 1
		}
		if s := &f.slots[int(f.last)&(len(f.slots)-1)]; s.state == free {
			f.count++
			f.n++
			*s = slot{item: it, id: f.last, state: state, order: f.count}
			return s
		}
	}
}

// put takes a message up under the identifier that it had.
func (f *inflight) put(it item, id uint16, state progress) {
	for len(f.slots) == 0 || f.slots[int(id)&(len(f.slots)-1)].state != free {
		f.resize(max(smallest, 2*len(f.slots)))
	}
	f.count++
	f.n++
	f.slots[int(id)&(len(f.slots)-1)] = slot{item: it, id: id, state: state, order: f.count}
}

// get finds what was sent under an identifier, or nil.
func (f *inflight) get(id uint16) *slot {
	if len(f.slots) == 0 {
		return nil
	}
	if s := &f.slots[int(id)&(len(f.slots)-1)]; s.state != free && s.id == id {
		return s
	}
	return nil
}

// done frees a slot.
func (f *inflight) done(s *slot) {
	*s = slot{}
	f.n--
}

// trim gives memory back when there is nothing in flight.
func (f *inflight) trim() {
	if f.n == 0 {
		f.slots = nil
	}
}

// resize moves everything to a larger ring: twice as large until no two collide,
// which at 65,536 they cannot.
func (f *inflight) resize(n int) {
	for ; ; n *= 2 {
		slots := make([]slot, n)
		fits := true
		for _, s := range f.slots {
			if s.state == free {
				continue
			}
			at := &slots[int(s.id)&(n-1)]
			if at.state != free {
				fits = false
				break
			}
			*at = s
		}
		if fits {
			f.slots = slots
			return
		}
	}
}

// inOrder are all slots in the order in which they were sent first.
func (f *inflight) inOrder() []*slot {
	var all []*slot
	for i := range f.slots {
		if f.slots[i].state != free {
			all = append(all, &f.slots[i])
		}
	}
	slices.SortFunc(all, func(a, b *slot) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	return all
}

// item is a message on its way to one client.
type item struct {
	m      *Message // nil: in the log, under seq
	seq    uint64   // 0: not in the log
	qos    byte
	retain bool
	// checked is whether iot:Receive was decided when it came.
	checked bool
	stored  bool   // it came while nobody was connected
	gone    bool   // from the log too
	group   *group // that it came through; nil: none
	shared  bool   // seq is of the group's queue in the log, not of the session's
	ids     []uint32
	confirm chan<- struct{} // told when it is acknowledged; nil: nobody
}

// own says whether the log has the item for the session itself.
func (it *item) own() bool { return it.seq != 0 && !it.shared }

// size is about what the item's message takes in memory, if it does.
func (it *item) size() int {
	if it.m == nil {
		return 0
	}
	return len(it.m.Payload) + len(it.m.Topic) + 256
}

// flags are what the log keeps of an item.
func (it *item) flags() byte {
	if it.retain {
		return 1
	}
	return 0
}

// fromLog is the item that the log had.
func fromLog(q *msglog.Queued) item {
	return item{seq: q.Seq, qos: q.QoS, retain: q.Flags&1 != 0, stored: true}
}

// queue is the items that wait, first in, first out.
type queue struct {
	items []item
	head  int
	bytes int // of messages in memory
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) push(it item) {
	if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, it)
	q.bytes += it.size()
}

func (q *queue) first() *item { return &q.items[q.head] }

func (q *queue) pop() item {
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.bytes -= it.size()
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > 64 {
			q.items = nil
		}
	}
	return it
}
