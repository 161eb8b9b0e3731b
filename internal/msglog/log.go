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
	"log/slog"
	"time"

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
type Log struct{}

// Open takes the log of a database over. Load must be called before the rest.
func Open(ctx context.Context, d *db.DB, o Options) (*Log, error) { return &Log{}, nil }

// Load gives, as of the last commit, each session to session and each retained
// message to retained, whose data is theirs to keep. An error of theirs ends it.
func (l *Log) Load(ctx context.Context, session func(*Loaded) error, retained func(RetainedTopic, []byte) error) error {
	return nil
}

// NewSession returns the number of a new session. PutSession makes it durable;
// before, it can already be a target in the same or a later batch. A session
// that does not come about is to be deleted.
func (l *Log) NewSession() SessionID { return 0 }

// Append takes a batch over and returns at once. When all of it is durable, or
// cannot be made so, done (which may be nil) is called: in the order of the
// calls of Append, from one goroutine, which it must not keep waiting; it may
// call Append. An error of Append itself means that nothing was appended and
// done is never called: ErrClosed, ErrBacklog (for batches with messages,
// incoming ids or retained messages only), or text that no database takes.
//
// When done is given an error, the messages, incoming ids and retained messages
// of the batch are gone, as if never appended: nothing may be acknowledged.
// The rest of it (Assigned, Released, Settled, Completed, sessions) stands and
// is tried again with the next commit.
func (l *Log) Append(b *Batch, done func(error)) error { return nil }

// Message returns a copy of a message that is queued for a session, also while
// its commit is still to come. It may read from the database; Cached tells
// without. ErrSettled when it is not queued.
func (l *Log) Message(ctx context.Context, s SessionID, seq uint64) ([]byte, error) { return nil, nil }

// Cached is Message for callers that cannot wait: false when the database has
// to be asked, or the message is not queued.
func (l *Log) Cached(s SessionID, seq uint64) ([]byte, bool) { return nil, false }

// Queue returns how many messages are queued for a session and their bytes.
func (l *Log) Queue(s SessionID) (messages int, bytes int64) { return 0, 0 }

// Wait returns when less than half of Options.Pending waits for the database.
func (l *Log) Wait(ctx context.Context) error { return nil }

// Close makes durable what was appended and ends the log; it returns the error
// of the last commit. The database stays open.
func (l *Log) Close() error { return nil }
