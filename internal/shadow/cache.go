package shadow

import "sync"

// cacheBytes bounds each of the cache's two halves.
const cacheBytes = 16 << 20

// cache keeps rows that were written or read last, so that the next update of a shadow has only to write. What
// another process wrote since is found out by writing, which is refused then.
type cache struct {
	mu       sync.Mutex
	new, old map[id]*record
	size     int // of new
}

func (c *cache) get(i id) (*record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.new[i]
	if !ok {
		if r, ok = c.old[i]; ok {
			c.put(i, r)
		}
	}
	return r, ok
}

func (c *cache) set(i id, r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(i, r)
}

// put is set under the lock.
func (c *cache) put(i id, r *record) {
	if was, ok := c.new[i]; ok {
		c.size -= was.size()
	}
	if c.size+r.size() > cacheBytes {
		c.old, c.new, c.size = c.new, nil, 0
	}
	if c.new == nil {
		c.new = map[id]*record{}
	}
	c.new[i] = r
	c.size += r.size()
}

func (c *cache) drop(i id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.new[i]; ok {
		c.size -= r.size()
		delete(c.new, i)
	}
	delete(c.old, i)
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.new, c.old, c.size = nil, nil, 0
}

// size is about what an entry takes.
func (r *record) size() int { return 300 + len(r.State) + len(r.Times) }
