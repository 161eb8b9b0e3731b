package msglog

import (
	"container/list"
	"sync"
)

// cache keeps the rows that were used last, up to a number of bytes.
type cache struct {
	max int

	mu    sync.Mutex
	size  int
	byID  map[uint64]*list.Element
	order *list.List // of cached; the last used in front
}

type cached struct {
	id uint64
	b  []byte
}

func newCache(max int) *cache {
	return &cache{max: max, byID: make(map[uint64]*list.Element), order: list.New()}
}

// get returns a row that must not be changed, or nil.
func (c *cache) get(id uint64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).b
}

func (c *cache) put(id uint64, b []byte) {
	if cap(b) > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byID[id])
	c.byID[id] = c.order.PushFront(&cached{id, b})
	c.size += cap(b)
	for c.size > c.max {
		c.remove(c.order.Back())
	}
}

func (c *cache) drop(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byID[id])
}

func (c *cache) remove(e *list.Element) {
	if e == nil {
		return
	}
	v := c.order.Remove(e).(*cached)
	delete(c.byID, v.id)
	c.size -= cap(v.b)
}
