package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// defaultDuration is how long a role alias's credentials live when its creator
// does not say, in seconds.
const defaultDuration = 3600

// roleResource is how IAM's role ARNs end: path and name.
var roleResource = regexp.MustCompile(`^role/(?:[\x21-\x7e]+/)?[A-Za-z0-9_+=,.@-]{1,64}$`)

func errNoRoleAlias(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Role alias %s not found", name)
}

// checkRole refuses what is not the ARN of a role of the account. Whether the
// role exists shows when it is used (credentials-provider.md §4).
func (p place) checkRole(role string) error {
	a, err := arn.Parse(role)
	if err != nil || a.Partition != arn.Partition || a.Service != "iam" || a.Region != "" || !roleResource.MatchString(a.Resource) {
		return iot.ErrInvalidRequestException("Invalid role ARN: %s", role)
	}
	if a.Account != p.account {
		return awsapi.ErrAccessDenied("Cross-account pass role is not allowed.")
	}
	return nil
}

// CreateRoleAlias gives a role a name that devices ask for its credentials by.
func (s *Service) CreateRoleAlias(ctx context.Context, in *iot.CreateRoleAliasRequest) (*iot.CreateRoleAliasResponse, error) {
	at, name := placeOf(ctx), in.RoleAlias
	if err := at.checkRole(in.RoleArn); err != nil {
		return nil, err
	}
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	duration := int64(defaultDuration)
	if in.CredentialDurationSeconds != nil {
		duration = *in.CredentialDurationSeconds
	}
	err := s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iot_role_aliases (account, region, name, role_arn, duration, created, modified)
			VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (account, region, name) DO NOTHING`,
			at.account, at.region, name, in.RoleArn, duration, s.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return iot.ErrResourceAlreadyExistsException("Role alias %s already exists", name).
				With("resourceId", name).With("resourceArn", at.arn("rolealias/"+name))
		}
		return insertTags(ctx, tx, at, "rolealias/"+name, in.Tags)
	}, at.key(aRoleAlias, name, ""))
	if err != nil {
		return nil, fmt.Errorf("create role alias %s: %w", name, err)
	}
	return &iot.CreateRoleAliasResponse{RoleAlias: &name, RoleAliasArn: new(at.arn("rolealias/" + name))}, nil
}

// DescribeRoleAlias answers what is registered of one role alias.
func (s *Service) DescribeRoleAlias(ctx context.Context, in *iot.DescribeRoleAliasRequest) (*iot.DescribeRoleAliasResponse, error) {
	at, name := placeOf(ctx), in.RoleAlias
	d := &iot.RoleAliasDescription{RoleAlias: &name, RoleAliasArn: new(at.arn("rolealias/" + name)), Owner: &at.account}
	var created, modified int64
	err := s.DB.QueryRow(ctx, `SELECT role_arn, duration, created, modified FROM iot_role_aliases WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name).Scan(&d.RoleArn, &d.CredentialDurationSeconds, &created, &modified)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoRoleAlias(name)
	}
	if err != nil {
		return nil, fmt.Errorf("describe role alias %s: %w", name, err)
	}
	d.CreationDate, d.LastModifiedDate = millis(created), millis(modified)
	return &iot.DescribeRoleAliasResponse{RoleAliasDescription: d}, nil
}

// UpdateRoleAlias changes what is given of a role alias, for credentials that
// are issued from now on.
func (s *Service) UpdateRoleAlias(ctx context.Context, in *iot.UpdateRoleAliasRequest) (*iot.UpdateRoleAliasResponse, error) {
	at, name := placeOf(ctx), in.RoleAlias
	if in.RoleArn != nil {
		if err := at.checkRole(*in.RoleArn); err != nil {
			return nil, err
		}
	}
	err := s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE iot_role_aliases SET role_arn = COALESCE($4, role_arn), duration = COALESCE($5, duration), modified = $6
			WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name, in.RoleArn, in.CredentialDurationSeconds, s.now())
		if err == nil && n == 0 {
			return errNoRoleAlias(name)
		}
		return err
	}, at.key(aRoleAlias, name, ""))
	if err != nil {
		return nil, fmt.Errorf("update role alias %s: %w", name, err)
	}
	return &iot.UpdateRoleAliasResponse{RoleAlias: &name, RoleAliasArn: new(at.arn("rolealias/" + name))}, nil
}

// DeleteRoleAlias removes a role alias. Credentials that it gave stay valid
// until they expire.
func (s *Service) DeleteRoleAlias(ctx context.Context, in *iot.DeleteRoleAliasRequest) (*iot.DeleteRoleAliasResponse, error) {
	at, name := placeOf(ctx), in.RoleAlias
	err := s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iot_role_aliases WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoRoleAlias(name)
		}
		return deleteTags(ctx, tx, at, "rolealias/"+name)
	}, at.key(aRoleAlias, name, ""))
	if err != nil {
		return nil, fmt.Errorf("delete role alias %s: %w", name, err)
	}
	return &iot.DeleteRoleAliasResponse{}, nil
}

// ListRoleAliases lists role aliases by creation, newest first unless asked
// otherwise.
func (s *Service) ListRoleAliases(ctx context.Context, in *iot.ListRoleAliasesRequest) (*iot.ListRoleAliasesResponse, error) {
	at := placeOf(ctx)
	names, next, err := s.names(ctx, "role-aliases", `SELECT created, name FROM iot_role_aliases WHERE account = $1 AND region = $2`, "name",
		in.AscendingOrder, in.Marker, pageSize(in.PageSize), at.account, at.region)
	if err != nil {
		return nil, fmt.Errorf("list role aliases: %w", err)
	}
	return &iot.ListRoleAliasesResponse{RoleAliases: names, NextMarker: next}, nil
}
