package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/db"
)

// ErrNoAccount: there is no such account, or none at all.
var ErrNoAccount = errors.New("there is no such account")

// RootReset says whose root user gets new credentials.
type RootReset struct {
	Account      string // empty: the first one
	Email        string // empty: as it is
	DefaultEmail string // for an account that has none
	MFA          bool   // delete the root user's MFA devices too
}

// RootWasReset is what came of a RootReset.
type RootWasReset struct {
	RootCredentials
	MFADevices int64 // that the root user had; they are left to it unless RootReset.MFA
}

// FirstAccount is the account that Bootstrap made. ErrNoAccount in an empty
// database.
func (s *Service) FirstAccount(ctx context.Context) (string, error) {
	first, err := firstAccount(ctx, s.DB)
	if errors.Is(err, db.ErrNotFound) {
		return "", ErrNoAccount
	}
	if err != nil {
		return "", fmt.Errorf("find the first account: %w", err)
	}
	return first, nil
}

// ResetRoot gives the root user of an account a new access key in place of all
// that it had, and a new password. Its sessions end, and attempts to guess its
// password are forgotten. ErrNoAccount, ErrEmailInUse.
func (s *Service) ResetRoot(ctx context.Context, o RootReset) (*RootWasReset, error) {
	account := o.Account
	if account == "" {
		first, err := s.FirstAccount(ctx)
		if err != nil {
			return nil, err
		}
		account = first
	}
	err := accountExists(ctx, s.DB, account)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrNoAccount
	}
	if err != nil {
		return nil, fmt.Errorf("find account %s: %w", account, err)
	}
	c, err := completeRoot(BootstrapOptions{AccountID: account, Email: o.Email, Password: readablePassword()})
	if err != nil {
		return nil, err
	}
	hash := hashPassword(c.Password)
	given, devices := c.Email, int64(0)
	err = s.write(ctx, account, func(tx *db.Tx) error {
		c.Email = given
		if err := o.email(ctx, tx, c); err != nil {
			return err
		}
		for _, change := range []struct {
			query string
			args  []any
		}{
			{`UPDATE accounts SET email = $1, root_password = $2 WHERE account = $3`, []any{c.Email, hash, account}},
			{`DELETE FROM iam_access_keys WHERE account = $1 AND owner = $1`, []any{account}},
			{`DELETE FROM signin_sessions WHERE account = $1 AND owner = $1`, []any{account}},
			{`DELETE FROM signin_failures WHERE subject = $1`, []any{rootSubject(c.Email)}},
		} {
			if _, err := tx.Exec(ctx, change.query, change.args...); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM iam_mfa_devices WHERE account = $1 AND owner = $1`, account).Scan(&devices); err != nil {
			return err
		}
		if o.MFA {
			if err := deleteRootMFA(ctx, tx, account); err != nil {
				return err
			}
		}
		return s.insertKey(ctx, tx, account, account, c.AccessKeyID, c.SecretAccessKey, s.now())
	})
	if err != nil {
		return nil, fmt.Errorf("reset the root user of account %s: %w", account, err)
	}
	return &RootWasReset{RootCredentials: *c, MFADevices: devices}, nil
}

// deleteRootMFA deletes the root user's MFA devices and what hangs on them.
func deleteRootMFA(ctx context.Context, tx *db.Tx, account string) error {
	serials, err := queryAll(ctx, tx, scanText, `SELECT arn FROM iam_mfa_devices WHERE account = $1 AND owner = $1`, account)
	if err != nil {
		return err
	}
	for _, serial := range serials {
		if _, err := tx.Exec(ctx, `DELETE FROM iam_mfa_devices WHERE account = $1 AND arn = $2`, account, serial); err != nil {
			return err
		}
		if err := dropOwned(ctx, tx, account, serial); err != nil {
			return err
		}
	}
	return nil
}

// email finds the address that the root user is to have.
func (o *RootReset) email(ctx context.Context, tx *db.Tx, c *RootCredentials) error {
	if c.Email == "" {
		if err := tx.QueryRow(ctx, `SELECT email FROM accounts WHERE account = $1`, c.AccountID).Scan(&c.Email); err != nil {
			return err
		}
	}
	if c.Email == "" {
		c.Email = emailKey(o.DefaultEmail)
	}
	return emailFree(ctx, tx, c.Email, c.AccountID)
}
