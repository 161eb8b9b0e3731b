package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
)

// attach attaches a managed policy; attaching it again changes nothing.
func (s *Service) attach(ctx context.Context, k kind, owner, policyARN string) error {
	e, err := changeableTarget(ctx, k, owner)
	if err != nil {
		return err
	}
	if _, err := policyAccount(policyARN); err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		err := s.attachable(ctx, tx, e.account, policyARN)
		if errors.Is(err, db.ErrNotFound) {
			return iam.ErrNoSuchEntityException("Policy %s does not exist or is not attachable.", policyARN)
		}
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO iam_attachments (account, owner, policy_arn) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			e.account, e.id, policyARN)
		if err != nil || n == 0 {
			return err
		}
		return underQuota(ctx, tx, "PoliciesPer"+k.rules().quotaName, maxAttached,
			`SELECT COUNT(*) - 1 FROM iam_attachments WHERE account = $1 AND owner = $2`, e.account, e.id)
	})
	if err != nil {
		return fmt.Errorf("attach policy %s to %s %s: %w", policyARN, k, owner, err)
	}
	return nil
}

// attachable finds whether an account can attach a managed policy: one of its
// own or of AWS. db.ErrNotFound when not.
func (s *Service) attachable(ctx context.Context, r reader, account, policyARN string) error {
	if s.managedByAWS(policyARN) != nil {
		return nil
	}
	var id string
	return r.QueryRow(ctx, `SELECT id FROM iam_policies WHERE account = $1 AND arn = $2`, account, policyARN).Scan(&id)
}

func (s *Service) detach(ctx context.Context, k kind, owner, policyARN string) error {
	e, err := changeableTarget(ctx, k, owner)
	if err != nil {
		return err
	}
	if _, err := policyAccount(policyARN); err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iam_attachments WHERE account = $1 AND owner = $2 AND policy_arn = $3`, e.account, e.id, policyARN)
		if err == nil && n == 0 {
			return iam.ErrNoSuchEntityException("Policy %s was not found.", policyARN)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("detach policy %s from %s %s: %w", policyARN, k, owner, err)
	}
	return nil
}

// listAttached answers the managed policies of a user, group or role by name.
func (s *Service) listAttached(ctx context.Context, k kind, owner string, prefix, marker *string, items *int64) (list []iam.AttachedPolicy, truncated *bool, next *string, err error) {
	e, err := entityTarget(ctx, k, owner)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := newPage("attached/"+e.id, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	arns, err := queryAll(ctx, s.DB, scanText,
		`SELECT policy_arn FROM iam_attachments WHERE account = $1 AND owner = $2`, e.account, e.id)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("list policies of %s %s: %w", k, owner, err)
	}
	var under []string
	for _, a := range arns {
		if strings.HasPrefix(pathOfARN(a), or(prefix, "/")) {
			under = append(under, a)
		}
	}
	arns, truncated, next = cutSorted(p, under, attachmentKey)
	return wireAttached(arns), truncated, next, nil
}

// wireAttached is the answer's form of attached managed policies.
func wireAttached(arns []string) []iam.AttachedPolicy {
	list := make([]iam.AttachedPolicy, 0, len(arns))
	for _, a := range arns {
		list = append(list, iam.AttachedPolicy{PolicyArn: new(a), PolicyName: new(nameOfARN(a))})
	}
	return list
}

// attachmentKey orders a list that may have policies of one name of the
// account and of AWS.
func attachmentKey(policyARN string) string {
	parts, _ := arn.Split(policyARN)
	return nameKey(nameOfARN(policyARN)) + "/" + parts[4]
}

// nameOfARN is the name at the end of an IAM ARN.
func nameOfARN(a string) string { return a[strings.LastIndexByte(a, '/')+1:] }

// pathOfARN is the path in an IAM ARN: /eng/ of policy/eng/p.
func pathOfARN(a string) string {
	parts, _ := arn.Split(a)
	_, rest, _ := strings.Cut(parts[5], "/")
	return "/" + rest[:strings.LastIndexByte(rest, '/')+1]
}

// AttachUserPolicy attaches a managed policy to a user.
func (s *Service) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyRequest) (*iam.AttachUserPolicyResponse, error) {
	if err := s.attach(ctx, kindUser, in.UserName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.AttachUserPolicyResponse{}, nil
}

// DetachUserPolicy detaches a managed policy from a user.
func (s *Service) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyRequest) (*iam.DetachUserPolicyResponse, error) {
	if err := s.detach(ctx, kindUser, in.UserName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.DetachUserPolicyResponse{}, nil
}

// ListAttachedUserPolicies answers the managed policies of a user.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesRequest) (*iam.ListAttachedUserPoliciesResponse, error) {
	var err error
	out := &iam.ListAttachedUserPoliciesResponse{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, kindUser, in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AttachRolePolicy attaches a managed policy to a role.
func (s *Service) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyRequest) (*iam.AttachRolePolicyResponse, error) {
	if err := s.attach(ctx, kindRole, in.RoleName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.AttachRolePolicyResponse{}, nil
}

// DetachRolePolicy detaches a managed policy from a role.
func (s *Service) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyRequest) (*iam.DetachRolePolicyResponse, error) {
	if err := s.detach(ctx, kindRole, in.RoleName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.DetachRolePolicyResponse{}, nil
}

// ListAttachedRolePolicies answers the managed policies of a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesRequest) (*iam.ListAttachedRolePoliciesResponse, error) {
	var err error
	out := &iam.ListAttachedRolePoliciesResponse{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, kindRole, in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AttachGroupPolicy attaches a managed policy to a group.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyRequest) (*iam.AttachGroupPolicyResponse, error) {
	if err := s.attach(ctx, kindGroup, in.GroupName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.AttachGroupPolicyResponse{}, nil
}

// DetachGroupPolicy detaches a managed policy from a group.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyRequest) (*iam.DetachGroupPolicyResponse, error) {
	if err := s.detach(ctx, kindGroup, in.GroupName, in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.DetachGroupPolicyResponse{}, nil
}

// ListAttachedGroupPolicies answers the managed policies of a group.
func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesRequest) (*iam.ListAttachedGroupPoliciesResponse, error) {
	var err error
	out := &iam.ListAttachedGroupPoliciesResponse{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, kindGroup, in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}
