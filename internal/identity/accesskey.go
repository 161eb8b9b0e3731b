package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// sealKey is the purpose that secret access keys are sealed for.
const sealKey = "identity access key"

// The states of an access key.
const (
	keyActive   = "Active"
	keyInactive = "Inactive"
)

func keyStatus(active bool) string {
	if active {
		return keyActive
	}
	return keyInactive
}

// insertKey stores an access key, its secret sealed and bound to its id.
func (s *Service) insertKey(ctx context.Context, tx *db.Tx, account, owner, id, secret string, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO iam_access_keys (id, account, owner, secret, active, created) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, account, owner, s.Seal.Seal(sealKey, []byte(id+"\n"+secret)), true, at.UnixMilli())
	return err
}

// CreateAccessKey makes an access key for a user, by default the caller. The
// secret is in this answer and nowhere else.
func (s *Service) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyRequest) (*iam.CreateAccessKeyResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	id, secret, now := newKeyID(prefixKey, e.account), newSecret(), s.now()
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		err := underQuota(ctx, tx, "AccessKeysPerUser", maxKeys,
			`SELECT COUNT(*) FROM iam_access_keys WHERE account = $1 AND owner = $2`, e.account, e.id)
		if err != nil {
			return err
		}
		return s.insertKey(ctx, tx, e.account, e.id, id, secret, now)
	})
	if err != nil {
		return nil, fmt.Errorf("create access key of %s: %w", e.arn(), err)
	}
	return &iam.CreateAccessKeyResponse{AccessKey: iam.AccessKey{
		UserName: e.name, AccessKeyId: id, SecretAccessKey: secret, Status: keyActive, CreateDate: &now,
	}}, nil
}

// ListAccessKeys answers a user's access keys, by default the caller's,
// without their secrets.
func (s *Service) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysRequest) (*iam.ListAccessKeysResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := newPage("keys/"+e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListAccessKeysResponse{}
	keys, err := queryAll(ctx, s.DB, func(rows *db.Rows) (iam.AccessKeyMetadata, error) {
		var id string
		var active bool
		var created int64
		err := rows.Scan(&id, &active, &created)
		return iam.AccessKeyMetadata{
			UserName: nullable(e.name), AccessKeyId: &id, Status: new(keyStatus(active)), CreateDate: new(fromMillis(created)),
		}, err
	}, `SELECT id, active, created FROM iam_access_keys WHERE account = $1 AND owner = $2 AND id > $3 ORDER BY id LIMIT $4`,
		e.account, e.id, p.after, p.limit+1)
	if err != nil {
		return nil, fmt.Errorf("list access keys of %s: %w", e.arn(), err)
	}
	out.AccessKeyMetadata, out.IsTruncated, out.Marker = cut(p, keys, func(k iam.AccessKeyMetadata) string { return *k.AccessKeyId })
	return out, nil
}

// UpdateAccessKey switches an access key on or off, at once.
func (s *Service) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyRequest) (*iam.UpdateAccessKeyResponse, error) {
	err := s.changeKey(ctx, in.UserName, in.AccessKeyId, func(tx *db.Tx, e *entity) (int64, error) {
		return tx.Exec(ctx, `UPDATE iam_access_keys SET active = $1 WHERE id = $2 AND account = $3 AND owner = $4`,
			in.Status == keyActive, in.AccessKeyId, e.account, e.id)
	})
	if err != nil {
		return nil, err
	}
	return &iam.UpdateAccessKeyResponse{}, nil
}

// DeleteAccessKey deletes an access key, at once.
func (s *Service) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyRequest) (*iam.DeleteAccessKeyResponse, error) {
	err := s.changeKey(ctx, in.UserName, in.AccessKeyId, func(tx *db.Tx, e *entity) (int64, error) {
		return tx.Exec(ctx, `DELETE FROM iam_access_keys WHERE id = $1 AND account = $2 AND owner = $3`,
			in.AccessKeyId, e.account, e.id)
	})
	if err != nil {
		return nil, err
	}
	return &iam.DeleteAccessKeyResponse{}, nil
}

// changeKey runs a statement on one of a user's keys.
func (s *Service) changeKey(ctx context.Context, user *string, id string, change func(*db.Tx, *entity) (int64, error)) error {
	e, err := userTarget(ctx, user)
	if err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := change(tx, e)
		if err == nil && n == 0 {
			return iam.ErrNoSuchEntityException("The Access Key with id %s cannot be found", id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change access key %s: %w", id, err)
	}
	return nil
}

// keyOwner finds whom an access key of an account belongs to. db.ErrNotFound
// when there is no such key.
func keyOwner(ctx context.Context, r reader, account, id string) (*entity, error) {
	var owner string
	if err := r.QueryRow(ctx, `SELECT owner FROM iam_access_keys WHERE id = $1 AND account = $2`, id, account).Scan(&owner); err != nil {
		return nil, err
	}
	return entityOfID(ctx, r, account, owner)
}

// GetAccessKeyLastUsed says when, where and for which service an access key
// was last used, to about 15 minutes. An unknown key is refused as if it were
// another account's.
func (s *Service) GetAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedRequest) (*iam.GetAccessKeyLastUsedResponse, error) {
	e, ok := awsapi.Target(ctx).(*entity)
	if !ok {
		return nil, errForeignKey(ctx, in.AccessKeyId)
	}
	var at *int64
	var service, region *string
	err := s.DB.QueryRow(ctx, `SELECT last_used, last_used_service, last_used_region FROM iam_access_keys WHERE id = $1 AND account = $2`,
		in.AccessKeyId, e.account).Scan(&at, &service, &region)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errForeignKey(ctx, in.AccessKeyId)
	}
	if err != nil {
		return nil, fmt.Errorf("get last use of access key %s: %w", in.AccessKeyId, err)
	}
	used := &iam.AccessKeyLastUsed{ServiceName: or(service, "N/A"), Region: or(region, "N/A")}
	if at != nil {
		used.LastUsedDate = new(fromMillis(*at))
	}
	if u, ok := s.usage.pendingOf(useKey{account: e.account, id: in.AccessKeyId}); ok {
		used = &iam.AccessKeyLastUsed{LastUsedDate: &u.at, ServiceName: u.service, Region: u.region}
	}
	return &iam.GetAccessKeyLastUsedResponse{UserName: nullable(e.name), AccessKeyLastUsed: used}, nil
}

func errForeignKey(ctx context.Context, id string) error {
	return awsapi.ErrAccessDenied("User: %s is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key %s",
		awsapi.CallerOf(ctx).ARN, id)
}
