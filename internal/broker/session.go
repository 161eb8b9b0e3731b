package broker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// session is what the server remembers of a client id: for one connection, or
// until it expires (MQTT 5, 4.1).
type session struct {
	space   *space
	id      string
	number  uint64           // rising, to sort by
	version mqtt.Version     // of the client that began it
	log     msglog.SessionID // 0: not kept on disk

	conn   atomic.Pointer[conn] // nil: nobody is connected; written with mu held
	queued atomic.Int32         // what is in queue and inflight, roughly

	mu       sync.Mutex
	ended    bool
	subs     map[string]*subscription // by the filter as the client knows it; guarded by space.mu as well
	inflight inflight
	resend   []uint16 // of inflight: what has to be sent again
	queue    queue
	loading  bool                // a goroutine reads messages from the log
	incoming map[uint16]struct{} // packet ids of QoS 2 between PUBLISH and PUBREL
	expiry   uint32              // seconds after the disconnect; forever: never
	left     time.Time           // when the client disconnected; zero: it is connected
	will     *Message            // delayed: to be published at willAt
	willAt   time.Time
	replay   bucket
	delayed  bool // something waits for the rates; pump comes again

	alarm alarm // the will's delay, or the expiry
}

// forever is the session expiry interval that never passes.
const forever = 0xFFFFFFFF

// persistent says whether the session outlives its connection.
func (s *session) persistent() bool { return s.expiry > 0 }

// offer takes a message of QoS 1 or 2 for the session's client: sends it if there
// is room in flight, queues it if not or if nobody is connected. It is false for
// one that others of a group can have, when nobody is connected.
func (s *session) offer(f *fanout, t *target, it item) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn.Load()
	if it.group != nil && !it.own() && (s.ended || c == nil) {
		return false
	}
	if s.ended {
		return true
	}
	if c != nil && c.number == t.conn && s.queue.len() == 0 && len(s.resend) == 0 &&
		(s.inflight.n == 0 || s.inflight.n < c.window && c.out.waiting() <= c.out.max/2) && c.mayPush() {
		s.send(c, f, it)
		return true
	}
	if c == nil && !s.persistent() || !s.roomForMore() {
		f.dropped++
		s.settled(&it)
		return true
	}
	if max := s.space.limits.OutBuffer; max > 0 && s.queue.bytes > max && !it.own() {
		f.dropped++
		if c != nil { // nobody waits for a slow consumer
			c.end(Throttled, mqtt.QuotaExceeded, "too much waits for it: it acknowledges too slowly")
		}
		return true
	}
	it.checked = c != nil && c.number == t.conn
	s.wait(f, it)
	if c != nil {
		s.pump(c, f)
	}
	return true
}

// roomForMore says whether more may wait: the oldest are kept.
func (s *session) roomForMore() bool {
	most := s.space.limits.Queue
	return most == 0 || s.queue.len() < most
}

// inMemory is how many waiting messages a session has in memory if the log has
// them too.
const inMemory = 64

// wait puts a message at the end of the queue.
func (s *session) wait(f *fanout, it item) {
	if !it.own() || s.conn.Load() != nil && s.queue.len() < inMemory && s.queue.bytes < inMemory<<10 {
		it.m = f.keep()
	} else {
		it.m = nil
	}
	it.stored = s.conn.Load() == nil
	s.queue.push(it)
	s.queued.Store(int32(s.queue.len() + s.inflight.n))
}

// send gives the message that f publishes a packet identifier and sends it.
func (s *session) send(c *conn, f *fanout, it item) {
	if s.persistent() || it.group != nil { // it may have to go out again
		it.m = f.keep()
	}
	if it.qos == 2 && it.seq != 0 {
		s.assign(it)
		return
	}
	sl := s.inflight.add(it, sent)
	sl.since = s.space.broker.wheel.seconds()
	s.queued.Store(int32(s.queue.len() + s.inflight.n))
	if len(it.ids) > 0 {
		frame, ok := f.single(c, f.m, it, sl.id, false)
		s.transmit(c, f, sl, frame, ok)
		return
	}
	frame, at, ok := f.frame(c, it.qos, it.retain)
	if !ok {
		s.settle(sl)
		return
	}
	f.result(c, c.out.addPublish(frame, at, sl.id), len(frame))
}

// assign has the log keep the packet identifier of a QoS 2 message before the
// client gets it: after a crash it would go out under another one, and so twice.
func (s *session) assign(it item) {
	id := s.inflight.add(it, awaiting).id
	if it.shared {
		s.claim(id, it)
		return
	}
	s.space.broker.surely(func(b *msglog.Batch) { b.Assigned(s.log, it.seq, id) }, func() {
		s.onward(id, awaiting, sent)
	})
}

// onward goes on with a QoS 2 exchange once the log has what it waited for.
func (s *session) onward(id uint16, from, to progress) {
	f := s.space.broker.fanout()
	defer f.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.inflight.get(id)
	if sl == nil || sl.state != from {
		return
	}
	c := s.conn.Load()
	switch {
	case from != awaiting:
	case sl.shared:
		sl.seq, sl.shared = 0, false // claimed
	case !s.space.broker.Store.Queued(s.log, sl.seq):
		s.drop(sl, f) // it could not be stored, and its publisher was told so
		return
	}
	sl.state = to
	if c == nil || s.resending(id) {
		return // it goes out when it is its turn
	}
	s.progress(c, f, sl, false)
}

// drop takes a message out of a slot that is not to be sent.
func (s *session) drop(sl *slot, f *fanout) {
	s.inflight.done(sl)
	if c := s.conn.Load(); c != nil {
		s.pump(c, f)
	}
}

// progress sends what is next for a slot.
func (s *session) progress(c *conn, f *fanout, sl *slot, dup bool) {
	switch sl.state {
	case sent:
		sl.since = s.space.broker.wheel.seconds()
		frame, ok := f.single(c, sl.m, sl.item, sl.id, dup)
		s.transmit(c, f, sl, frame, ok)
	case released:
		f.answer(c, mqtt.Ack{Kind: mqtt.PUBREL, PacketID: sl.id})
	case awaiting, awaitRel, free: // the log answers first
	}
}

// transmit sends what has been encoded for a slot. What is larger than the client
// takes counts as delivered. [MQTT-3.1.2-25]
func (s *session) transmit(c *conn, f *fanout, sl *slot, frame []byte, fits bool) {
	if !fits {
		s.settle(sl)
		return
	}
	f.result(c, c.out.add(frame), len(frame))
}

// settle ends what is in a slot.
func (s *session) settle(sl *slot) {
	s.settled(&sl.item)
	s.inflight.done(sl)
	s.queued.Store(int32(s.queue.len() + s.inflight.n))
}

// resending says whether a slot waits to be sent again.
func (s *session) resending(id uint16) bool { return slices.Contains(s.resend, id) }

// pump sends what waits as far as there is room in flight: first, to a client
// that has come back, what it has not acknowledged. The lock is held.
func (s *session) pump(c *conn, f *fanout) {
	for s.conn.Load() == c && !s.ended {
		flying := s.inflight.n - len(s.resend)
		if flying >= c.window || flying > 0 && c.out.waiting() > c.out.max/2 {
			break // the next acknowledgement comes here again
		}
		var more bool
		switch {
		case len(s.resend) > 0:
			more = s.sendAgain(c, f)
		case s.queue.len() > 0:
			more = s.sendNext(c, f)
		}
		if !more {
			break
		}
	}
	s.queued.Store(int32(s.queue.len() + s.inflight.n))
}

// sendAgain sends the first of what has to be sent again, under its identifier.
// [MQTT-4.4.0-1] What had been sent does not expire. [MQTT-4.3.3-7] It is false when the log has to be waited for.
func (s *session) sendAgain(c *conn, f *fanout) bool {
	sl := s.inflight.get(s.resend[0])
	if sl != nil && sl.state == sent && !s.fetch(&sl.item) {
		return false
	}
	s.resend = s.resend[1:]
	switch {
	case sl == nil:
	case sl.state == sent && sl.m == nil: // the log does not have it any more
		s.settle(sl)
	default:
		s.progress(c, f, sl, true)
	}
	return true
}

// sendNext sends the first of what waits. It is false when that has to wait on.
func (s *session) sendNext(c *conn, f *fanout) bool {
	first := s.queue.first()
	before := first.size()
	ready := s.fetch(first)
	s.queue.bytes += first.size() - before
	if !ready || !s.inTime(c, first) {
		return false
	}
	it := s.queue.pop()
	switch {
	case it.m == nil: // the log does not have it any more
	case it.m.expired(s.space.broker.clock()):
		s.settled(&it)
	case !it.checked && !c.mayReceive(it.m.Topic):
		s.settled(&it)
		f.dropped++
	case it.qos == 2 && it.seq != 0:
		s.assign(it)
	default:
		s.progress(c, f, s.inflight.add(it, sent), false)
	}
	return true
}

// inTime holds what is next against the rates. If it has to wait, pump comes
// again in a while.
func (s *session) inTime(c *conn, it *item) bool {
	rate := s.space.limits.ReplayRate
	if it.group != nil {
		rate *= 2 // as AWS has it for shared subscriptions
	}
	if (!it.stored || s.replay.take(rate, s.space.broker.nanos())) && c.mayPush() {
		it.stored = false
		return true
	}
	if !s.delayed {
		s.delayed = true
		time.AfterFunc(pause, func() {
			f := s.space.broker.fanout()
			defer f.end()
			s.mu.Lock()
			defer s.mu.Unlock()
			s.delayed = false
			if c := s.conn.Load(); c != nil {
				s.pump(c, f)
			}
		})
	}
	return false
}

// pause is how long rates that are used up are waited for.
const pause = 50 * time.Millisecond

// giveUp drops what was sent before a second of the wheel and not acknowledged.
func (s *session) giveUp(before int64) {
	f := s.space.broker.fanout()
	defer f.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sl := range s.inflight.inOrder() {
		if sl.state == sent && sl.since != 0 && sl.since < before {
			s.settle(sl)
			f.dropped++
		}
	}
	if c := s.conn.Load(); c != nil {
		s.pump(c, f)
	}
}

// resume begins to send a client that has come back what waits for it.
func (s *session) resume(c *conn, f *fanout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn.Load() == c {
		s.pump(c, f)
	}
}

// rewind has everything sent again that was not acknowledged, before all that is
// new. [MQTT-4.4.0-1]
func (s *session) rewind() {
	s.resend = s.resend[:0]
	for _, sl := range s.inflight.inOrder() {
		s.resend = append(s.resend, sl.id)
	}
}

// acked takes a PUBACK.
func (s *session) acked(c *conn, f *fanout, id uint16) (known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.inflight.get(id)
	if sl == nil || sl.qos != 1 || sl.state != sent {
		return false
	}
	if sl.confirm != nil {
		sl.confirm <- struct{}{}
	}
	s.settle(sl)
	s.pump(c, f)
	if s.inflight.n == 0 && len(s.inflight.slots) > 64 {
		s.inflight.trim()
	}
	return true
}

// received takes a PUBREC, and answers it with PUBREL unless it refuses.
func (s *session) received(c *conn, f *fanout, id uint16, r mqtt.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.inflight.get(id)
	switch {
	case sl == nil || sl.qos != 2 || sl.state == awaiting:
		f.answer(c, mqtt.Ack{Kind: mqtt.PUBREL, PacketID: id, Reason: mqtt.PacketIdentifierNotFound})
	case r.Failed(): // the exchange is over [MQTT-4.3.3-4]
		s.settle(sl)
		s.pump(c, f)
	case sl.state == released: // it has not seen the first one
		s.progress(c, f, sl, false)
	case sl.state == awaitRel:
	case sl.own(): // forgotten in a crash, it would go out again
		sl.m, sl.state = nil, awaitRel
		seq := sl.seq
		s.space.broker.surely(func(b *msglog.Batch) { b.Released(s.log, seq) }, func() {
			s.onward(id, awaitRel, released)
		})
	default:
		sl.m, sl.state = nil, released // it is not sent again [MQTT-4.3.3-5]
		s.progress(c, f, sl, false)
	}
}

// completed takes a PUBCOMP.
func (s *session) completed(c *conn, f *fanout, id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.inflight.get(id); sl != nil && sl.state == released {
		s.settle(sl)
		s.pump(c, f)
	}
}
