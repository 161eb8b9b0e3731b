package fleet

import (
	"context"
	"errors"
	"sync"

	"github.com/thingd/thingd/internal/fleet/worker"
)

// globber serves glob storage to a run: reads several at once, changes one
// transaction after the other, each with all that came meanwhile.
type globber struct {
	service *Service
	at      place
	ctx     context.Context
	stop    context.CancelFunc
	reads   chan globCall
	changes chan globCall
	work    sync.WaitGroup
}

// globCall is an operation with who waits for it.
type globCall struct {
	op    *worker.GlobOp
	reply func(*worker.GlobReply)
}

const (
	globReaders = 4
	globBatch   = 64  // changes of a transaction
	globWaiting = 256 // calls that wait, until the worker is not read any more
)

func (s *Service) newGlobber(at place) *globber {
	g := &globber{service: s, at: at, reads: make(chan globCall, globWaiting), changes: make(chan globCall, globWaiting)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	for range globReaders {
		g.work.Go(g.read)
	}
	g.work.Go(g.write)
	return g
}

func (g *globber) close() {
	g.stop()
	g.work.Wait()
}

// take takes an operation on.
func (g *globber) take(op *worker.GlobOp, reply func(*worker.GlobReply)) {
	c := globCall{op, reply}
	var err error
	to := g.reads
	switch op.Op {
	case worker.GlobGet:
		err = checkGlobKey(op.Key)
	case worker.GlobList:
		if op.Prefix != "" {
			err = checkGlobKey(op.Prefix)
		}
		if op.After != "" {
			err = errors.Join(err, checkGlobKey(op.After))
		}
	case worker.GlobSet:
		err, to = errors.Join(checkGlobKey(op.Key), checkGlobValue(op.Value)), g.changes
	case worker.GlobDelete:
		err, to = checkGlobKey(op.Key), g.changes
	default:
		err = errors.New("there is no such operation")
	}
	if err != nil {
		reply(&worker.GlobReply{Error: err.Error()})
		return
	}
	select {
	case to <- c:
	case <-g.ctx.Done():
	}
}

func (g *globber) read() {
	for {
		select {
		case <-g.ctx.Done():
			return
		case c := <-g.reads:
			c.reply(g.answer(c.op))
		}
	}
}

func (g *globber) answer(op *worker.GlobOp) *worker.GlobReply {
	if op.Op == worker.GlobList {
		const most = 1000
		limit := op.Limit
		if limit <= 0 || limit > most {
			limit = most
		}
		keys, err := g.service.globKeys(g.ctx, g.at, op.Prefix, op.After, limit)
		if err != nil {
			return g.fault(err)
		}
		r := &worker.GlobReply{Keys: make([]string, len(keys))}
		for i := range keys {
			r.Keys[i] = keys[i].key
		}
		return r
	}
	value, _, err := g.service.globValue(g.ctx, g.at, op.Key)
	if isNotFound(err) {
		return &worker.GlobReply{}
	}
	if err != nil {
		return g.fault(err)
	}
	return &worker.GlobReply{Value: value, Found: true}
}

// fault is what a script is told of an error that is none of its business.
func (g *globber) fault(err error) *worker.GlobReply {
	if full, ok := errors.AsType[*globLimitError](err); ok {
		return &worker.GlobReply{Error: full.Error()}
	}
	if g.ctx.Err() == nil {
		g.service.Log.Error("glob storage of a fleet run", "account", g.at.account, "error", err)
	}
	return &worker.GlobReply{Error: "glob storage is not available"}
}

func (g *globber) write() {
	for {
		var batch []globCall
		select {
		case <-g.ctx.Done():
			return
		case c := <-g.changes:
			batch = append(batch, c)
		}
	more:
		for len(batch) < globBatch {
			select {
			case c := <-g.changes:
				batch = append(batch, c)
			default:
				break more
			}
		}
		g.change(batch)
	}
}

// change makes the changes of a batch together; if they cannot all be made,
// one by one.
func (g *globber) change(batch []globCall) {
	changes := make([]globChange, len(batch))
	for i, c := range batch {
		changes[i] = globChange{key: c.op.Key}
		if c.op.Op == worker.GlobSet {
			changes[i].value = c.op.Value
		}
	}
	err := g.service.changeGlob(g.ctx, g.at, changes)
	if err != nil && len(batch) > 1 {
		for i := range batch {
			g.change(batch[i : i+1])
		}
		return
	}
	for _, c := range batch {
		if err != nil {
			c.reply(g.fault(err))
		} else {
			c.reply(&worker.GlobReply{})
		}
	}
}
