package broker

import (
	"math/rand/v2"
	"sync"
)

// group is the subscriptions of one $share/NAME/FILTER: each message goes to one
// of them. (MQTT 5, 4.8.2)
type group struct {
	space *space
	key   string // NAME/FILTER
	place *subscription

	mu      sync.Mutex
	members []*subscription
	targets []target // one for each member, with what was decided on it
	queue   queue    // while nobody is connected and some member's session lasts
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

// pick is who of a group gets a message: a member, or whoever comes first.
type pick struct {
	group *group
	to    target // without a session: nobody is connected
}

// pick chooses for the message that f publishes. It is not ok when nobody gets
// it: nobody is connected, and nobody will come back for it.
func (g *group) pick(f *fanout) (p pick, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.choose(f.m.Topic); t != nil {
		return pick{g, *t}, true
	}
	most := g.space.limits.Queue
	ok = f.m.QoS > 0 && g.lasting() && (most == 0 || g.queue.len() < most) // the oldest are kept
	return pick{group: g}, ok
}

// deliver gives the message that f publishes to whom it was picked for.
func (p *pick) deliver(f *fanout, seq uint64) {
	if p.to.session == nil {
		p.group.mu.Lock()
		p.group.queue.push(item{m: f.keep(), seq: seq, qos: f.m.QoS, group: p.group})
		p.group.mu.Unlock()
		return
	}
	qos := min(f.m.QoS, p.to.qos)
	if qos == 0 {
		f.deliver(&p.to, 0)
		return
	}
	it := item{qos: qos, retain: f.m.Retain && p.to.asSent, ids: p.to.ids, checked: true, group: p.group}
	if p.to.session.log != 0 {
		it.seq = seq
	}
	p.to.session.offer(f, &p.to, it)
}

// again gives messages that one member did not acknowledge to others.
func (sp *space) again(items []item) {
	f := sp.broker.fanout()
	defer f.end()
	for _, it := range items {
		it.group.hand(f, it.m)
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

// hand gives a message to a member, as if it were published now.
func (g *group) hand(f *fanout, m *Message) bool {
	f.begin(m)
	p, ok := g.pick(f)
	if ok {
		p.deliver(f, 0)
	}
	return ok && p.to.session != nil
}

// pump gives what waits to members that have come.
func (g *group) pump() {
	f := g.space.broker.fanout()
	defer f.end()
	for {
		g.mu.Lock()
		if g.queue.len() == 0 || g.choose(g.queue.first().m.Topic) == nil {
			g.mu.Unlock()
			return
		}
		it := g.queue.pop()
		g.mu.Unlock()
		if !it.m.expired(g.space.broker.Now()) && !g.hand(f, it.m) {
			return
		}
	}
}
