package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// passedToInstances is the service that the role of an instance profile is
// passed to.
const passedToInstances = "ec2.amazonaws.com"

// placement is a role that is to be put into an instance profile; nil is what
// does not exist.
type placement struct{ profile, role *entity }

// placement is for AddRoleToInstanceProfile, which needs the permission to pass
// the role as well.
func (r *resolution) placement(ctx context.Context, in *iam.AddRoleToInstanceProfileRequest) error {
	var p placement
	if err := r.entity(ctx, kindProfile, in.InstanceProfileName, params{}); err != nil {
		return err
	}
	p.profile, _ = r.target.(*entity)
	r.target = nil
	if err := r.entity(ctx, kindRole, in.RoleName, params{}); err != nil {
		return err
	}
	p.role, _ = r.target.(*entity)
	pass := &r.checks[len(r.checks)-1]
	// A role's tags do not say reliably who may pass it (IAM User Guide, "Grant
	// a user permissions to pass a role to an AWS service").
	pass.Action, pass.Keys = "iam:PassRole", map[string][]string{"iam:PassedToService": {passedToInstances}}
	r.target = &p
	return nil
}

// CreateInstanceProfile makes an instance profile without a role.
func (s *Service) CreateInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileRequest) (*iam.CreateInstanceProfileResponse, error) {
	account := awsapi.Account(ctx)
	e := &entity{
		kind: kindProfile, account: account, id: newID(prefixProfile, account),
		name: in.InstanceProfileName, path: or(in.Path, "/"), created: s.now(),
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iam_instance_profiles (account, id, name, name_key, path, created)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			account, e.id, e.name, nameKey(e.name), e.path, e.created.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return iam.ErrEntityAlreadyExistsException("Instance Profile %s already exists.", e.name)
		}
		if err := withinQuota(ctx, tx, account, kindProfile); err != nil {
			return err
		}
		return putTags(ctx, tx, account, e.id, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create instance profile %s: %w", in.InstanceProfileName, err)
	}
	out := wireProfile(e)
	out.Tags = in.Tags
	return &iam.CreateInstanceProfileResponse{InstanceProfile: out}, nil
}

// wireProfile is the answer's form of an instance profile, but for its role and
// its tags.
func wireProfile(e *entity) iam.InstanceProfile {
	return iam.InstanceProfile{
		Arn: e.arn(), CreateDate: e.created, InstanceProfileId: e.id, InstanceProfileName: e.name, Path: e.path, Roles: []iam.Role{},
	}
}

// profileWithRole is the answer's form of an instance profile but for its tags.
func profileWithRole(ctx context.Context, r reader, e *entity) (iam.InstanceProfile, error) {
	out := wireProfile(e)
	var id *string
	err := r.QueryRow(ctx, `SELECT role_id FROM iam_instance_profiles WHERE account = $1 AND id = $2`, e.account, e.id).Scan(&id)
	if err != nil || id == nil {
		return out, err
	}
	role, err := roleByID(ctx, r, e.account, *id)
	if err != nil {
		return out, fmt.Errorf("role of instance profile %s: %w", e.name, unexpected(err))
	}
	trust, err := currentTrust(ctx, r, role.trust, role.bound)
	if err != nil {
		return out, err
	}
	w := role.wire(trust)
	// AWS's answer is without these.
	w.Description, w.MaxSessionDuration, w.PermissionsBoundary = nil, nil, nil
	out.Roles = append(out.Roles, w)
	return out, nil
}

// GetInstanceProfile answers one instance profile with its role.
func (s *Service) GetInstanceProfile(ctx context.Context, in *iam.GetInstanceProfileRequest) (*iam.GetInstanceProfileResponse, error) {
	e, err := entityTarget(ctx, kindProfile, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	var out iam.InstanceProfile
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		var err error
		if out, err = profileWithRole(ctx, tx, e); err != nil {
			return noEntity(err, kindProfile, in.InstanceProfileName)
		}
		out.Tags, err = tagsOf(ctx, tx, e.account, e.id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get instance profile %s: %w", in.InstanceProfileName, err)
	}
	return &iam.GetInstanceProfileResponse{InstanceProfile: out}, nil
}

// DeleteInstanceProfile deletes an instance profile that has no role.
func (s *Service) DeleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileRequest) (*iam.DeleteInstanceProfileResponse, error) {
	e, err := entityTarget(ctx, kindProfile, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		var role *string
		err := tx.QueryRow(ctx, `DELETE FROM iam_instance_profiles WHERE account = $1 AND id = $2 RETURNING role_id`, e.account, e.id).Scan(&role)
		if err != nil {
			return noEntity(err, kindProfile, in.InstanceProfileName)
		}
		if role != nil {
			return iam.ErrDeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		return dropOwned(ctx, tx, e.account, e.id)
	})
	if err != nil {
		return nil, fmt.Errorf("delete instance profile %s: %w", in.InstanceProfileName, err)
	}
	return &iam.DeleteInstanceProfileResponse{}, nil
}

// ListInstanceProfiles answers instance profiles by name with their roles,
// those under a path if one is given, without tags.
func (s *Service) ListInstanceProfiles(ctx context.Context, in *iam.ListInstanceProfilesRequest) (*iam.ListInstanceProfilesResponse, error) {
	p, err := newPage("instance-profiles", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListInstanceProfilesResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all, err := entities(ctx, tx, awsapi.Account(ctx), kindProfile, in.PathPrefix, p)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = cut(p, all, entityKey)
		out.InstanceProfiles, err = profilesWithRole(ctx, tx, all)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list instance profiles: %w", err)
	}
	return out, nil
}

func profilesWithRole(ctx context.Context, tx *db.Tx, all []*entity) ([]iam.InstanceProfile, error) {
	list := make([]iam.InstanceProfile, 0, len(all))
	for _, e := range all {
		w, err := profileWithRole(ctx, tx, e)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// ListInstanceProfilesForRole answers the instance profiles that a role is in,
// by name.
func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleRequest) (*iam.ListInstanceProfilesForRoleResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := newPage("instance-profiles/"+e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListInstanceProfilesForRoleResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all, err := entitiesWhere(ctx, tx, e.account, kindProfile, p, `role_id = $4`, e.id)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = cut(p, all, entityKey)
		out.InstanceProfiles, err = profilesWithRole(ctx, tx, all)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list instance profiles for role %s: %w", in.RoleName, err)
	}
	return out, nil
}

// AddRoleToInstanceProfile puts a role into an instance profile, which holds
// one. The caller may pass the role to EC2.
func (s *Service) AddRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileRequest) (*iam.AddRoleToInstanceProfileResponse, error) {
	p, _ := awsapi.Target(ctx).(*placement)
	switch {
	case p == nil || p.profile == nil:
		return nil, errNoEntity(kindProfile, in.InstanceProfileName)
	case p.role == nil:
		return nil, errNoEntity(kindRole, in.RoleName)
	}
	if err := p.role.changeable(); err != nil {
		return nil, err
	}
	err := s.write(ctx, p.profile.account, func(tx *db.Tx) error {
		if err := p.role.stillThere(ctx, tx); err != nil {
			return err
		}
		if err := p.profile.stillThere(ctx, tx); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE iam_instance_profiles SET role_id = $1 WHERE account = $2 AND id = $3 AND role_id IS NULL`,
			p.role.id, p.profile.account, p.profile.id)
		if err == nil && n == 0 {
			return errQuota("InstanceSessionsPerInstanceProfile", 1)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add role %s to instance profile %s: %w", in.RoleName, in.InstanceProfileName, err)
	}
	return &iam.AddRoleToInstanceProfileResponse{}, nil
}

// RemoveRoleFromInstanceProfile takes a role out of an instance profile.
func (s *Service) RemoveRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileRequest) (*iam.RemoveRoleFromInstanceProfileResponse, error) {
	e, err := entityTarget(ctx, kindProfile, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		role, err := entityByName(ctx, tx, e.account, kindRole, in.RoleName)
		if errors.Is(err, db.ErrNotFound) {
			return errNoEntity(kindRole, in.RoleName)
		}
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE iam_instance_profiles SET role_id = NULL WHERE account = $1 AND id = $2 AND role_id = $3`, e.account, e.id, role.id)
		if err == nil && n == 0 {
			return errNoEntity(kindRole, in.RoleName)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("remove role %s from instance profile %s: %w", in.RoleName, in.InstanceProfileName, err)
	}
	return &iam.RemoveRoleFromInstanceProfileResponse{}, nil
}

// TagInstanceProfile adds tags to an instance profile.
func (s *Service) TagInstanceProfile(ctx context.Context, in *iam.TagInstanceProfileRequest) (*iam.TagInstanceProfileResponse, error) {
	if err := s.tagEntity(ctx, kindProfile, in.InstanceProfileName, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagInstanceProfileResponse{}, nil
}

// UntagInstanceProfile removes tags from an instance profile.
func (s *Service) UntagInstanceProfile(ctx context.Context, in *iam.UntagInstanceProfileRequest) (*iam.UntagInstanceProfileResponse, error) {
	if err := s.untagEntity(ctx, kindProfile, in.InstanceProfileName, in.TagKeys); err != nil {
		return nil, err
	}
	return &iam.UntagInstanceProfileResponse{}, nil
}

// ListInstanceProfileTags answers an instance profile's tags by key.
func (s *Service) ListInstanceProfileTags(ctx context.Context, in *iam.ListInstanceProfileTagsRequest) (*iam.ListInstanceProfileTagsResponse, error) {
	e, err := entityTarget(ctx, kindProfile, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListInstanceProfileTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.pageTags(ctx, e.account, e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, fmt.Errorf("list tags of instance profile %s: %w", in.InstanceProfileName, err)
	}
	return out, nil
}
