package broker

import (
	"fmt"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
	"github.com/thingd/thingd/internal/topic"
)

func (c *conn) onSubscribe(f *fanout, flags byte, body []byte) error {
	var p mqtt.Subscribe
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	l := c.limits
	if p.Props.SubscriptionID.Set && !l.SubscriptionIDs {
		return protocolError(mqtt.SubscriptionIdentifiersNotSupported, "subscription identifiers are not supported")
	}
	if l.FiltersPerPacket > 0 && len(p.Filters) > l.FiltersPerPacket {
		return protocolError(mqtt.QuotaExceeded, fmt.Sprintf("more than %d filters in a SUBSCRIBE", l.FiltersPerPacket))
	}
	ack := mqtt.Suback{PacketID: p.PacketID}
	subs := make([]*subscription, 0, len(p.Filters))
	for i := range p.Filters {
		sub, no := c.checkFilter(&p.Filters[i])
		if no != nil {
			c.logSubscribe(string(p.Filters[i].Filter), no.why)
			if no.fatal {
				return protocolError(no.code, no.why)
			}
			if no.ignored {
				return nil
			}
			if c.version < mqtt.V5 && c.limits.DenialCloses {
				c.end(no.reason(), 0, no.why)
				return nil
			}
			ack.Reasons = append(ack.Reasons, c.told(no.code))
			c.explain(&ack.Props, no.why, len(p.Filters))
			continue
		}
		sub.id = p.Props.SubscriptionID.Or(0)
		subs = append(subs, sub)
		ack.Reasons = append(ack.Reasons, mqtt.Reason(sub.qos))
	}
	c.subscribe(f, subs, &ack)
	return nil
}

// notThat is why a filter is not subscribed to.
type notThat struct {
	code    mqtt.Reason
	why     string
	fatal   bool // it ends the connection
	ignored bool // AWS does not answer the whole packet
}

func (n *notThat) reason() EndReason {
	if n.code == mqtt.NotAuthorized {
		return AuthError
	}
	return ClientError
}

// told is the reason code that a client gets: those who are not to know why get
// the one for that.
func (c *conn) told(code mqtt.Reason) mqtt.Reason {
	if code == mqtt.NotAuthorized && c.limits.Unexplained {
		return mqtt.UnspecifiedError
	}
	return code
}

// explain puts the first reason into an acknowledgement of some codes, if the
// client wants to know. [MQTT-3.1.2-29]
func (c *conn) explain(p *mqtt.AckProperties, why string, codes int) {
	if c.version == mqtt.V5 && c.problems && p.ReasonString == nil {
		p.ReasonString = reasonString(why, c.maxPacket-besideReason-codes)
	}
}

// checkFilter makes a subscription of what a client asks for, or says why not.
func (c *conn) checkFilter(in *mqtt.Subscription) (*subscription, *notThat) {
	l := c.limits
	name := string(in.Filter)
	s := &subscription{session: c.session, filter: name, qos: in.QoS, noLocal: in.NoLocal, keep: in.RetainHandling}
	s.asSent = in.RetainAsPublished && l.RetainAsPublished
	group, rest, shared, err := topic.Share(name)
	switch {
	case err != nil:
		return nil, &notThat{code: mqtt.TopicFilterInvalid, why: err.Error()}
	case shared && in.NoLocal:
		return nil, &notThat{code: mqtt.ProtocolError, why: "no local on a shared subscription [MQTT-3.8.3-4]", fatal: true}
	case shared:
		s.share, s.filter = group, rest
	}
	if err := topic.ValidFilter(s.filter); err != nil {
		return nil, &notThat{code: mqtt.TopicFilterInvalid, why: err.Error()}
	}
	if err := l.checkTopic(s.filter); err != nil {
		return nil, &notThat{code: mqtt.TopicFilterInvalid, why: "the filter: " + err.Error()}
	}
	if shared && l.ClientID > 0 && len(group) > l.ClientID {
		return nil, &notThat{code: mqtt.TopicFilterInvalid, why: fmt.Sprintf("the share name is longer than %d bytes", l.ClientID)}
	}
	if !l.mayListen(s.filter) {
		return nil, &notThat{code: mqtt.TopicFilterInvalid, why: "the topic is reserved, and nothing to subscribe to", fatal: l.ReservedStrict}
	}
	if s.qos > l.MaxQoS {
		return nil, &notThat{code: mqtt.QoSNotSupported, why: fmt.Sprintf("QoS %d is not supported", s.qos), fatal: c.version == mqtt.V5, ignored: true}
	}
	if d := c.decide(Subscribe, s.filter, sharedForm(s)); !d.Allowed {
		return nil, &notThat{code: mqtt.NotAuthorized, why: d.Why}
	}
	return s, nil
}

func sharedForm(s *subscription) string {
	if s.share == "" {
		return ""
	}
	return s.name()
}

// subscribe puts subscriptions up, acknowledges them, and sends the retained
// messages that they ask for.
func (c *conn) subscribe(f *fanout, subs []*subscription, ack *mqtt.Suback) {
	sp, s, l := c.space, c.session, c.limits
	var sends []retainedSend
	var fresh []string
	now := c.broker.nanos()
	at := 0
	sp.mu.Lock()
	if s.conn.Load() != c { // taken over meanwhile
		sp.mu.Unlock()
		return
	}
	for _, sub := range subs {
		for ack.Reasons[at].Failed() {
			at++
		}
		old := s.subs[sub.name()]
		if old == nil && (l.Subscriptions > 0 && len(s.subs) >= l.Subscriptions ||
			l.AccountSubscriptions > 0 && sp.index.Len() >= l.AccountSubscriptions || !sp.rates.subscribe.take(now)) {
			ack.Reasons[at] = mqtt.QuotaExceeded
			at++
			c.explain(&ack.Props, "too many subscriptions", len(ack.Reasons))
			continue
		}
		at++
		sp.subscribe(s, old, sub)
		fresh = append(fresh, sub.name())
		if sub.share == "" && sub.keep != 2 && (sub.keep == 0 || old == nil) { // [MQTT-3.3.1-9] to -11
			sends = sp.retainedFor(sends, sub)
		}
	}
	s.mu.Lock()
	c.broker.keepSession(s)
	s.mu.Unlock()
	sp.mu.Unlock()
	for _, r := range ack.Reasons {
		if r == mqtt.QuotaExceeded && c.version < mqtt.V5 && l.DenialCloses {
			c.end(ClientError, 0, "too many subscriptions")
			return
		}
	}
	// What has been promised outlives a crash.
	c.whenKept(f, func(f *fanout) {
		f.packet(c, ack) // [MQTT-3.8.4-1]
		for _, r := range sends {
			f.sendRetained(c, r)
		}
	})
	if len(fresh) > 0 {
		c.subscribed(f, "subscribed", fresh)
	}
}

// subscribe puts a subscription in the place of an older one of its filter, or
// of none. space.mu is held. [MQTT-3.8.4-3]
func (sp *space) subscribe(s *session, old, sub *subscription) {
	if old != nil {
		sp.unsubscribe(s, old)
	}
	if s.subs == nil {
		s.subs = map[string]*subscription{}
	}
	s.subs[sub.name()] = sub
	if sub.share != "" {
		sp.joinGroup(sub)
	} else {
		sp.index.Add(sub.filter, sub)
	}
	sp.generation.Add(1)
}

// unsubscribe takes a subscription away.
func (sp *space) unsubscribe(s *session, sub *subscription) {
	delete(s.subs, sub.name())
	if sub.share != "" {
		sp.leaveGroup(sub)
	} else {
		sp.index.Remove(sub.filter, sub)
	}
	sp.generation.Add(1)
}

func (c *conn) onUnsubscribe(f *fanout, flags byte, body []byte) error {
	var p mqtt.Unsubscribe
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	if l := c.limits; l.FiltersPerPacket > 0 && len(p.Filters) > l.FiltersPerPacket {
		return protocolError(mqtt.QuotaExceeded, fmt.Sprintf("more than %d filters in an UNSUBSCRIBE", l.FiltersPerPacket))
	}
	sp, s := c.space, c.session
	ack := mqtt.Unsuback{PacketID: p.PacketID}
	var gone []string
	sp.mu.Lock()
	if s.conn.Load() != c {
		sp.mu.Unlock()
		return nil
	}
	for _, filter := range p.Filters {
		code := mqtt.NoSubscriptionExisted
		if c.limits.ReservedStrict { // AWS does not have that code
			code = mqtt.Success
		}
		if sub := s.subs[string(filter)]; sub != nil { // [MQTT-3.10.4-1]
			sp.unsubscribe(s, sub)
			code = mqtt.Success
			gone = append(gone, string(filter))
		}
		ack.Reasons = append(ack.Reasons, code)
	}
	s.mu.Lock()
	c.broker.keepSession(s)
	s.mu.Unlock()
	sp.mu.Unlock()
	c.whenKept(f, func(f *fanout) { f.packet(c, &ack) }) // [MQTT-3.10.4-4]
	if len(gone) > 0 {
		c.subscribed(f, "unsubscribed", gone)
	}
	return nil
}

// whenKept does something once all that the log was given for this session is on
// disk, or at once if there is nothing there. What could not be stored was not
// promised: the connection ends.
func (c *conn) whenKept(f *fanout, do func(f *fanout)) {
	if c.session.log == 0 {
		do(f)
		return
	}
	c.broker.append(func(*msglog.Batch) {}, func(err error) {
		if err != nil {
			c.end(ServerError, mqtt.UnspecifiedError, "the session could not be stored")
			return
		}
		f := c.broker.fanout()
		defer f.end()
		do(f)
	})
}
