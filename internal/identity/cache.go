package identity

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// generations counts the identity writes of accounts, so that what is cached
// can tell whether it is outdated. Accounts share counters: that two of them
// have one only means that a write of either reloads both, and strangers'
// account numbers take no memory.
type generations struct {
	once  sync.Once
	seed  maphash.Seed
	slots [256]atomic.Uint64
}

// stamp is the generation that something cached was loaded in. It has to be
// taken before the first statement of the load: a write that commits later
// outdates it, wherever it gets in between.
type stamp struct {
	slot uint8
	gen  uint64
}

func (g *generations) slot(account string) uint8 {
	g.once.Do(func() { g.seed = maphash.MakeSeed() })
	return uint8(maphash.String(g.seed, account))
}

func (g *generations) stamp(account string) stamp {
	slot := g.slot(account)
	return stamp{slot, g.slots[slot].Load()}
}

func (g *generations) current(s stamp) bool { return g.slots[s.slot].Load() == s.gen }

func (g *generations) bump(account string) { g.slots[g.slot(account)].Add(1) }

func (g *generations) bumpAll() {
	for i := range g.slots {
		g.slots[i].Add(1)
	}
}

// cached bounds each of a cache's two halves.
const cached = 2048

// cache is a map that forgets: when its newer half is full, the older one is
// dropped and the newer becomes the older. What is asked for moves to the newer
// half. The zero value is ready to use. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu       sync.RWMutex
	new, old map[K]V
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.RLock()
	v, ok := c.new[k]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.old[k]
	c.mu.RUnlock()
	if ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.new) >= cached {
		c.old, c.new = c.new, nil
	}
	if c.new == nil {
		c.new = make(map[K]V)
	}
	c.new[k] = v
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old, c.new = nil, nil
}
