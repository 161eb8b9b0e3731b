package identity

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// CreateAccountAlias gives the account a name to sign in by, in place of the
// one it has. No two accounts have the same one, and none has one that could
// be an account's id.
func (s *Service) CreateAccountAlias(ctx context.Context, in *iam.CreateAccountAliasRequest) (*iam.CreateAccountAliasResponse, error) {
	account := awsapi.Account(ctx)
	if arn.IsAccount(in.AccountAlias) {
		return nil, errValidation("The account alias must not be a 12-digit number.")
	}
	taken := iam.ErrEntityAlreadyExistsException("The account alias %s already exists.", in.AccountAlias)
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM accounts WHERE alias = $1`, in.AccountAlias)
		if err != nil {
			return err
		}
		if n > 0 {
			return taken
		}
		_, err = tx.Exec(ctx, `UPDATE accounts SET alias = $1 WHERE account = $2`, in.AccountAlias, account)
		return err
	})
	if db.IsUnique(err) { // somebody was faster
		return nil, taken
	}
	if err != nil {
		return nil, fmt.Errorf("create account alias %s: %w", in.AccountAlias, err)
	}
	return &iam.CreateAccountAliasResponse{}, nil
}

// DeleteAccountAlias takes the account's alias away.
func (s *Service) DeleteAccountAlias(ctx context.Context, in *iam.DeleteAccountAliasRequest) (*iam.DeleteAccountAliasResponse, error) {
	account := awsapi.Account(ctx)
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE accounts SET alias = NULL WHERE account = $1 AND alias = $2`, account, in.AccountAlias)
		if err == nil && n == 0 {
			return iam.ErrNoSuchEntityException("The account alias with name %s cannot be found.", in.AccountAlias)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete account alias %s: %w", in.AccountAlias, err)
	}
	return &iam.DeleteAccountAliasResponse{}, nil
}

// ListAccountAliases answers the account's alias, if it has one.
func (s *Service) ListAccountAliases(ctx context.Context, in *iam.ListAccountAliasesRequest) (*iam.ListAccountAliasesResponse, error) {
	p, err := newPage("aliases", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	aliases, err := queryAll(ctx, s.DB, scanText, `SELECT alias FROM accounts WHERE account = $1 AND alias > $2`, awsapi.Account(ctx), p.after)
	if err != nil {
		return nil, fmt.Errorf("list account aliases: %w", err)
	}
	out := &iam.ListAccountAliasesResponse{}
	out.AccountAliases, out.IsTruncated, out.Marker = cut(p, aliases, func(a string) string { return a })
	return out, nil
}
