package app

import (
	"context"
	"errors"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/signin"
)

// signIns lets the sign-in endpoints ask who keeps users and sessions.
type signIns struct{ identity *identity.Service }

// SignIn is signin.Passwords.
func (s signIns) SignIn(ctx context.Context, req *awsapi.Request, a signin.Attempt, previous string) (signin.Started, error) {
	token, who, err := s.identity.SignIn(ctx, req, &identity.SignIn{
		Email: a.Email, Account: a.Account, UserName: a.UserName,
		Password: a.Password, NewPassword: a.NewPassword, MFACode: a.MFACode, Previous: previous,
	})
	return signin.Started{Token: token, Session: signIn(who)}, signInError(err)
}

// ChangePassword is signin.Passwords.
func (s signIns) ChangePassword(ctx context.Context, req *awsapi.Request, token, old, password string) (signin.Started, error) {
	next, who, err := s.identity.ChangeConsolePassword(ctx, req, token, old, password)
	return signin.Started{Token: next, Session: signIn(who)}, signInError(err)
}

// Session is signin.Sessions.
func (s signIns) Session(ctx context.Context, token string) (signin.Session, error) {
	who, err := s.identity.ConsoleSession(ctx, token)
	return signIn(who), signInError(err)
}

// Credentials is signin.Sessions.
func (s signIns) Credentials(ctx context.Context, token string, d time.Duration) (signin.Credentials, error) {
	c, err := s.identity.ConsoleCredentials(ctx, token, d)
	if err != nil {
		return signin.Credentials{}, signInError(err)
	}
	return signin.Credentials(*c), nil
}

// SignOut is signin.Sessions.
func (s signIns) SignOut(ctx context.Context, token string) error {
	return s.identity.SignOut(ctx, token)
}

// SignInToken is signin.Federation.
func (s signIns) SignInToken(ctx context.Context, c signin.Credentials, d time.Duration) (string, error) {
	return s.identity.SignInToken(ctx, new(identity.SessionCredentials(c)), d)
}

// Whose is signin.Federation.
func (s signIns) Whose(ctx context.Context, signInToken string) (signin.Session, error) {
	who, err := s.identity.FederatedSession(ctx, signInToken)
	return signIn(who), err
}

// SignInBy is signin.Federation.
func (s signIns) SignInBy(ctx context.Context, signInToken, previous string) (signin.Started, error) {
	token, who, err := s.identity.SignInFederated(ctx, signInToken, previous)
	return signin.Started{Token: token, Session: signIn(who)}, signInError(err)
}

// signIn is a session in signin's form; nil is nobody's.
func signIn(c *identity.ConsoleSession) signin.Session {
	if c == nil {
		return signin.Session{}
	}
	return signin.Session(*c)
}

// signInError turns identity's refusals into signin's. Those that say what a
// client is to know win over others that they are joined with.
func signInError(err error) error {
	if locked, ok := errors.AsType[*identity.SignInLocked](err); ok {
		return &signin.LockedError{Wait: locked.Wait}
	}
	if needs, ok := errors.AsType[*identity.SignInNeeds](err); ok {
		return &signin.NeedsError{MFACode: needs.MFACode, NewPassword: needs.NewPassword}
	}
	for _, e := range []struct{ of, to error }{
		{identity.ErrSignInRefused, signin.ErrRefused}, {identity.ErrBusy, signin.ErrBusy}, {identity.ErrNotSignedIn, signin.ErrNotSignedIn},
	} {
		if errors.Is(err, e.of) {
			return e.to
		}
	}
	return err
}
