package broker

import (
	"time"

	"github.com/thingd/thingd/internal/topic"
)

// retained is the retained message of a topic.
type retained struct {
	m        *Message
	modified time.Time
}

// retain keeps the message as its topic's retained one, or, when it is empty,
// takes away the one that there is. [MQTT-3.3.1-5] [MQTT-3.3.1-6]
func (sp *space) retain(f *fanout) {
	if len(f.m.Payload) == 0 {
		sp.mu.Lock()
		sp.retained.Delete(f.m.Topic)
		sp.mu.Unlock()
		return
	}
	r := &retained{m: f.keep(), modified: f.broker.Now()}
	sp.mu.Lock()
	sp.retained.Put(f.m.Topic, r)
	sp.mu.Unlock()
}

// mayRetain says whether there is room for a retained message of a topic, and
// time.
func (sp *space) mayRetain(name string, payload []byte) bool {
	l := sp.limits
	if len(payload) == 0 {
		return true
	}
	if !sp.rates.retain.take(sp.broker.nanos()) {
		return false
	}
	if l.Retained == 0 {
		return true
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	_, have := sp.retained.Get(name)
	return have || sp.retained.Len() < l.Retained
}

// retainedSend is a retained message on its way to a new subscription.
type retainedSend struct {
	m   *Message
	sub *subscription
}

// retainedFor adds the retained messages that a subscription gets. On AWS they
// are those of the topic that is the filter, and of no other. space.mu is held.
func (sp *space) retainedFor(to []retainedSend, sub *subscription) []retainedSend {
	if topic.HasWildcard(sub.filter) && !sp.limits.RetainedWildcard {
		return to
	}
	now := sp.broker.clock()
	sp.retained.Match(sub.filter, sp.rules, func(_ string, r *retained) {
		if !r.m.expired(now) {
			to = append(to, retainedSend{r.m, sub})
		}
	})
	return to
}

// sendRetained sends a retained message to a subscriber. [MQTT-3.3.1-8]
func (f *fanout) sendRetained(c *conn, r retainedSend) {
	if !c.mayReceive(r.m.Topic) {
		f.dropped++
		return
	}
	it := item{m: r.m, qos: min(r.m.QoS, r.sub.qos), retain: true, checked: true, ids: idsOf(r.sub)}
	if it.qos == 0 {
		if frame, ok := f.single(c, r.m, it, 0, false); ok {
			f.result(c, c.out.add(frame), len(frame))
		}
		return
	}
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn.Load() != c {
		return
	}
	if !s.roomForMore() {
		f.dropped++
		return
	}
	s.queue.push(it)
	s.pump(c, f)
}
