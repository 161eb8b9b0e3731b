package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/db"
)

// A run is done by the server that took it. Servers that share a database (one
// that has its own does none of this) show one another that they live: each counts up the beat of its runs, and gives up
// those of others whose beat it saw unchanged for long.
const (
	tendEvery = 10 * time.Second
	silentFor = 6 // looks, a minute's: a server that was itself asleep has not looked
)

// Why runs ended that their server did not end.
const (
	ownerSilent = "the server that did the run has not been heard of for a minute"
	givenUp     = "another server gave the run up, since this one was not heard of"
)

// watched is a run of another server.
type watched struct {
	owner  string
	beat   int64
	silent int // looks that saw that beat again
}

// abandon marks what an earlier process of this server left under way: its own
// and those from before there were owners, or all that there are if no other
// server is there, whatever that process was called.
func (s *Service) abandon(ctx context.Context) error {
	if s.Node == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return err
		}
		s.Node = id.String()
	}
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE fleet_runs SET status = 'FAILED', reason = $1, ended = $2 WHERE (owner IN ($3, '') OR $4) AND `+active, serverStopped, s.now(), s.Node, !s.Shared)
		return err
	})
	if err != nil {
		return fmt.Errorf("runs of an earlier time: %w", err)
	}
	return nil
}

// tend shows that this server lives and looks after the others until ctx ends.
func (s *Service) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	seen := map[string]watched{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(s.beat(ctx), s.watch(ctx, seen)); err != nil && ctx.Err() == nil {
			s.Log.Error("fleet runs are not looked after", "error", err)
		}
	}
}

// beat shows that the runs of this server go on. Those that were to be stopped,
// or were given up, it stops.
func (s *Service) beat(ctx context.Context) error {
	s.runs.mu.Lock()
	live := make([]*run, 0, len(s.runs.live))
	for _, r := range s.runs.live {
		live = append(live, r)
	}
	s.runs.mu.Unlock()
	if len(live) == 0 {
		return nil
	}
	statuses := map[string]string{}
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		clear(statuses)
		rows, err := tx.Query(ctx, `UPDATE fleet_runs SET beat = beat + 1 WHERE owner = $1 AND `+active+` RETURNING id, status`, s.Node)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, status string
			if err := rows.Scan(&id, &status); err != nil {
				return err
			}
			statuses[id] = status
		}
		return rows.Close()
	})
	if err != nil {
		return fmt.Errorf("show that runs go on: %w", err)
	}
	for _, r := range live {
		switch status, ours := statuses[r.id]; {
		case !ours:
			s.lose(r)
		case status == fleet.RunStatusStopping:
			s.stop(r)
		}
	}
	return nil
}

// lose ends a run that the database no longer has under way: it has ended just
// now, or was given up.
func (s *Service) lose(r *run) {
	if s.unqueue(r) {
		s.end(r, fleet.RunStatusFailed, givenUp)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process != nil {
		r.process.Kill(givenUp)
	}
}

// watch looks at the runs of other servers, and gives up those that nobody
// does any more. seen is what it saw before.
func (s *Service) watch(ctx context.Context, seen map[string]watched) error {
	rows, err := s.DB.Query(ctx, `SELECT id, owner, beat FROM fleet_runs WHERE owner <> $1 AND `+active, s.Node)
	if err != nil {
		return fmt.Errorf("runs of other servers: %w", err)
	}
	defer rows.Close()
	there := map[string]watched{}
	for rows.Next() {
		var id string
		var w watched
		if err := rows.Scan(&id, &w.owner, &w.beat); err != nil {
			return fmt.Errorf("runs of other servers: %w", err)
		}
		if before, ok := seen[id]; ok && before.owner == w.owner && before.beat == w.beat {
			w.silent = before.silent + 1
		}
		there[id] = w
	}
	if err := rows.Close(); err != nil {
		return fmt.Errorf("runs of other servers: %w", err)
	}
	clear(seen)
	for id, w := range there {
		if seen[id] = w; w.silent < silentFor {
			continue
		}
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			n, err := tx.Exec(ctx, `UPDATE fleet_runs SET status = 'FAILED', reason = $1, ended = $2 WHERE id = $3 AND owner = $4 AND beat = $5 AND `+active,
				ownerSilent, s.now(), id, w.owner, w.beat)
			if err == nil && n > 0 {
				s.Log.Warn("fleet run given up: its server is not heard of", "run", id, "owner", w.owner)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("give up run %s: %w", id, err)
		}
	}
	return nil
}

// unqueue takes a run out of those that wait for their turn; false if it had it.
func (s *Service) unqueue(r *run) bool {
	s.runs.mu.Lock()
	defer s.runs.mu.Unlock()
	at := slices.Index(s.runs.queue, r)
	if at >= 0 {
		s.runs.queue = slices.Delete(s.runs.queue, at, at+1)
	}
	return at >= 0
}

// askStop has the server that does a run stop it, by its row: it sees that when
// it shows the next time that it lives.
func (s *Service) askStop(ctx context.Context, at place, id string) error {
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE fleet_runs SET status = 'STOPPING' WHERE account = $1 AND region = $2 AND id = $3 AND owner <> $4 AND `+active, at.account, at.region, id, s.Node)
		return err
	})
}
