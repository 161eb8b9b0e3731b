package shadow

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/semaphore"
)

// maxWaiting bounds the bytes of requests that are not yet answered, of all shadows together. Whoever sends more
// waits.
const (
	maxWaiting  = 16 << 20
	requestCost = 1 << 10 // of a request beside its payload
)

// lanes have the requests for one shadow done one after the other, as they came, and those for different shadows at
// once: a goroutine for each shadow that has requests, for as long as it has.
type lanes struct {
	once sync.Once
	room *semaphore.Weighted
	work sync.WaitGroup

	mu      sync.Mutex
	waiting map[id][]*request // behind the one that is being done
	closed  bool
}

var errClosed = errors.New("the shadows are closed")

// put has a request done in its turn. It waits only when too many wait already, and fails when ctx ends meanwhile, or
// after close.
func (l *lanes) put(ctx context.Context, r *request, do func(*request)) error {
	l.once.Do(func() { l.room = semaphore.NewWeighted(maxWaiting) })
	if err := l.room.Acquire(ctx, r.cost()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.room.Release(r.cost())
		return errClosed
	}
	if queue, busy := l.waiting[r.id]; busy {
		l.waiting[r.id] = append(queue, r)
		return nil
	}
	if l.waiting == nil {
		l.waiting = map[id][]*request{}
	}
	l.waiting[r.id] = nil
	l.work.Go(func() {
		for next := r; next != nil; next = l.next(next) {
			do(next)
		}
	})
	return nil
}

// close takes nothing any more and waits until all is done.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.work.Wait()
}

// next ends a request and takes the one behind it, nil for none.
func (l *lanes) next(r *request) *request {
	l.room.Release(r.cost())
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.waiting[r.id]
	if len(queue) == 0 {
		delete(l.waiting, r.id)
		return nil
	}
	l.waiting[r.id] = queue[1:]
	return queue[0]
}

// cost is what a request takes of the room.
func (r *request) cost() int64 { return min(int64(len(r.payload))+requestCost, maxWaiting) }
