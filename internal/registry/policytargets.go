package registry

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
)

// ListAttachedPolicies lists the policies of a certificate, Cognito identity or
// thing group; recursively, those of the groups above a group too. Principals
// inherit from nobody.
func (s *Service) ListAttachedPolicies(ctx context.Context, in *iot.ListAttachedPoliciesRequest) (*iot.ListAttachedPoliciesResponse, error) {
	at := placeOf(ctx)
	p, err := at.policyTarget(in.Target)
	if err != nil {
		return nil, err
	}
	targets, err := s.targetNames(ctx, at, p, isTrue(in.Recursive))
	if err != nil {
		return nil, fmt.Errorf("list attached policies: %w", err)
	}
	marks, args := make([]string, len(targets)), []any{at.account, at.region}
	for i, target := range targets {
		marks[i] = "$" + strconv.Itoa(i+3)
		args = append(args, target)
	}
	// A policy of several of them is listed once, as old as its first attachment.
	names, next, err := s.names(ctx, "attached-policies", `SELECT created, policy FROM (
		SELECT MIN(created) AS created, policy FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND target IN (`+strings.Join(marks, ", ")+`)
		GROUP BY policy) AS attached WHERE TRUE`, "policy", new(true), in.Marker, pageSize(in.PageSize), args...)
	if err != nil {
		return nil, fmt.Errorf("list attached policies: %w", err)
	}
	return &iot.ListAttachedPoliciesResponse{Policies: at.policies(names), NextMarker: next}, nil
}

// targetNames are the targets whose policies hold for p, which must exist.
func (s *Service) targetNames(ctx context.Context, at place, p principal, recursive bool) ([]string, error) {
	if p.group == "" || !recursive {
		return []string{p.name}, p.check(ctx, s.DB, at)
	}
	g, err := thingGroupRow(ctx, s.DB, at, p.group)
	if isNotFound(err) {
		return nil, errNoGroupTarget(p.name)
	}
	if err != nil {
		return nil, err
	}
	targets := strings.Split(g.path, "/")
	for i, name := range targets {
		targets[i] = at.arn("thinggroup/" + name)
	}
	return targets, nil
}

// ListPrincipalPolicies is the older form of ListAttachedPolicies, which knows
// no groups.
func (s *Service) ListPrincipalPolicies(ctx context.Context, in *iot.ListPrincipalPoliciesRequest) (*iot.ListPrincipalPoliciesResponse, error) {
	at := placeOf(ctx)
	p, err := at.principal(in.Principal)
	if err != nil {
		return nil, err
	}
	if err := p.check(ctx, s.DB, at); err != nil {
		return nil, fmt.Errorf("list principal policies: %w", err)
	}
	names, next, err := s.names(ctx, "principal-policies", `SELECT created, policy FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND target = $3`, "policy",
		in.AscendingOrder, in.Marker, pageSize(in.PageSize), at.account, at.region, p.name)
	if err != nil {
		return nil, fmt.Errorf("list principal policies: %w", err)
	}
	return &iot.ListPrincipalPoliciesResponse{Policies: at.policies(names), NextMarker: next}, nil
}

// ListTargetsForPolicy lists what a policy is attached to.
func (s *Service) ListTargetsForPolicy(ctx context.Context, in *iot.ListTargetsForPolicyRequest) (*iot.ListTargetsForPolicyResponse, error) {
	names, next, err := s.policyTargets(ctx, "policy-targets", in.PolicyName, "", new(true), in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list targets of policy %s: %w", in.PolicyName, err)
	}
	return &iot.ListTargetsForPolicyResponse{Targets: names, NextMarker: next}, nil
}

// ListPolicyPrincipals is the older form of ListTargetsForPolicy, which knows no
// groups.
func (s *Service) ListPolicyPrincipals(ctx context.Context, in *iot.ListPolicyPrincipalsRequest) (*iot.ListPolicyPrincipalsResponse, error) {
	names, next, err := s.policyTargets(ctx, "policy-principals", in.PolicyName, ` AND group_name IS NULL`, in.AscendingOrder, in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list principals of policy %s: %w", in.PolicyName, err)
	}
	return &iot.ListPolicyPrincipalsResponse{Principals: names, NextMarker: next}, nil
}

func (s *Service) policyTargets(ctx context.Context, list, name, which string, ascending *bool, marker *string, size *int64) ([]string, *string, error) {
	at := placeOf(ctx)
	there, err := policyExists(ctx, s.DB, at, name)
	if err != nil {
		return nil, nil, err
	}
	if !there {
		return nil, nil, errNoPolicy(name)
	}
	return s.names(ctx, list, `SELECT created, target FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND policy = $3`+which, "target",
		ascending, marker, pageSize(size), at.account, at.region, name)
}
