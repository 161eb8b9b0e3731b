package broker

import (
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// few is how often a client may connect at once: who comes back a moment after
// it left, as scripts do and devices with a bad link, is no flood.
const few = 5

// join gives a connection its session: the one that its client id has, or a new
// one. Whoever is connected with that id is disconnected. [MQTT-3.1.4-3]
// Messages can come as soon as the session has the connection: greet is called
// before that.
func (sp *space) join(c *conn, clean bool, greet func(present bool)) (present bool, err error) {
	b, id := sp.broker, c.info.ClientID
	var after []*Message
	sp.mu.Lock()
	s := sp.sessions[id]
	var old *conn
	if s != nil {
		old = s.conn.Load()
	}
	if n := sp.connected; old == nil && sp.limits.Connections > 0 && n >= sp.limits.Connections {
		sp.mu.Unlock()
		return false, refuse(mqtt.QuotaExceeded, "the account has %d connections", n)
	}
	if k := sp.clients.find(id, b.nanos()); k != nil && !k.connects.takeOf(max(few, sp.limits.ConnectRatePerClient), sp.limits.ConnectRatePerClient, b.nanos()) {
		sp.mu.Unlock()
		return false, refuse(mqtt.QuotaExceeded, "the client connects more than %d times a second", sp.limits.ConnectRatePerClient)
	}
	if s != nil && (clean || !s.persistent() || !sp.resumes(s, c)) { // [MQTT-3.1.2-4]
		after = append(after, sp.remove(s)...)
		s = nil
	}
	present = s != nil // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
	if s == nil {
		s = &session{space: sp, id: id, number: b.numbers.Add(1), version: c.version}
		s.alarm.ring = func() { go s.due() }
		sp.sessions[id] = s
	}
	s.mu.Lock()
	if s.log == 0 && b.Store != nil && c.expiry > 0 {
		s.log = b.Store.NewSession()
	}
	s.expiry, s.left, s.will = c.expiry, time.Time{}, nil // a client that is back has no will to send [MQTT-3.1.3-9]
	c.space, c.session = sp, s
	greet(present)
	s.rewind()
	s.conn.Store(c)
	b.wheel.clear(&s.alarm)
	b.keepSession(s)
	c.keepWill()
	s.mu.Unlock()
	sp.hold(c)
	sp.mu.Unlock()
	if old != nil {
		old.end(DuplicateClientID, mqtt.SessionTakenOver, "another connection has the same client id")
	}
	for _, w := range after {
		b.publishWill(sp, w)
	}
	return present, nil
}

// resumes says whether a client may go on with a session: on AWS not with one of
// another version.
func (sp *space) resumes(s *session, c *conn) bool {
	return !sp.limits.ReservedStrict || (s.version == mqtt.V5) == (c.version == mqtt.V5)
}

// hold puts a connection on the list of its principal's.
func (sp *space) hold(c *conn) {
	sp.connected++
	p := presence{
		connected: true, since: c.began, clean: c.expiry == 0, keepAlive: c.keepAlive, expiry: c.expiry,
		source: c.creds.Source, target: c.creds.Target,
	}
	p.thing, p.exclusive = c.client.Thing()
	c.known = sp.clients.meet(c.info.ClientID, sp.limits.ConnectRatePerClient, sp.broker.nanos(), &p)
	c.event = c.known.version
	c.id = uuid.New()
	id := c.client.PrincipalID()
	if first := sp.principals[id]; first != nil {
		c.next, first.prev = first, c
	}
	sp.principals[id] = c
}

// drop takes it off.
func (sp *space) drop(c *conn) {
	sp.connected--
	if c.next != nil {
		c.next.prev = c.prev
	}
	switch id := c.client.PrincipalID(); {
	case c.prev != nil:
		c.prev.next = c.next
	case c.next != nil:
		sp.principals[id] = c.next
	default:
		delete(sp.principals, id)
	}
	c.next, c.prev = nil, nil
}

// leave parts a connection that has ended from its session, and publishes its
// will and the event.
func (c *conn) leave(e *ending) {
	sp, s, b := c.space, c.session, c.broker
	var after []*Message
	sp.mu.Lock()
	sp.drop(c)
	s.mu.Lock()
	mine := s.conn.Load() == c
	will := c.will
	if e.noWill { // [MQTT-3.1.2-10]
		will = nil
	}
	if mine {
		s.conn.Store(nil)
		s.left = b.clock()
		if others := s.rest(); len(others) > 0 {
			go sp.again(others)
		}
		sp.clients.part(c.known, e.reason, b.Now(), b.nanos())
		if will != nil && c.willDelay > 0 && s.expiry > 0 {
			s.will, s.willAt = will, s.left.Add(time.Duration(c.willDelay)*time.Second)
			will = nil
		}
	} else if c.willDelay > 0 && !s.ended { // the session goes on
		will = nil
	}
	over := mine && (s.expiry == 0 || e.clean)
	if mine && !over {
		b.keepSession(s)
		s.schedule()
	}
	s.mu.Unlock()
	if over {
		after = sp.remove(s)
	}
	sp.mu.Unlock()
	f := b.fanout()
	defer f.end()
	if will != nil { // [MQTT-3.1.2-8]
		f.publishWill(sp, will)
	}
	for _, w := range after {
		f.publishWill(sp, w)
	}
	c.dropWill()
	c.disconnected(f, e)
}

// rest lets go what a session needs in memory for a connected client only, and
// returns what others of its groups can have.
func (s *session) rest() (others []item) {
	for i := range s.inflight.slots {
		if sl := &s.inflight.slots[i]; sl.own() {
			sl.m = nil
		}
	}
	var stay queue
	for s.queue.len() > 0 {
		it := s.queue.pop()
		if it.group != nil && !it.own() {
			others = append(others, it)
			continue
		}
		if it.seq != 0 {
			it.m = nil
		}
		it.checked, it.stored = false, true
		stay.push(it)
	}
	s.queue = stay
	s.inflight.trim()
	return others
}

// expireAfter changes the session expiry interval.
func (s *session) expireAfter(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = seconds
}

// schedule sets the alarm for what comes first: the will, or the session's end.
func (s *session) schedule() {
	w := &s.space.broker.wheel
	d := s.space.broker.clock()
	switch {
	case s.will != nil && (s.expiry == forever || s.willAt.Before(s.expires())):
		w.set(&s.alarm, w.after(s.willAt.Sub(d)))
	case s.expiry != forever:
		w.set(&s.alarm, w.after(s.expires().Sub(d)))
	}
}

// expires is when the session ends unless its client comes back.
func (s *session) expires() time.Time { return s.left.Add(time.Duration(s.expiry) * time.Second) }

// due publishes the will or ends the session, as far as it is time.
func (s *session) due() {
	sp, now := s.space, s.space.broker.clock()
	var after []*Message
	sp.mu.Lock()
	s.mu.Lock()
	if s.ended || s.conn.Load() != nil {
		s.mu.Unlock()
		sp.mu.Unlock()
		return
	}
	if s.will != nil && !now.Before(s.willAt) {
		after = append(after, s.will)
		s.will = nil
		sp.broker.keepSession(s)
	}
	over := s.expiry != forever && !now.Before(s.expires())
	if !over {
		s.schedule()
	}
	s.mu.Unlock()
	if over { // [MQTT-4.1.0-2]
		after = append(after, sp.remove(s)...)
	}
	sp.mu.Unlock()
	for _, w := range after {
		sp.broker.publishWill(sp, w)
	}
}

// remove ends a session: its subscriptions, what waits for it, and its will,
// which is returned to be published. space.mu is held.
func (sp *space) remove(s *session) (wills []*Message) {
	b := sp.broker
	s.mu.Lock()
	s.ended = true
	subs := s.subs
	s.subs = nil
	if s.will != nil {
		wills = append(wills, s.will)
		s.will = nil
	}
	orphans := s.orphans()
	s.inflight, s.queue, s.resend, s.incoming = inflight{}, queue{}, nil, nil
	s.queued.Store(0)
	b.wheel.clear(&s.alarm)
	if s.log != 0 {
		id := s.log
		b.append(func(l *msglog.Batch) { l.DeleteSession(id) }, nil)
	}
	s.mu.Unlock()
	for _, sub := range subs {
		sp.unsubscribe(s, sub)
	}
	if sp.sessions[s.id] == s {
		delete(sp.sessions, s.id)
	}
	if len(orphans) > 0 {
		go sp.again(orphans)
	}
	return wills
}

// orphans are the messages of shared subscriptions that the client had not
// acknowledged: others of the group get them, unless they are of QoS 2 and may
// have arrived. [MQTT-4.8.2-4] [MQTT-4.8.2-5]
func (s *session) orphans() []item {
	var all []item
	for _, sl := range s.inflight.inOrder() {
		if sl.group != nil && sl.m != nil && sl.qos == 1 {
			all = append(all, sl.item)
		}
	}
	for i := s.queue.head; i < len(s.queue.items); i++ {
		if it := s.queue.items[i]; it.group != nil && it.m != nil {
			if it.own() { // it is in this session's queue, which goes
				it.seq = 0
			}
			all = append(all, it)
		}
	}
	return all
}
