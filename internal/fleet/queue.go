package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// Workers is how runs are done, and where they reach this installation.
type Workers struct {
	worker.Config
	Endpoint string        // URL of all AWS APIs
	MQTT     string        // host:port; empty if there is none
	Roots    func() []byte // PEM
	Egress   worker.Egress
}

// mqtt is where the devices of a model connect that does not say where.
func (w *Workers) mqtt(start *worker.Start) string {
	var m struct{ Protocol struct{ Endpoint string } }
	if err := json.Unmarshal(start.Model, &m); err != nil || m.Protocol.Endpoint != "" {
		return ""
	}
	return w.MQTT
}

// runs are those under way.
type runs struct {
	mu     sync.Mutex
	queue  []*run          // that wait for their turn
	live   map[string]*run // all that have not ended, by their ids
	begun  map[string]int  // how many workers an account has
	atWork int             // and all of them
	ending bool
	work   sync.WaitGroup
	tended func()        // ends the looking after runs, and waits for that; nil where there is none
	checks chan struct{} // those of models at once
}

// run is a run under way.
type run struct {
	at       place
	id, test string
	start    *worker.Start
	secrets  []string

	mu       sync.Mutex
	status   string
	process  *worker.Process // nil before its turn
	stopping bool
	snapshot json.RawMessage
	series   json.RawMessage
	result   json.RawMessage
	logs     []report.LogEntry // the latest of them
	changed  bool              // since it was last kept

	glob *globber
	keep func(*worker.Told) // devices and states
}

// keptLogs is how many log lines are kept of a run.
const keptLogs = 2000

// Start marks the runs that an earlier process of the server left under way,
// looks after those of servers that share the database, and takes runs on.
// Close ends them.
func (s *Service) Start(ctx context.Context) error {
	s.Limits.fill()
	s.runs.mu.Lock()
	s.runs.live, s.runs.begun, s.runs.ending = map[string]*run{}, map[string]int{}, false
	if s.runs.checks == nil { // else it is in use: a reset closes and starts anew
		s.runs.checks = make(chan struct{}, 2)
	}
	s.runs.mu.Unlock()
	if err := s.abandon(ctx); err != nil {
		return err
	}
	if !s.Shared {
		return nil
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tending sync.WaitGroup
	tending.Go(func() { s.tend(ctx) })
	s.runs.tended = func() { stop(); tending.Wait() }
	return nil
}

// Close ends all runs under way and waits until that is on record.
func (s *Service) Close() error {
	s.runs.mu.Lock()
	s.runs.ending = true
	waiting := s.runs.queue
	s.runs.queue = nil
	live := make([]*run, 0, len(s.runs.live))
	for _, r := range s.runs.live {
		live = append(live, r)
	}
	s.runs.mu.Unlock()
	for _, r := range live {
		r.mu.Lock()
		if r.process != nil {
			r.process.Kill(serverStopped)
		}
		r.mu.Unlock()
	}
	for _, r := range waiting {
		s.end(r, fleet.RunStatusFailed, serverStopped)
	}
	s.runs.work.Wait()
	if s.runs.tended != nil {
		s.runs.tended()
	}
	return nil
}

// live is a run under way, nil if there is none of that id.
func (s *Service) live(at place, id string) *run {
	s.runs.mu.Lock()
	defer s.runs.mu.Unlock()
	if r := s.runs.live[id]; r != nil && r.at == at {
		return r
	}
	return nil
}

// now is how a run stands.
func (r *run) now() (status string, snapshot json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.snapshot
}

// enqueue has a run wait for its turn.
func (s *Service) enqueue(r *run) {
	s.runs.mu.Lock()
	if s.runs.ending {
		s.runs.mu.Unlock()
		s.end(r, fleet.RunStatusFailed, serverStopped)
		return
	}
	s.runs.live[r.id] = r
	s.runs.queue = append(s.runs.queue, r)
	s.next()
	s.runs.mu.Unlock()
}

// turn is the place in the queue of the run that is next: the first of the
// account that has the fewest under way. s.runs.mu is held.
func (s *Service) turn() int {
	best := 0
	for i, r := range s.runs.queue {
		if s.runs.begun[r.at.account] < s.runs.begun[s.runs.queue[best].at.account] {
			best = i
		}
	}
	return best
}

// next begins runs while there is room. s.runs.mu is held.
func (s *Service) next() {
	for s.runs.atWork < s.Limits.AtOnce && len(s.runs.queue) > 0 && !s.runs.ending {
		turn := s.turn()
		r := s.runs.queue[turn]
		s.runs.queue = slices.Delete(s.runs.queue, turn, turn+1)
		s.runs.begun[r.at.account]++
		s.runs.atWork++
		s.runs.work.Go(func() {
			s.perform(r)
			s.runs.mu.Lock()
			defer s.runs.mu.Unlock()
			s.runs.atWork--
			if s.runs.begun[r.at.account]--; s.runs.begun[r.at.account] == 0 {
				delete(s.runs.begun, r.at.account)
			}
			s.next()
		})
	}
}

// stop stops a run and answers its status from then on.
func (s *Service) stop(r *run) string {
	if s.unqueue(r) {
		s.end(r, fleet.RunStatusStopped, "")
		return fleet.RunStatusStopped
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
	if r.status == fleet.RunStatusRunning || r.status == fleet.RunStatusQueued {
		r.status = fleet.RunStatusStopping
	}
	if r.process != nil {
		r.process.Stop()
	}
	return r.status
}

// perform does a run whose turn it is.
func (s *Service) perform(r *run) {
	ctx := context.Background()
	if err := s.begin(ctx, r); errors.Is(err, errNotWaiting) {
		s.end(r, fleet.RunStatusStopped, "")
		return
	} else if err != nil {
		s.Log.Error("fleet run did not begin", "account", r.at.account, "run", r.id, "error", err)
		s.end(r, fleet.RunStatusFailed, "the run could not be started")
		return
	}
	done := make(chan struct{})
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keepProgress(ctx, r, done) })
	err := r.process.Wait()
	close(done)
	keeping.Wait()
	r.glob.close()
	status, reason := r.outcome(err)
	s.end(r, status, reason)
}

// errNotWaiting is of a run that was stopped by another server, or given up,
// before its turn.
var errNotWaiting = errors.New("the run no longer waits for its turn")

// begin starts a run's worker.
func (s *Service) begin(ctx context.Context, r *run) error {
	start := *r.start
	start.Endpoint, start.MQTT, start.Roots, start.Egress = s.Workers.Endpoint, s.Workers.mqtt(&start), string(s.Workers.Roots()), s.Workers.Egress
	if start.Run.KeepState {
		var err error
		if start.States, err = s.states(ctx, r.at, r.test); err != nil {
			return err
		}
	}
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE fleet_runs SET status = 'RUNNING', started = $4 WHERE account = $1 AND region = $2 AND id = $3 AND status = 'QUEUED'`, r.at.account, r.at.region, r.id, s.now())
		if err == nil && n == 0 {
			err = errNotWaiting
		}
		return err
	})
	if err != nil {
		return err
	}
	cfg := s.Workers.Config
	cfg.Time = s.Limits.Time
	r.glob = s.newGlobber(r.at)
	r.keep = s.keeper(ctx, r)
	p, err := worker.Begin(cfg, &start, r.secrets, r)
	if err != nil {
		r.glob.close()
		return err
	}
	r.start = nil // with its secrets
	r.mu.Lock()
	r.process = p
	if r.stopping {
		p.Stop()
	} else {
		r.status = fleet.RunStatusRunning
	}
	r.mu.Unlock()
	s.runs.mu.Lock()
	ending := s.runs.ending
	s.runs.mu.Unlock()
	if ending { // Close may not have seen the process
		p.Kill(serverStopped)
	}
	s.Log.Info("fleet run begins", "account", r.at.account, "test", r.test, "run", r.id)
	return nil
}

// Told is worker.Handler.
func (r *run) Told(t *worker.Told) {
	if t.Devices != nil || t.States != nil {
		r.keep(t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.Snapshot != nil {
		r.snapshot = t.Snapshot
	}
	if t.Series != nil {
		r.series = t.Series
	}
	if t.Result != nil {
		r.result = t.Result
	}
	r.logs = append(r.logs, t.Logs...)
	if over := len(r.logs) - keptLogs; over > 0 {
		r.logs = slices.Delete(r.logs, 0, over)
	}
	r.changed = true
}

// Glob is worker.Handler.
func (r *run) Glob(op *worker.GlobOp, reply func(*worker.GlobReply)) { r.glob.take(op, reply) }

// outcome is the status that a run ends with, and the reason if it did not
// succeed.
func (r *run) outcome(err error) (status, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if failure, ok := errors.AsType[*worker.Failure](err); ok {
		if r.stopping && failure.Reason != serverStopped {
			return fleet.RunStatusStopped, failure.Reason
		}
		return fleet.RunStatusFailed, failure.Reason
	}
	var result struct {
		Outcome report.Outcome
		Reason  string
	}
	if err := json.Unmarshal(r.result, &result); err != nil {
		return fleet.RunStatusFailed, "the worker process told no result that is understood"
	}
	switch result.Outcome {
	case report.Succeeded:
		return fleet.RunStatusSucceeded, ""
	case report.Stopped:
		return fleet.RunStatusStopped, result.Reason
	}
	return fleet.RunStatusFailed, result.Reason
}

// end puts on record that a run has ended, and keeps the last of what it said.
func (s *Service) end(r *run, status, reason string) {
	ctx := context.Background()
	r.mu.Lock()
	docs := r.documents()
	r.mu.Unlock()
	var err error
	var n int64
	for wait := 100 * time.Millisecond; wait < time.Minute; wait *= 4 { // a database that is away comes back
		err = s.DB.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.Exec(ctx, `UPDATE fleet_runs SET status = $4, reason = $5, ended = $6 WHERE account = $1 AND region = $2 AND id = $3 AND ended IS NULL`,
				r.at.account, r.at.region, r.id, status, cleanText(reason), s.now())
			if err != nil || n == 0 { // given up, it may be gone by now
				return err
			}
			if err := s.putDocuments(ctx, tx, r.at, r.id, docs); err != nil {
				return err
			}
			return s.prune(ctx, tx, r.at, r.test)
		})
		if err == nil || errors.Is(err, db.ErrClosed) {
			break
		}
		time.Sleep(wait)
	}
	switch {
	case err != nil:
		s.Log.Error("the end of a fleet run is not on record", "account", r.at.account, "run", r.id, "error", err)
	case n == 0:
		s.Log.Warn("fleet run ended after it was given up", "account", r.at.account, "test", r.test, "run", r.id)
	default:
		s.Log.Info("fleet run ended", "account", r.at.account, "test", r.test, "run", r.id, "status", status)
	}
	s.runs.mu.Lock()
	delete(s.runs.live, r.id)
	s.runs.mu.Unlock()
}

// prune deletes the oldest runs of a test and of the account that are beyond
// what is kept.
func (s *Service) prune(ctx context.Context, tx *db.Tx, at place, test string) error {
	var oldest string
	err := tx.QueryRow(ctx, `SELECT COALESCE(MIN(id), '') FROM (SELECT id FROM fleet_runs WHERE account = $1 AND region = $2 AND test = $3 ORDER BY id DESC LIMIT $4) AS kept`,
		at.account, at.region, test, s.Limits.KeptRuns).Scan(&oldest)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM fleet_runs WHERE account = $1 AND region = $2 AND test = $3 AND id < $4 AND ended IS NOT NULL`, at.account, at.region, test, oldest)
	if err != nil {
		return err
	}
	err = tx.QueryRow(ctx, `SELECT COALESCE(MIN(id), '') FROM (SELECT id FROM fleet_runs WHERE account = $1 ORDER BY id DESC LIMIT $2) AS kept`, at.account, s.Limits.AllRuns).Scan(&oldest)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM fleet_runs WHERE account = $1 AND id < $2 AND ended IS NOT NULL`, at.account, oldest)
	return err
}
