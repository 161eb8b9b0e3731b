package identity

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// Guessing is slowed down by subject: a root user's e-mail address, or an
// account and a user name, whether or not there is such a user. Access keys and
// sessions are no concern of it.
const (
	// freeTries wrong passwords in a row cost no wait; after them each further
	// one waits, firstWait and twice as long each time, longestWait at most.
	freeTries   = 5
	firstWait   = 5 * time.Second
	longestWait = 15 * time.Minute

	// forgetTries is how long after the last one wrong passwords are forgotten.
	forgetTries = time.Hour
)

const (
	// tryQueue is how many attempts wait for their turn to be hashed, and
	// tryPatience how long.
	tryQueue    = 64
	tryPatience = 5 * time.Second
)

// ErrBusy: too many passwords are being checked already.
var ErrBusy = errors.New("too many passwords are being checked: try again")

// ErrSignInRefused: there is no such user, or the password or the code of the
// MFA device is wrong. Which of them is told to nobody.
var ErrSignInRefused = errors.New("the authentication information is incorrect")

// SignInLocked is the refusal of an attempt that came too early after too many
// wrong ones, whatever its password.
type SignInLocked struct{ Wait time.Duration }

func (e *SignInLocked) Error() string {
	return "too many wrong passwords: locked for " + e.Wait.String()
}

// tries counts attempts on their way and, for tests, passwords that were
// checked: work is counted there, not timed.
type tries struct {
	waiting atomic.Int32
	checked atomic.Int64
}

// try is an attempt that is on record as a wrong one until it has succeeded,
// so that attempts at the same time count before their outcome.
type try struct {
	subject  string
	at       int64 // ms
	previous int64 // time of the attempt before, ms; 0: it is the first
}

// changeSubject is what attempts to change a password are counted under. Not
// with those from outside, which must not lock out who is signed in.
func changeSubject(account, id string) string { return "change " + account + " " + id }

// lockAfter is how long the next attempt waits after so many wrong ones.
func lockAfter(failures int64) time.Duration {
	switch n := failures - freeTries; {
	case n < 0:
		return 0
	case n >= 8:
		return longestWait
	default:
		return min(firstWait<<n, longestWait)
	}
}

// tryPassword checks a password against a hash, nobodysHash for a user that
// does not exist. queue is with whom the attempt shares its place in the queue.
// It counts as wrong until it is cleared or given back. ErrSignInRefused,
// *SignInLocked, ErrBusy.
func (s *Service) tryPassword(ctx context.Context, queue, subject, hash, password string) (*try, error) {
	if _, _, err := s.triesOf(ctx, s.DB, subject); err != nil { // needs no turn
		return nil, err
	}
	defer s.tries.waiting.Add(-1)
	if s.tries.waiting.Add(1) > tryQueue {
		return nil, ErrBusy
	}
	turn, cancel := context.WithTimeout(ctx, tryPatience)
	defer cancel()
	var t *try
	var err error
	right := false
	full := s.hashing.do(turn, queue, func() {
		if t, err = s.record(ctx, subject); err == nil {
			right = s.rightPassword(hash, password)
		}
	})
	switch {
	case full != nil && ctx.Err() == nil:
		return nil, ErrBusy
	case full != nil:
		return nil, fmt.Errorf("check a password: %w", full)
	case err != nil:
		return nil, err
	case !right:
		return nil, ErrSignInRefused
	}
	return t, nil
}

// rightPassword takes as long for those who have no password.
func (s *Service) rightPassword(hash, password string) bool {
	s.tries.checked.Add(1)
	known := hash != ""
	if !known {
		hash = nobodysHash
	}
	return verifyPassword(hash, password) && known
}

// triesOf are the wrong attempts in a row on a subject, and when the last of
// them was. *SignInLocked when the next one has to wait.
func (s *Service) triesOf(ctx context.Context, r reader, subject string) (failures, last int64, err error) {
	err = r.QueryRow(ctx, `SELECT failures, last FROM signin_failures WHERE subject = $1`, subject).Scan(&failures, &last)
	if errors.Is(err, db.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read sign-in attempts: %w", err)
	}
	since := max(s.now().Sub(fromMillis(last)), 0)
	if since >= forgetTries {
		return 0, 0, nil
	}
	if wait := lockAfter(failures) - since; wait > 0 {
		return 0, 0, &SignInLocked{wait}
	}
	return failures, last, nil
}

// record puts one more wrong attempt on record. What this writes outdates
// nothing that is cached.
func (s *Service) record(ctx context.Context, subject string) (*try, error) {
	var t *try
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		failures, last, err := s.triesOf(ctx, tx, subject)
		if err != nil {
			return err
		}
		t = &try{subject: subject, at: s.now().UnixMilli(), previous: last}
		_, err = tx.Exec(ctx, `INSERT INTO signin_failures (subject, failures, last) VALUES ($1, $2, $3)
			ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last = excluded.last`, subject, failures+1, t.at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("record a sign-in attempt: %w", err)
	}
	return t, nil
}

// giveBack takes an attempt off the record: its password was right, and
// something else is to be asked for. Wrong ones before it stay.
func (s *Service) giveBack(ctx context.Context, t *try) error {
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE signin_failures SET failures = failures - 1, last = CASE WHEN last = $1 THEN $2 ELSE last END WHERE subject = $3`,
			t.at, t.previous, t.subject)
		return err
	})
	if err != nil {
		return fmt.Errorf("give back a sign-in attempt: %w", err)
	}
	return nil
}

// sweepEvery is how often what has been forgotten is deleted.
const sweepEvery = 10 * time.Minute

// sweep deletes attempts that are forgotten and sessions that have expired.
func (s *Service) sweep(ctx context.Context) error {
	now := s.now()
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM signin_failures WHERE last <= $1`, now.Add(-forgetTries).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM signin_sessions WHERE expires <= $1`, now.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("sweep sign-ins: %w", err)
	}
	return nil
}

// clear forgets all attempts: this one succeeded.
func (t *try) clear(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM signin_failures WHERE subject = $1`, t.subject)
	return err
}
