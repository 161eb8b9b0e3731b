package video

import (
	"sync"
	"time"
)

// silence looks at a connection now and then: a timer, and no goroutine that waits.
type silence struct {
	mu    sync.Mutex // held while it looks
	timer *time.Timer
	over  bool
}

// watch begins to tell a producer that is silent that the connection still stands, and to end one that is so for too
// long, or within a fragment that takes too long. Nothing of that happens any more when stop has returned.
func (x *session) watch() (stop func()) {
	w := &x.silence
	every := x.s.IdlePut / 3
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(every, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.over {
			x.look()
			w.timer.Reset(every)
		}
	})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
		w.timer.Stop()
	}
}

func (x *session) look() {
	since, arrives := x.reading.Load(), x.arrives.Load()
	silent := time.Duration(x.now() - since)
	switch {
	case since == 0:
	case silent >= x.s.IdlePut, arrives > 0 && time.Duration(x.now()-arrives) > fragmentTime:
		interrupt(x.body)
	case silent >= x.s.IdlePut/6:
		_ = x.acks.idle() // a producer that has gone shows when the body is read
	}
}
