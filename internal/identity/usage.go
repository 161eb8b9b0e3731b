package identity

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/db"
)

const (
	// usedEvery is how exact last uses are (IAM: within some 15 minutes).
	usedEvery = 15 * time.Minute
	// flushEvery is how long a use waits to be written, with all others.
	flushEvery = 10 * time.Second
)

// mark is when a use was last noted, in milliseconds.
type mark struct{ at atomic.Int64 }

// useKey is an access key, or a role by its unique id.
type useKey struct{ account, id string }

// use is when, where and for which service something was used.
type use struct {
	at              time.Time
	service, region string
}

// usage collects last uses until Run writes them. There is at most one for
// each key and role.
type usage struct {
	mu      sync.Mutex
	pending map[useKey]use
}

// note records a use, unless one was noted less than usedEvery ago.
func (u *usage) note(m *mark, k useKey, at time.Time, service, region string) {
	was, now := m.at.Load(), at.UnixMilli()
	if now-was < usedEvery.Milliseconds() || !m.at.CompareAndSwap(was, now) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pending == nil {
		u.pending = make(map[useKey]use)
	}
	u.pending[k] = use{at, service, region}
}

// mark is that of a key or role that was just read, with its last use as the
// database has it.
func (u *usage) mark(k useKey, stored *int64) *mark {
	m := &mark{}
	if stored != nil {
		m.at.Store(*stored)
	}
	if p, ok := u.pendingOf(k); ok {
		m.at.Store(p.at.UnixMilli())
	}
	return m
}

func (u *usage) pendingOf(k useKey) (use, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v, ok := u.pending[k]
	return v, ok
}

func (u *usage) take() map[useKey]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.pending
	u.pending = nil
	return taken
}

// giveBack returns what could not be written, under what came in since.
func (u *usage) giveBack(taken map[useKey]use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, v := range u.pending {
		taken[k] = v
	}
	u.pending = taken
}

func (u *usage) clear() { u.take() }

// Run writes last uses of keys and roles in the background until ctx ends, and
// then once more. It also deletes what is left of former sign-ins.
func (s *Service) Run(ctx context.Context) error {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-sweep.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("former sign-ins not deleted", "err", err)
			}
		case <-t.C:
			if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("last uses not written", "err", err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := s.Flush(last); err != nil && !errors.Is(err, db.ErrClosed) {
				return err
			}
			return nil
		}
	}
}

// Flush writes the last uses that wait. What it writes outdates no decision.
func (s *Service) Flush(ctx context.Context) error {
	taken := s.usage.take()
	if len(taken) == 0 {
		return nil
	}
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		for k, v := range taken {
			set := `UPDATE iam_access_keys SET last_used = $1, last_used_region = $2, last_used_service = $3 WHERE account = $4 AND id = $5`
			args := []any{v.at.UnixMilli(), v.region, v.service, k.account, k.id}
			if len(k.id) == len(prefixRole)+accountChars+1 {
				set = `UPDATE iam_roles SET last_used = $1, last_used_region = $2 WHERE account = $3 AND id = $4`
				args = []any{v.at.UnixMilli(), v.region, k.account, k.id}
			}
			if _, err := tx.Exec(ctx, set, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.usage.giveBack(taken)
	}
	return err
}
