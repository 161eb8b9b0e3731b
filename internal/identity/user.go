package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// wireUser is the answer's form of a user.
func wireUser(e *entity, tags []iam.Tag) iam.User {
	u := iam.User{Arn: e.arn(), CreateDate: e.created, UserId: e.id, Tags: tags}
	if e.kind == kindUser {
		u.Path, u.UserName = &e.path, &e.name
		u.PermissionsBoundary = e.attachedBoundary()
	}
	return u
}

// CreateUser makes a user. Names are unique ignoring case.
func (s *Service) CreateUser(ctx context.Context, in *iam.CreateUserRequest) (*iam.CreateUserResponse, error) {
	account := awsapi.Account(ctx)
	e := &entity{
		kind: kindUser, account: account, id: newID(prefixUser, account),
		name: in.UserName, path: or(in.Path, "/"), boundary: or(in.PermissionsBoundary, ""), created: s.now(),
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	err := s.write(ctx, account, func(tx *db.Tx) error {
		if err := s.boundaryExists(ctx, tx, account, e.boundary); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO iam_users (account, id, name, name_key, path, boundary, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			account, e.id, e.name, nameKey(e.name), e.path, nullable(e.boundary), e.created.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return iam.ErrEntityAlreadyExistsException("User with name %s already exists.", e.name)
		}
		if err := withinQuota(ctx, tx, account, kindUser); err != nil {
			return err
		}
		return putTags(ctx, tx, account, e.id, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create user %s: %w", in.UserName, err)
	}
	return &iam.CreateUserResponse{User: new(wireUser(e, in.Tags))}, nil
}

// GetUser answers one user, by default the caller. For root it answers an
// account's root user, which has neither name nor path.
func (s *Service) GetUser(ctx context.Context, in *iam.GetUserRequest) (*iam.GetUserResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	tags, err := tagsOf(ctx, s.DB, e.account, e.id)
	if err != nil {
		return nil, fmt.Errorf("get user %s: %w", e.name, err)
	}
	return &iam.GetUserResponse{User: wireUser(e, tags)}, nil
}

// UpdateUser renames a user or moves it to another path: its ARN changes, its
// unique id and what it owns stay.
func (s *Service) UpdateUser(ctx context.Context, in *iam.UpdateUserRequest) (*iam.UpdateUserResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	name := or(in.NewUserName, e.name)
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		var other string
		err := tx.QueryRow(ctx, `SELECT id FROM iam_users WHERE account = $1 AND name_key = $2`, e.account, nameKey(name)).Scan(&other)
		switch {
		case err == nil && other != e.id:
			return iam.ErrEntityAlreadyExistsException("User with name %s already exists.", name)
		case err != nil && !errors.Is(err, db.ErrNotFound):
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE iam_users SET name = $1, name_key = $2, path = $3 WHERE account = $4 AND id = $5`,
			name, nameKey(name), or(in.NewPath, e.path), e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(kindUser, in.UserName)
		}
		return err
	})
	if db.IsUnique(err) { // somebody was faster
		return nil, iam.ErrEntityAlreadyExistsException("User with name %s already exists.", name)
	}
	if err != nil {
		return nil, fmt.Errorf("update user %s: %w", in.UserName, err)
	}
	return &iam.UpdateUserResponse{}, nil
}

// DeleteUser deletes a user that owns no keys and no policies any more. Its
// sessions end at once.
func (s *Service) DeleteUser(ctx context.Context, in *iam.DeleteUserRequest) (*iam.DeleteUserResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := ownsNothing(ctx, tx, e); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM iam_users WHERE account = $1 AND id = $2`, e.account, e.id)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoEntity(kindUser, in.UserName)
		}
		return dropOwned(ctx, tx, e.account, e.id)
	})
	if err != nil {
		return nil, fmt.Errorf("delete user %s: %w", in.UserName, err)
	}
	return &iam.DeleteUserResponse{}, nil
}

// ownsNothing refuses to delete a user or role that has something that its
// deletion would take along.
func ownsNothing(ctx context.Context, tx *db.Tx, e *entity) error {
	for _, owned := range []struct{ table, verb string }{
		{"iam_access_keys", "delete access keys"},
		{"iam_mfa_devices", "delete MFA device"},
		{"iam_attachments", "detach all policies"},
		{"iam_inline_policies", "delete policies"},
	} {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM `+owned.table+` WHERE account = $1 AND owner = $2`, e.account, e.id)
		if err != nil {
			return err
		}
		if n > 0 {
			return iam.ErrDeleteConflictException("Cannot delete entity, must %s first.", owned.verb)
		}
	}
	return nil
}

// ListUsers answers users by name, those under a path if one is given.
func (s *Service) ListUsers(ctx context.Context, in *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
	p, err := newPage("users", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	all, err := entities(ctx, s.DB, awsapi.Account(ctx), kindUser, in.PathPrefix, p)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	out := &iam.ListUsersResponse{}
	all, out.IsTruncated, out.Marker = cut(p, all, func(e *entity) string { return nameKey(e.name) })
	out.Users = make([]iam.User, 0, len(all))
	for _, e := range all {
		e.boundary = "" // as AWS's answer, which is without boundaries and tags
		out.Users = append(out.Users, wireUser(e, nil))
	}
	return out, nil
}

// entities reads a page of users or roles, and one row more.
func entities(ctx context.Context, r reader, account string, k kind, prefix *string, p page) ([]*entity, error) {
	from, to := pathRange(prefix)
	return queryAll(ctx, r, func(rows *db.Rows) (*entity, error) {
		e := &entity{kind: k, account: account}
		var created int64
		err := rows.Scan(&e.id, &e.name, &e.path, &e.boundary, &created)
		e.created = fromMillis(created)
		return e, err
	}, `SELECT id, name, path, COALESCE(boundary, ''), created FROM `+k.rules().table+`
		WHERE account = $1 AND name_key > $2 AND path >= $3 AND path < $4 ORDER BY name_key LIMIT $5`,
		account, p.after, from, to, p.limit+1)
}

// ListGroupsForUser answers no groups: there are none until CreateGroup is
// served.
func (s *Service) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserRequest) (*iam.ListGroupsForUserResponse, error) {
	if _, err := entityTarget(ctx, kindUser, in.UserName); err != nil {
		return nil, err
	}
	if _, err := newPage("groups", in.Marker, in.MaxItems); err != nil {
		return nil, err
	}
	return &iam.ListGroupsForUserResponse{Groups: []iam.Group{}, IsTruncated: new(false)}, nil
}
