package broker

import (
	"sync"
	"sync/atomic"
	"time"
)

// wheel calls back at given seconds, for very many, of which most never come to
// pass: keep-alive, will delay, session expiry. Setting and clearing cost a few
// pointers. A slot is a second; what lies further ahead than the slots reach is
// put off when its slot comes round.
type wheel struct {
	base time.Time    // when second 1 began; seconds are the monotonic clock's
	sec  atomic.Int64 // the present second, as of the last tick

	mu    sync.Mutex
	slots [512]*alarm
}

// alarm is what rings. Its owner embeds it; the zero value is not set.
type alarm struct {
	ring       func() // called on the wheel's goroutine, without its lock: it must not wait
	at         int64  // second; 0: not set
	next, prev *alarm
	slot       int32
}

// seconds is the present second: cheap, and not older than a tick.
func (w *wheel) seconds() int64 { return w.sec.Load() }

// set has a ring at the given second, or at the next tick if that has passed. It
// replaces what was set before.
func (w *wheel) set(a *alarm, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(a)
	w.link(a, max(at, w.sec.Load()+1))
}

// clear takes a's alarm away. It may be ringing just now.
func (w *wheel) clear(a *alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(a)
}

func (w *wheel) link(a *alarm, at int64) {
	a.at = at
	a.slot = int32(at % int64(len(w.slots)))
	first := w.slots[a.slot]
	a.next, a.prev = first, nil
	if first != nil {
		first.prev = a
	}
	w.slots[a.slot] = a
}

func (w *wheel) unlink(a *alarm) {
	if a.at == 0 {
		return
	}
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		w.slots[a.slot] = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.at, a.next, a.prev = 0, nil, nil
}

// start sets the clock.
func (w *wheel) start() {
	w.base = time.Now()
	w.sec.Store(1)
}

// after is the second in which d will have passed for sure.
func (w *wheel) after(d time.Duration) int64 {
	return 1 + int64((time.Since(w.base)+d+time.Second-1)/time.Second)
}

// run ticks until stop is closed. That somebody sets the clock changes nothing.
func (w *wheel) run(stop <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			w.tick(1 + int64(time.Since(w.base)/time.Second))
		}
	}
}

// tick rings all that is due at a second.
func (w *wheel) tick(now int64) {
	from := w.sec.Load() + 1
	w.sec.Store(now)
	if now-from >= int64(len(w.slots)) {
		from = now - int64(len(w.slots)) + 1
	}
	var due []*alarm
	w.mu.Lock()
	for s := from; s <= now; s++ {
		for a := w.slots[s%int64(len(w.slots))]; a != nil; {
			next := a.next
			if a.at <= now {
				w.unlink(a)
				due = append(due, a)
			}
			a = next
		}
	}
	w.mu.Unlock()
	for _, a := range due {
		a.ring()
	}
}
