package broker

import (
	"slices"
	"sync"

	"github.com/thingd/thingd/internal/mqtt"
)

// acks are the acknowledgements that a connection owes, in the order in which
// the messages came ([MQTT-4.6.0-2], [MQTT-4.6.0-3]): some wait for the log.
type acks struct {
	mu   sync.Mutex
	room sync.Cond
	owed []owed
	over bool
}

type owed struct {
	ack   mqtt.Ack
	ready bool
}

// awaits is who waits for what the log is about to get.
type awaits interface {
	// expect is called before the log gets it, and returns what it calls when it
	// is durable.
	expect(f *fanout) func(error)
	// forgo is called when the log has not taken it.
	forgo()
}

// wake ends all waiting.
func (a *acks) wake() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.room.Broadcast()
}

func (a *acks) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.owed)
}

// wait waits until fewer than n are owed or the connection ends.
func (a *acks) wait(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.owed) >= n && !a.over {
		a.room.Wait()
	}
}

// now sends an acknowledgement as soon as those before it are sent.
func (a *acks) now(c *conn, f *fanout, ack mqtt.Ack) {
	a.mu.Lock()
	if len(a.owed) > 0 {
		a.owed = append(a.owed, owed{ack, true})
		a.mu.Unlock()
		return
	}
	a.mu.Unlock()
	f.answer(c, ack)
}

// expect notes the acknowledgement of the message that f publishes: it waits for
// the log.
func (c *conn) expect(f *fanout) func(error) {
	a := &c.acks
	a.mu.Lock()
	a.owed = append(a.owed, owed{ack: f.ack})
	a.mu.Unlock()
	if c.durable == nil {
		c.durable = c.logged
	}
	return c.durable
}

// forgo takes back the last expect.
func (c *conn) forgo() {
	a := &c.acks
	a.mu.Lock()
	a.owed = a.owed[:len(a.owed)-1]
	a.mu.Unlock()
}

// logged is called by the log for each message that waited for it, in order.
func (c *conn) logged(err error) {
	a := &c.acks
	a.mu.Lock()
	if i := slices.IndexFunc(a.owed, func(o owed) bool { return !o.ready }); i >= 0 {
		o := &a.owed[i]
		o.ready = true
		if err != nil {
			o.ack.Reason = mqtt.UnspecifiedError
		}
	}
	n, dirty, failed := 0, false, false
	for ; n < len(a.owed) && a.owed[n].ready && !failed; n++ {
		ack := &a.owed[n].ack
		if ack.Reason == mqtt.UnspecifiedError {
			if ack.Kind == mqtt.PUBREC {
				c.session.forget(ack.PacketID)
			}
			failed = c.version < mqtt.V5 // which can say nothing but success
		}
		if !failed && c.out.addPacket(ack, c.version, c.maxPacket) == dirtied {
			dirty = true
		}
	}
	a.owed = a.owed[:copy(a.owed, a.owed[n:])]
	a.mu.Unlock()
	a.room.Signal()
	if failed {
		c.end(ServerError, 0, "a message could not be stored")
	}
	if dirty {
		c.broker.later(c)
	}
}

// later flushes connections that the log's goroutine has added something to:
// all of them together, on another goroutine.
func (b *Broker) later(c *conn) {
	b.lateMu.Lock()
	defer b.lateMu.Unlock()
	b.late = append(b.late, c)
	if len(b.late) == 1 {
		go b.flushLate()
	}
}

func (b *Broker) flushLate() {
	b.lateMu.Lock()
	conns := b.late
	b.late = nil
	b.lateMu.Unlock()
	for _, c := range conns {
		c.out.flush()
	}
}
