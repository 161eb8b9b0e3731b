package registry

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// kind is what a key is about.
type kind uint8

const (
	aCertificate kind = iota // by id alone, in all accounts and regions
	aPolicy                  // its default version, compiled
	aPolicyList              // what is attached to a certificate
	aThing                   // that it exists, and its type
	anAttachment             // of a principal to a thing
	aRoleAlias
	anEndpoint // never changes
)

// key names something that is cached, and that a write changes.
type key struct {
	kind            kind
	account, region string
	name, other     string
}

// place is an account's part of a region.
type place struct{ account, region string }

// generations counts writes, so that what is cached can tell whether it is
// outdated. Keys share counters: that two have one only means that a write to
// either reloads both, and names that strangers think up take no memory.
type generations struct {
	once  sync.Once
	seed  maphash.Seed
	slots [1024]atomic.Uint64
}

// stamp is the generation that something cached was loaded in. It has to be
// taken before the first statement of the load: a write that commits later
// outdates it, wherever it gets in between.
type stamp struct {
	slot uint16
	gen  uint64
}

func (g *generations) slot(k key) uint16 {
	g.once.Do(func() { g.seed = maphash.MakeSeed() })
	return uint16(maphash.Comparable(g.seed, k) % uint64(len(g.slots)))
}

func (g *generations) stamp(k key) stamp {
	slot := g.slot(k)
	return stamp{slot, g.slots[slot].Load()}
}

func (g *generations) current(s stamp) bool { return g.slots[s.slot].Load() == s.gen }

func (g *generations) bump(k key) { g.slots[g.slot(k)].Add(1) }

func (g *generations) bumpAll() {
	for i := range g.slots {
		g.slots[i].Add(1)
	}
}

// cacheHalf bounds each of a cache's two halves.
const cacheHalf = 8192

type entry[V any] struct {
	value V
	stamp stamp
}

// cache is a map that forgets: when its newer half is full, the older one is
// dropped and the newer becomes the older. What is asked for moves to the newer
// half. The zero value is ready to use. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu       sync.RWMutex
	new, old map[K]entry[V]
}

func (c *cache[K, V]) get(k K) (entry[V], bool) {
	c.mu.RLock()
	e, ok := c.new[k]
	stale := false
	if !ok {
		e, stale = c.old[k]
	}
	c.mu.RUnlock()
	if stale {
		c.put(k, e)
	}
	return e, ok || stale
}

func (c *cache[K, V]) put(k K, e entry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.new) >= cacheHalf {
		if _, ok := c.new[k]; !ok {
			c.old, c.new = c.new, nil
		}
	}
	if c.new == nil {
		c.new = make(map[K]entry[V])
	}
	c.new[k] = e
}

// load returns what c has under k and g says is current, else what fn finds,
// and keeps that. What fn does not find is not kept: strangers may ask for
// anything.
func load[K comparable, V any](g *generations, c *cache[K, V], k K, about key, fn func() (V, bool, error)) (V, bool, error) {
	if e, ok := c.get(k); ok && g.current(e.stamp) {
		return e.value, true, nil
	}
	st := g.stamp(about)
	v, ok, err := fn()
	if err == nil && ok {
		c.put(k, entry[V]{v, st})
	}
	return v, ok, err
}
