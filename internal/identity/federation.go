package identity

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// federation is for GetFederationToken. Tags need the permission to tag as
// well.
func (r *resolution) federation(in *sts.GetFederationTokenRequest) error {
	a := federatedARN(r.account, in.Name)
	r.checks = append(r.checks, awsapi.Check{Resource: a})
	if len(in.Tags) > 0 {
		r.checks = append(r.checks, awsapi.Check{Action: "sts:TagSession", Resource: a})
	}
	return nil
}

// GetFederationToken answers temporary credentials for somebody whom the
// calling user vouches for, which needs a long-term key. They may what both
// the user's policies and the session policies allow, and without session
// policies nothing but what a resource's policy grants. Of the root user's
// they may what the session policies allow.
func (s *Service) GetFederationToken(ctx context.Context, in *sts.GetFederationTokenRequest) (*sts.GetFederationTokenResponse, error) {
	caller := awsapi.CallerOf(ctx)
	id, ok := caller.Identity.(*credential)
	if !ok || id.session != nil {
		return nil, awsapi.ErrAccessDenied("Cannot call GetFederationToken with session credentials")
	}
	c := &claims{Account: caller.Account, ID: id.who.id, Federated: in.Name}
	if err := c.describe(in.Tags, nil, nil); err != nil {
		return nil, err
	}
	if err := s.limit(ctx, c, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	creds, packed, err := s.issueWire(c, userSession(caller, in.DurationSeconds))
	if err != nil {
		return nil, fmt.Errorf("get federation token for %s: %w", in.Name, err)
	}
	return &sts.GetFederationTokenResponse{
		Credentials: creds, PackedPolicySize: packed,
		FederatedUser: &sts.FederatedUser{Arn: federatedARN(caller.Account, in.Name), FederatedUserId: federatedID(caller.Account, in.Name)},
	}, nil
}
