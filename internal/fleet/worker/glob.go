package worker

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// Glob is the server's glob storage, in the worker.
type Glob struct {
	child *child

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan *GlobReply
}

func (g *Glob) call(ctx context.Context, op *GlobOp) (*GlobReply, error) {
	reply := make(chan *GlobReply, 1)
	g.mu.Lock()
	g.last++
	op.ID = g.last
	g.waiting[op.ID] = reply
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.waiting, op.ID)
		g.mu.Unlock()
	}()
	if err := g.child.tell(&fromWorker{Glob: op}); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-reply:
		if r.Error != "" {
			return nil, errors.New(r.Error)
		}
		return r, nil
	}
}

func (g *Glob) reply(r *GlobReply) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if waits := g.waiting[r.ID]; waits != nil {
		waits <- r
		delete(g.waiting, r.ID)
	}
}

// Get answers a value, and whether there is one.
func (g *Glob) Get(ctx context.Context, key string) (json.RawMessage, bool, error) {
	r, err := g.call(ctx, &GlobOp{Op: GlobGet, Key: key})
	if err != nil {
		return nil, false, err
	}
	return r.Value, r.Found, nil
}

// Set keeps a value.
func (g *Glob) Set(ctx context.Context, key string, value json.RawMessage) error {
	_, err := g.call(ctx, &GlobOp{Op: GlobSet, Key: key, Value: value})
	return err
}

// Delete removes a key. It need not be there.
func (g *Glob) Delete(ctx context.Context, key string) error {
	_, err := g.call(ctx, &GlobOp{Op: GlobDelete, Key: key})
	return err
}

// List answers up to limit keys that begin with prefix and come behind after,
// in the order of their bytes.
func (g *Glob) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	r, err := g.call(ctx, &GlobOp{Op: GlobList, Prefix: prefix, After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	return r.Keys, nil
}
