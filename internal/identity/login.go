package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// keptPasswords are the former passwords of which hashes are kept: with the
// current one as many as PasswordReusePrevention can ask for.
const keptPasswords = 23

// login is a user's login profile.
type login struct {
	hash          string
	resetRequired bool // the password is good for setting another one only
	created       time.Time
	changed       time.Time  // the password was
	lastUsed      *time.Time // nil: nobody signed in with it yet
	expires       time.Time  // by the account's MaxPasswordAge; zero: never
	hardExpiry    bool       // once it has expired, only others can set another
	history       []string   // hashes of former passwords, newest first
}

// expired reports whether the password is too old to sign in with.
func (l *login) expired(now time.Time) bool { return !l.expires.IsZero() && !now.Before(l.expires) }

// loginProfile reads a user's login profile, with what the account's password
// policy says of its age. db.ErrNotFound when the user has none.
func loginProfile(ctx context.Context, r reader, account, userID string) (*login, error) {
	l := &login{}
	var created, changed int64
	var used *int64
	var history string
	err := r.QueryRow(ctx, `SELECT hash, reset_required, created, changed, last_used, history
		FROM iam_login_profiles WHERE account = $1 AND user_id = $2`, account, userID).
		Scan(&l.hash, &l.resetRequired, &created, &changed, &used, &history)
	if err != nil {
		return nil, err
	}
	l.created, l.changed = fromMillis(created), fromMillis(changed)
	if used != nil {
		l.lastUsed = new(fromMillis(*used))
	}
	if err := json.Unmarshal([]byte(history), &l.history); err != nil {
		return nil, fmt.Errorf("login profile of %s: history: %w", userID, err)
	}
	p, err := passwordPolicyOf(ctx, r, account)
	if err != nil {
		return nil, err
	}
	if age := p.maxAge(); age > 0 {
		l.expires, l.hardExpiry = l.changed.Add(age), p.HardExpiry
	}
	return l, nil
}

func errNoLogin(user string) error {
	return iam.ErrNoSuchEntityException("Login Profile for User %s cannot be found.", user)
}

// errUserType refuses ChangePassword to root users and to sessions of roles.
func errUserType() error {
	return iam.ErrInvalidUserTypeException("Only IAM Users can change their own password.")
}

// loginTarget is the user whose login profile the request is about. The root
// user has none; it names whom it means.
func loginTarget(ctx context.Context, name *string) (*entity, error) {
	e, err := userTarget(ctx, name)
	if err == nil && e.kind == kindRoot {
		return nil, errValidation("Must specify userName when calling with non-User credentials")
	}
	return e, err
}

// wire is the answer's form of a login profile.
func (l *login) wire(user string) iam.LoginProfile {
	return iam.LoginProfile{UserName: user, CreateDate: l.created, PasswordResetRequired: &l.resetRequired}
}

// CreateLoginProfile gives a user, by default the caller, a password to sign in
// with.
func (s *Service) CreateLoginProfile(ctx context.Context, in *iam.CreateLoginProfileRequest) (*iam.CreateLoginProfileResponse, error) {
	e, err := loginTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	l, err := s.setPassword(ctx, e, passwordChange{create: true, password: in.Password, resetRequired: in.PasswordResetRequired})
	if err != nil {
		return nil, fmt.Errorf("create login profile of %s: %w", e.name, busyAnswer(err))
	}
	return &iam.CreateLoginProfileResponse{LoginProfile: l.wire(e.name)}, nil
}

// GetLoginProfile tells whether a user, by default the caller, has a password,
// and since when.
func (s *Service) GetLoginProfile(ctx context.Context, in *iam.GetLoginProfileRequest) (*iam.GetLoginProfileResponse, error) {
	e, err := loginTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	l, err := loginProfile(ctx, s.DB, e.account, e.id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoLogin(e.name)
	}
	if err != nil {
		return nil, fmt.Errorf("get login profile of %s: %w", e.name, err)
	}
	return &iam.GetLoginProfileResponse{LoginProfile: l.wire(e.name)}, nil
}

// UpdateLoginProfile gives a user another password, or asks for one at the next
// sign-in. What is not given stays.
func (s *Service) UpdateLoginProfile(ctx context.Context, in *iam.UpdateLoginProfileRequest) (*iam.UpdateLoginProfileResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	if in.Password != nil {
		_, err = s.setPassword(ctx, e, passwordChange{password: *in.Password, resetRequired: in.PasswordResetRequired})
	} else {
		err = s.write(ctx, e.account, func(tx *db.Tx) error {
			n, err := tx.Exec(ctx, `UPDATE iam_login_profiles SET reset_required = COALESCE($1, reset_required) WHERE account = $2 AND user_id = $3`,
				in.PasswordResetRequired, e.account, e.id)
			if err == nil && n == 0 {
				return errNoLogin(e.name)
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("update login profile of %s: %w", e.name, busyAnswer(err))
	}
	return &iam.UpdateLoginProfileResponse{}, nil
}

// DeleteLoginProfile takes a user's password away, by default the caller's.
// Access keys are no concern of it.
func (s *Service) DeleteLoginProfile(ctx context.Context, in *iam.DeleteLoginProfileRequest) (*iam.DeleteLoginProfileResponse, error) {
	e, err := loginTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iam_login_profiles WHERE account = $1 AND user_id = $2`, e.account, e.id)
		if err == nil && n == 0 {
			return errNoLogin(e.name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete login profile of %s: %w", e.name, err)
	}
	return &iam.DeleteLoginProfileResponse{}, nil
}

// ChangePassword changes the password of the user who calls it and knows the
// old one, be that expired or not. Who holds an access key of the user can guess
// here no faster than who has a session of the console.
func (s *Service) ChangePassword(ctx context.Context, in *iam.ChangePasswordRequest) (*iam.ChangePasswordResponse, error) {
	e, err := entityTarget(ctx, kindUser, awsapi.CallerOf(ctx).UserName)
	if err != nil {
		return nil, err
	}
	l, err := loginProfile(ctx, s.DB, e.account, e.id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoLogin(e.name)
	}
	if err != nil {
		return nil, fmt.Errorf("change password of %s: %w", e.name, err)
	}
	t, err := s.tryPassword(ctx, e.account, changeSubject(e.account, e.id), l.hash, in.OldPassword)
	if err != nil {
		return nil, changeRefused(e, err)
	}
	_, err = s.setPassword(ctx, e, passwordChange{old: &in.OldPassword, password: in.NewPassword, resetRequired: new(false)})
	if err != nil {
		return nil, fmt.Errorf("change password of %s: %w", e.name, errors.Join(busyAnswer(err), s.giveBack(ctx, t)))
	}
	if err := s.DB.Write(ctx, func(tx *db.Tx) error { return t.clear(ctx, tx) }); err != nil {
		return nil, fmt.Errorf("change password of %s: %w", e.name, err)
	}
	return &iam.ChangePasswordResponse{}, nil
}

// changeRefused is ChangePassword's answer to an old password that did not pass.
func changeRefused(e *entity, err error) error {
	if locked, ok := errors.AsType[*SignInLocked](err); ok {
		return iam.ErrEntityTemporarilyUnmodifiableException("Login Profile for User %s cannot be modified after too many wrong passwords. Try again in %d seconds.",
			e.name, int64(math.Ceil(locked.Wait.Seconds())))
	}
	if errors.Is(err, ErrSignInRefused) {
		return errOldPassword()
	}
	return fmt.Errorf("change password of %s: %w", e.name, busyAnswer(err))
}

// busyAnswer turns ErrBusy into an answer of the API.
func busyAnswer(err error) error {
	if errors.Is(err, ErrBusy) {
		return awsapi.Errorf("ServiceUnavailable", 503, "message", "Too many passwords are being checked. Try again.")
	}
	return err
}

func errOldPassword() error { return awsapi.ErrAccessDenied("The old password was incorrect.") }
