package db

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/writeback"
)

const (
	// The write-ahead log is moved into the database when so many writes were committed to it since the last time,
	// or its file has grown by so many bytes, or after so long. Seldom and much at once would keep the disk from others'
	// syncs for longer.
	checkpointWrites = 1000
	checkpointGrowth = 4 << 20
	checkpointEvery  = 5 * time.Second
	// beginWrites is after how many writes the disk begins with them. What is not waited for would else come all at once
	// with the checkpoint, whose sync others' wait for.
	beginWrites = 50
	// restartFrames is how many pages the log has when the writer is asked to begin it anew.
	restartFrames = 8192
	// maxLog is the size of the log's file from which on the writer makes readers let go of it. SQLite starts the log
	// anew only in a moment without readers, which a busy server may never have.
	maxLog = 64 << 20
)

// checkpointer moves what the write-ahead log has into the database, on a connection of its own. SQLite would have the
// writer do so, at every thousandth page, and all writes wait for it.
type checkpointer struct {
	log     *slog.Logger
	path    string
	sync    bool // what is moved is synced
	c       *conn
	due     chan struct{}
	early   chan struct{} // the disk is to begin with the log
	closing chan struct{}
	stopped chan struct{}
	moving  sync.Mutex // held while the log is moved

	// Of the writer's goroutine.
	writes  int       // since the last look
	unbegun int       // since the disk was asked to begin with them
	size    int64     // of the log's file, at it
	looked  time.Time // when it was
	tryAt   int64     // the size to truncate at again, if over maxLog
	restart chan struct{}
}

func newCheckpointer(c *conn, path string, sync bool, log *slog.Logger) *checkpointer {
	k := &checkpointer{
		log: log, path: path, sync: sync, c: c, looked: time.Now(),
		due: make(chan struct{}, 1), early: make(chan struct{}, 1), restart: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	go k.run()
	return k
}

// stop waits for what is under way and closes the connection.
func (k *checkpointer) stop() error {
	close(k.closing)
	<-k.stopped
	return k.c.close()
}

func (k *checkpointer) run() {
	defer close(k.stopped)
	var file *os.File                   // the log, nil until it is needed
	defer func() { _ = file.Close() }() // was only read
	for {
		select {
		case <-k.closing:
			return
		case <-k.due:
			k.move()
		case <-k.early:
			if file == nil {
				file, _ = os.Open(k.path + "-wal") // tried again next time
			}
			_ = writeback.Begin(file, 0, 0) // the checkpoint tells what fails
		}
	}
}

// move takes over what no reader needs from the log, and asks for a new beginning when it is long.
func (k *checkpointer) move() {
	k.moving.Lock()
	defer k.moving.Unlock()
	var busy, frames, moved int64
	err := k.c.c.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved)
	if err != nil {
		k.log.Warn("checkpoint", "err", err)
		return
	}
	if frames >= restartFrames {
		offer(k.restart)
	}
}

func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wrote is called by the writer, on whose connection w it may begin the log anew, after so many writes.
func (k *checkpointer) wrote(w *conn, n int) {
	k.writes += n
	if k.unbegun += n; k.sync && k.unbegun >= beginWrites {
		k.unbegun = 0
		offer(k.early)
	}
	size := k.fileSize()
	switch {
	case size >= max(k.tryAt, maxLog):
		if !k.moving.TryLock() {
			return
		}
		defer k.moving.Unlock()
		k.begin(w, "TRUNCATE")
		k.tryAt = 0
		if k.fileSize() >= maxLog {
			k.tryAt = size + maxLog/4
			k.log.Debug("checkpoint waits for a reader", "log_bytes", size)
		}
		return
	case len(k.restart) > 0:
		if !k.moving.TryLock() {
			return
		}
		defer k.moving.Unlock()
		<-k.restart
		k.begin(w, "RESTART")
	case k.writes < checkpointWrites && size-k.size < checkpointGrowth && time.Since(k.looked) < checkpointEvery:
		return
	default:
		offer(k.due)
	}
	k.writes, k.size, k.looked = 0, size, time.Now()
}

// begin moves the rest of the log and lets the next write begin it anew: at the start of its file, which costs less to
// write than its end, or of an empty one. It waits for readers only briefly, because writes wait for it.
func (k *checkpointer) begin(w *conn, how string) {
	for _, p := range []string{"busy_timeout=100", "wal_checkpoint(" + how + ")", busyTimeout} {
		// Busy readers are no error here but in the pragma's row.
		if _, err := w.c.ExecContext(context.Background(), "PRAGMA "+p); err != nil {
			k.log.Warn("checkpoint", "step", p, "err", err)
		}
	}
}

func (k *checkpointer) fileSize() int64 {
	fi, err := os.Stat(k.path + "-wal")
	if err != nil {
		return 0
	}
	return fi.Size()
}
