// Package video is Kinesis Video Streams: streams and their tags, the taking in of what producers send
// (PutMedia), the index of fragments with their retention, and the giving out of fragments as they were
// sent (GetMedia, GetMediaForFragmentList, ListFragments). A fragment is bytes in a chunk file that one
// connection writes, a record behind them, and a row that says where; it is acknowledged as PERSISTED when the file is
// durable and the row can be seen. What a crash of the machine takes out of the index comes back from the records.
// Matroska itself is package mkv's matter, who may call what is decided before a method runs, and files and tables are
// blob's and db's.
package video

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
)

// Endpoints knows the addresses under which clients reach us.
type Endpoints interface {
	// VideoData is the base URL of the data operations, without a slash at its end:
	// https when secure, for a client that asks over TLS.
	VideoData(secure bool) string
}

// Service serves the operations of kinesisvideo, kinesis-video-media and kinesis-video-archived-media.
// Set the exported fields, then Start; its methods may then be called concurrently.
type Service struct {
	DB        *db.DB
	Blobs     *blob.Files
	Log       *slog.Logger
	Now       func() time.Time
	Endpoints Endpoints
	// Registerer gets the metrics; it may be nil.
	Registerer prometheus.Registerer

	// Node names this process's files among those of others that share the database: the chunks it has leased are its
	// own to recover, as are those of nobody. One process alone needs no name.
	Node string
	// Limits is what producers and accounts are held to; the zero value is AWS's.
	Limits Limits
	// IdlePut is how long a PutMedia connection may send nothing; 0 means 30 seconds, as on AWS.
	IdlePut time.Duration
	// IdleGet is how long GetMedia waits for the next fragment before it ends the answer; 0 means 30 seconds.
	IdleGet time.Duration
	// ReapEvery is the time between two looks at what has outlived its retention; 0 means 20 seconds.
	ReapEvery time.Duration

	numbers  numbers
	arriving arriving
	live     live
	traffic  traffic
	leases   leases
	parking  parking
	buffers  buffers
	metrics  *metrics

	mu     sync.Mutex // guards the next two, and wg.Add against Close
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the reaper, and persisting connections
	wake   chan struct{}  // of the reaper
}

// Start finishes what an earlier process left behind, chunk files that were being written, and begins to give
// back the space of what is deleted or outlived. It returns when PutMedia may be served. After Close the service may be
// started again.
func (s *Service) Start(ctx context.Context) error {
	if s.wake == nil {
		m, err := newMetrics(s.Registerer)
		if err != nil {
			return err
		}
		s.metrics = m
		s.Limits = s.Limits.withDefaults()
		s.IdlePut = positive(s.IdlePut, 30*time.Second)
		s.IdleGet = positive(s.IdleGet, 30*time.Second)
		s.ReapEvery = positive(s.ReapEvery, 20*time.Second)
		s.wake = make(chan struct{}, 1)
	}
	if err := s.endLeases(ctx); err != nil {
		return fmt.Errorf("recover chunks of video: %w", err)
	}
	running, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.ctx, s.cancel = running, cancel
	s.mu.Unlock()
	s.parks(true)
	s.wg.Go(func() { s.reap(running) })
	return nil
}

// Interrupt ends all PutMedia and GetMedia connections soon, the former after what they have completely received
// is persisted, and does not wait for them. No new ones are taken until the next Start.
func (s *Service) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// Close interrupts all connections, and waits until what they have completely received is persisted and the reaper
// has ended.
func (s *Service) Close() error {
	s.Interrupt()
	s.parks(false)
	s.wg.Wait()
	return nil
}

// running is a context that ends when the service is interrupted, or nil when it does not run.
func (s *Service) running() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return nil
	}
	return s.ctx
}

// enter is running, for a connection whose persisting Close has to wait for.
func (s *Service) enter() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return nil
	}
	s.wg.Add(1)
	return s.ctx
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// errGone is met when a stream is deleted under a caller that works on it.
var errGone = errors.New("stream is deleted")
