package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// defaultMaxSession is a role's MaxSessionDuration in seconds when none is
// given.
const defaultMaxSession = 3600

// role is a role's row.
type role struct {
	entity
	description *string
	maxSession  int64
	trust       string
	bound       bindings
	lastUsed    *int64
	lastRegion  *string
}

const roleColumns = `id, name, path, COALESCE(boundary, ''), created, description, max_session, trust, trust_ids, last_used, last_used_region`

func scanRole(account string, scan func(...any) error) (*role, error) {
	r := &role{entity: entity{kind: kindRole, account: account}}
	var created int64
	var ids string
	err := scan(&r.id, &r.name, &r.path, &r.boundary, &created, &r.description, &r.maxSession, &r.trust, &ids, &r.lastUsed, &r.lastRegion)
	if err != nil {
		return nil, err
	}
	r.created = fromMillis(created)
	if err := json.Unmarshal([]byte(ids), &r.bound); err != nil {
		return nil, fmt.Errorf("role %s: trust_ids: %w", r.id, err)
	}
	return r, nil
}

// roleByID reads a whole role. db.ErrNotFound when there is none.
func roleByID(ctx context.Context, r reader, account, id string) (*role, error) {
	return scanRole(account, r.QueryRow(ctx, `SELECT `+roleColumns+` FROM iam_roles WHERE account = $1 AND id = $2`, account, id).Scan)
}

// wire is the answer's form of a role, but for tags and last use.
func (r *role) wire(trust string) iam.Role {
	return iam.Role{
		Arn: r.arn(), AssumeRolePolicyDocument: new(encodeDocument(trust)), CreateDate: r.created,
		Description: r.description, MaxSessionDuration: new(r.maxSession), Path: r.path,
		PermissionsBoundary: r.attachedBoundary(), RoleId: r.id, RoleName: r.name,
	}
}

// CreateRole makes a role. The principals of its trust policy have to exist
// and are bound to their unique ids.
func (s *Service) CreateRole(ctx context.Context, in *iam.CreateRoleRequest) (*iam.CreateRoleResponse, error) {
	account := awsapi.Account(ctx)
	r := &role{
		entity: entity{
			kind: kindRole, account: account, id: newID(prefixRole, account), name: in.RoleName,
			path: or(in.Path, "/"), boundary: or(in.PermissionsBoundary, ""), created: s.now(),
		},
		description: in.Description, maxSession: or(in.MaxSessionDuration, defaultMaxSession), trust: in.AssumeRolePolicyDocument,
	}
	if r.linked() {
		return nil, iam.ErrInvalidInputException("Path %s is reserved for service-linked roles.", linkedPath)
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	principals, err := checkTrust(r.trust)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		ids, err := bindTrust(ctx, tx, principals)
		if err != nil {
			return err
		}
		if err := s.boundaryExists(ctx, tx, account, r.boundary); err != nil {
			return err
		}
		made, err := insertRole(ctx, tx, r, ids)
		if err != nil {
			return err
		}
		if !made {
			return iam.ErrEntityAlreadyExistsException("Role with name %s already exists.", r.name)
		}
		return putTags(ctx, tx, account, r.id, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create role %s: %w", in.RoleName, err)
	}
	out := r.wire(r.trust)
	out.Tags = in.Tags
	if in.MaxSessionDuration == nil {
		out.MaxSessionDuration = nil // as recorded from AWS
	}
	return &iam.CreateRoleResponse{Role: out}, nil
}

// insertRole adds a role's row, of which the account may have so many, and
// reports false when its name is taken.
func insertRole(ctx context.Context, tx *db.Tx, r *role, ids string) (made bool, err error) {
	n, err := tx.Exec(ctx, `INSERT INTO iam_roles (account, id, name, name_key, path, boundary, created, description, max_session, trust, trust_ids)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		r.account, r.id, r.name, nameKey(r.name), r.path, nullable(r.boundary), r.created.UnixMilli(),
		r.description, r.maxSession, r.trust, ids)
	if err != nil || n == 0 {
		return false, err
	}
	return true, withinQuota(ctx, tx, r.account, kindRole)
}

// GetRole answers one role.
func (s *Service) GetRole(ctx context.Context, in *iam.GetRoleRequest) (*iam.GetRoleResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	var out iam.Role
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		r, err := roleByID(ctx, tx, e.account, e.id)
		if err != nil {
			return noEntity(err, kindRole, in.RoleName)
		}
		trust, err := currentTrust(ctx, tx, r.trust, r.bound)
		if err != nil {
			return err
		}
		out = r.wire(trust)
		out.RoleLastUsed = s.roleLastUsed(r)
		out.Tags, err = tagsOf(ctx, tx, e.account, e.id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get role %s: %w", in.RoleName, err)
	}
	return &iam.GetRoleResponse{Role: out}, nil
}

// roleLastUsed is empty for a role that was never used.
func (s *Service) roleLastUsed(r *role) *iam.RoleLastUsed {
	out := &iam.RoleLastUsed{}
	if r.lastUsed != nil {
		out.LastUsedDate, out.Region = new(fromMillis(*r.lastUsed)), r.lastRegion
	}
	if u, ok := s.usage.pendingOf(useKey{account: r.account, id: r.id}); ok {
		out.LastUsedDate, out.Region = new(u.at), new(u.region)
	}
	if out.LastUsedDate != nil {
		out.LastUsedDate = new(out.LastUsedDate.Truncate(time.Second))
	}
	return out
}

// ListRoles answers roles by name, those under a path if one is given, without
// tags, boundaries and last use, as AWS does.
func (s *Service) ListRoles(ctx context.Context, in *iam.ListRolesRequest) (*iam.ListRolesResponse, error) {
	p, err := newPage("roles", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	account := awsapi.Account(ctx)
	from, to := pathRange(in.PathPrefix)
	out := &iam.ListRolesResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all, err := queryAll(ctx, tx, func(rows *db.Rows) (*role, error) { return scanRole(account, rows.Scan) },
			`SELECT `+roleColumns+` FROM iam_roles
				WHERE account = $1 AND name_key > $2 AND path >= $3 AND path < $4 ORDER BY name_key LIMIT $5`,
			account, p.after, from, to, p.limit+1)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = cut(p, all, func(r *role) string { return nameKey(r.name) })
		out.Roles = make([]iam.Role, 0, len(all))
		for _, r := range all {
			trust, err := currentTrust(ctx, tx, r.trust, r.bound)
			if err != nil {
				return err
			}
			r.boundary = ""
			out.Roles = append(out.Roles, r.wire(trust))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return out, nil
}

// UpdateRole sets description and maximum session duration. One that is not
// given goes back to its default, as on AWS.
func (s *Service) UpdateRole(ctx context.Context, in *iam.UpdateRoleRequest) (*iam.UpdateRoleResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	if e.linked() && in.MaxSessionDuration != nil {
		return nil, iam.ErrUnmodifiableEntityException("%s is an AWS service linked role, max session duration cannot be changed.", e.name)
	}
	err = s.updateRole(ctx, e, `description = COALESCE($1, description), max_session = $2`,
		in.Description, or(in.MaxSessionDuration, defaultMaxSession))
	if err != nil {
		return nil, err
	}
	return &iam.UpdateRoleResponse{}, nil
}

// UpdateRoleDescription sets a role's description.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionRequest) (*iam.UpdateRoleDescriptionResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := s.updateRole(ctx, e, `description = COALESCE($1, description), max_session = COALESCE($2, max_session)`,
		in.Description, (*int64)(nil)); err != nil {
		return nil, err
	}
	got, err := s.GetRole(ctx, &iam.GetRoleRequest{RoleName: in.RoleName})
	if err != nil {
		return nil, err
	}
	got.Role.RoleLastUsed = nil
	return &iam.UpdateRoleDescriptionResponse{Role: &got.Role}, nil
}

// updateRole sets columns of a role to $1 and $2.
func (s *Service) updateRole(ctx context.Context, e *entity, set string, one, two any) error {
	err := s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE iam_roles SET `+set+` WHERE account = $3 AND id = $4`, one, two, e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(kindRole, e.name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("update role %s: %w", e.name, err)
	}
	return nil
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyRequest) (*iam.UpdateAssumeRolePolicyResponse, error) {
	e, err := changeableTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	principals, err := checkTrust(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		ids, err := bindTrust(ctx, tx, principals)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE iam_roles SET trust = $1, trust_ids = $2 WHERE account = $3 AND id = $4`,
			in.PolicyDocument, ids, e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(kindRole, in.RoleName)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update trust policy of role %s: %w", in.RoleName, err)
	}
	return &iam.UpdateAssumeRolePolicyResponse{}, nil
}

// DeleteRole deletes a role that has no policies any more. Its sessions end at
// once.
func (s *Service) DeleteRole(ctx context.Context, in *iam.DeleteRoleRequest) (*iam.DeleteRoleResponse, error) {
	e, err := changeableTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := ownsNothing(ctx, tx, e); err != nil {
			return err
		}
		return deleteRole(ctx, tx, e)
	})
	if err != nil {
		return nil, fmt.Errorf("delete role %s: %w", in.RoleName, err)
	}
	return &iam.DeleteRoleResponse{}, nil
}

func deleteRole(ctx context.Context, tx *db.Tx, e *entity) error {
	n, err := tx.Exec(ctx, `DELETE FROM iam_roles WHERE account = $1 AND id = $2`, e.account, e.id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoEntity(kindRole, e.name)
	}
	return dropOwned(ctx, tx, e.account, e.id)
}
