package broker

import (
	"context"
	"errors"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
	"github.com/thingd/thingd/internal/topic"
)

// onPublish takes a PUBLISH.
func (c *conn) onPublish(f *fanout, flags byte, body []byte) error {
	p := &f.incoming
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	f.in++
	name, err := c.topicOf(p)
	if err != nil {
		return err
	}
	l := c.limits
	switch {
	case p.QoS > l.MaxQoS && c.version == mqtt.V5: // [MQTT-3.2.2-11]
		return protocolError(mqtt.QoSNotSupported, "a PUBLISH of a QoS that is not supported")
	case p.QoS > l.MaxQoS: // which AWS does not answer
		return nil
	case l.Payload > 0 && len(p.Payload) > l.Payload:
		return protocolError(mqtt.QuotaExceeded, "a payload larger than the limit")
	case p.Props.SubscriptionIDs != nil: // [MQTT-3.3.4-6]
		return protocolError(mqtt.ProtocolError, "a PUBLISH with a subscription identifier [MQTT-3.3.4-6]")
	}
	if p.QoS > 0 && !c.roomToOwe(f, p) {
		return protocolError(mqtt.ReceiveMaximumExceeded, "more unacknowledged messages than the receive maximum [MQTT-3.3.4-7]")
	}
	e, err := c.entryOf(name)
	if err != nil {
		return err
	}
	if p.QoS == 2 && c.session.has(p.PacketID) { // it was there already [MQTT-4.3.3-10]
		c.repeated(f, p.PacketID)
		return nil
	}
	code, why := c.mayPublish(e, p)
	if code != 0 {
		return c.refusePublish(f, e, p, code, why)
	}
	return c.accept(f, e, p)
}

// topicOf is the topic that a PUBLISH means. [MQTT-3.3.2-1]
func (c *conn) topicOf(p *mqtt.Publish) ([]byte, error) {
	a := p.Props.TopicAlias
	if !a.Set {
		if len(p.Topic) == 0 {
			return nil, protocolError(mqtt.TopicNameInvalid, "a PUBLISH without a topic [MQTT-4.7.3-1]")
		}
		return p.Topic, nil
	}
	if a.Value == 0 || a.Value > c.limits.TopicAliases { // [MQTT-3.3.2-8] [MQTT-3.3.2-9]
		return nil, protocolError(mqtt.TopicAliasInvalid, "a topic alias that is 0 or greater than the maximum [MQTT-3.3.2-9]")
	}
	if len(p.Topic) > 0 {
		if c.aliases == nil {
			c.aliases = map[uint16]string{}
		}
		if c.aliases[a.Value] != string(p.Topic) {
			c.aliases[a.Value] = string(p.Topic)
		}
		return p.Topic, nil
	}
	known, ok := c.aliases[a.Value]
	if !ok {
		return nil, protocolError(mqtt.ProtocolError, "a topic alias that stands for nothing yet (3.3.2.3.4)")
	}
	return []byte(known), nil
}

// repeated acknowledges a QoS 2 message that has come before, and may not be
// durable yet: a client that was disconnected meanwhile sends it again.
func (c *conn) repeated(f *fanout, id uint16) {
	f.ack = mqtt.Ack{Kind: mqtt.PUBREC, PacketID: id}
	if c.session.log == 0 {
		c.acks.now(c, f, f.ack)
		return
	}
	done := c.expect(f)
	c.broker.append(func(*msglog.Batch) {}, func(err error) {
		if err == nil && !c.session.has(id) {
			err = msglog.ErrSettled // it could not be stored
		}
		done(err)
	})
}

// roomToOwe says whether the client may have one more message unacknowledged.
// MQTT 3 has no way to tell it how many: it is not read from until there is room.
func (c *conn) roomToOwe(f *fanout, p *mqtt.Publish) bool {
	most := int(c.limits.ReceiveMaximum)
	if most == 0 {
		return true
	}
	owed := c.acks.len()
	if c.version == mqtt.V5 {
		if p.QoS == 2 && c.session.has(p.PacketID) {
			return true
		}
		return owed+c.session.unreleased() < most
	}
	if owed >= most {
		f.flush()
		c.acks.wait(most)
	}
	return true
}

const (
	// mostEntries is how many topics a connection remembers.
	mostEntries = 256
	// mostTargets is how many receivers of a topic it does: for more it does not
	// matter, since they get the message.
	mostTargets = 1024
)

// entryOf finds what is known of a topic, from the second time on without
// looking it up.
func (c *conn) entryOf(name []byte) (*entry, error) {
	if c.last != nil && c.last.topic == string(name) {
		return c.last, nil
	}
	if e, ok := c.entries[string(name)]; ok {
		c.last = e
		return e, nil
	}
	e := &entry{topic: string(name)}
	if err := topic.ValidName(e.topic); err != nil {
		return nil, protocolError(mqtt.TopicNameInvalid, err.Error())
	}
	if err := c.limits.checkTopic(e.topic); err != nil {
		return nil, protocolError(mqtt.TopicNameInvalid, "the topic: "+err.Error())
	}
	if err := c.broker.route(e, c.limits); err != nil {
		return nil, err
	}
	if c.last != nil {
		if c.entries == nil {
			c.entries = map[string]*entry{}
		}
		if len(c.entries) >= mostEntries {
			clear(c.entries)
		}
		if len(c.last.targets) <= mostTargets {
			c.entries[c.last.topic] = c.last
		}
	}
	c.last = e
	return e, nil
}

// mayPublish decides whether a PUBLISH may be. The code is 0 if it may.
func (c *conn) mayPublish(e *entry, p *mqtt.Publish) (mqtt.Reason, string) {
	v := c.client.Version()
	if !e.decided || e.version != v || !c.holds(&e.publish, e.second) {
		e.publish, e.version, e.decided, e.retained = c.decide(Publish, e.topic, ""), v, true, false
		e.second = c.broker.second()
	}
	if e.unfit {
		return mqtt.TopicNameInvalid, "the topic is reserved, and nothing to publish to"
	}
	if !e.publish.Allowed {
		return mqtt.NotAuthorized, e.publish.Why
	}
	if l := c.limits; l.PublishRate > 0 || l.PublishInRate > 0 {
		now := c.broker.nanos()
		if !c.rate.take(l.PublishRate, now) || !c.space.rates.in.take(now) {
			return mqtt.QuotaExceeded, "too many messages a second"
		}
	}
	if !p.Retain {
		return 0, ""
	}
	if e.reserved {
		return mqtt.TopicNameInvalid, "messages to reserved topics are not retained"
	}
	if !e.retained || !c.holds(&e.retain, e.second) {
		e.retain, e.retained, e.second = c.decide(RetainPublish, e.topic, ""), true, c.broker.second()
	}
	if !e.retain.Allowed {
		return mqtt.NotAuthorized, e.retain.Why
	}
	if !c.space.mayRetain(e.topic, p.Payload) {
		return mqtt.QuotaExceeded, "too many retained messages"
	}
	return 0, ""
}

// refusePublish answers a PUBLISH that may not be.
func (c *conn) refusePublish(f *fanout, e *entry, p *mqtt.Publish, code mqtt.Reason, why string) error {
	f.dropped++
	c.logPublish(e.topic, why)
	if c.version == mqtt.V5 {
		if p.QoS > 0 {
			ack := mqtt.Ack{Kind: ackOf(p.QoS), PacketID: p.PacketID, Reason: c.told(code)}
			c.explain(&ack.Props, why, 1)
			c.acks.now(c, f, ack)
		}
		return nil // [MQTT-3.3.5-2] has nothing else for QoS 0
	}
	switch {
	case code == mqtt.QuotaExceeded: // discarded: a client that wants it acknowledged sends it again
		return nil
	case !c.limits.DenialCloses:
		if p.QoS == 2 {
			c.session.note(p.PacketID)
		}
		if p.QoS > 0 { // [3.1.1: MQTT-3.3.5-2]
			c.acks.now(c, f, mqtt.Ack{Kind: ackOf(p.QoS), PacketID: p.PacketID})
		}
	case code == mqtt.NotAuthorized:
		c.end(AuthError, 0, why)
	default:
		c.end(ClientError, 0, why)
	}
	return nil
}

func ackOf(qos byte) mqtt.Type {
	if qos == 2 {
		return mqtt.PUBREC
	}
	return mqtt.PUBACK
}

// accept delivers a PUBLISH and acknowledges it, when it is durable where it has
// to be.
func (c *conn) accept(f *fanout, e *entry, p *mqtt.Publish) error {
	m := &f.message
	*m = Message{Origin: c.origin(), Topic: e.topic, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain}
	if c.version == mqtt.V5 && hasProps(&p.Props) {
		m.Props = &p.Props
		if x := p.Props.MessageExpiry; x.Set {
			m.Expires = c.broker.clock().Add(c.limits.messageExpiry(x.Value))
		}
	}
	c.logPublish(e.topic, "")
	if e.route != nil && e.route.Publish != nil {
		f.flush() // others do not wait with this one
		if err := e.route.Publish(c.broker.ctx, m); err != nil {
			c.broker.Log.Error("route a message", "topic", e.topic, "err", err)
			return c.failPublish(f, p)
		}
	}
	f.begin(m)
	incoming := uint16(0)
	if p.QoS == 2 {
		incoming = p.PacketID
		c.session.note(incoming)
	}
	c.space.find(e, c.session)
	if e.ingest || e.route != nil && e.route.Private {
		e = &entry{topic: e.topic}
	}
	if p.QoS > 0 {
		f.ack = mqtt.Ack{Kind: ackOf(p.QoS), PacketID: p.PacketID}
	}
	if p.QoS > 0 && c.limits.QueueRate > 0 && !c.space.mayStore(e) {
		c.session.forget(incoming)
		return c.refusePublish(f, e, p, mqtt.QuotaExceeded, "the account stores too many messages a second")
	}
	logged, err := f.publish(c.space, e, c.session, incoming, c)
	switch {
	case err != nil:
		c.broker.Log.Error("keep a message", "err", err)
		return c.failPublish(f, p)
	case p.QoS > 0 && !logged:
		c.acks.now(c, f, f.ack)
	}
	return nil
}

// mayStore says whether a message may be stored for those who are not connected.
// It is asked before it is acknowledged, so that nothing that was is lost.
func (sp *space) mayStore(e *entry) bool {
	if !e.durable {
		return true
	}
	for i := range e.targets {
		if s := e.targets[i].session; s.log != 0 && s.conn.Load() == nil {
			return sp.rates.queue.take(sp.broker.nanos())
		}
	}
	return true
}

// failPublish answers a PUBLISH that the server could not take.
func (c *conn) failPublish(f *fanout, p *mqtt.Publish) error {
	if p.QoS == 2 {
		c.session.forget(p.PacketID)
	}
	if c.version == mqtt.V5 {
		if p.QoS > 0 {
			c.acks.now(c, f, mqtt.Ack{Kind: ackOf(p.QoS), PacketID: p.PacketID, Reason: mqtt.UnspecifiedError})
		}
		return nil
	}
	if p.QoS > 0 {
		c.end(ServerError, 0, "the message could not be stored")
	}
	return nil
}

// hasProps says whether there is anything in them that is passed on.
func hasProps(p *mqtt.PublishProperties) bool {
	return p.PayloadFormat.Set || p.MessageExpiry.Set || p.ResponseTopic != nil || p.Correlation != nil || p.ContentType != nil || len(p.User) > 0
}

// messageExpiry is how long a message lives that asks for v seconds.
func (l *Limits) messageExpiry(v uint32) time.Duration {
	d := max(time.Duration(v)*time.Second, l.MessageExpiryMin)
	if l.MessageExpiry > 0 {
		d = min(d, l.MessageExpiry)
	}
	return d
}

// pace delays reading from a connection that sends more than it may.
func (c *conn) pace(n int) {
	if d := c.flow.owe(n, c.limits.Throughput, c.broker.nanos()); d > 0 {
		c.idle()
		time.Sleep(min(d, time.Second))
	}
}

func (c *conn) onPuback(f *fanout, flags byte, body []byte) error {
	p := mqtt.Ack{Kind: mqtt.PUBACK}
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	c.session.acked(c, f, p.PacketID)
	return nil
}

func (c *conn) onPubrec(f *fanout, flags byte, body []byte) error {
	p := mqtt.Ack{Kind: mqtt.PUBREC}
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	c.session.received(c, f, p.PacketID, p.Reason)
	return nil
}

func (c *conn) onPubcomp(f *fanout, flags byte, body []byte) error {
	p := mqtt.Ack{Kind: mqtt.PUBCOMP}
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	c.session.completed(c, f, p.PacketID)
	return nil
}

// onPubrel ends the exchange of a QoS 2 message from the client. [MQTT-4.3.3-11]
func (c *conn) onPubrel(f *fanout, flags byte, body []byte) error {
	p := mqtt.Ack{Kind: mqtt.PUBREL}
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	ack := mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: p.PacketID}
	if !c.session.forget(p.PacketID) {
		if c.version == mqtt.V5 {
			ack.Reason = mqtt.PacketIdentifierNotFound
		}
		f.answer(c, ack)
		return nil
	}
	c.session.complete(c, f, &ack)
	return nil
}

// Publish publishes a message in the account and region of its origin, with
// nobody's permission asked. When it returns nil, a message of QoS 1 or 2 is
// durable for every persistent session that matched. It keeps nothing of m.
func (b *Broker) Publish(ctx context.Context, m *Message) error {
	if err := topic.ValidName(m.Topic); err != nil {
		return err
	}
	sp := b.space(m.Account, m.Region)
	w := &waiter{done: make(chan error, 1)}
	f := b.fanout()
	f.begin(m)
	logged, err := f.publish(sp, f.entry(sp, m.Topic), nil, 0, w)
	f.end()
	if err != nil || !logged {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entry is that of a message which no client publishes.
func (f *fanout) entry(sp *space, name string) *entry {
	f.own.topic, f.own.found = name, false
	sp.find(&f.own, nil)
	return &f.own
}

// publishOwn publishes a message that nobody waits for.
func (f *fanout) publishOwn(sp *space, m *Message) {
	f.begin(m)
	if _, err := f.publish(sp, f.entry(sp, m.Topic), nil, 0, nobody{}); err != nil && !errors.Is(err, context.Canceled) {
		f.broker.Log.Error("publish a message", "err", err)
	}
}

// publishWill publishes a will, whose life begins now (3.1.3.2.4).
func (f *fanout) publishWill(sp *space, will *Message) {
	m := *will
	if m.Props != nil && m.Props.MessageExpiry.Set {
		m.Expires = f.broker.clock().Add(sp.limits.messageExpiry(m.Props.MessageExpiry.Value))
	}
	f.publishOwn(sp, &m)
}

func (b *Broker) publishWill(sp *space, will *Message) {
	f := b.fanout()
	f.publishWill(sp, will)
	f.end()
}

// waiter waits for one message to be durable.
type waiter struct{ done chan error }

func (w *waiter) expect(*fanout) func(error) { return func(err error) { w.done <- err } }
func (w *waiter) forgo()                     {}

// nobody waits.
type nobody struct{}

func (nobody) expect(*fanout) func(error) { return nil }
func (nobody) forgo()                     {}
