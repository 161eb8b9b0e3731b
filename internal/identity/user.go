package identity

import (
	"context"
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
	u.PasswordLastUsed = e.passwordUsed
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
	var tags []iam.Tag
	if e.kind == kindRoot {
		e, err = rootUser(ctx, s.DB, e.account)
	} else {
		tags, err = tagsOf(ctx, s.DB, e.account, e.id)
	}
	if err != nil {
		return nil, fmt.Errorf("get user %s: %w", e.name, err)
	}
	return &iam.GetUserResponse{User: wireUser(e, tags)}, nil
}

// rootUser is rootEntity with what the account's row says of it.
func rootUser(ctx context.Context, r reader, account string) (*entity, error) {
	e := rootEntity(account)
	var created int64
	var used *int64
	err := r.QueryRow(ctx, `SELECT created, root_signed_in FROM accounts WHERE account = $1`, account).Scan(&created, &used)
	e.created = fromMillis(created)
	if used != nil {
		e.passwordUsed = new(fromMillis(*used))
	}
	return e, err
}

// UpdateUser renames a user or moves it to another path: its ARN changes, its
// unique id and what it owns stay.
func (s *Service) UpdateUser(ctx context.Context, in *iam.UpdateUserRequest) (*iam.UpdateUserResponse, error) {
	if err := s.rename(ctx, kindUser, in.UserName, in.NewUserName, in.NewPath); err != nil {
		return nil, err
	}
	return &iam.UpdateUserResponse{}, nil
}

// DeleteUser deletes a user that has no password, no keys and no policies any
// more and is in no group. Its sessions end at once.
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

// ownsNothing refuses to delete a user, group or role that has something that
// its deletion would take along.
func ownsNothing(ctx context.Context, tx *db.Tx, e *entity) error {
	for _, owned := range []struct{ table, owner, verb string }{
		{"iam_login_profiles", "user_id", "delete login profile"},
		{"iam_access_keys", "owner", "delete access keys"},
		{"iam_mfa_devices", "owner", "delete MFA device"},
		{"iam_attachments", "owner", "detach all policies"},
		{"iam_inline_policies", "owner", "delete policies"},
		{"iam_group_members", "user_id", "remove users from group"},
		{"iam_group_members", "group_id", "remove users from group"},
		{"iam_instance_profiles", "role_id", "remove roles from instance profile"},
	} {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM `+owned.table+` WHERE account = $1 AND `+owned.owner+` = $2`, e.account, e.id)
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
	all, out.IsTruncated, out.Marker = cut(p, all, entityKey)
	out.Users = make([]iam.User, 0, len(all))
	for _, e := range all {
		e.boundary = "" // as AWS's answer, which is without boundaries and tags
		out.Users = append(out.Users, wireUser(e, nil))
	}
	return out, nil
}
