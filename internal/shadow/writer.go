package shadow

import (
	"context"
	"sync"

	"github.com/thingd/thingd/internal/db"
)

// maxBatch is how many rows are written in one transaction: few enough that others who write wait
// some milliseconds only.
const maxBatch = 512

// writer writes rows: while one transaction is committed the next ones gather, so that the disk is waited for
// once for many of them.
type writer struct {
	queue chan *pending
}

// pending is a row that is to be written.
type pending struct {
	id
	record
	done chan error
	ok   bool
}

func (w *writer) start(d *db.DB, work *sync.WaitGroup) {
	w.queue = make(chan *pending, maxBatch)
	work.Go(func() {
		var batch []*pending
		for p := range w.queue {
			batch = append(batch[:0], p)
			w.gather(&batch)
			commit(d, batch)
		}
	})
}

// gather takes what waits.
func (w *writer) gather(batch *[]*pending) {
	for len(*batch) < maxBatch {
		select {
		case p, ok := <-w.queue:
			if !ok {
				return
			}
			*batch = append(*batch, p)
		default:
			return
		}
	}
}

// close ends the writer once all is written. Nobody may write any more.
func (w *writer) close() { close(w.queue) }

// write writes a row if that of the revision before it is there; false means that it is not. It is durable when
// write returns.
func (w *writer) write(i id, r *record) (bool, error) {
	p := &pending{id: i, record: *r, done: make(chan error, 1)}
	w.queue <- p
	err := <-p.done
	return p.ok, err
}

// commit writes a batch, in which no shadow is twice, and tells each.
func commit(d *db.DB, batch []*pending) {
	ctx := context.Background() // who waits for others gives up for nobody
	err := d.Write(ctx, func(tx *db.Tx) error {
		for _, p := range batch {
			var err error
			if p.ok, err = write(ctx, tx, p.id, &p.record); err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range batch {
		p.done <- err
	}
}
