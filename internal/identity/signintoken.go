package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

const (
	sealSignIn = "identity signin token"

	// signInTokenLife is how long a sign-in token, and so a login URL, is good.
	signInTokenLife = 15 * time.Minute

	// What a SessionDuration can be.
	minFederatedSession = 15 * time.Minute
	maxFederatedSession = 12 * time.Hour
)

// signInToken is what a sign-in token of the federation endpoint says. It is
// sealed: only this deployment makes and reads it.
type signInToken struct {
	Token    string `json:"t"`           // session token of the credentials
	Until    int64  `json:"u"`           // ms: not taken after
	Duration int64  `json:"d,omitempty"` // ms; 0: as long as the credentials
}

func errFederation(format string, args ...any) error {
	return awsapi.Errorf("InvalidRequest", 400, "message", format, args...)
}

// SignInToken makes a token by which somebody signs in to the console with
// temporary credentials, within 15 minutes (IAM User Guide, "Enabling custom
// identity broker access to the AWS console"). They are of AssumeRole or
// GetFederationToken. d is how long the session is to last, 0 for as long as
// the credentials; it is refused for credentials of GetFederationToken, and of
// roles that were not assumed with a long-term key. Refusals are *awsapi.Error.
func (s *Service) SignInToken(ctx context.Context, creds *SessionCredentials, d time.Duration) (string, error) {
	c, err := s.verifySession(ctx, creds)
	if err != nil {
		return "", err
	}
	switch {
	case c.Console:
		return "", errFederation("Credentials of the console cannot sign in to it.")
	case c.Federated == "" && !strings.HasPrefix(c.ID, prefixRole):
		return "", errFederation("The credentials must be of AssumeRole or GetFederationToken.")
	case d == 0:
	case d < minFederatedSession || d > maxFederatedSession:
		return "", errFederation("SessionDuration must be between 900 and 43200 seconds.")
	case c.Federated != "":
		return "", errFederation("SessionDuration cannot be given for credentials of GetFederationToken.")
	case c.Chained || c.ofDevice():
		return "", errFederation("SessionDuration cannot be given for credentials that were not obtained with a long-term access key.")
	}
	// Credentials of the session will say more than these: they must fit too.
	if more := consoleClaims(c, consoleID("")); s.tooLarge(&more) {
		return "", errFederation("The session's policies and tags are too large for the console.")
	}
	plain, err := json.Marshal(signInToken{
		Token: creds.SessionToken, Until: s.now().Add(signInTokenLife).UnixMilli(), Duration: d.Milliseconds(),
	})
	if err != nil {
		return "", fmt.Errorf("make sign-in token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.Seal.Seal(sealSignIn, plain)), nil
}

// ofDevice reports whether a device has the credentials for its certificate.
func (c *claims) ofDevice() bool {
	for name := range c.Keys {
		if strings.HasPrefix(name, "credentials-iot:") {
			return true
		}
	}
	return false
}

func (s *Service) tooLarge(c *claims) bool {
	_, _, err := s.issue(c, 0)
	return errors.Is(err, errTooLarge)
}

// verifySession opens temporary credentials that are whole and in force.
func (s *Service) verifySession(ctx context.Context, creds *SessionCredentials) (*claims, error) {
	bad := errFederation("The credentials of the session are not valid.")
	c, err := s.openToken(creds.SessionToken)
	if err != nil {
		return nil, bad
	}
	// Both are compared, whatever the first says.
	id := subtle.ConstantTimeCompare([]byte(c.KeyID), []byte(creds.AccessKeyID))
	secret := subtle.ConstantTimeCompare([]byte(s.sessionSecret(c.KeyID, creds.SessionToken)), []byte(creds.SecretAccessKey))
	if id&secret != 1 {
		return nil, bad
	}
	if s.Now().UnixMilli() >= c.Expires {
		return nil, errFederation("The credentials of the session have expired.")
	}
	if err := s.signedIn(ctx, c); err == nil {
		_, err = s.principal(ctx, c.Account, c.ID)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return nil, err
		}
	} else if !errors.Is(err, db.ErrNotFound) {
		return nil, err
	}
	return nil, bad
}

// openSignInToken reads a token that is still good.
func (s *Service) openSignInToken(token string) (*claims, time.Duration, error) {
	bad := errFederation("The sign-in token is not valid or has expired.")
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") {
		return nil, 0, bad
	}
	plain, err := s.Seal.Open(sealSignIn, sealed)
	if err != nil {
		return nil, 0, bad
	}
	var t signInToken
	if err := json.Unmarshal(plain, &t); err != nil {
		return nil, 0, bad
	}
	now := s.Now()
	c, err := s.openToken(t.Token)
	if err != nil || now.UnixMilli() >= t.Until {
		return nil, 0, bad
	}
	lasts := time.Duration(t.Duration) * time.Millisecond
	if lasts == 0 {
		if lasts = c.expiry().Sub(now); lasts <= 0 {
			return nil, 0, bad
		}
	}
	return c, min(lasts, maxFederatedSession), nil
}

// FederatedSession says whom a sign-in token signs in, without doing it. An
// *awsapi.Error for a token that is not good any more.
func (s *Service) FederatedSession(ctx context.Context, signInToken string) (*ConsoleSession, error) {
	c, lasts, err := s.openSignInToken(signInToken)
	if err != nil {
		return nil, err
	}
	who, err := s.describeSession(ctx, &consoleRow{claims: c, expires: s.now().Add(lasts).UnixMilli()})
	if errors.Is(err, ErrNotSignedIn) {
		return nil, errFederation("The sign-in token is not valid or has expired.")
	}
	return who, err
}

// SignInFederated begins a session of the console by a sign-in token, in place
// of the previous one. Errors are those of FederatedSession.
func (s *Service) SignInFederated(ctx context.Context, signInToken, previous string) (token string, who *ConsoleSession, err error) {
	c, lasts, err := s.openSignInToken(signInToken)
	if err != nil {
		return "", &ConsoleSession{}, err
	}
	if who, err = s.FederatedSession(ctx, signInToken); err != nil {
		return "", &ConsoleSession{Account: c.Account}, err
	}
	token, after, err := s.begin(ctx, &newSession{claims: *c, lasts: lasts, previous: previous})
	if err != nil {
		return "", who, err
	}
	return token, after, nil
}
