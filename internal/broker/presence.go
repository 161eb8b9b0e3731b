package broker

import (
	"net/netip"
	"slices"
	"time"
)

// known is what is remembered of a client id beside its session: while it is
// connected, and for some time after. Guarded by space.mu.
type known struct {
	id       string
	version  uint64 // versionNumber of the latest connection's events
	connects bucket
	presence

	left       int64 // nanos of the broker when it disconnected; 0: it has not
	next, prev *known
}

// presence is what is told of a client's latest connection.
type presence struct {
	connected bool
	since     time.Time // of which
	reason    EndReason // why it ended; empty: it has not
	clean     bool
	keepAlive uint16
	expiry    uint32
	thing     string
	exclusive bool
	source    netip.AddrPort
	target    netip.AddrPort
}

const (
	// remembered is how long that is: versionNumbers begin anew after it.
	remembered = time.Hour
	// mostAbsent is of how many clients that are not connected that is
	// remembered, in each account and region: ids can be made up. The longest
	// absent are forgotten first.
	mostAbsent = 1 << 17
)

// clientele is all that is known of a space's clients. Guarded by space.mu.
type clientele struct {
	byID   map[string]*known
	things map[string][]*known // those that stand for a thing exclusively
	// Those who are not connected, in the order in which they left.
	first, last *known
	absent      int
}

// find finds what is known of a client, or nil.
func (cl *clientele) find(id string, now int64) *known {
	if k := cl.byID[id]; k != nil && !k.forgotten(now) {
		return k
	}
	return nil
}

func (k *known) forgotten(now int64) bool { return k.left != 0 && now-k.left > int64(remembered) }

// meet finds or makes what is known of a client that connects as p says.
func (cl *clientele) meet(id string, rate int, now int64, p *presence) *known {
	cl.tidy(now)
	k := cl.byID[id]
	if k == nil {
		k = &known{id: id}
		k.connects.take(rate, now)
		cl.byID[id] = k
	} else {
		k.version++
		cl.back(k)
		cl.unlist(k)
	}
	k.presence = *p
	if k.exclusive {
		cl.things[k.thing] = append(cl.things[k.thing], k)
	}
	return k
}

// part notes that a client is gone.
func (cl *clientele) part(k *known, reason EndReason, now time.Time, nanos int64) {
	k.connected, k.since, k.reason = false, now, reason
	k.left = max(nanos, 1)
	k.prev = cl.last
	if cl.last != nil {
		cl.last.next = k
	} else {
		cl.first = k
	}
	cl.last = k
	cl.absent++
	cl.tidy(nanos)
}

// tidy forgets whom it is time to forget.
func (cl *clientele) tidy(now int64) {
	for k := cl.first; k != nil && (cl.absent > mostAbsent || k.forgotten(now)); k = cl.first {
		cl.back(k)
		cl.unlist(k)
		delete(cl.byID, k.id)
	}
}

// back takes a client off the list of those who are absent, if it is there.
func (cl *clientele) back(k *known) {
	if k.left == 0 {
		return
	}
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		cl.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	} else {
		cl.last = k.prev
	}
	k.left, k.next, k.prev = 0, nil, nil
	cl.absent--
}

// unlist takes a client from those of its thing.
func (cl *clientele) unlist(k *known) {
	if !k.exclusive {
		return
	}
	rest := slices.DeleteFunc(cl.things[k.thing], func(other *known) bool { return other == k })
	if len(rest) == 0 {
		delete(cl.things, k.thing)
	} else {
		cl.things[k.thing] = rest
	}
}

// presenceOf is what is known of a client.
func (sp *space) presenceOf(clientID string) (presence, bool) {
	now := sp.broker.nanos()
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	k := sp.clients.find(clientID, now)
	if k == nil {
		return presence{}, false
	}
	return k.presence, true
}

// presenceOfThing is what is known of the client that stands for a thing: the
// one whose id is its name, else of those who do so exclusively one that is
// connected or the latest.
func (sp *space) presenceOfThing(name string) (clientID string, p presence, ok bool) {
	now := sp.broker.nanos()
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	best := sp.clients.find(name, now)
	if best == nil {
		for _, k := range sp.clients.things[name] {
			if !k.forgotten(now) && (best == nil || k.connected && !best.connected || k.connected == best.connected && k.since.After(best.since)) {
				best = k
			}
		}
	}
	if best == nil {
		return "", presence{}, false
	}
	return best.id, best.presence, true
}
