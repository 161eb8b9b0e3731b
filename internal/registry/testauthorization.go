package registry

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/policy"
)

// What one TestAuthorization may ask for, since each resource is judged by each
// policy. The limits are ours: AWS names none.
const (
	maxTestResources = 100
	maxTestPolicies  = 100
)

// testedActions are the actions behind the action types.
var testedActions = map[string]string{
	iot.ActionTypeConnect: "iot:Connect", iot.ActionTypePublish: "iot:Publish",
	iot.ActionTypeSubscribe: "iot:Subscribe", iot.ActionTypeReceive: "iot:Receive",
}

// TestAuthorization says what a principal may do under a client id, by the
// engine and the policies that decide when it connects. An info with several
// resources is allowed when all of them are. Policies can be added and left out
// for the question.
func (s *Service) TestAuthorization(ctx context.Context, in *iot.TestAuthorizationRequest) (*iot.TestAuthorizationResponse, error) {
	p, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkTest(in, p); err != nil {
		return nil, err
	}
	l := loader{Service: s, at: placeOf(ctx)}
	sub, err := l.subject(ctx, p, in.ClientId)
	if err != nil {
		return nil, fmt.Errorf("test authorization: %w", err)
	}
	sub.policies = slices.DeleteFunc(slices.Clone(sub.policies), func(p *policy.Policy) bool { return slices.Contains(in.PolicyNamesToSkip, p.ID()) })
	if err := l.add(ctx, sub, in.PolicyNamesToAdd); err != nil {
		return nil, fmt.Errorf("test authorization: %w", err)
	}
	now := s.Now().UTC()
	sub.keys = append(slices.Clone(sub.keys),
		policy.Single("aws:CurrentTime", now.Format(time.RFC3339)), policy.Single("aws:EpochTime", strconv.FormatInt(now.Unix(), 10)))
	out := &iot.TestAuthorizationResponse{AuthResults: []iot.AuthResult{}}
	for i := range in.AuthInfos {
		out.AuthResults = append(out.AuthResults, sub.test(l.at, &in.AuthInfos[i]))
	}
	return out, nil
}

func checkTest(in *iot.TestAuthorizationRequest, p principal) error {
	if err := checkPool(in.CognitoIdentityPoolId, p); err != nil {
		return err
	}
	if p.name == "" && len(in.PolicyNamesToAdd) == 0 {
		return iot.ErrInvalidRequestException("A principal or policies to add must be given")
	}
	if len(in.PolicyNamesToAdd) > maxTestPolicies || len(in.PolicyNamesToSkip) > maxTestPolicies {
		return iot.ErrLimitExceededException("At most %d policies can be added or skipped", maxTestPolicies)
	}
	n := 0
	for _, info := range in.AuthInfos {
		if testedActions[text(info.ActionType)] == "" {
			return iot.ErrInvalidRequestException("An action type must be given for each authorization info")
		}
		if len(info.Resources) == 0 {
			return iot.ErrInvalidRequestException("At least one resource must be given for each authorization info")
		}
		n += len(info.Resources)
	}
	if n > maxTestResources {
		return iot.ErrLimitExceededException("At most %d resources can be tested at once", maxTestResources)
	}
	return nil
}

// subject is whose authorization is tested.
type subject struct {
	policies []*policy.Policy
	keys     policy.Keys
}

// subject is what decides on a principal, which must exist, under a client id. A
// thing that it is attached to by name alone counts for that client id only.
func (l *loader) subject(ctx context.Context, p principal, clientID *string) (*subject, error) {
	sub := &subject{}
	if clientID != nil {
		sub.keys = append(sub.keys, policy.Single("iot:ClientId", *clientID))
	}
	if p.name == "" {
		return sub, nil
	}
	targets, err := l.targetNames(ctx, l.at, p, true)
	if err != nil {
		return nil, err
	}
	if p.group == "" {
		thing, _, err := l.thing(ctx, p.name, text(clientID))
		if err != nil {
			return nil, err
		}
		switch {
		case thing != nil:
			keys, err := thing.keys()
			if err != nil {
				return nil, err
			}
			groups, err := l.groups(ctx, thing.name)
			if err != nil {
				return nil, err
			}
			sub.keys, targets = append(sub.keys, keys...), append(targets, l.targets("", groups)...)
		case clientID != nil:
			sub.keys = append(sub.keys, policy.Single(keyAttached, "false"))
		}
	}
	if p.certificate != "" {
		all, _, err := l.registered(ctx, p.certificate)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 { // of all registrations alike
			sub.keys = append(sub.keys, all[0].Keys...)
		}
	}
	sub.policies, err = l.policies(ctx, targets)
	return sub, err
}

// add adds policies, which must exist, to those of a subject.
func (l *loader) add(ctx context.Context, sub *subject, names []string) error {
	for _, name := range names {
		if slices.ContainsFunc(sub.policies, func(p *policy.Policy) bool { return p.ID() == name }) {
			continue
		}
		p, ok, err := l.policy(ctx, l.at, name)
		if err != nil {
			return err
		}
		if !ok {
			return errNoPolicy(name)
		}
		sub.policies = append(sub.policies, p)
	}
	return nil
}

// test answers one authorization info.
func (sub *subject) test(at place, info *iot.AuthInfo) iot.AuthResult {
	decision := iot.AuthDecisionAllowed
	var allowing, denying, missing []string
	for _, resource := range info.Resources {
		x := policy.ExplainIoT(sub.policies, &policy.Request{
			Action: testedActions[*info.ActionType], Resource: resource, ResourceAccount: at.account, Keys: sub.keys,
		})
		switch x.Decision.Outcome {
		case policy.ExplicitDeny:
			decision = iot.AuthDecisionExplicitDeny
		case policy.ImplicitDeny:
			if decision == iot.AuthDecisionAllowed {
				decision = iot.AuthDecisionImplicitDeny
			}
		}
		for _, st := range x.Statements {
			switch {
			case st.Applies && st.Allow:
				allowing = append(allowing, st.PolicyID)
			case st.Applies:
				denying = append(denying, st.PolicyID)
			case st.Mismatch != "Action":
				for _, v := range st.Variables {
					if v.Values == nil {
						missing = append(missing, v.Name)
					}
				}
			}
		}
	}
	var indifferent []string
	for _, p := range sub.policies {
		if !slices.Contains(allowing, p.ID()) && !slices.Contains(denying, p.ID()) {
			indifferent = append(indifferent, p.ID())
		}
	}
	return iot.AuthResult{
		AuthInfo: info, AuthDecision: &decision,
		Allowed: &iot.Allowed{Policies: at.policies(distinct(allowing))},
		Denied: &iot.Denied{
			ImplicitDeny: &iot.ImplicitDeny{Policies: at.policies(indifferent)},
			ExplicitDeny: &iot.ExplicitDeny{Policies: at.policies(distinct(denying))},
		},
		MissingContextValues: distinct(missing),
	}
}

// distinct are the values in order, each once; never nil.
func distinct(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return append([]string{}, slices.Compact(values)...)
}
