package registry

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
)

// ListAttachedPolicies lists the policies of a certificate or Cognito
// identity. These inherit from nobody, so recursive makes no difference.
func (s *Service) ListAttachedPolicies(ctx context.Context, in *iot.ListAttachedPoliciesRequest) (*iot.ListAttachedPoliciesResponse, error) {
	names, next, err := s.attachedPolicies(ctx, "attached-policies", in.Target, new(true), in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list attached policies: %w", err)
	}
	return &iot.ListAttachedPoliciesResponse{Policies: placeOf(ctx).policies(names), NextMarker: next}, nil
}

// ListPrincipalPolicies is the older form of ListAttachedPolicies.
func (s *Service) ListPrincipalPolicies(ctx context.Context, in *iot.ListPrincipalPoliciesRequest) (*iot.ListPrincipalPoliciesResponse, error) {
	names, next, err := s.attachedPolicies(ctx, "principal-policies", in.Principal, in.AscendingOrder, in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list principal policies: %w", err)
	}
	return &iot.ListPrincipalPoliciesResponse{Policies: placeOf(ctx).policies(names), NextMarker: next}, nil
}

func (s *Service) attachedPolicies(ctx context.Context, list, target string, ascending *bool, marker *string, size *int64) ([]string, *string, error) {
	at := placeOf(ctx)
	p, err := at.principal(target)
	if err != nil {
		return nil, nil, err
	}
	if err := p.check(ctx, s.DB, at); err != nil {
		return nil, nil, err
	}
	return s.names(ctx, list, `SELECT created, policy FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND target = $3`, "policy",
		ascending, marker, pageSize(size), at.account, at.region, p.name)
}

// ListTargetsForPolicy lists what a policy is attached to.
func (s *Service) ListTargetsForPolicy(ctx context.Context, in *iot.ListTargetsForPolicyRequest) (*iot.ListTargetsForPolicyResponse, error) {
	names, next, err := s.policyTargets(ctx, "policy-targets", in.PolicyName, new(true), in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list targets of policy %s: %w", in.PolicyName, err)
	}
	return &iot.ListTargetsForPolicyResponse{Targets: names, NextMarker: next}, nil
}

// ListPolicyPrincipals is the older form of ListTargetsForPolicy.
func (s *Service) ListPolicyPrincipals(ctx context.Context, in *iot.ListPolicyPrincipalsRequest) (*iot.ListPolicyPrincipalsResponse, error) {
	names, next, err := s.policyTargets(ctx, "policy-principals", in.PolicyName, in.AscendingOrder, in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list principals of policy %s: %w", in.PolicyName, err)
	}
	return &iot.ListPolicyPrincipalsResponse{Principals: names, NextMarker: next}, nil
}

func (s *Service) policyTargets(ctx context.Context, list, name string, ascending *bool, marker *string, size *int64) ([]string, *string, error) {
	at := placeOf(ctx)
	there, err := policyExists(ctx, s.DB, at, name)
	if err != nil {
		return nil, nil, err
	}
	if !there {
		return nil, nil, errNoPolicy(name)
	}
	return s.names(ctx, list, `SELECT created, target FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND policy = $3`, "target",
		ascending, marker, pageSize(size), at.account, at.region, name)
}
