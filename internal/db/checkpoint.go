package db

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// The write-ahead log is moved into the database when so many writes were committed to it since the last time,
	// or its file has grown by so many bytes, or after so long. Seldom and much at once would keep the disk from others'
	// syncs for longer.
	checkpointWrites = 1000
	checkpointGrowth = 4 << 20
	checkpointEvery  = 5 * time.Second
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
	c       *conn
	due     chan struct{}
	closing chan struct{}
	stopped chan struct{}
	moving  sync.Mutex // held while the log is moved

	// Of the writer's goroutine.
	writes  int       // since the last look
	size    int64     // of the log's file, at it
	looked  time.Time // when it was
	tryAt   int64     // the size to truncate at again, if over maxLog
	restart chan struct{}
}

func newCheckpointer(c *conn, path string, log *slog.Logger) *checkpointer {
	k := &checkpointer{
		log: log, path: path, c: c, looked: time.Now(),
		due: make(chan struct{}, 1), restart: make(chan struct{}, 1),
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
	for {
		select {
		case <-k.closing:
			return
		case <-k.due:
			k.move()
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
