package broker

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingd/thingd/internal/msglog"
)

// group is the subscriptions of one $share/NAME/FILTER: each message goes to one
// of them. (MQTT 5, 4.8.2)
type group struct {
	space *space
	key   string // NAME/FILTER
	place *subscription

	log atomic.Uint64 // its session in the log, once a member has one; 0: none

	mu      sync.Mutex
	members []*subscription
	targets []target // one for each member, with what was decided on it
	queue   queue    // while nobody is connected and some member's session lasts
	pumping bool
}

// joinGroup puts a member into its group. space.mu is held.
func (sp *space) joinGroup(sub *subscription) {
	key := sub.share + "/" + sub.filter
	g := sp.groups[key]
	if g == nil {
		g = &group{space: sp, key: key}
		g.place = &subscription{group: g, filter: sub.filter}
		sp.groups[key] = g
		sp.index.Add(sub.filter, g.place)
	}
	g.mu.Lock()
	g.members = append(g.members, sub)
	g.targets = append(g.targets, target{session: sub.session, qos: sub.qos, asSent: sub.asSent, ids: idsOf(sub)})
	if !sp.broker.loading {
		g.keep()
	}
	g.mu.Unlock()
	go g.pump()
}

func idsOf(sub *subscription) []uint32 {
	if sub.id == 0 {
		return nil
	}
	return []uint32{sub.id}
}

// leaveGroup takes a member out, and the group away with the last one. space.mu
// is held.
func (sp *space) leaveGroup(sub *subscription) {
	key := sub.share + "/" + sub.filter
	g := sp.groups[key]
	if g == nil {
		return
	}
	g.mu.Lock()
	for i, m := range g.members {
		if m == sub {
			last := len(g.members) - 1
			g.members[i], g.targets[i] = g.members[last], g.targets[last]
			g.members[last], g.targets[last] = nil, target{}
			g.members, g.targets = g.members[:last], g.targets[:last]
			break
		}
	}
	empty := len(g.members) == 0
	if empty {
		g.queue = queue{}
		if id := g.logged(); id != 0 {
			sp.broker.append(func(l *msglog.Batch) { l.DeleteSession(id) }, nil)
		}
	}
	g.mu.Unlock()
	if empty {
		sp.index.Remove(g.place.filter, g.place)
		delete(sp.groups, key)
	}
}

// choose finds a member that is connected, may receive the topic, and has the
// least waiting of a few that are tried. It is nil if there is none. The lock is
// held.
func (g *group) choose(topic string) *target {
	n := len(g.targets)
	if n == 0 {
		return nil
	}
	var best *target
	found := 0
	for i, start := 0, rand.IntN(n); i < n && found < 2; i++ {
		t := &g.targets[(start+i)%n]
		c := t.session.conn.Load()
		if c == nil || !t.mayReceive(c, topic) {
			continue
		}
		found++
		if best == nil || t.session.queued.Load() < best.session.queued.Load() {
			best = t
		}
		if best.session.queued.Load() == 0 {
			break
		}
	}
	return best
}

// lasting says whether a member's session outlives its connection and wants
// messages of QoS 1 or 2. The lock is held.
func (g *group) lasting() bool {
	for i := range g.targets {
		if t := &g.targets[i]; t.qos > 0 && t.session.log != 0 || t.session.persistentNow() {
			return true
		}
	}
	return false
}

// persistentNow is persistent for those who do not hold the lock.
func (s *session) persistentNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.persistent() && !s.ended
}

// groupRegion is added to the region of the sessions that are groups' queues in
// the log: no client has such a region. Their client ids are NAME/FILTER.
const groupRegion = " groups"

// keep gives the group a queue in the log, if it has none and a member's session
// is there. The lock is held.
func (g *group) keep() {
	if g.logged() != 0 || !slices.ContainsFunc(g.targets, func(t target) bool { return t.qos > 0 && t.session.log != 0 }) {
		return
	}
	g.log.Store(uint64(g.space.broker.Store.NewSession()))
	out := msglog.Session{ID: g.logged(), Account: g.space.account, Region: g.space.region + groupRegion, ClientID: g.key, Expiry: forever}
	g.space.broker.append(func(l *msglog.Batch) { l.PutSession(&out) }, nil)
}

// logged is the log's number of the group's queue.
func (g *group) logged() msglog.SessionID { return msglog.SessionID(g.log.Load()) }

// pick is who of a group gets a message: a member, or whoever comes first.
type pick struct {
	group  *group
	queue  msglog.SessionID // the group's in the log; 0: none
	to     target           // without a session: nobody is connected
	shared bool             // the log has it in the group's queue
}

// pick chooses for a message. It is not ok when nobody gets it: nobody is
// connected, and nobody will come back for it.
func (g *group) pick(m *Message) (p pick, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p = pick{group: g, queue: g.logged()}
	if t := g.choose(m.Topic); t != nil {
		p.to = *t
		return p, true
	}
	l := g.space.limits
	room := (l.Queue == 0 || g.queue.len() < l.Queue) && (l.OutBuffer == 0 || g.queue.bytes < l.OutBuffer || p.queue != 0) // the oldest are kept
	return p, m.QoS > 0 && g.lasting() && room
}

// log adds where the log is to have the message. That is the group's queue, until
// whoever gets it acknowledges it; but a message of QoS 2 is its receiver's, who
// may not get it twice.
func (p *pick) log(to []msglog.Target, qos byte) []msglog.Target {
	if s := p.to.session; s != nil {
		qos = min(qos, p.to.qos)
		if qos == 2 && s.log != 0 && !slices.ContainsFunc(to, func(t msglog.Target) bool { return t.Session == s.log }) {
			return append(to, msglog.Target{Session: s.log, QoS: 2})
		}
	}
	if p.queue == 0 || qos == 0 {
		return to
	}
	p.shared = true
	return append(to, msglog.Target{Session: p.queue, QoS: qos})
}

// deliver gives the message that f publishes to whom it was picked for, or to
// another member if that one's client has gone meanwhile.
func (p *pick) deliver(f *fanout, seq uint64) {
	it := item{seq: seq, qos: f.m.QoS, group: p.group, shared: p.shared}
	s := p.to.session
	if s == nil {
		p.group.wait(f, it)
		return
	}
	it.qos, it.retain, it.ids, it.checked = min(it.qos, p.to.qos), f.m.Retain && p.to.asSent, p.to.ids, true
	if it.qos == 0 {
		f.deliver(&p.to, 0)
		s.settled(&it)
		return
	}
	if !p.shared && s.log == 0 {
		it.seq = 0
	}
	if s.offer(f, &p.to, it) {
		return
	}
	next, ok := p.group.pick(f.m)
	if !ok {
		f.dropped++
		s.settled(&it)
		return
	}
	next.shared = p.shared
	next.deliver(f, it.seq)
}

// wait puts the message that f publishes at the end of the group's queue.
func (g *group) wait(f *fanout, it item) {
	it.m = f.keep()
	g.mu.Lock()
	if g.queue.len() >= inMemory && it.seq != 0 {
		it.m = nil
	}
	g.queue.push(it)
	come := g.choose(f.m.Topic) != nil // since nobody was there, and has pumped already
	g.mu.Unlock()
	if come {
		go g.pump()
	}
}

// handOver gives a message of QoS 2 that waits in the group's queue in the log to
// a session that has a queue of its own there: it goes from one to the other
// before it goes out. Left in the first, it would go out again after a crash.
func (p *pick) handOver(it *item) {
	g, s, b := p.group, p.to.session, p.group.space.broker
	batch := new(msglog.Batch)
	batch.Settled(p.queue, it.seq)
	n := batch.Again(b.appendMessage(nil, it.m, nil, b.Now()), []msglog.Target{{Session: s.log, QoS: 2}})
	to, m := *p, it.m
	err := b.Store.Append(batch, func(err error) {
		seq := batch.Seq(n)
		if err != nil || !b.Store.Queued(s.log, seq) { // or the session has ended meanwhile
			g.takeBack(m)
			return
		}
		f := b.fanout()
		defer f.end()
		f.begin(m)
		f.kept = m
		to.shared = false
		to.deliver(f, seq)
	})
	if err != nil && b.ctx.Err() == nil {
		b.Log.Error("hand a message of a shared subscription over", "err", err)
	}
}

// claim takes a message of QoS 2 off its group's queue in the log before it goes
// out to a client whose session is not there: what was sent may not be sent to
// another one. [MQTT-4.8.2-5]
func (s *session) claim(id uint16, it item) {
	b, queue := s.space.broker, it.group.logged()
	if !b.Store.Kept(queue, it.seq) { // its publisher waits for that still
		b.append((*msglog.Batch).Urgent, func(error) {
			if b.Store.Queued(queue, it.seq) {
				s.claim(id, it)
				return
			}
			f := b.fanout()
			defer f.end()
			s.mu.Lock()
			defer s.mu.Unlock()
			if sl := s.inflight.get(id); sl != nil && sl.seq == it.seq {
				s.drop(sl, f) // it could not be stored, and its publisher was told so
			}
		})
		return
	}
	b.surely(func(l *msglog.Batch) { l.Settled(queue, it.seq); l.Urgent() }, func() {
		s.mu.Lock()
		sl := s.inflight.get(id)
		there := sl != nil && sl.seq == it.seq
		s.mu.Unlock()
		if there {
			s.onward(id, awaiting, sent)
		} else { // the session has ended, and it was not sent
			it.group.takeBack(it.m)
		}
	})
}

// takeBack puts a message that could not be handed over at the end of the queue.
func (g *group) takeBack(m *Message) {
	b := g.space.broker
	batch := new(msglog.Batch)
	batch.Again(b.appendMessage(nil, m, nil, b.Now()), []msglog.Target{{Session: g.logged(), QoS: 2}})
	err := b.Store.Append(batch, func(err error) {
		if err != nil {
			g.takeBack(m)
			return
		}
		g.mu.Lock()
		g.queue.push(item{m: m, seq: batch.Seq(0), qos: 2, group: g, shared: true})
		g.mu.Unlock()
		go g.pump()
	})
	if err != nil && b.ctx.Err() == nil {
		b.Log.Error("keep a message of a shared subscription", "err", err)
	}
}

// again gives messages that one member did not acknowledge to others.
func (sp *space) again(items []item) {
	f := sp.broker.fanout()
	defer f.end()
	for _, it := range items {
		it.group.hand(f, it)
	}
}

// pumpGroups gives a client that has come what waits in its groups.
func (s *session) pumpGroups() {
	var groups []*group
	s.space.mu.RLock()
	for _, sub := range s.subs {
		if sub.share != "" {
			groups = append(groups, s.space.groups[sub.share+"/"+sub.filter])
		}
	}
	s.space.mu.RUnlock()
	for _, g := range groups {
		go g.pump()
	}
}

// hand gives a message that its first receiver did not acknowledge to another
// member, or keeps it until one comes.
func (g *group) hand(f *fanout, it item) {
	f.begin(it.m)
	f.kept = it.m
	if p, ok := g.pick(it.m); ok {
		p.shared = it.shared
		p.deliver(f, it.seq)
	}
}

// pump gives what waits to members that have come.
func (g *group) pump() {
	f := g.space.broker.fanout()
	defer f.end()
	g.mu.Lock()
	if g.pumping {
		g.mu.Unlock()
		return
	}
	g.pumping = true
	for g.queue.len() > 0 {
		first := g.queue.first()
		if first.m == nil {
			seq := first.seq
			g.mu.Unlock()
			m, err := g.fetch(seq)
			g.mu.Lock()
			if err != nil {
				g.space.broker.Log.Error("read a message of a shared subscription", "err", err)
				g.queue.pop()
			} else if g.queue.len() > 0 && g.queue.first().seq == seq {
				g.queue.first().m = m
				g.queue.bytes += g.queue.first().size()
			}
			continue
		}
		t := g.choose(first.m.Topic)
		if t == nil {
			break
		}
		if b := g.space.broker; first.shared && first.qos == 2 && !b.Store.Kept(g.logged(), first.seq) {
			if b.Store.Queued(g.logged(), first.seq) { // whose publisher waits for that still
				b.append(func(*msglog.Batch) {}, func(error) { go g.pump() })
				break
			}
			g.queue.pop() // it could not be stored, and its publisher was told so
			continue
		}
		it := g.queue.pop()
		p := pick{group: g, queue: g.logged(), to: *t, shared: it.shared}
		if it.shared && min(it.qos, t.qos) == 2 && t.session.log != 0 && !it.m.expired(g.space.broker.clock()) {
			g.mu.Unlock()
			p.handOver(&it)
			g.mu.Lock()
			continue
		}
		g.mu.Unlock()
		f.begin(it.m)
		f.kept = it.m
		if it.m.expired(g.space.broker.clock()) {
			p.to.session.settled(&it)
		} else {
			p.deliver(f, it.seq)
		}
		g.mu.Lock()
	}
	g.pumping = false
	g.mu.Unlock()
}

// fetch reads a message of the group's queue from the log.
func (g *group) fetch(seq uint64) (*Message, error) {
	b := g.space.broker
	data, err := b.Store.Message(b.ctx, g.logged(), seq)
	if err != nil {
		return nil, err
	}
	m, _, err := b.readMessage(data)
	if err == nil {
		m.Account, m.Region = g.space.account, g.space.region
	}
	return m, err
}
