package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueLength bounds the writes that wait; more wait in their callers.
	queueLength = 1024
	// maxBatch and maxBatchTime bound what is committed together, and so how
	// long the first of a batch waits for the last.
	maxBatch     = 512
	maxBatchTime = 20 * time.Millisecond
)

// writer owns the one connection that writes. It takes the writes that wait,
// lets each run in a savepoint, commits them together, and tells their callers
// only then. A write's function runs in its caller's goroutine while the writer
// waits for it: a panic unwinds where it belongs. Those of soon, of which there
// are many, run in the writer's own, whose stack has long become as large as
// SQLite wants it.
type writer struct {
	log         *slog.Logger
	c           *conn
	sync        bool // commits are durable, but for those of soon
	soon        bool // the connection is set to commit without waiting for the disk
	checkpoints *checkpointer
	queue       chan *write
	closing     chan struct{}
	stopped     chan struct{}
	once        sync.Once
	err         error // of closing the connection
}

// write is one waiting transaction.
type write struct {
	fn        func(*Tx) error
	soon      bool        // the disk is not waited for, and the writer runs fn itself
	turn      chan *Tx    // else the writer offers the transaction
	done      chan bool   // and the caller is through: whether to keep what it did
	committed chan error  // the writer's answer
	claimed   atomic.Bool // by the writer that lets it run, or its caller that gives up
	err       error       // fn's
	panicked  *panicked   // what fn panicked with in the writer's goroutine
	schema    bool        // runs alone, without foreign keys
}

// panicked is a panic on its way to another goroutine.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) String() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// claim says whether it was the first to do so.
func (req *write) claim() bool { return req.claimed.CompareAndSwap(false, true) }

func newWriter(c *conn, sync bool, k *checkpointer, log *slog.Logger) *writer {
	w := &writer{
		log: log, c: c, sync: sync, checkpoints: k,
		queue:   make(chan *write, queueLength),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// stop lets the running batch end, refuses the rest and closes the connection.
func (w *writer) stop() error {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
	return w.err
}

// write runs fn when its turn comes and returns once it is committed, and durable unless soon is enough.
func (w *writer) write(ctx context.Context, soon bool, fn func(*Tx) error) error {
	return w.submit(ctx, &write{fn: fn, soon: soon})
}

// exclusive runs fn alone in a transaction, with foreign keys unenforced so
// that tables can be dropped and rebuilt.
func (w *writer) exclusive(ctx context.Context, fn func(schemaTx) error) error {
	return w.submit(ctx, &write{schema: true, fn: func(tx *Tx) error {
		const changes = `SELECT total_changes()`
		before, err := names(tx.q.QueryContext(ctx, changes))
		if err != nil {
			return err
		}
		if err := fn(tx.q); err != nil {
			return err
		}
		after, err := names(tx.q.QueryContext(ctx, changes))
		if err != nil || slices.Equal(before, after) {
			return err // as at most starts: the check reads the whole database
		}
		broken, err := names(tx.q.QueryContext(ctx, `SELECT DISTINCT "table" FROM pragma_foreign_key_check`))
		if err == nil && len(broken) > 0 {
			err = fmt.Errorf("foreign keys of %s point nowhere", strings.Join(broken, ", "))
		}
		return err
	}})
}

func (w *writer) submit(ctx context.Context, req *write) error {
	req.turn = make(chan *Tx)
	req.done = make(chan bool, 1)
	req.committed = make(chan error, 1)
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-w.closing:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- req:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return ErrClosed
	}
	for ended, stopped := ctx.Done(), w.stopped; ; {
		select {
		case tx := <-req.turn:
			req.call(tx)
			return req.result(<-req.committed)
		case err := <-req.committed:
			return req.result(err)
		case <-ended:
			if req.claim() {
				return ctx.Err()
			}
			ended = nil // it runs
		case <-stopped:
			if req.claim() {
				return ErrClosed
			}
			stopped = nil
		}
	}
}

// call runs fn and says how it ended, also when it panics or ends its goroutine.
func (req *write) call(tx *Tx) {
	keep := false
	defer func() { req.done <- keep }()
	req.err = tx.result(req.fn(tx))
	keep = req.err == nil
}

// callHere is call in the writer's goroutine, which outlives a panic.
func (req *write) callHere(tx *Tx) {
	defer func() {
		if v := recover(); v != nil {
			req.panicked = &panicked{v, debug.Stack()}
		}
	}()
	req.call(tx)
}

// result is what the caller gets once the writer has answered.
func (req *write) result(commit error) error {
	if req.panicked != nil {
		panic(req.panicked)
	}
	if req.err != nil {
		return req.err
	}
	return commit
}

func (w *writer) run() {
	defer close(w.stopped)
	defer func() { w.err = errors.Join(w.checkpoints.stop(), w.c.close()) }()
	for {
		select {
		case <-w.closing:
			return
		case req := <-w.queue:
			for req != nil {
				var n int
				n, req = w.batch(req)
				w.checkpoints.wrote(w.c, n)
			}
		}
	}
}

// batch runs first and what waits behind it, and commits. It returns how many
// they were, and a request that it has taken and that needs another batch: a
// schema's, or one that has to be durable behind those that need not wait for it.
func (w *writer) batch(first *write) (n int, next *write) {
	ctx := context.Background()
	if err := w.commitSoon(ctx, first.soon); err != nil {
		first.committed <- err
		return 0, nil
	}
	if first.schema {
		w.foreignKeys(ctx, "OFF")
		defer w.foreignKeys(ctx, "ON")
	}
	if _, err := w.c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		first.committed <- fmt.Errorf("begin: %w", err)
		return 0, nil
	}
	var members []*write
	deadline := time.Now().Add(maxBatchTime)
	var err error
	for req := first; ; {
		var ran bool
		if ran, err = w.member(ctx, req); ran {
			members = append(members, req)
		}
		if err != nil || first.schema || len(members) >= maxBatch || time.Now().After(deadline) {
			break
		}
		select {
		case req = <-w.queue:
		default:
			req = nil
		}
		if req == nil {
			break
		}
		if req.schema || w.soon && !req.soon {
			next = req
			break
		}
	}
	if err == nil {
		if _, err = w.c.ExecContext(ctx, "COMMIT"); err != nil {
			err = fmt.Errorf("commit: %w", err)
		}
	}
	if err != nil {
		// The transaction may be gone already (a full disk ends it), then this
		// fails, which is as good.
		_, _ = w.c.ExecContext(ctx, "ROLLBACK")
		w.log.Error("writes lost", "count", len(members), "err", err)
	}
	for _, req := range members {
		req.committed <- err
	}
	return len(members), next
}

// commitSoon sets whether commits wait for the disk.
func (w *writer) commitSoon(ctx context.Context, soon bool) error {
	if !w.sync || soon == w.soon {
		return nil
	}
	// FULL syncs the log at every commit; NORMAL would only at checkpoints. Like
	// foreign_keys it acts when it is prepared.
	level := "FULL"
	if soon {
		level = "NORMAL"
	}
	if _, err := w.c.c.ExecContext(ctx, "PRAGMA synchronous="+level); err != nil {
		return fmt.Errorf("set synchronous: %w", err)
	}
	w.soon = soon
	return nil
}

// member gives the transaction to one write. ran says whether its caller was
// still there; an error means that the whole transaction is lost.
func (w *writer) member(ctx context.Context, req *write) (ran bool, err error) {
	if !req.claim() {
		return false, nil
	}
	if _, err := w.c.ExecContext(ctx, "SAVEPOINT w"); err != nil {
		req.committed <- fmt.Errorf("savepoint: %w", err)
		return false, err
	}
	tx := &Tx{q: w.c, pinned: true}
	if req.soon {
		req.callHere(tx)
	} else {
		req.turn <- tx
	}
	if !<-req.done {
		if _, err := w.c.ExecContext(ctx, "ROLLBACK TO w"); err != nil {
			return true, fmt.Errorf("roll back: %w", err)
		}
	}
	if _, err := w.c.ExecContext(ctx, "RELEASE w"); err != nil {
		return true, fmt.Errorf("release: %w", err)
	}
	return true, nil
}

func (w *writer) foreignKeys(ctx context.Context, to string) {
	// Not through the prepared statements: this pragma acts when it is prepared.
	if _, err := w.c.c.ExecContext(ctx, "PRAGMA foreign_keys="+to); err != nil {
		w.log.Error("set foreign_keys", "to", to, "err", err)
	}
}
