package identity

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
)

// groupsOf reads a page of the groups that a user is in, by name, and one row
// more.
func groupsOf(ctx context.Context, r reader, user *entity, p page) ([]*entity, error) {
	return entitiesWhere(ctx, r, user.account, kindGroup, p,
		`id IN (SELECT group_id FROM iam_group_members WHERE account = $1 AND user_id = $4)`, user.id)
}

// member runs change on a group and a user of its account, in one transaction
// in which there are both.
func (s *Service) member(ctx context.Context, group, user string, change func(tx *db.Tx, group, user *entity) error) error {
	g, err := entityTarget(ctx, kindGroup, group)
	if err != nil {
		return err
	}
	return s.write(ctx, g.account, func(tx *db.Tx) error {
		if err := g.stillThere(ctx, tx); err != nil {
			return err
		}
		u, err := entityByName(ctx, tx, g.account, kindUser, user)
		if err != nil {
			return noEntity(err, kindUser, user)
		}
		return change(tx, g, u)
	})
}

// AddUserToGroup puts a user into a group, whose policies count for it from the
// next request on. Who is in it already stays there.
func (s *Service) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupRequest) (*iam.AddUserToGroupResponse, error) {
	err := s.member(ctx, in.GroupName, in.UserName, func(tx *db.Tx, g, u *entity) error {
		n, err := tx.Exec(ctx, `INSERT INTO iam_group_members (account, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			g.account, g.id, u.id)
		if err != nil || n == 0 {
			return err
		}
		return underQuota(ctx, tx, "GroupsPerUser", maxGroups,
			`SELECT COUNT(*) - 1 FROM iam_group_members WHERE account = $1 AND user_id = $2`, g.account, u.id)
	})
	if err != nil {
		return nil, fmt.Errorf("add user %s to group %s: %w", in.UserName, in.GroupName, err)
	}
	return &iam.AddUserToGroupResponse{}, nil
}

// RemoveUserFromGroup takes a user out of a group it is in.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupRequest) (*iam.RemoveUserFromGroupResponse, error) {
	err := s.member(ctx, in.GroupName, in.UserName, func(tx *db.Tx, g, u *entity) error {
		n, err := tx.Exec(ctx, `DELETE FROM iam_group_members WHERE account = $1 AND group_id = $2 AND user_id = $3`, g.account, g.id, u.id)
		if err == nil && n == 0 {
			return iam.ErrNoSuchEntityException("User %s not in group %s", u.name, g.name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("remove user %s from group %s: %w", in.UserName, in.GroupName, err)
	}
	return &iam.RemoveUserFromGroupResponse{}, nil
}

// ListGroupsForUser answers the groups that a user is in by name.
func (s *Service) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserRequest) (*iam.ListGroupsForUserResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := newPage("groups/"+e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	all, err := groupsOf(ctx, s.DB, e, p)
	if err != nil {
		return nil, fmt.Errorf("list groups of user %s: %w", in.UserName, err)
	}
	out := &iam.ListGroupsForUserResponse{}
	all, out.IsTruncated, out.Marker = cut(p, all, entityKey)
	out.Groups = wireGroups(all)
	return out, nil
}
