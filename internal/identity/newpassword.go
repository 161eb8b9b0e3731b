package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
)

// passwordChange is a new password for a user.
type passwordChange struct {
	create        bool    // the user has none yet; otherwise it has one
	old           *string // the current one, by the user who changes his own; nil: it is not asked for
	password      string
	resetRequired *bool // nil: as it was, or false
}

// passwordState is what a new password is judged by.
type passwordState struct {
	login  *login          // nil: the user has no password
	policy *passwordPolicy // nil: the account has none
	names  []string        // that are no passwords
}

// same reports whether another state leads to the same judgement.
func (a passwordState) same(b passwordState) bool {
	if (a.login == nil) != (b.login == nil) || (a.policy == nil) != (b.policy == nil) {
		return false
	}
	return (a.login == nil || a.login.hash == b.login.hash) && (a.policy == nil || *a.policy == *b.policy)
}

func passwordStateOf(ctx context.Context, tx *db.Tx, e *entity) (st passwordState, err error) {
	if err := e.stillThere(ctx, tx); err != nil {
		return st, err
	}
	if st.policy, err = passwordPolicyOf(ctx, tx, e.account); err != nil {
		return st, err
	}
	var name, email string
	if err := tx.QueryRow(ctx, `SELECT name, email FROM accounts WHERE account = $1`, e.account).Scan(&name, &email); err != nil {
		return st, fmt.Errorf("read account %s: %w", e.account, unexpected(err))
	}
	st.names = []string{e.name, e.account, name, email}
	st.login, err = loginProfile(ctx, tx, e.account, e.id)
	if errors.Is(err, db.ErrNotFound) {
		return st, nil
	}
	return st, err
}

// setTries is how often a change starts over when another one came first.
const setTries = 3

// errOvertaken: the state changed while a password was judged.
var errOvertaken = errors.New("overtaken by another change")

// setPassword gives a user another password, by the account's policy and the
// user's former passwords, and returns the login profile as it is then. It is
// refused with IAM's errors: PasswordPolicyViolation; NoSuchEntity or
// EntityAlreadyExists without or, when creating, with a login profile;
// AccessDenied for a wrong old password; EntityTemporarilyUnmodifiable when
// others change it all the time.
//
// Hashing is slow, and so happens between two transactions: the one that
// writes finds what the other one read, or all of it is done again.
func (s *Service) setPassword(ctx context.Context, e *entity, c passwordChange) (*login, error) {
	for range setTries {
		var st passwordState
		err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
			st, err = passwordStateOf(ctx, tx, e)
			return err
		})
		if err != nil {
			return nil, err
		}
		if err := s.judgePassword(ctx, e, st, c); err != nil {
			return nil, err
		}
		hash, err := s.newPasswordHash(ctx, e.account, c.password)
		if err != nil {
			return nil, err
		}
		var l *login
		err = s.write(ctx, e.account, func(tx *db.Tx) error {
			now, err := passwordStateOf(ctx, tx, e)
			if err != nil {
				return err
			}
			if !now.same(st) {
				return errOvertaken
			}
			if err := s.storePassword(ctx, tx, e, now.login, hash, c.resetRequired); err != nil {
				return err
			}
			l, err = loginProfile(ctx, tx, e.account, e.id)
			return err
		})
		if !errors.Is(err, errOvertaken) {
			return l, err
		}
	}
	return nil, iam.ErrEntityTemporarilyUnmodifiableException("Login Profile for User %s cannot be modified while login profile is being modified.", e.name)
}

// judgePassword refuses what setPassword does.
func (s *Service) judgePassword(ctx context.Context, e *entity, st passwordState, c passwordChange) error {
	switch {
	case c.create && st.login != nil:
		return iam.ErrEntityAlreadyExistsException("Login Profile for user %s already exists.", e.name)
	case !c.create && st.login == nil:
		return errNoLogin(e.name)
	}
	if c.old != nil {
		ok, err := s.passwordIs(ctx, e.account, st.login.hash, *c.old)
		if err != nil {
			return err
		}
		if !ok {
			return errOldPassword()
		}
		if *c.old == c.password {
			return errReused()
		}
	}
	if err := st.policy.check(c.password, st.names); err != nil {
		return err
	}
	if st.login == nil {
		return nil
	}
	former := append([]string{st.login.hash}, st.login.history...)
	for _, hash := range former[:min(st.policy.reuse(), len(former))] {
		used, err := s.passwordIs(ctx, e.account, hash, c.password)
		if err != nil {
			return err
		}
		if used {
			return errReused()
		}
	}
	return nil
}

func errReused() error {
	return iam.ErrPasswordPolicyViolationException("Policy constraint violation with password reuse prevention during password change.")
}

// storePassword writes a hash into a login profile, or, without one, makes it.
func (s *Service) storePassword(ctx context.Context, tx *db.Tx, e *entity, l *login, hash string, reset *bool) error {
	now := s.now().UnixMilli()
	if l == nil {
		_, err := tx.Exec(ctx, `INSERT INTO iam_login_profiles (account, user_id, hash, reset_required, created, changed, history)
			VALUES ($1, $2, $3, $4, $5, $5, '[]')`, e.account, e.id, hash, or(reset, false), now)
		return err
	}
	history := append([]string{l.hash}, l.history...)
	b, err := json.Marshal(history[:min(keptPasswords, len(history))])
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE iam_login_profiles SET hash = $1, reset_required = $2, changed = $3, history = $4 WHERE account = $5 AND user_id = $6`,
		hash, or(reset, l.resetRequired), now, string(b), e.account, e.id)
	return err
}
