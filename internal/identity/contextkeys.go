package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/policy"
)

// GetContextKeysForCustomPolicy answers the context keys that policies given as
// text ask for, in conditions and variables: what SimulateCustomPolicy wants
// to know.
func (s *Service) GetContextKeysForCustomPolicy(_ context.Context, in *iam.GetContextKeysForCustomPolicyRequest) (*iam.GetContextKeysForPolicyResponse, error) {
	given, err := readPolicies("PolicyInputList", in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	return &iam.GetContextKeysForPolicyResponse{ContextKeyNames: missingKeys(given)}, nil
}

// GetContextKeysForPrincipalPolicy answers the context keys that the policies
// of a user with its groups, of a group or of a role ask for, and further ones
// that are given as text.
func (s *Service) GetContextKeysForPrincipalPolicy(ctx context.Context, in *iam.GetContextKeysForPrincipalPolicyRequest) (*iam.GetContextKeysForPolicyResponse, error) {
	who, err := s.policySource(ctx, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	given, err := readPolicies("PolicyInputList", in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	return &iam.GetContextKeysForPolicyResponse{ContextKeyNames: missingKeys(slices.Concat(who.policies, given))}, nil
}

// missingKeys are the context keys that policies ask for and none of known has,
// each once, in the order of the policies and as the first of them writes it.
func missingKeys(policies []*policy.Policy, known ...policy.Keys) []string {
	names, seen := []string{}, map[string]bool{}
	for _, p := range policies {
		for _, name := range p.ContextKeys() {
			key := strings.ToLower(name)
			if !seen[key] && !slices.ContainsFunc(known, func(ks policy.Keys) bool { _, ok := ks.Lookup(name); return ok }) {
				names = append(names, name)
			}
			seen[key] = true
		}
	}
	return names
}
