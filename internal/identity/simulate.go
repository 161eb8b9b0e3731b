package identity

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// SimulateCustomPolicy decides actions on resources by policies that are given
// as text, as the service itself would: one result for each action and
// resource, in this order.
func (s *Service) SimulateCustomPolicy(ctx context.Context, in *iam.SimulateCustomPolicyRequest) (*iam.SimulatePolicyResponse, error) {
	sim := &simulation{}
	sim.input.Principal = policy.Principal{Type: policy.User, Account: awsapi.Account(ctx)}
	sim.input.Keys = policy.Keys{policy.Single("aws:PrincipalAccount", awsapi.Account(ctx))}
	return sim.run(in)
}

// SimulatePrincipalPolicy decides actions on resources by the policies of a
// user with its groups, of a group or of a role, and by further ones that are
// given as text. Its boundary counts, if none is given.
func (s *Service) SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyRequest) (*iam.SimulatePolicyResponse, error) {
	who, err := s.policySource(ctx, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	sim := &simulation{}
	sim.input.Principal = policy.Principal{Type: policy.User, Account: who.account}
	sim.input.Keys = policy.Keys{policy.Single("aws:PrincipalAccount", who.account)}
	switch who.kind {
	case kindUser:
		sim.setCaller(policy.Principal{Type: policy.User, Account: who.account, ARN: who.arn(), UserID: who.id})
	case kindRole:
		// What only a session has is not known: its name and user id.
		sim.input.Principal = policy.Principal{Type: policy.AssumedRole, Account: who.account, RoleARN: who.arn()}
		sim.input.Keys = sim.input.Principal.Keys()
	}
	for _, p := range who.policies {
		sim.input.Identity = append(sim.input.Identity, p.Named(sourceID(&who.entity, p.ID())))
	}
	if who.limit != nil {
		sim.input.Boundary = who.limit.Named(nameOfARN(who.limit.ID()))
	}
	return sim.run(&iam.SimulateCustomPolicyRequest{
		ActionNames: in.ActionNames, CallerArn: in.CallerArn, ContextEntries: in.ContextEntries, Marker: in.Marker, MaxItems: in.MaxItems,
		PermissionsBoundaryPolicyInputList: in.PermissionsBoundaryPolicyInputList, PolicyInputList: in.PolicyInputList,
		ResourceArns: in.ResourceArns, ResourceHandlingOption: in.ResourceHandlingOption, ResourceOwner: in.ResourceOwner, ResourcePolicy: in.ResourcePolicy,
	})
}

// sourceID is how results name a policy, as recorded from AWS: a managed one by
// its name, an embedded one with whom it is embedded in.
func sourceID(e *entity, id string) string {
	if strings.HasPrefix(id, "arn:") {
		return nameOfARN(id)
	}
	if strings.Contains(id, "/") { // group/NAME/POLICY
		return strings.ReplaceAll(id, "/", "_")
	}
	return string(e.kind) + "_" + e.name + "_" + id
}

// source adds the check on the user, group or role whose policies a request is
// about.
func (r *resolution) source(ctx context.Context, a string) error {
	k, name, account, err := parseSource(a)
	if err != nil {
		return err
	}
	if account == r.account {
		e, err := entityByName(ctx, r.s.DB, account, k, name)
		if err == nil && e.arn() == a {
			return r.found(ctx, e, params{})
		}
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
	}
	r.checks = append(r.checks, awsapi.Check{Resource: a})
	return nil
}

// parseSource reads the ARN of a user, group or role.
func parseSource(a string) (k kind, name, account string, err error) {
	parts, ok := arn.Split(a)
	word, path, _ := strings.Cut(parts[5], "/")
	k, name = kind(word), nameOfARN(path)
	if !ok || parts[2] != "iam" || parts[3] != "" || !arn.IsAccount(parts[4]) || k != kindUser && k != kindGroup && k != kindRole || name == "" {
		return "", "", "", errNoSource(a)
	}
	return k, name, parts[4], nil
}

func errNoSource(a string) error {
	return iam.ErrInvalidInputException("Invalid Entity Arn: %s does not clearly define entity type and name.", a)
}

// policySource is the user, group or role that the request was resolved to,
// with its policies.
func (s *Service) policySource(ctx context.Context, a string) (*principal, error) {
	e, ok := awsapi.Target(ctx).(*entity)
	if !ok {
		k, name, _, err := parseSource(a)
		if err != nil {
			return nil, err
		}
		return nil, errNoEntity(k, name)
	}
	who, err := s.principal(ctx, e.account, e.id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoEntity(e.kind, e.name)
	}
	if err != nil {
		return nil, fmt.Errorf("policies of %s: %w", a, err)
	}
	return who, nil
}

// maxSimulated is how many statements and keys the results of a page name
// before it ends. AWS as well answers fewer results than were asked for.
const maxSimulated = 20_000

// run simulates one page of results.
func (sim *simulation) run(in *iam.SimulateCustomPolicyRequest) (*iam.SimulatePolicyResponse, error) {
	p, err := newPage("simulation", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	if err := sim.read(in); err != nil {
		return nil, err
	}
	total, first := len(sim.actions)*len(sim.resources), 0
	if p.after != "" {
		last, err := strconv.Atoi(p.after)
		if err != nil || last < 0 || last >= total-1 {
			return nil, errValidation("Invalid Marker.")
		}
		first = last + 1
	}
	out := &iam.SimulatePolicyResponse{EvaluationResults: []iam.EvaluationResult{}}
	end, size := first, 0
	for ; end < min(first+p.limit, total) && size < maxSimulated; end++ {
		r := sim.evaluate(sim.actions[end/len(sim.resources)], sim.resources[end%len(sim.resources)])
		out.EvaluationResults = append(out.EvaluationResults, r)
		size += len(r.MatchedStatements) + len(r.MissingContextValues)
	}
	out.IsTruncated = new(end < total)
	if end < total {
		out.Marker = p.marker(strconv.Itoa(end - 1))
	}
	return out, nil
}
