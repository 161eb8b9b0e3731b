package video

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// mostWaiting is how many complete fragments of a connection wait to be persisted before its body is read no further.
const mostWaiting = 8

// pending is a fragment whose bytes and record are all written, up to end of its chunk.
type pending struct {
	fragment
	timecode int64
	chunk    *chunk
	end      int64
}

// queue has a connection's complete fragments. A goroutine, the persister, is there only while it has any: a camera has
// none most of the time, and stacks would be most of what a connection takes.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond // by the persister; its L is mu
	waiting []pending
	busy    bool  // the persister runs
	err     error // what ended it, and was told to the producer: nothing more is persisted
}

// hand gives a complete fragment to the persister. It waits while too many are there.
func (x *session) hand(p pending) error {
	q := &x.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) >= mostWaiting && q.err == nil {
		q.changed.Wait()
	}
	switch {
	case q.err != nil:
		return errors.Join(errClosing, p.chunk.release())
	case !q.busy:
		if x.s.enter() == nil {
			return errors.Join(errClosing, p.chunk.release())
		}
		q.busy = true
		go x.persist()
	}
	q.waiting = append(q.waiting, p)
	return nil
}

// persisted waits for the persister's end, and answers what went wrong.
func (x *session) persisted() error {
	q := &x.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.busy {
		q.changed.Wait()
	}
	return q.err
}

// persist makes fragments durable, all that wait at once, until none is left or the producer was told of an error.
func (x *session) persist() {
	defer x.s.wg.Done()
	var err error
	for batch := x.batch(nil); batch != nil; batch = x.batch(err) {
		err = x.store(batch)
	}
}

// batch takes from the queue what waits, as far as it is in one chunk. It is nil, and the persister has ended, when that is
// nothing, or err ended the connection.
func (x *session) batch(err error) []pending {
	q := &x.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.changed.Broadcast()
	if err != nil {
		for _, p := range q.waiting {
			x.s.end(p.chunk)
		}
		q.waiting, q.err = nil, err
		interrupt(x.body)
	}
	if len(q.waiting) == 0 {
		q.waiting, q.busy = nil, false
		return nil
	}
	n := 1
	for n < len(q.waiting) && q.waiting[n].chunk == q.waiting[0].chunk {
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// store persists fragments of one chunk: their bytes and records first, then, in one transaction, their rows, for others to
// see, and only then come the acknowledgements. Its error is one that the producer has been told.
func (x *session) store(batch []pending) error {
	c := batch[0].chunk
	end := batch[len(batch)-1].end
	rows := make([]fragment, len(batch))
	for i, p := range batch {
		rows[i] = p.fragment
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // not the service's: Close waits for it
	defer cancel()
	began := time.Now()
	err := c.file.Sync(ctx)
	observe(x.s.metrics.synced, began)
	if err == nil {
		began = time.Now()
		err = x.s.addFragments(ctx, x.st, rows)
		if db.InDoubt(err) {
			c.doubt.Store(true)
		}
		observe(x.s.metrics.indexed, began)
	}
	if err == nil {
		c.kept.Store(end)
		for _, f := range rows {
			c.last.Store(max(c.last.Load(), f.server))
			x.s.arriving.end(x.st.ID, f.number)
		}
		x.s.live.changed(x.st.ID)
	} else {
		ack := ackErrorf(5001, "%v", err)
		if errors.Is(err, errGone) {
			ack = ackErrorf(4008, "stream is deleted")
		} else {
			x.log.Error("fragment cannot be persisted", "fragment", rows[0].number, "err", err)
			x.pause(storagePause)
		}
		_ = x.acks.fail(ack, batch[0].timecode, rows[0].number) // gone or not, this is the end
		err = ack
	}
	for _, p := range batch {
		if err == nil {
			_ = x.acks.fragment("PERSISTED", p.timecode, p.number) // a producer that has gone shows when the body is read
		}
		x.s.end(p.chunk)
	}
	return err
}
