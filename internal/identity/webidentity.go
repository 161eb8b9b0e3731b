package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// AssumeRoleWithWebIdentity answers temporary credentials of a role to whoever
// shows a token of an OpenID Connect provider that is registered in the role's
// account and that the role trusts. The request needs no signature. Tokens are
// verified by keys that were given for the provider: see
// PutOpenIDConnectProviderKeys. One token is good for any number of sessions
// until it expires, as on AWS.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityRequest) (*sts.AssumeRoleWithWebIdentityResponse, error) {
	a, err := s.newAssumption(ctx, "sts:AssumeRoleWithWebIdentity", in.RoleArn, in.RoleSessionName, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	if in.ProviderId != nil {
		return nil, errValidation("The ProviderId %s is not supported. It is for OAuth 2.0 access tokens; leave it out for OpenID Connect ID tokens.", *in.ProviderId)
	}
	t, err := parseIDToken(in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	p, err := s.tokenIssuer(ctx, a.account, t.issuer)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		return nil, sts.ErrInvalidIdentityTokenException("No OpenIDConnect provider found in your account for %s", t.issuer)
	}
	if err != nil {
		return nil, fmt.Errorf("assume role %s with web identity: %w", in.RoleArn, err)
	}
	audience, err := p.accept(t, s.Now())
	if err != nil {
		return nil, err
	}
	if err := a.asHolder(p, t, audience); err != nil {
		return nil, err
	}
	out, err := a.assume(ctx, in.Policy, in.PolicyArns)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleWithWebIdentityResponse{
		AssumedRoleUser: out.user, Credentials: out.creds, PackedPolicySize: out.packed, SourceIdentity: nullable(t.sourceIdentity),
		SubjectFromWebIdentityToken: &t.subject, Audience: &audience[0], Provider: &p.arn,
	}, nil
}

// asHolder makes it the request of who holds a token that was accepted. The
// keys of the token are named by the provider (IAM User Guide, "IAM and AWS STS
// condition context keys", on OIDC federation); three of them go on into the
// session.
func (a *assumption) asHolder(p *tokenIssuer, t *idToken, audience []string) error {
	a.who = &awsapi.Caller{
		Type: awsapi.Anonymous, Account: a.account, ARN: p.arn, UserID: p.arn + ":" + audience[0] + ":" + t.subject,
	}
	a.input = policy.Input{Principal: policy.Principal{Type: policy.WebIdentity, Provider: p.arn}}
	a.claims.Keys = map[string]string{"aws:FederatedProvider": p.arn, p.url + ":sub": t.subject}
	a.claims.Sets = map[string][]string{}
	if len(audience) == 1 {
		a.claims.Keys[p.url+":aud"] = audience[0]
	} else {
		a.claims.Sets[p.url+":aud"] = audience
	}
	if len(t.amr) > 0 {
		a.claims.Sets[p.url+":amr"] = t.amr
	}
	a.keys = sessionKeys(&a.claims)
	if t.email != "" {
		a.keys = append(a.keys, policy.Single(p.url+":email", t.email))
	}
	if len(t.audiences) == 1 {
		a.keys = append(a.keys, policy.Single(p.url+":oaud", t.audiences[0]))
	} else {
		a.keys = append(a.keys, policy.Multi(p.url+":oaud", t.audiences...))
	}
	a.claims.SourceIdentity = t.sourceIdentity
	return a.claims.describe(t.tags, t.transitive, nil)
}

// accept verifies a token and answers for which of the provider's client ids it
// was made: one, unless the token names several.
func (p *tokenIssuer) accept(t *idToken, now time.Time) (audience []string, err error) {
	if err := t.verify(p); err != nil {
		return nil, err
	}
	if err := t.current(now); err != nil {
		return nil, err
	}
	meant := t.audiences
	if t.authorized != "" {
		// "If the token has both aud and azp, azp is taken for the audience" (IAM
		// User Guide, "Create an OpenID Connect identity provider in IAM").
		meant = []string{t.authorized}
	}
	for _, m := range meant {
		if slices.Contains(p.clientIDs, m) && !slices.Contains(audience, m) {
			audience = append(audience, m)
		}
	}
	if len(audience) == 0 {
		return nil, sts.ErrInvalidIdentityTokenException("Incorrect token audience")
	}
	return audience, nil
}

// issuerURL is an issuer as providers are registered: without its scheme,
// which has to be https.
func issuerURL(issuer string) (string, bool) {
	url, ok := strings.CutPrefix(issuer, "https://")
	return url, ok && url != ""
}
