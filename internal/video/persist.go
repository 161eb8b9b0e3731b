package video

import (
	"context"
	"errors"
	"time"
)

// persist makes fragments durable as they come, all that wait at once: their bytes first, then, in one transaction,
// their rows, and only then the acknowledgements. It ends when the queue is closed, when the service closes and
// the queue is empty, or with an error that the producer has been told.
func (x *session) persist() error {
	idle := time.NewTicker(x.s.IdlePut / 3)
	defer idle.Stop()
	closing := x.ctx.Done()
	for {
		select {
		case first, ok := <-x.queue:
			if !ok {
				return nil
			}
			if err := x.store(x.batch(first)); err != nil {
				return err
			}
		case <-idle.C:
			// "IDLE" tells a producer that is silent that the connection still stands.
			since, arrives := x.reading.Load(), x.arrives.Load()
			silent := time.Duration(x.now() - since)
			switch {
			case since == 0:
			case silent >= x.s.IdlePut, arrives > 0 && time.Duration(x.now()-arrives) > fragmentTime:
				interrupt(x.body)
			case silent >= x.s.IdlePut/6:
				_ = x.acks.idle() // a producer that has gone shows when the body is read
			}
		case <-closing:
			select {
			case first, ok := <-x.queue:
				if !ok {
					return nil
				}
				if err := x.store(x.batch(first)); err != nil {
					return err
				}
			default:
				return errClosing
			}
		}
	}
}

// batch is first and what else waits, as far as it is in the same chunk.
func (x *session) batch(first pending) (batch []pending, next *pending) {
	batch = append(batch, first)
	for {
		select {
		case p, ok := <-x.queue:
			if !ok {
				return batch, nil
			}
			if p.chunk != first.chunk {
				return batch, &p
			}
			batch = append(batch, p)
		default:
			return batch, nil
		}
	}
}

// store persists a batch, and then next, the first fragment of another chunk.
func (x *session) store(batch []pending, next *pending) error {
	c := batch[0].chunk
	end := batch[len(batch)-1].end
	rows := make([]fragment, len(batch))
	for i, p := range batch {
		rows[i] = p.fragment
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // not the service's: Close waits for it
	defer cancel()
	err := c.file.Sync(ctx)
	if err == nil {
		err = x.s.addFragments(ctx, x.st, rows, end)
	}
	if err == nil {
		c.kept.Store(end)
		for _, f := range rows {
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
		if e := p.chunk.release(); e != nil {
			x.log.Error("chunk cannot be ended", "chunk", p.chunk.name, "err", e)
		}
	}
	if next == nil {
		return err
	}
	if err != nil {
		return errors.Join(err, next.chunk.release())
	}
	return x.store([]pending{*next}, nil)
}
