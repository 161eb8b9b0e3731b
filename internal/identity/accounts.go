package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// CreateAccount makes an account, of which nothing is shared with the others,
// and answers the access key and the password of its root user, this once.
func (s *Service) CreateAccount(ctx context.Context, in *thingd.CreateAccountRequest) (*thingd.CreateAccountResponse, error) {
	if err := s.managementOnly(ctx); err != nil {
		return nil, err
	}
	root, hash, err := s.completeAccount(ctx, BootstrapOptions{AccountID: or(in.AccountId, ""), Email: or(in.Email, "")})
	if err != nil {
		return nil, err
	}
	var made *thingd.Account
	err = s.write(ctx, root.AccountID, func(tx *db.Tx) error {
		if err := accountFree(ctx, tx, root.AccountID, root.Email); err != nil {
			return err
		}
		if err := s.insertAccount(ctx, tx, root, in.Name, hash); err != nil {
			return err
		}
		var err error
		made, err = scanAccount(tx.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts WHERE account = $1`, root.AccountID))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create account %s: %w", root.AccountID, err)
	}
	return &thingd.CreateAccountResponse{
		Account: *made, RootAccessKeyId: root.AccessKeyID, RootSecretAccessKey: root.SecretAccessKey, RootPassword: &root.Password,
	}, nil
}

// accountFree refuses an id or a root user's address that an account has.
func accountFree(ctx context.Context, tx *db.Tx, account, email string) error {
	var taken string
	err := tx.QueryRow(ctx, `SELECT account FROM accounts WHERE account = $1`, account).Scan(&taken)
	if err == nil {
		return thingd.ErrResourceAlreadyExistsException("The account %s already exists.", account)
	}
	if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	err = tx.QueryRow(ctx, `SELECT account FROM accounts WHERE email = $1`, email).Scan(&taken)
	if err == nil {
		return thingd.ErrResourceAlreadyExistsException("An account with the email %s already exists.", email)
	}
	return unlessNotFound(err)
}

func unlessNotFound(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}

// ListAccounts answers the accounts in the order of their ids.
func (s *Service) ListAccounts(ctx context.Context, in *thingd.ListAccountsRequest) (*thingd.ListAccountsResponse, error) {
	if err := s.managementOnly(ctx); err != nil {
		return nil, err
	}
	limit := int(or(in.MaxResults, defaultItems))
	accounts, err := queryAll(ctx, s.DB, func(rows *db.Rows) (thingd.Account, error) {
		a, err := scanAccount(rows)
		if err != nil {
			return thingd.Account{}, err
		}
		return *a, nil
	}, `SELECT `+accountColumns+` FROM accounts WHERE account > $1 ORDER BY account LIMIT $2`, or(in.NextToken, ""), limit+1)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	out := &thingd.ListAccountsResponse{Accounts: notNil(accounts)}
	if len(accounts) > limit {
		out.Accounts = accounts[:limit]
		out.NextToken = &accounts[limit-1].AccountId
	}
	return out, nil
}

// accountColumns are those that scanAccount reads.
const accountColumns = `account, name, email, created, created = (SELECT MIN(created) FROM accounts)`

func scanAccount(row interface{ Scan(...any) error }) (*thingd.Account, error) {
	var a thingd.Account
	var email string
	var created int64
	if err := row.Scan(&a.AccountId, &a.Name, &email, &created, &a.Management); err != nil {
		return nil, err
	}
	a.Arn, a.Email, a.CreatedTime = rootEntity(a.AccountId).arn(), nullable(email), fromMillis(created)
	return &a, nil
}

// managementOnly refuses callers of other accounts than the first, whatever
// their own account allows them.
func (s *Service) managementOnly(ctx context.Context) error {
	first, err := s.FirstAccount(ctx)
	if err != nil {
		return err
	}
	if caller := awsapi.CallerOf(ctx); caller.Account != first {
		return awsapi.ErrAccessDenied("User: %s is not authorized to perform: %s on resource: * because only the management account manages accounts",
			caller.ARN, actionOf(ctx))
	}
	return nil
}
