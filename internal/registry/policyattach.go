package registry

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// How many policies a certificate or Cognito identity can have, and a thing
// group (AWS IoT Core quotas).
const (
	maxPrincipalPolicies = 10
	maxGroupPolicies     = 2
)

// AttachPolicy gives a certificate, Cognito identity or thing group a policy.
// That of a group holds for the things in it and in the groups below it.
// Attaching it again succeeds.
func (s *Service) AttachPolicy(ctx context.Context, in *iot.AttachPolicyRequest) (*iot.AttachPolicyResponse, error) {
	if err := s.attachPolicy(ctx, in.PolicyName); err != nil {
		return nil, err
	}
	return &iot.AttachPolicyResponse{}, nil
}

// AttachPrincipalPolicy is the older name of AttachPolicy.
func (s *Service) AttachPrincipalPolicy(ctx context.Context, in *iot.AttachPrincipalPolicyRequest) (*iot.AttachPrincipalPolicyResponse, error) {
	if err := s.attachPolicy(ctx, in.PolicyName); err != nil {
		return nil, err
	}
	return &iot.AttachPrincipalPolicyResponse{}, nil
}

func (s *Service) attachPolicy(ctx context.Context, name string) error {
	at := placeOf(ctx)
	p, err := targetOf(ctx)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		there, err := policyExists(ctx, tx, at, name)
		if err != nil {
			return err
		}
		if !there {
			return errNoPolicy(name)
		}
		if err := p.check(ctx, tx, at); err != nil {
			return err
		}
		n, err := s.insertAttachment(ctx, tx, at, name, p)
		if err != nil || n == 0 {
			return err
		}
		var count int64
		err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND target = $3`, at.account, at.region, p.name).Scan(&count)
		switch {
		case err != nil:
			return err
		case p.group != "" && count > maxGroupPolicies:
			return iot.ErrLimitExceededException("The maximum number of policies that can be attached to a thing group is %d", maxGroupPolicies)
		case count > maxPrincipalPolicies:
			return iot.ErrLimitExceededException("The maximum number of policies that can be attached to a principal is %d", maxPrincipalPolicies)
		}
		return nil
	}, at.key(aPolicyList, p.name, ""))
	if err != nil {
		return fmt.Errorf("attach policy %s: %w", name, err)
	}
	return nil
}

// insertAttachment writes an attachment of a policy; 0 says that it was there.
func (s *Service) insertAttachment(ctx context.Context, tx *db.Tx, at place, policy string, p principal) (int64, error) {
	return tx.Exec(ctx, `INSERT INTO iot_policy_attachments (account, region, policy, target, certificate, group_name, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, target, policy) DO NOTHING`,
		at.account, at.region, policy, p.name, p.certificateID(), p.groupName(), s.now())
}

// check refuses a certificate that is not registered and a group that there is
// not. A Cognito identity is known to Cognito alone.
func (p principal) check(ctx context.Context, q queryer, at place) error {
	if p.group != "" {
		there, err := existsRow(ctx, q, `SELECT 1 FROM iot_thing_groups WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, p.group)
		if err == nil && !there {
			return errNoGroupTarget(p.name)
		}
		return err
	}
	if p.certificate == "" {
		return nil
	}
	there, err := existsRow(ctx, q, `SELECT 1 FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, p.certificate)
	if err == nil && !there {
		return errNoCertificate()
	}
	return err
}

// DetachPolicy takes a policy away. It succeeds when the policy is not
// attached or does not exist; an unknown certificate or group is an invalid
// target.
func (s *Service) DetachPolicy(ctx context.Context, in *iot.DetachPolicyRequest) (*iot.DetachPolicyResponse, error) {
	at := placeOf(ctx)
	p, err := targetOf(ctx)
	if err != nil {
		return nil, iot.ErrInvalidRequestException("Invalid Target")
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		n, err := detachPolicy(ctx, tx, at, in.PolicyName, p)
		if err != nil || n > 0 {
			return err
		}
		if err := p.check(ctx, tx, at); isNotFound(err) {
			return iot.ErrInvalidRequestException("Invalid Target")
		} else {
			return err
		}
	}, at.key(aPolicyList, p.name, ""))
	if err != nil {
		return nil, fmt.Errorf("detach policy %s: %w", in.PolicyName, err)
	}
	return &iot.DetachPolicyResponse{}, nil
}

// DetachPrincipalPolicy takes a policy away. Unlike DetachPolicy it fails when
// the policy or the certificate does not exist.
func (s *Service) DetachPrincipalPolicy(ctx context.Context, in *iot.DetachPrincipalPolicyRequest) (*iot.DetachPrincipalPolicyResponse, error) {
	at := placeOf(ctx)
	p, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		n, err := detachPolicy(ctx, tx, at, in.PolicyName, p)
		if err != nil || n > 0 {
			return err
		}
		there, err := policyExists(ctx, tx, at, in.PolicyName)
		if err != nil {
			return err
		}
		if !there {
			return errNoPolicy(in.PolicyName)
		}
		return p.check(ctx, tx, at)
	}, at.key(aPolicyList, p.name, ""))
	if err != nil {
		return nil, fmt.Errorf("detach policy %s: %w", in.PolicyName, err)
	}
	return &iot.DetachPrincipalPolicyResponse{}, nil
}

func detachPolicy(ctx context.Context, tx *db.Tx, at place, name string, p principal) (int64, error) {
	return tx.Exec(ctx, `DELETE FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND policy = $3 AND target = $4`,
		at.account, at.region, name, p.name)
}
