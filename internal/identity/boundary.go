package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
)

// boundaryExists refuses a permissions boundary that is no managed policy of
// the account or of AWS. An empty one is none.
func (s *Service) boundaryExists(ctx context.Context, tx *db.Tx, account, policyARN string) error {
	if policyARN == "" {
		return nil
	}
	if _, err := policyAccount(policyARN); err != nil {
		return err
	}
	err := s.attachable(ctx, tx, account, policyARN)
	if errors.Is(err, db.ErrNotFound) {
		return iam.ErrNoSuchEntityException("Scope ARN: %s does not exist or is not attachable.", policyARN)
	}
	return err
}

// setBoundary sets or, when empty, removes a permissions boundary.
func (s *Service) setBoundary(ctx context.Context, k kind, name, policyARN string) error {
	e, err := changeableTarget(ctx, k, name)
	if err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := s.boundaryExists(ctx, tx, e.account, policyARN); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE `+k.rules().table+` SET boundary = $1 WHERE account = $2 AND id = $3`,
			nullable(policyARN), e.account, e.id)
		if err == nil && n == 0 {
			return errNoEntity(k, name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set permissions boundary of %s %s: %w", k, name, err)
	}
	return nil
}

// PutUserPermissionsBoundary makes a managed policy the most that a user may.
func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryRequest) (*iam.PutUserPermissionsBoundaryResponse, error) {
	if err := s.setBoundary(ctx, kindUser, in.UserName, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	return &iam.PutUserPermissionsBoundaryResponse{}, nil
}

// DeleteUserPermissionsBoundary removes a user's boundary.
func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryRequest) (*iam.DeleteUserPermissionsBoundaryResponse, error) {
	if err := s.setBoundary(ctx, kindUser, in.UserName, ""); err != nil {
		return nil, err
	}
	return &iam.DeleteUserPermissionsBoundaryResponse{}, nil
}

// PutRolePermissionsBoundary makes a managed policy the most that a role may.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryRequest) (*iam.PutRolePermissionsBoundaryResponse, error) {
	if err := s.setBoundary(ctx, kindRole, in.RoleName, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	return &iam.PutRolePermissionsBoundaryResponse{}, nil
}

// DeleteRolePermissionsBoundary removes a role's boundary.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryRequest) (*iam.DeleteRolePermissionsBoundaryResponse, error) {
	if err := s.setBoundary(ctx, kindRole, in.RoleName, ""); err != nil {
		return nil, err
	}
	return &iam.DeleteRolePermissionsBoundaryResponse{}, nil
}
