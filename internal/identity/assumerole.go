package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

const (
	defaultRoleSession = time.Hour
	maxChained         = time.Hour
	maxSessionPolicy   = 2048 // characters of the policy and the ARNs
	maxSessionARNs     = 10
)

// AssumeRole answers temporary credentials of a role, if its trust policy and,
// where that delegates to the account, the caller's policies allow it. A role
// that does not exist is refused in the same words.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	a, err := s.newAssumption(ctx, in)
	if err != nil {
		return nil, err
	}
	role, err := s.roleByARN(ctx, a.account, in.RoleArn)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		role, err = &principal{entity: entity{kind: kindRole, account: a.account}}, nil // trusts nobody
	}
	if err != nil {
		return nil, fmt.Errorf("assume role %s: %w", in.RoleArn, err)
	}
	if err := a.authorize(role); err != nil {
		return nil, err
	}
	if a.duration > role.maxSession {
		return nil, errValidation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if err := a.sessionPolicies(ctx); err != nil {
		return nil, err
	}
	a.claims.Account, a.claims.ID = role.account, role.id
	creds, packed, err := s.issue(&a.claims, a.duration)
	if errors.Is(err, errTooLarge) {
		return nil, errPacked(packed)
	}
	if err != nil {
		return nil, fmt.Errorf("assume role %s: %w", in.RoleArn, err)
	}
	out := &sts.AssumeRoleResponse{
		AssumedRoleUser: &sts.AssumedRoleUser{
			Arn:           sessionARN(role.account, role.name, in.RoleSessionName),
			AssumedRoleId: role.id + ":" + in.RoleSessionName,
		},
		Credentials: creds.wire(), SourceIdentity: nullable(a.claims.SourceIdentity),
	}
	if in.Policy != nil || len(in.PolicyArns) > 0 || len(a.claims.Tags) > 0 {
		out.PackedPolicySize = &packed
	}
	return out, nil
}

func errPacked(percent int64) error {
	return sts.ErrPackedPolicyTooLargeException("Packed size of session tags & policies consumes %d%% of allotted space.", max(percent, 101))
}

func errTagParameter(text string) error {
	return awsapi.Errorf("InvalidParameterValue", 400, "message", "%s", text)
}

// assumption is a request to assume a role on its way.
type assumption struct {
	s        *Service
	req      *awsapi.Request
	in       *sts.AssumeRoleRequest
	input    *policy.Input
	account  string  // of the role
	calling  *claims // of the calling session, nil for long-term keys
	duration time.Duration
	claims   claims
}

// newAssumption checks what can be without knowing the role.
func (s *Service) newAssumption(ctx context.Context, in *sts.AssumeRoleRequest) (*assumption, error) {
	a := &assumption{s: s, req: awsapi.RequestOf(ctx), in: in, duration: defaultRoleSession}
	role, err := arn.Parse(in.RoleArn)
	if err != nil || role.Service != "iam" || role.Region != "" || !arn.IsAccount(role.Account) || role.Type() != string(kindRole) || role.Name() == "" {
		return nil, errValidation("%s is invalid", in.RoleArn)
	}
	a.account = role.Account
	caller := a.req.Caller
	if caller.Type == awsapi.Root {
		return nil, awsapi.ErrAccessDenied("Roles may not be assumed by root accounts.")
	}
	id, ok := caller.Identity.(*credential)
	if !ok {
		return nil, a.refused("sts:AssumeRole")
	}
	if a.input, err = s.inputOf(ctx, caller); err != nil {
		return nil, err
	}
	if len(in.ProvidedContexts) > 0 {
		return nil, awsapi.Errorf("NotImplementedException", 501, "message", "thingd does not implement sts:SetContext yet.")
	}
	if in.DurationSeconds != nil {
		a.duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	if id.session != nil {
		a.calling = id.session.claims
		if id.who.kind == kindRole && a.duration > maxChained {
			return nil, errValidation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
		}
	}
	a.claims.Session = in.RoleSessionName
	if err := a.sourceIdentity(); err != nil {
		return nil, err
	}
	if err := a.tags(); err != nil {
		return nil, err
	}
	a.claims.MFA, err = s.requestMFA(ctx, &id.who.entity, in.SerialNumber, in.TokenCode)
	return a, err
}

// sourceIdentity takes over that of the calling session, which cannot be
// changed any more.
func (a *assumption) sourceIdentity() error {
	a.claims.SourceIdentity = or(a.in.SourceIdentity, "")
	if a.calling == nil || a.calling.SourceIdentity == "" {
		return nil
	}
	if a.in.SourceIdentity != nil && *a.in.SourceIdentity != a.calling.SourceIdentity {
		return a.refused("sts:SetSourceIdentity")
	}
	a.claims.SourceIdentity = a.calling.SourceIdentity
	return nil
}

// tags puts together the session tags: those given, and those of the calling
// session that are transitive (IAM User Guide, "Pass session tags in AWS STS").
func (a *assumption) tags() error {
	given := map[string]bool{}
	for _, t := range a.in.Tags {
		k := nameKey(t.Key)
		if given[k] {
			return errTagParameter(msgDuplicateTags)
		}
		if strings.HasPrefix(k, "aws:") {
			return errTagParameter("aws: prefixed tag key names are not allowed for external use.")
		}
		given[k] = true
		a.claims.Tags = append(a.claims.Tags, [2]string{t.Key, t.Value})
	}
	transitive := map[string]bool{}
	for _, key := range a.in.TransitiveTagKeys {
		if !given[nameKey(key)] {
			return errTagParameter("The specified transitive tag key must be included in the requested tags.")
		}
		if !transitive[nameKey(key)] {
			transitive[nameKey(key)] = true
			a.claims.Transitive = append(a.claims.Transitive, key)
		}
	}
	if a.calling == nil {
		return nil
	}
	for _, key := range a.calling.Transitive {
		if given[nameKey(key)] {
			return errTagParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		i := slices.IndexFunc(a.calling.Tags, func(t [2]string) bool { return nameKey(t[0]) == nameKey(key) })
		if i >= 0 {
			a.claims.Tags = append(a.claims.Tags, a.calling.Tags[i])
			a.claims.Transitive = append(a.claims.Transitive, key)
		}
	}
	return nil
}

// authorize asks the trust policy and the caller's policies for each of the
// actions that the request comes to.
func (a *assumption) authorize(role *principal) error {
	in := *a.input
	in.Resource, in.Trust = role.trust, true
	actions := []string{"sts:AssumeRole"}
	if len(a.claims.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.claims.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	pr := policy.Request{Resource: a.in.RoleArn, ResourceAccount: role.account, Keys: a.keys(role)}
	for _, action := range actions {
		pr.Action = action
		if d := in.Decide(&pr); d.Outcome != policy.Allowed {
			a.s.noteRefusal(a.req, &in, &pr, d)
			return a.refused(action)
		}
	}
	return nil
}

// refused is the refusal that does not tell whether the role exists.
func (a *assumption) refused(action string) error {
	return awsapi.ErrAccessDenied("%s", deniedText(a.req.Caller, action, a.in.RoleArn, ""))
}

func (a *assumption) keys(role *principal) policy.Keys {
	var keys policy.Keys
	single := func(name, value string) { keys = append(keys, policy.Single(name, value)) }
	single("sts:RoleSessionName", a.in.RoleSessionName)
	if a.claims.MFA != 0 {
		single("aws:MultiFactorAuthPresent", "true")
		single("aws:MultiFactorAuthAge", "0")
	}
	if a.in.ExternalId != nil {
		single("sts:ExternalId", *a.in.ExternalId)
	}
	if a.in.DurationSeconds != nil {
		single("sts:DurationSeconds", strconv.FormatInt(*a.in.DurationSeconds, 10))
	}
	if a.claims.SourceIdentity != "" {
		single("sts:SourceIdentity", a.claims.SourceIdentity)
	}
	if len(a.claims.Transitive) > 0 {
		keys = append(keys, policy.Multi("sts:TransitiveTagKeys", a.claims.Transitive...))
	}
	var tagKeys []string
	for _, t := range a.claims.Tags {
		single("aws:RequestTag/"+t[0], t[1])
		tagKeys = append(tagKeys, t[0])
	}
	if len(tagKeys) > 0 {
		keys = append(keys, policy.Multi("aws:TagKeys", tagKeys...))
	}
	for _, t := range role.tags {
		single("aws:ResourceTag/"+t.Key, t.Value)
		single("iam:ResourceTag/"+t.Key, t.Value)
	}
	return appendGlobalKeys(keys, a.req, role.account)
}

// sessionPolicies checks the policies that are to limit the session.
func (a *assumption) sessionPolicies(ctx context.Context) error {
	size := 0
	if a.in.Policy != nil {
		if _, err := policy.Parse(policy.Session, *a.in.Policy); err != nil {
			return sts.ErrMalformedPolicyDocumentException("%s", malformed(err))
		}
		a.claims.Policy = *a.in.Policy
		size += policy.Size(a.claims.Policy)
	}
	if len(a.in.PolicyArns) > maxSessionARNs {
		return errValidation("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionARNs)
	}
	for _, d := range a.in.PolicyArns {
		p := or(d.Arn, "")
		err := a.s.attachable(ctx, a.s.DB, a.account, p)
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
			return sts.ErrMalformedPolicyDocumentException("Policy %s does not exist or is not attachable.", p)
		}
		if err != nil {
			return fmt.Errorf("find session policy %s: %w", p, err)
		}
		a.claims.PolicyARNs = append(a.claims.PolicyARNs, p)
		size += len(p)
	}
	if size > maxSessionPolicy {
		return errPacked(int64(100 * size / maxSessionPolicy))
	}
	return nil
}
