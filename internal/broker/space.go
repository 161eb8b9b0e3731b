package broker

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingd/thingd/internal/topic"
)

// space is the world of the clients of one account in one region.
//
// Lock order: space.mu, session.mu, outbox.mu; group.mu is taken with nothing
// but space.mu held.
type space struct {
	broker  *Broker
	account string
	region  string
	limits  *Limits
	rules   topic.Rules
	rates   accountRates

	// generation changes with everything that decides on who gets a topic's
	// messages: what was found at one holds until there is another.
	generation atomic.Uint64

	mu         sync.RWMutex
	sessions   map[string]*session // by client id
	index      topic.Index[*subscription]
	groups     map[string]*group // by NAME/FILTER
	retained   topic.Names[*retained]
	principals map[string]*conn // the first of each one's connections
	clients    clientele
	connected  int
}

type place struct{ account, region string }

// space finds or makes a space.
func (b *Broker) space(account, region string) *space {
	at := place{account, region}
	if sp, ok := b.spaces.Load(at); ok {
		return sp.(*space)
	}
	limits := Standard()
	if b.Limits != nil {
		limits = b.Limits(account)
	}
	sp := &space{
		broker: b, account: account, region: region, limits: limits,
		rules:    topic.Rules{HashMatchesParent: limits.HashMatchesParent},
		sessions: map[string]*session{}, groups: map[string]*group{}, principals: map[string]*conn{},
		clients: clientele{byID: map[string]*known{}, things: map[string][]*known{}},
	}
	sp.rates.init(limits)
	got, _ := b.spaces.LoadOrStore(at, sp)
	return got.(*space)
}

// subscription is a client's filter with its options, or the place of a group in
// the index. It is not changed: another takes its place.
type subscription struct {
	session *session // nil: group is set
	group   *group
	share   string // NAME of $share/NAME/FILTER; empty: not shared
	filter  string // without $share/NAME/
	qos     byte   // granted
	noLocal bool
	asSent  bool // retain as published
	keep    byte // retain handling
	id      uint32
}

// name is the filter as the client knows it.
func (s *subscription) name() string {
	if s.share == "" {
		return s.filter
	}
	return "$share/" + s.share + "/" + s.filter
}

// target is a session that gets the messages of a topic, by one or more of its
// subscriptions.
type target struct {
	session *session
	qos     byte
	asSent  bool
	ids     []uint32 // subscription identifiers

	// What was decided on iot:Receive, for which connection and when: it holds
	// while the version does.
	conn      uint64
	version   uint64
	allowed   bool
	cacheable bool
	second    uint32
}

// entry is a topic and who gets its messages: what a publisher that repeats its
// topics finds out once. It belongs to one goroutine at a time.
type entry struct {
	topic      string
	generation uint64
	found      bool
	targets    []target
	groups     []*group
	durable    bool // some of the targets are kept on disk, or may be

	// What its publisher may do there.
	version  uint64
	decided  bool
	second   uint32 // when that was, the last of it
	publish  Decision
	retain   Decision
	retained bool // retain was decided
	route    *Route
	ingest   bool // basic ingest: nobody can subscribe to it
	reserved bool // no message is retained there
	unfit    bool // a reserved topic that clients do not publish to
}

// find fills in who gets the messages of e's topic, if that is not known or
// outdated. Subscriptions of from that want nothing of their own are left out.
func (sp *space) find(e *entry, from *session) {
	g := sp.generation.Load()
	if e.found && e.generation == g {
		return
	}
	e.found, e.generation = true, g
	e.targets, e.groups, e.durable = e.targets[:0], e.groups[:0], false
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	sp.index.Match(e.topic, sp.rules, func(s *subscription) {
		switch {
		case s.group != nil:
			e.groups = append(e.groups, s.group)
			e.durable = true // some member's session may be kept on disk
		case s.noLocal && s.session == from: // [MQTT-3.8.3-3]
		default:
			e.add(s)
			e.durable = e.durable || s.session.log != 0
		}
	})
	e.merge()
}

// sortTargets brings those of one session together.
func sortTargets(t []target) {
	slices.SortFunc(t, func(a, b target) int { return cmp.Compare(a.session.number, b.session.number) })
}

func (e *entry) add(s *subscription) {
	t := target{session: s.session, qos: s.qos, asSent: s.asSent}
	if s.id != 0 {
		t.ids = []uint32{s.id}
	}
	e.targets = append(e.targets, t)
}

// merge makes one target of those of the same session: a client gets a message
// once, with the highest QoS of its subscriptions and all their identifiers.
// [MQTT-3.3.4-2] [MQTT-3.3.4-3]
func (e *entry) merge() {
	if len(e.targets) < 2 {
		return
	}
	sortTargets(e.targets)
	n := 0
	for _, t := range e.targets[1:] {
		last := &e.targets[n]
		if t.session != last.session {
			n++
			e.targets[n] = t
			continue
		}
		last.qos = max(last.qos, t.qos)
		last.asSent = last.asSent || t.asSent
		last.ids = append(last.ids, t.ids...)
	}
	clear(e.targets[n+1:])
	e.targets = e.targets[:n+1]
}
