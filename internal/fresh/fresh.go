// Package fresh is for keeping in memory what a database says without ever
// answering from before the last write: counters of writes that say whether
// something is outdated, and a bounded map to keep it in. What is written, and
// what a key stands for, is its users' business. It knows the writes of its own
// process only.
package fresh

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Generations counts writes by what they are about, so that what was loaded can
// tell whether it is outdated. Keys share counters: that two of them have one
// only means that a write to either reloads both, and keys that strangers think
// up take no memory. The zero value is ready to use; it is safe for concurrent
// use.
type Generations[K comparable] struct {
	once  sync.Once
	seed  maphash.Seed
	slots [1024]atomic.Uint64
	bumps atomic.Uint64
}

// Stamp is the generation that something was loaded in. It has to be taken
// before the first statement of the load: a write that commits later outdates
// it, wherever it gets in between.
type Stamp struct {
	slot uint16
	gen  uint64
}

func (g *Generations[K]) slot(k K) uint16 {
	g.once.Do(func() { g.seed = maphash.MakeSeed() })
	return uint16(maphash.Comparable(g.seed, k) % uint64(len(g.slots)))
}

// Stamp is the present generation of k.
func (g *Generations[K]) Stamp(k K) Stamp {
	slot := g.slot(k)
	return Stamp{slot, g.slots[slot].Load()}
}

// Current says that nothing has outdated s.
func (g *Generations[K]) Current(s Stamp) bool { return g.slots[s.slot].Load() == s.gen }

// Bump outdates what was loaded of k. Call it after the write is committed, or
// may be, and before anybody can learn of it.
func (g *Generations[K]) Bump(k K) {
	g.slots[g.slot(k)].Add(1)
	g.bumps.Add(1)
}

// Bumps is how often anything was outdated. What was Current after a call of it
// is so while the answer stays the same: one number to ask for on a hot path.
func (g *Generations[K]) Bumps() uint64 { return g.bumps.Load() }

// BumpAll outdates everything.
func (g *Generations[K]) BumpAll() {
	for i := range g.slots {
		g.slots[i].Add(1)
	}
	g.bumps.Add(1)
}

// Half bounds each of a Cache's two halves.
const Half = 4096

// Cache is a map that forgets: when its newer half is full, the older one is
// dropped and the newer becomes the older. What is asked for moves to the newer
// half. The zero value is ready to use; it is safe for concurrent use.
type Cache[K comparable, V any] struct {
	mu       sync.RWMutex
	new, old map[K]V
}

// Get returns what was put under k, if it is still there.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	c.mu.RLock()
	v, ok := c.new[k]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.old[k]
	c.mu.RUnlock()
	if ok {
		c.Put(k, v)
	}
	return v, ok
}

// Put keeps v under k.
func (c *Cache[K, V]) Put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.new[k]; !there && len(c.new) >= Half {
		c.old, c.new = c.new, nil
	}
	if c.new == nil {
		c.new = make(map[K]V)
	}
	c.new[k] = v
}

// Clear forgets everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old, c.new = nil, nil
}

// Entry is a value with the generation that it was loaded in.
type Entry[V any] struct {
	value V
	stamp Stamp
}

// Load returns what c has under k and g says is current, else what fn finds,
// and keeps that under the generation of about. What fn does not find is not
// kept: strangers may ask for anything.
func Load[G, K comparable, V any](g *Generations[G], c *Cache[K, Entry[V]], k K, about G, fn func() (V, bool, error)) (V, bool, error) {
	if e, ok := c.Get(k); ok && g.Current(e.stamp) {
		return e.value, true, nil
	}
	st := g.Stamp(about)
	v, ok, err := fn()
	if err == nil && ok {
		c.Put(k, Entry[V]{v, st})
	}
	return v, ok, err
}
