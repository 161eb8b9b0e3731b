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
		return s.insertAccount(ctx, tx, c)
	})
	if err != nil {
		return nil, false, fmt.Errorf("make the first account: %w", err)
	}
	return creds, created, nil
}

// CreateAccount makes a further account with an access key of its root user.
func (s *Service) CreateAccount(ctx context.Context, o BootstrapOptions) (*RootCredentials, error) {
	c, err := completeRoot(o)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, c.AccountID, func(tx *db.Tx) error { return s.insertAccount(ctx, tx, c) })
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

func (s *Service) insertAccount(ctx context.Context, tx *db.Tx, c *RootCredentials) error {
	now := s.now()
	if _, err := tx.Exec(ctx, `INSERT INTO accounts (account, created) VALUES ($1, $2)`, c.AccountID, now.UnixMilli()); err != nil {
		return err
	}
	return s.insertKey(ctx, tx, c.AccountID, c.AccountID, c.AccessKeyID, c.SecretAccessKey, now)
}
