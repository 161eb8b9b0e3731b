package broker

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// fanout is what one goroutine works with while it delivers: the message, encoded
// once for each kind of receiver; the connections that have something to write;
// and what has to be counted. It is borrowed for a batch of packets.
type fanout struct {
	broker *Broker
	m      *Message // that is being delivered
	kept   *Message // its copy that others may hold; nil: nobody has needed one
	frames [12]frame
	arena  []byte // of the frames
	one    []byte // of a packet that is for one connection only
	topic  []byte
	packed mqtt.Publish
	ack    mqtt.Ack // of the message, for who waits for the log
	reply  mqtt.Ack // that is being sent
	// What a client sends.
	incoming mqtt.Publish
	message  Message
	dirty    []*conn
	log      msglog.Batch
	logged   []msglog.Target
	picks    []pick
	own      entry // of messages that no client publishes

	in, out, dropped int
	bytesIn          int
	bytesOut         int
}

// frame is an encoded PUBLISH in the arena.
type frame struct{ from, to, id int }

var fanouts = sync.Pool{New: func() any { return &fanout{} }}

// fanout borrows one.
func (b *Broker) fanout() *fanout {
	f := fanouts.Get().(*fanout)
	f.broker = b
	return f
}

// keptArena is the most that a fanout which nobody uses holds of encoded packets.
const keptArena = 64 << 10

// end flushes and gives f back.
func (f *fanout) end() {
	f.flush()
	f.begin(nil)
	clear(f.picks[:cap(f.picks)])
	clear(f.own.targets[:cap(f.own.targets)])
	clear(f.own.groups[:cap(f.own.groups)])
	f.own = entry{targets: f.own.targets[:0], groups: f.own.groups[:0]}
	f.packed, f.incoming, f.message = mqtt.Publish{}, mqtt.Publish{}, Message{}
	if cap(f.arena) > keptArena {
		f.arena = nil
	}
	if cap(f.one) > keptArena {
		f.one = nil
	}
	fanouts.Put(f)
}

// begin takes the next message up.
func (f *fanout) begin(m *Message) {
	f.m, f.kept = m, nil
	f.frames = [12]frame{}
	f.arena = f.arena[:0]
}

// keep is the message in a form that outlives the call.
func (f *fanout) keep() *Message {
	if f.kept == nil {
		f.kept = f.m.keep()
	}
	return f.kept
}

// frame is the message as a PUBLISH for a connection, encoded once for all that
// want it alike; its packet identifier is at out[id:]. It is not ok if the
// connection takes no packet of that size.
func (f *fanout) frame(c *conn, qos byte, retain bool) (out []byte, id int, ok bool) {
	i := int(qos)
	if retain {
		i += 3
	}
	if c.version == mqtt.V5 {
		i += 6
	}
	at := &f.frames[i]
	if at.to == 0 {
		f.m.packet(&f.packed, f.topic)
		f.topic = f.packed.Topic
		f.packed.QoS, f.packed.Retain = qos, retain
		if !f.m.Expires.IsZero() {
			f.m.remains(&f.packed, f.broker.clock())
		}
		at.from = len(f.arena)
		f.arena, at.id = mqtt.AppendPublish(f.arena, c.version, &f.packed)
		at.to = len(f.arena)
		if qos > 0 {
			at.id -= at.from
		}
	}
	out = f.arena[at.from:at.to]
	return out, at.id, len(out) <= c.maxPacket
}

// single encodes a message for one connection only.
func (f *fanout) single(c *conn, m *Message, it item, id uint16, dup bool) (out []byte, ok bool) {
	m.packet(&f.packed, f.topic)
	f.topic = f.packed.Topic
	f.packed.QoS, f.packed.Retain, f.packed.PacketID, f.packed.Dup = it.qos, it.retain, id, dup
	f.packed.Props.SubscriptionIDs = it.ids
	m.remains(&f.packed, f.broker.clock())
	f.one, _ = mqtt.AppendPublish(f.one[:0], c.version, &f.packed)
	return f.one, len(f.one) <= c.maxPacket
}

// answer sends an acknowledgement.
func (f *fanout) answer(c *conn, ack mqtt.Ack) {
	f.reply = ack
	f.packet(c, &f.reply)
}

// packet sends a packet that is no PUBLISH.
func (f *fanout) packet(c *conn, p mqtt.Packet) {
	f.noted(c, c.out.addPacket(p, c.version, c.maxPacket))
}

// result counts a PUBLISH that was added to a connection's outbox.
func (f *fanout) result(c *conn, r added, size int) {
	if r == refused || r == overflow {
		f.dropped++
	} else {
		f.out++
		f.bytesOut += size
	}
	f.noted(c, r)
}

// noted sees to what adding to an outbox asks for.
func (f *fanout) noted(c *conn, r added) {
	switch r {
	case dirtied:
		f.dirty = append(f.dirty, c)
	case overflow: // nobody waits for a slow consumer
		c.end(Throttled, mqtt.QuotaExceeded, "too much waits for it: it reads too slowly")
	case tooLarge: // [MQTT-3.1.2-24]
		c.end(ClientError, mqtt.PacketTooLarge, "an answer is larger than the client takes")
	case gathered, refused:
	}
}

// deliver gives the message to one target.
func (f *fanout) deliver(t *target, seq uint64) {
	qos := min(f.m.QoS, t.qos)
	retain := f.m.Retain && t.asSent // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
	c := t.session.conn.Load()
	if c != nil && !t.mayReceive(c, f.m.Topic) {
		if qos > 0 {
			t.session.settled(&item{seq: seq})
		}
		f.dropped++
		return
	}
	it := item{seq: seq, qos: qos, retain: retain, ids: t.ids, checked: true}
	switch {
	case qos > 0:
		if t.session.log == 0 {
			it.seq = 0
		}
		t.session.offer(f, t, it)
	case c == nil:
	case !c.mayPush():
		f.dropped++
	case len(t.ids) > 0:
		if frame, ok := f.single(c, f.m, it, 0, false); ok {
			f.result(c, c.out.add(frame), len(frame))
		}
	default:
		if frame, _, ok := f.frame(c, 0, retain); ok {
			f.result(c, c.out.add(frame), len(frame))
		}
	}
}

// mayPush holds a message to the client against the rates.
func (c *conn) mayPush() bool {
	if c.pushes.rate == 0 && c.space.rates.out.rate == 0 {
		return true
	}
	now := c.broker.nanos()
	return c.pushes.take(now) && c.space.rates.out.take(now)
}

// mayReceive decides on iot:Receive, unless it is known.
func (t *target) mayReceive(c *conn, topic string) bool {
	v := c.client.Version()
	if t.conn == c.number && t.version == v && c.holds(&Decision{Allowed: t.allowed, Cacheable: t.cacheable}, t.second) {
		return t.allowed
	}
	d := c.receive(topic)
	t.conn, t.version, t.allowed, t.cacheable, t.second = c.number, v, d.Allowed, d.Cacheable, c.broker.second()
	return d.Allowed
}

// inParallel is from how many connections on the processors share the writing.
const inParallel = 32

// flush writes what was added to each connection and puts the counts on record.
func (f *fanout) flush() {
	f.counted()
	if len(f.dirty) == 0 {
		return
	}
	if n := min(len(f.dirty)/inParallel, runtime.GOMAXPROCS(0)); n > 1 {
		f.flushInParallel(n)
	} else {
		for _, c := range f.dirty {
			c.out.flush()
		}
	}
	clear(f.dirty)
	f.dirty = f.dirty[:0]
}

func (f *fanout) flushInParallel(n int) {
	var wg sync.WaitGroup
	each := (len(f.dirty) + n - 1) / n
	for part := range slices.Chunk(f.dirty[each:], each) {
		wg.Go(func() {
			for _, c := range part {
				c.out.flush()
			}
		})
	}
	for _, c := range f.dirty[:each] {
		c.out.flush()
	}
	wg.Wait()
}

// counted adds what f has counted to the broker's metrics.
func (f *fanout) counted() {
	s := &f.broker.stats
	add := func(to *atomic.Int64, n *int) {
		if *n != 0 {
			to.Add(int64(*n))
			*n = 0
		}
	}
	add(&s.in, &f.in)
	add(&s.out, &f.out)
	add(&s.dropped, &f.dropped)
	add(&s.bytesIn, &f.bytesIn)
	add(&s.bytesOut, &f.bytesOut)
}

// publish delivers the message to everybody who gets its topic's messages. What
// has to be durable goes to the log first, for which w waits; logged is false if
// nothing had to, or nobody is told.
func (f *fanout) publish(sp *space, e *entry, from *session, incoming uint16, w awaits) (logged bool, err error) {
	f.picks = f.picks[:0]
	for _, g := range e.groups {
		if p, ok := g.pick(f.m); ok {
			f.picks = append(f.picks, p)
		} else {
			f.dropped++
		}
	}
	seq, logged, err := f.record(sp, e, from, incoming, w)
	if err != nil {
		return false, err
	}
	if f.m.Retain {
		sp.retain(f)
	}
	for i := range e.targets {
		f.deliver(&e.targets[i], seq)
	}
	for i := range f.picks {
		f.picks[i].deliver(f, seq)
	}
	return logged, nil
}

// record gives the log what has to be durable of the message.
func (f *fanout) record(sp *space, e *entry, from *session, incoming uint16, w awaits) (seq uint64, logged bool, err error) {
	b := f.broker
	if b.Store == nil {
		return 0, false, nil
	}
	f.log.Reset()
	f.logged = f.logged[:0]
	if f.m.QoS > 0 && e.durable {
		for i := range e.targets {
			t := &e.targets[i]
			if qos := min(f.m.QoS, t.qos); qos > 0 && t.session.log != 0 {
				it := item{retain: f.m.Retain && t.asSent}
				f.logged = append(f.logged, msglog.Target{Session: t.session.log, QoS: qos, Flags: it.flags()})
			}
		}
		for i := range f.picks {
			f.logged = f.picks[i].log(f.logged, f.m.QoS)
		}
	}
	message := -1
	if len(f.logged) > 0 {
		message = f.log.Message(f.encode(), f.logged)
	}
	if incoming != 0 && from.log != 0 {
		f.log.Received(from.log, incoming)
	}
	if f.m.Retain {
		at := msglog.RetainedTopic{Account: sp.account, Region: sp.region, Topic: f.m.Topic}
		if len(f.m.Payload) == 0 {
			f.log.Retain(at, nil)
		} else {
			f.log.Retain(at, f.encode())
		}
	}
	if f.log.Empty() {
		return 0, false, nil
	}
	var done func(error)
	if f.m.QoS > 0 { // nobody is told of others
		done = w.expect(f)
	}
	err = b.Store.Append(&f.log, done)
	for errors.Is(err, msglog.ErrBacklog) {
		f.flush() // others do not wait with this one
		if err = b.Store.Wait(b.ctx); err == nil {
			err = b.Store.Append(&f.log, done)
		}
	}
	if err != nil {
		if f.m.QoS > 0 {
			w.forgo()
		}
		return 0, false, err
	}
	if message >= 0 {
		seq = f.log.Seq(message)
	}
	return seq, f.m.QoS > 0, nil
}
