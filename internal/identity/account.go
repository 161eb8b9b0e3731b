package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
)

// BootstrapOptions are what Bootstrap makes an account of. What is empty is
// made at random.
type BootstrapOptions struct {
	AccountID   string
	AccessKeyID string
	Secret      string
	Name        string // may be empty
	Email       string // of the root user; may be empty
}

// RootCredentials are an account and the access key of its root user.
type RootCredentials struct {
	AccountID       string
	AccessKeyID     string
	SecretAccessKey string
}

// Bootstrap makes the first account with an access key of its root user, and
// returns both and true. In a deployment that has an account it changes nothing
// and returns the first account's id alone and false.
func (s *Service) Bootstrap(ctx context.Context, o BootstrapOptions) (creds *RootCredentials, created bool, err error) {
	c, err := completeRoot(o)
	if err != nil {
		return nil, false, err
	}
	defer s.gens.BumpAll()
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		creds, created = nil, false
		var first string
		err := tx.QueryRow(ctx, `SELECT account FROM accounts ORDER BY created, account LIMIT 1`).Scan(&first)
		if err == nil {
			creds = &RootCredentials{AccountID: first}
			return nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return err
		}
		creds, created = c, true
		return s.insertAccount(ctx, tx, o, c)
	})
	if err != nil {
		return nil, false, fmt.Errorf("make the first account: %w", err)
	}
	return creds, created, nil
}

// AddAccount makes a further account with an access key of its root user.
func (s *Service) AddAccount(ctx context.Context, o BootstrapOptions) (*RootCredentials, error) {
	c, err := completeRoot(o)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, c.AccountID, func(tx *db.Tx) error { return s.insertAccount(ctx, tx, o, c) })
	if err != nil {
		return nil, fmt.Errorf("create account %s: %w", c.AccountID, err)
	}
	return c, nil
}

// NewRootCredentials makes random ones, of no account that exists yet.
func NewRootCredentials() (*RootCredentials, error) { return completeRoot(BootstrapOptions{}) }

// completeRoot fills in what is not given.
func completeRoot(o BootstrapOptions) (*RootCredentials, error) {
	c := &RootCredentials{AccountID: o.AccountID, AccessKeyID: o.AccessKeyID, SecretAccessKey: o.Secret}
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
func (s *Service) insertAccount(ctx context.Context, tx *db.Tx, o BootstrapOptions, c *RootCredentials) error {
	var youngest int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(created), 0) FROM accounts`).Scan(&youngest); err != nil {
		return err
	}
	now := s.now()
	_, err := tx.Exec(ctx, `INSERT INTO accounts (account, created, name, email) VALUES ($1, $2, $3, $4)`,
		c.AccountID, max(now.UnixMilli(), youngest+1), o.Name, o.Email)
	if err != nil {
		return err
	}
	return s.insertKey(ctx, tx, c.AccountID, c.AccountID, c.AccessKeyID, c.SecretAccessKey, now)
}
