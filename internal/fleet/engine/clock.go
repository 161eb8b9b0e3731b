package engine

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// clock is a run's time. Devices (and whoever else sleeps on it) take part in it between Enter and Leave: virtual time stands
// still while any of them does anything but sleep.
type clock interface {
	Now() time.Time
	// Sleep waits until then, or until Wake is called for s: once before is enough. It returns early with an error when
	// ctx ends.
	Sleep(ctx context.Context, s *sleeper, until time.Time) error
	Wake(s *sleeper)
	// WakeAll is Wake of all who sleep.
	WakeAll()
	Enter()
	Leave()
}

// sleeper is who sleeps on a clock, one sleep at a time.
type sleeper struct {
	wake  chan struct{} // of one
	at    time.Time
	seq   uint64
	index int // in the virtual clock's heap; -1: not there
}

func newSleeper() *sleeper { return &sleeper{wake: make(chan struct{}, 1), index: -1} }

func (s *sleeper) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// realClock is the time that everybody has.
type realClock struct{}

func (realClock) Now() time.Time  { return time.Now() }
func (realClock) Wake(s *sleeper) { s.signal() }
func (realClock) WakeAll()        {}
func (realClock) Enter()          {}
func (realClock) Leave()          {}

func (realClock) Sleep(ctx context.Context, s *sleeper, until time.Time) error {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.wake:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// virtualClock jumps to the next time at which somebody wakes as soon as all sleep. Those who wake at the same time do so in
// the order in which they went to sleep.
type virtualClock struct {
	mu     sync.Mutex
	now    time.Time
	active int
	seq    uint64
	asleep sleepers
}

func newVirtualClock(start time.Time) *virtualClock { return &virtualClock{now: start} }

func (c *virtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *virtualClock) Enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active++
}

func (c *virtualClock) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	c.advance()
}

// advance wakes who is next, if nobody is awake.
func (c *virtualClock) advance() {
	if c.active > 0 || len(c.asleep) == 0 {
		return
	}
	if next := c.asleep[0].at; next.After(c.now) {
		c.now = next
	}
	for len(c.asleep) > 0 && !c.asleep[0].at.After(c.now) {
		s := heap.Pop(&c.asleep).(*sleeper)
		c.active++
		s.signal()
	}
}

func (c *virtualClock) Sleep(ctx context.Context, s *sleeper, until time.Time) error {
	c.mu.Lock()
	if !until.After(c.now) {
		c.mu.Unlock()
		return ctx.Err()
	}
	c.seq++
	s.at, s.seq = until, c.seq
	heap.Push(&c.asleep, s)
	c.active--
	c.advance()
	c.mu.Unlock()
	var err error
	select {
	case <-s.wake:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rouse(s)
	return err
}

// rouse takes s out of those asleep, if it is among them.
func (c *virtualClock) rouse(s *sleeper) {
	if s.index >= 0 {
		heap.Remove(&c.asleep, s.index)
		c.active++
	}
}

func (c *virtualClock) Wake(s *sleeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rouse(s) // at once: time must not pass before it runs
	s.signal()
}

func (c *virtualClock) WakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.asleep) > 0 {
		s := c.asleep[0]
		c.rouse(s)
		s.signal()
	}
}

// sleepers is a heap of those who sleep, by when they wake.
type sleepers []*sleeper

func (h sleepers) Len() int { return len(h) }

func (h sleepers) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}

func (h sleepers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *sleepers) Push(x any) {
	s := x.(*sleeper)
	s.index = len(*h)
	*h = append(*h, s)
}

func (h *sleepers) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h, s.index = old[:len(old)-1], -1
	return s
}
