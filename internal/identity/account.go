package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
)

// BootstrapOptions are what an account is made of. An account id and an access
// key that are empty are made at random; what an empty e-mail address or
// password comes to, Bootstrap and AddAccount say.
type BootstrapOptions struct {
	AccountID   string
	AccessKeyID string
	Secret      string

	Name         string // of the account; may be empty
	Email        string // by which the root user signs in
	Password     string
	PasswordHash string // of Password, where it is known already
}

// RootCredentials are an account and what its root user has: an access key, and
// an e-mail address and a password to sign in with.
type RootCredentials struct {
	AccountID       string
	AccessKeyID     string
	SecretAccessKey string
	Email           string // empty: cannot sign in
	Password        string // empty: cannot sign in
}

// ErrEmailInUse refuses a second account with an e-mail address.
var ErrEmailInUse = errors.New("another account has this e-mail address")

// Bootstrap makes the first account with an access key of its root user, and
// returns both and true. Without an e-mail address and a password the root user
// cannot sign in. In a deployment that has an account it changes nothing and
// returns the first account's id alone and false.
func (s *Service) Bootstrap(ctx context.Context, o BootstrapOptions) (creds *RootCredentials, created bool, err error) {
	c, err := completeRoot(o)
	if err != nil {
		return nil, false, err
	}
	first, err := firstAccount(ctx, s.DB)
	if err == nil {
		return &RootCredentials{AccountID: first}, false, nil
	}
	if !errors.Is(err, db.ErrNotFound) {
		return nil, false, fmt.Errorf("find the first account: %w", err)
	}
	hash := o.hash(c.Password)
	defer s.gens.BumpAll()
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		creds, created = nil, false
		first, err := firstAccount(ctx, tx)
		if err == nil {
			creds = &RootCredentials{AccountID: first}
			return nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return err
		}
		creds, created = c, true
		return s.insertAccount(ctx, tx, c, o.Name, hash)
	})
	if err != nil {
		return nil, false, fmt.Errorf("make the first account: %w", err)
	}
	return creds, created, nil
}

// firstAccount is the account that Bootstrap made. db.ErrNotFound in an empty
// database.
func firstAccount(ctx context.Context, r reader) (string, error) {
	var first string
	err := r.QueryRow(ctx, `SELECT account FROM accounts ORDER BY created, account LIMIT 1`).Scan(&first)
	return first, err
}

// AddAccount makes a further account with an access key of its root user, and
// returns both. An empty e-mail address is made of the account id, an empty
// password at random. ErrEmailInUse for an address that another account has.
func (s *Service) AddAccount(ctx context.Context, o BootstrapOptions) (*RootCredentials, error) {
	c, hash, err := s.completeAccount(ctx, o)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, c.AccountID, func(tx *db.Tx) error { return s.insertAccount(ctx, tx, c, o.Name, hash) })
	if err != nil {
		return nil, fmt.Errorf("create account %s: %w", c.AccountID, err)
	}
	return c, nil
}

// completeAccount fills in all that a further account has, and hashes its
// password.
func (s *Service) completeAccount(ctx context.Context, o BootstrapOptions) (c *RootCredentials, hash string, err error) {
	if c, err = completeRoot(o); err != nil {
		return nil, "", err
	}
	if c.Email == "" {
		c.Email = "root+" + c.AccountID + "@localhost"
	}
	if c.Password == "" {
		c.Password = readablePassword()
	}
	hash, err = s.newPasswordHash(ctx, c.AccountID, c.Password)
	return c, hash, err
}

// NewRootCredentials makes random ones, of no account that exists yet, for an
// e-mail address.
func NewRootCredentials(email string) (*RootCredentials, error) {
	return completeRoot(BootstrapOptions{Email: email, Password: readablePassword()})
}

// hash is the stored form of a password, empty for none.
func (o *BootstrapOptions) hash(password string) string {
	switch {
	case password == "":
		return ""
	case o.PasswordHash != "":
		return o.PasswordHash
	}
	return hashPassword(password)
}

// completeRoot fills in the account id and the access key.
func completeRoot(o BootstrapOptions) (*RootCredentials, error) {
	c := &RootCredentials{
		AccountID: o.AccountID, AccessKeyID: o.AccessKeyID, SecretAccessKey: o.Secret, Email: emailKey(o.Email), Password: o.Password,
	}
	if c.AccountID == "" {
		id, err := newAccountID()
		if err != nil {
			return nil, err
		}
		c.AccountID = id
	}
	if !arn.IsAccount(c.AccountID) {
		return nil, fmt.Errorf("account id %q is not twelve digits", c.AccountID)
	}
	if c.AccessKeyID == "" {
		c.AccessKeyID = newKeyID(prefixKey, c.AccountID)
	}
	if c.SecretAccessKey == "" {
		c.SecretAccessKey = newSecret()
	}
	return c, nil
}

// insertAccount stores an account and its root access key. It is younger than
// all others, whatever the clock says: the oldest is the management account.
func (s *Service) insertAccount(ctx context.Context, tx *db.Tx, c *RootCredentials, name, passwordHash string) error {
	if err := emailFree(ctx, tx, c.Email, c.AccountID); err != nil {
		return err
	}
	var youngest int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(created), 0) FROM accounts`).Scan(&youngest); err != nil {
		return err
	}
	now := s.now()
	_, err := tx.Exec(ctx, `INSERT INTO accounts (account, created, name, email, root_password) VALUES ($1, $2, $3, $4, $5)`,
		c.AccountID, max(now.UnixMilli(), youngest+1), name, c.Email, passwordHash)
	if err != nil {
		return err
	}
	return s.insertKey(ctx, tx, c.AccountID, c.AccountID, c.AccessKeyID, c.SecretAccessKey, now)
}

// emailKey is an e-mail address as it is stored and compared.
func emailKey(email string) string { return strings.ToLower(email) }

// emailFree fails with ErrEmailInUse if an account other than this one has the
// address.
func emailFree(ctx context.Context, tx *db.Tx, email, account string) error {
	if email == "" {
		return nil
	}
	n, err := count(ctx, tx, `SELECT COUNT(*) FROM accounts WHERE email = $1 AND account <> $2`, email, account)
	if err == nil && n > 0 {
		err = ErrEmailInUse
	}
	return err
}
