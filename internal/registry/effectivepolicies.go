package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// GetEffectivePolicies lists the default versions of the policies that hold for
// a principal, and for a thing by the groups that it is in and those above
// them. At least one of the two has to be given. For a principal that is a thing
// group they are those of the group and the groups above it.
func (s *Service) GetEffectivePolicies(ctx context.Context, in *iot.GetEffectivePoliciesRequest) (*iot.GetEffectivePoliciesResponse, error) {
	p, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkPool(in.CognitoIdentityPoolId, p); err != nil {
		return nil, err
	}
	if p.name == "" && in.ThingName == nil {
		return nil, iot.ErrInvalidRequestException("A principal or a thing name must be given")
	}
	l := loader{Service: s, at: placeOf(ctx)}
	targets, err := l.effectiveTargets(ctx, p, in.ThingName)
	if err != nil {
		return nil, fmt.Errorf("get effective policies: %w", err)
	}
	policies, err := l.policies(ctx, targets)
	if err != nil {
		return nil, fmt.Errorf("get effective policies: %w", err)
	}
	out := &iot.GetEffectivePoliciesResponse{EffectivePolicies: []iot.EffectivePolicy{}}
	for _, policy := range policies {
		out.EffectivePolicies = append(out.EffectivePolicies, iot.EffectivePolicy{
			PolicyName: new(policy.ID()), PolicyArn: new(l.at.arn("policy/" + policy.ID())), PolicyDocument: new(policy.Document()),
		})
	}
	return out, nil
}

// checkPool refuses the pool of a Cognito identity for who is none. Policies are
// attached to identities, not to pools.
func checkPool(pool *string, p principal) error {
	if pool != nil && (p.name == "" || p.certificate != "" || p.group != "") {
		return iot.ErrInvalidRequestException("A Cognito identity pool can only be given with a Cognito identity as principal")
	}
	return nil
}

// effectiveTargets are what policies that hold for a principal, if there is one,
// and for a thing, if there is one, can be attached to. Both have to exist.
func (l *loader) effectiveTargets(ctx context.Context, p principal, thing *string) ([]string, error) {
	var targets, groups []string
	if p.name != "" {
		var err error
		if targets, err = l.targetNames(ctx, l.at, p, true); err != nil {
			return nil, err
		}
	}
	if thing != nil {
		_, err := thingRow(ctx, l.DB, l.at, *thing)
		if errors.Is(err, db.ErrNotFound) {
			return nil, errNoThing(*thing)
		}
		if err != nil {
			return nil, err
		}
		if groups, err = l.groups(ctx, *thing); err != nil {
			return nil, err
		}
	}
	return append(targets, l.targets("", groups)...), nil
}
