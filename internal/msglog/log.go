// Package msglog keeps what the broker has promised: the messages that are
// queued for persistent sessions, where each QoS 2 exchange stands, the
// sessions themselves and the retained messages. Everything appended while one
// commit runs becomes durable with the next, as one row of encoded records, so
// that thousands of messages share an fsync. Queues are kept in memory as
// sequence numbers, messages only in the database and a bounded cache. What a
// message is, and who gets it, is the broker's business.
package msglog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/thingd/thingd/internal/db"
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the message log is closed")

// ErrBacklog refuses messages while more than Options.Pending bytes wait for
// the database: do not read on from whoever sent them.
var ErrBacklog = errors.New("too much waits to be written")

// ErrSettled says that a message is not in the queue of that session (any
// more): it was settled, or its commit failed.
var ErrSettled = errors.New("the message is not queued")

// ErrTakenOver ends a log whose database another process has opened a log on.
var ErrTakenOver = errors.New("another process has taken the message log over")

// Options are how a log keeps to its bounds. Zero values mean the defaults.
type Options struct {
	Logger  *slog.Logger
	Lazy    time.Duration // how long settlements wait for a commit: default 200 ms
	Pending int           // bytes that may wait for the database: default 64 MiB
	Cache   int           // bytes of rows kept in memory: default 32 MiB
	Slack   int           // bytes that may be dead whatever is live: default 8 MiB
}

// Log is safe for concurrent use.
type Log struct {
	db    *db.DB
	o     Options
	log   *slog.Logger
	epoch int64
	cache *cache
	reads singleflight.Group // of rows

	kick    chan struct{} // somebody waits for a commit
	arm     chan struct{} // nobody waits: a commit when Options.Lazy has passed
	closing chan struct{}
	stopped chan struct{}
	once    sync.Once
	failing bool // the last commit failed; of the committer alone

	mu       sync.Mutex
	closed   error // why nothing more is taken
	last     error // of the last commit
	loaded   bool
	nextSeq  uint64
	nextID   SessionID
	nextRow  uint64
	commits  int64
	queues   map[SessionID]*queue
	rows     []*row // by slot; nil where free
	free     []uint32
	order    []*row // the stored ones by id, and some that are gone
	gathered gathering
	pending  int           // bytes of what is gathered and what is being committed
	room     chan struct{} // closed when pending shrinks
	scratch  []target
	atOnce   int // bytes of rows whose messages one commit moves
	usual    int // size of the first row of the last commit

	stored    int // rows
	total     int // their bytes
	liveBytes int // of their live records
	deadRows  int // stored, without live messages
	deadBytes int
	deletable []*row // of the dead, those whose records nobody needs
}

// Open takes the log of a database over. Load must be called before the rest.
func Open(ctx context.Context, d *db.DB, o Options) (*Log, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Lazy <= 0 {
		o.Lazy = 200 * time.Millisecond
	}
	if o.Pending <= 0 {
		o.Pending = 64 << 20
	}
	if o.Cache <= 0 {
		o.Cache = 32 << 20
	}
	if o.Slack <= 0 {
		o.Slack = 8 << 20
	}
	o.Slack = max(o.Slack, minSlack)
	l := &Log{
		db: d, o: o, log: o.Logger, cache: newCache(o.Cache),
		kick: make(chan struct{}, 1), arm: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}),
		nextSeq: 1, nextID: 1, nextRow: 1,
		queues: make(map[SessionID]*queue),
		room:   make(chan struct{}),
		atOnce: moveBytes,
	}
	err := d.Write(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO mqtt_log_owner (name, epoch, commits) VALUES ('log', 1, 0)
			ON CONFLICT (name) DO UPDATE SET epoch = mqtt_log_owner.epoch + 1 RETURNING epoch, commits`).Scan(&l.epoch, &l.commits)
	})
	if err != nil {
		return nil, fmt.Errorf("open message log: %w", err)
	}
	return l, nil
}

// NewSession returns the number of a new session. PutSession makes it durable;
// before, it can already be a target in the same or a later batch. A session
// that does not come about is to be deleted.
func (l *Log) NewSession() SessionID {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.nextID
	l.nextID++
	l.queues[id] = &queue{}
	return id
}

// Queue returns how many messages are queued for a session and their bytes.
func (l *Log) Queue(s SessionID) (messages int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.queues[s]; q != nil {
		return q.messages, q.bytes
	}
	return 0, 0
}

// Queued says whether a message is in the queue of a session. Once done was
// called for its batch, one that is not was settled or could not be stored.
func (l *Log) Queued(s SessionID, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pair(s, seq) != nil
}

// Kept says whether a message is in the queue of a session and on disk.
func (l *Log) Kept(s SessionID, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pair(s, seq)
	return p != nil && l.rows[p.slot].stored()
}

// Wait returns when less than half of Options.Pending waits for the database.
func (l *Log) Wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		err, room, enough := l.closed, l.room, l.pending < l.o.Pending/2
		l.mu.Unlock()
		if err != nil || enough {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close makes durable what was appended and ends the log; it returns the error
// of the last commit. The database stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	loaded := l.loaded
	if l.closed == nil {
		l.closed = ErrClosed
	}
	l.mu.Unlock()
	if !loaded {
		return nil
	}
	l.once.Do(func() { close(l.closing) })
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
