package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
)

const (
	// consoleSession is how long a sign-in lasts (IAM User Guide, "Sign-in to the
	// AWS Management Console": sessions expire after 12 hours).
	consoleSession = 12 * time.Hour

	// What the credentials of a session last.
	minConsoleCredentials = 15 * time.Minute
	maxConsoleCredentials = time.Hour

	// maxConsoleSessions is how many sessions a user, or a role under one name,
	// has at once; the oldest end.
	maxConsoleSessions = 100

	sealConsole = "identity console session"
)

// ErrNotSignedIn: the token is of no session, or of one that has ended.
var ErrNotSignedIn = errors.New("not signed in")

// ConsoleSession is who is signed in to the console.
type ConsoleSession struct {
	Account  string
	Alias    string // of the account, if it has one
	Type     awsapi.PrincipalType
	ARN      string
	UserID   string
	UserName string // IAM users only
	MFA      bool   // signed in with a code of an MFA device
	Expires  time.Time

	PasswordChanged bool // by this attempt to sign in, whatever else came of it
}

// Sessions are rows, so that they end when they are to: at sign-out, at their
// time, with their user or role, and with the password that they began with,
// of which each has a digest. The cookie's token is random, and not stored
// itself. The credentials of a session name it, and end with it.

// consoleRow is a session in force.
type consoleRow struct {
	id      string
	claims  *claims
	proof   string
	expires int64 // ms
}

// consoleID is what a token is stored under.
func consoleID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// proofOf is a digest of a stored password hash.
func proofOf(hash string) string {
	if hash == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(hash))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// newSession is a session that is to begin.
type newSession struct {
	claims   claims
	hash     string        // of the password that it began with; empty: without one
	lasts    time.Duration // 0: consoleSession
	previous string        // token of the session that it takes the place of
	try      *try          // that succeeded; nil: none
	signIn   bool          // counts as the password's last use
}

// begin stores a session and returns its token. ErrSignInRefused when the
// password has changed since it was checked.
func (s *Service) begin(ctx context.Context, n *newSession) (token string, who *ConsoleSession, err error) {
	token = rand.Text() + rand.Text() // 260 bits
	now := s.now()
	if n.claims.Since == 0 {
		if n.claims.Since = n.claims.Issued; n.claims.Since == 0 {
			n.claims.Since = now.UnixMilli()
		}
	}
	packed, err := packClaims(&n.claims)
	if err != nil {
		return "", nil, fmt.Errorf("sign in: %w", err)
	}
	lasts := n.lasts
	if lasts == 0 {
		lasts = consoleSession
	}
	expires := now.Add(lasts).UnixMilli()
	row := &consoleRow{id: consoleID(token), claims: &n.claims, proof: proofOf(n.hash), expires: expires}
	name := n.claims.Session + n.claims.Federated
	account, owner := n.claims.Account, n.claims.ID
	// What ends here is in nobody's caches but of an account that is bumped.
	ended, err := s.consoleAccount(ctx, n.previous)
	if err != nil {
		return "", nil, err
	}
	defer s.gens.Bump(ended)
	full := false
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		if err := s.stillProven(ctx, tx, row); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM signin_sessions WHERE id = $1`, consoleID(n.previous)); err != nil {
			return err
		}
		// The oldest make room.
		dropped, err := tx.Exec(ctx, `DELETE FROM signin_sessions WHERE account = $1 AND owner = $2 AND name = $3 AND id NOT IN (
			SELECT id FROM signin_sessions WHERE account = $1 AND owner = $2 AND name = $3 ORDER BY created DESC, id LIMIT $4)`,
			account, owner, name, maxConsoleSessions-1)
		if err != nil {
			return err
		}
		full = dropped > 0
		_, err = tx.Exec(ctx, `INSERT INTO signin_sessions (id, account, owner, name, proof, claims, created, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			row.id, account, owner, name, row.proof, s.Seal.Seal(sealConsole, packed), now.UnixMilli(), expires)
		if err != nil {
			return err
		}
		if n.try != nil {
			if err := n.try.clear(ctx, tx); err != nil {
				return err
			}
		}
		if !n.signIn {
			return nil
		}
		return signedInAt(ctx, tx, account, owner, now)
	})
	if full {
		s.gens.Bump(account)
	}
	if err != nil {
		return "", nil, fmt.Errorf("sign in: %w", err)
	}
	who, err = s.describeSession(ctx, row)
	return token, who, err
}

// signedInAt records the last use of a password.
func signedInAt(ctx context.Context, tx *db.Tx, account, owner string, at time.Time) error {
	var err error
	if owner == account {
		_, err = tx.Exec(ctx, `UPDATE accounts SET root_signed_in = $1 WHERE account = $2`, at.UnixMilli(), account)
	} else {
		_, err = tx.Exec(ctx, `UPDATE iam_login_profiles SET last_used = $1 WHERE account = $2 AND user_id = $3`, at.UnixMilli(), account, owner)
	}
	return err
}

// stillProven fails with ErrSignInRefused for a session whose password is not
// its user's any more.
func (s *Service) stillProven(ctx context.Context, r reader, row *consoleRow) error {
	if row.proof == "" {
		return nil
	}
	var hash string
	var err error
	if c := row.claims; c.ID == c.Account {
		err = r.QueryRow(ctx, `SELECT root_password FROM accounts WHERE account = $1`, c.Account).Scan(&hash)
	} else {
		err = r.QueryRow(ctx, `SELECT hash FROM iam_login_profiles WHERE account = $1 AND user_id = $2`, c.Account, c.ID).Scan(&hash)
	}
	if errors.Is(err, db.ErrNotFound) || err == nil && subtle.ConstantTimeCompare([]byte(proofOf(hash)), []byte(row.proof)) != 1 {
		return ErrSignInRefused
	}
	return err
}

// consoleByID reads a session that is in force, as far as its own row and its
// password go. ErrNotSignedIn when it is not.
func (s *Service) consoleByID(ctx context.Context, id string) (*consoleRow, error) {
	row := &consoleRow{id: id}
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		var sealed []byte
		err := tx.QueryRow(ctx, `SELECT proof, claims, expires FROM signin_sessions WHERE id = $1`, id).Scan(&row.proof, &sealed, &row.expires)
		if errors.Is(err, db.ErrNotFound) {
			return ErrNotSignedIn
		}
		if err != nil {
			return err
		}
		if s.Now().UnixMilli() >= row.expires {
			return ErrNotSignedIn
		}
		packed, err := s.Seal.Open(sealConsole, sealed)
		if err != nil {
			return fmt.Errorf("open console session: %w", err)
		}
		if row.claims, err = unpackClaims(packed); err != nil {
			return fmt.Errorf("open console session: %w", err)
		}
		if err := s.stillProven(ctx, tx, row); errors.Is(err, ErrSignInRefused) {
			return ErrNotSignedIn
		} else if err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return row, nil
}

// consoleAccount is the account of the session of a token, empty for none.
func (s *Service) consoleAccount(ctx context.Context, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	var account string
	err := s.DB.QueryRow(ctx, `SELECT account FROM signin_sessions WHERE id = $1`, consoleID(token)).Scan(&account)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return "", fmt.Errorf("find console session: %w", err)
	}
	return account, nil
}

// describeSession says who is signed in. ErrNotSignedIn when the user or role
// has gone.
func (s *Service) describeSession(ctx context.Context, row *consoleRow) (*ConsoleSession, error) {
	who, err := s.principal(ctx, row.claims.Account, row.claims.ID)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrNotSignedIn
	}
	if err != nil {
		return nil, err
	}
	c := newCaller(who, nil, &cachedSession{claims: row.claims})
	cs := &ConsoleSession{
		Account: c.Account, Type: c.Type, ARN: c.ARN, UserID: c.UserID, UserName: c.UserName,
		MFA: row.claims.MFA != 0, Expires: fromMillis(row.expires),
	}
	var alias *string
	if err := s.DB.QueryRow(ctx, `SELECT alias FROM accounts WHERE account = $1`, c.Account).Scan(&alias); err != nil {
		return nil, fmt.Errorf("read account alias: %w", err)
	}
	cs.Alias = or(alias, "")
	return cs, nil
}

// ConsoleSession finds who is signed in with a token. ErrNotSignedIn if nobody
// is.
func (s *Service) ConsoleSession(ctx context.Context, token string) (*ConsoleSession, error) {
	row, err := s.consoleByID(ctx, consoleID(token))
	if err != nil {
		return nil, err
	}
	return s.describeSession(ctx, row)
}

// ConsoleCredentials are temporary credentials of who is signed in, for a
// duration between 15 minutes and an hour and never for longer than the
// session; when it ends, so do they. ErrNotSignedIn.
func (s *Service) ConsoleCredentials(ctx context.Context, token string, d time.Duration) (*SessionCredentials, error) {
	row, err := s.consoleByID(ctx, consoleID(token))
	if err != nil {
		return nil, err
	}
	if _, err := s.describeSession(ctx, row); err != nil {
		return nil, err
	}
	d = min(max(d, minConsoleCredentials), maxConsoleCredentials, fromMillis(row.expires).Sub(s.Now()))
	c := consoleClaims(row.claims, row.id)
	creds, _, err := s.issue(&c, d)
	if err != nil {
		return nil, fmt.Errorf("issue console credentials: %w", err)
	}
	return creds, nil
}

// consoleClaims are those of a session's credentials.
func consoleClaims(of *claims, id string) claims {
	c := *of
	c.Console, c.SignIn = true, id
	if c.Since == 0 {
		c.Since = c.Issued
	}
	return c
}

// signedIn fails with db.ErrNotFound for credentials of a console session that
// has ended. Expiry is not looked at: credentials have their own.
func (s *Service) signedIn(ctx context.Context, c *claims) error {
	if c.SignIn == "" {
		return nil
	}
	_, ok, err := fresh.Load(&s.gens, &s.consoles, c.SignIn, c.Account, func() (struct{}, bool, error) {
		_, err := s.consoleByID(ctx, c.SignIn)
		if errors.Is(err, ErrNotSignedIn) {
			return struct{}{}, false, nil
		}
		return struct{}{}, err == nil, err
	})
	if err == nil && !ok {
		err = db.ErrNotFound
	}
	return err
}

// SignOut ends a session, if it is one.
func (s *Service) SignOut(ctx context.Context, token string) error {
	account, err := s.consoleAccount(ctx, token)
	if err != nil || account == "" {
		return err
	}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM signin_sessions WHERE id = $1`, consoleID(token))
		return err
	})
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// ChangeConsolePassword changes the password of who is signed in and knows the
// present one, and begins a session in place of this one; all others of his
// end. Errors are those of SignIn, and ErrNotSignedIn.
func (s *Service) ChangeConsolePassword(ctx context.Context, req *awsapi.Request, token, old, password string) (newToken string, who *ConsoleSession, err error) {
	row, err := s.consoleByID(ctx, consoleID(token))
	if err != nil {
		return "", &ConsoleSession{}, err
	}
	if who, err = s.describeSession(ctx, row); err != nil {
		return "", &ConsoleSession{}, err
	}
	if row.proof == "" {
		return "", who, awsapi.Errorf("InvalidUserType", 400, "message", "Only users who sign in with a password can change it.")
	}
	e, hash, err := s.passwordOwner(ctx, row.claims)
	if err != nil {
		return "", who, err
	}
	if err := s.mayChangePassword(ctx, req, e); err != nil {
		return "", who, err
	}
	t, err := s.tryPassword(ctx, e.account, changeSubject(e.account, e.id), hash, old)
	if err != nil {
		return "", who, err
	}
	if err = s.acceptable(ctx, e, old, password); err == nil {
		hash, err = s.replacePassword(ctx, e, old, password)
	}
	if err != nil {
		return "", who, errors.Join(err, s.giveBack(ctx, t))
	}
	newToken, after, err := s.begin(ctx, &newSession{
		claims: *row.claims, hash: hash, lasts: fromMillis(row.expires).Sub(s.now()), previous: token, try: t,
	})
	if err != nil {
		return "", who, err
	}
	return newToken, after, nil
}

// passwordOwner is the user or root of a session, and the password's hash.
func (s *Service) passwordOwner(ctx context.Context, c *claims) (*entity, string, error) {
	if c.ID == c.Account {
		var hash string
		err := s.DB.QueryRow(ctx, `SELECT root_password FROM accounts WHERE account = $1`, c.Account).Scan(&hash)
		return rootEntity(c.Account), hash, err
	}
	e, err := entityByID(ctx, s.DB, c.Account, kindUser, c.ID)
	if err != nil {
		return nil, "", fmt.Errorf("change password: %w", err)
	}
	l, err := loginProfile(ctx, s.DB, c.Account, c.ID)
	if err != nil {
		return nil, "", fmt.Errorf("change password: %w", err)
	}
	return e, l.hash, nil
}
