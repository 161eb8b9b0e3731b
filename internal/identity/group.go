package identity

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// wireGroup is the answer's form of a group.
func wireGroup(e *entity) iam.Group {
	return iam.Group{Arn: e.arn(), CreateDate: e.created, GroupId: e.id, GroupName: e.name, Path: e.path}
}

// wireGroups is wireGroup of a list.
func wireGroups(all []*entity) []iam.Group {
	list := make([]iam.Group, 0, len(all))
	for _, e := range all {
		list = append(list, wireGroup(e))
	}
	return list
}

// CreateGroup makes a group. Names are unique ignoring case.
func (s *Service) CreateGroup(ctx context.Context, in *iam.CreateGroupRequest) (*iam.CreateGroupResponse, error) {
	account := awsapi.Account(ctx)
	e := &entity{
		kind: kindGroup, account: account, id: newID(prefixGroup, account),
		name: in.GroupName, path: or(in.Path, "/"), created: s.now(),
	}
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iam_groups (account, id, name, name_key, path, created)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			account, e.id, e.name, nameKey(e.name), e.path, e.created.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return iam.ErrEntityAlreadyExistsException("Group with name %s already exists.", e.name)
		}
		return withinQuota(ctx, tx, account, kindGroup)
	})
	if err != nil {
		return nil, fmt.Errorf("create group %s: %w", in.GroupName, err)
	}
	return &iam.CreateGroupResponse{Group: wireGroup(e)}, nil
}

// GetGroup answers a group and the users in it by name, without their tags and
// boundaries.
func (s *Service) GetGroup(ctx context.Context, in *iam.GetGroupRequest) (*iam.GetGroupResponse, error) {
	e, err := entityTarget(ctx, kindGroup, in.GroupName)
	if err != nil {
		return nil, err
	}
	p, err := newPage("members/"+e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	var users []*entity
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		users, err = entitiesWhere(ctx, tx, e.account, kindUser, p,
			`id IN (SELECT user_id FROM iam_group_members WHERE account = $1 AND group_id = $4)`, e.id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get group %s: %w", in.GroupName, err)
	}
	out := &iam.GetGroupResponse{Group: wireGroup(e)}
	users, out.IsTruncated, out.Marker = cut(p, users, entityKey)
	out.Users = make([]iam.User, 0, len(users))
	for _, u := range users {
		u.boundary, u.passwordUsed = "", nil // GetUser and ListUsers alone tell the latter
		out.Users = append(out.Users, wireUser(u, nil))
	}
	return out, nil
}

// UpdateGroup renames a group or moves it to another path: its ARN changes, its
// unique id, its policies and its users stay.
func (s *Service) UpdateGroup(ctx context.Context, in *iam.UpdateGroupRequest) (*iam.UpdateGroupResponse, error) {
	if err := s.rename(ctx, kindGroup, in.GroupName, in.NewGroupName, in.NewPath); err != nil {
		return nil, err
	}
	return &iam.UpdateGroupResponse{}, nil
}

// DeleteGroup deletes a group that has neither users nor policies any more.
func (s *Service) DeleteGroup(ctx context.Context, in *iam.DeleteGroupRequest) (*iam.DeleteGroupResponse, error) {
	e, err := entityTarget(ctx, kindGroup, in.GroupName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := ownsNothing(ctx, tx, e); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM iam_groups WHERE account = $1 AND id = $2`, e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(kindGroup, in.GroupName)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete group %s: %w", in.GroupName, err)
	}
	return &iam.DeleteGroupResponse{}, nil
}

// ListGroups answers groups by name, those under a path if one is given.
func (s *Service) ListGroups(ctx context.Context, in *iam.ListGroupsRequest) (*iam.ListGroupsResponse, error) {
	p, err := newPage("groups", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	all, err := entities(ctx, s.DB, awsapi.Account(ctx), kindGroup, in.PathPrefix, p)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	out := &iam.ListGroupsResponse{}
	all, out.IsTruncated, out.Marker = cut(p, all, entityKey)
	out.Groups = wireGroups(all)
	return out, nil
}
