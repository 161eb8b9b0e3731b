package identity

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
)

// AssumeRole answers temporary credentials of a role, if its trust policy and,
// where that delegates to the account, the caller's policies allow it. A role
// that does not exist is refused in the same words.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	a, err := s.newAssumption(ctx, "sts:AssumeRole", in.RoleArn, in.RoleSessionName, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	if err := a.asCaller(ctx, in); err != nil {
		return nil, err
	}
	out, err := a.assume(ctx, in.Policy, in.PolicyArns)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleResponse{
		AssumedRoleUser: out.user, Credentials: out.creds, PackedPolicySize: out.packed, SourceIdentity: nullable(a.claims.SourceIdentity),
	}, nil
}

// assumption is a request to assume a role on its way.
type assumption struct {
	s        *Service
	req      *awsapi.Request
	action   string
	roleARN  string
	account  string         // of the role
	who      *awsapi.Caller // for records of a refusal
	input    policy.Input   // who asks
	keys     policy.Keys    // what the operation's own parameters say
	seconds  *int64         // as asked for
	duration time.Duration
	claims   claims
}

// newAssumption checks what can be without knowing who asks.
func (s *Service) newAssumption(ctx context.Context, action, roleARN, session string, seconds *int64) (*assumption, error) {
	a := &assumption{
		s: s, req: awsapi.RequestOf(ctx), action: action, roleARN: roleARN,
		seconds: seconds, duration: time.Duration(or(seconds, int64(defaultRoleSession/time.Second))) * time.Second,
	}
	role, err := arn.Parse(roleARN)
	if err != nil || role.Service != "iam" || role.Region != "" || !arn.IsAccount(role.Account) || role.Type() != string(kindRole) || role.Name() == "" {
		return nil, errValidation("%s is invalid", roleARN)
	}
	a.account = role.Account
	a.claims.Account, a.claims.Session = role.Account, session
	return a, nil
}

// asCaller makes it the request of who signed it.
func (a *assumption) asCaller(ctx context.Context, in *sts.AssumeRoleRequest) error {
	a.who = a.req.Caller
	if a.who.Type == awsapi.Root {
		return awsapi.ErrAccessDenied("Roles may not be assumed by root accounts.")
	}
	id, ok := a.who.Identity.(*credential)
	if !ok {
		return a.refused(a.action)
	}
	if err := a.s.sessionMay(a.who, a.action); err != nil {
		return err
	}
	input, err := a.s.inputOf(ctx, a.who)
	if err != nil {
		return err
	}
	a.input = *input
	if len(in.ProvidedContexts) > 0 {
		return awsapi.Errorf("NotImplementedException", 501, "message", "thingd does not implement sts:SetContext yet.")
	}
	var calling *claims // nil for long-term keys
	if id.session != nil {
		calling = id.session.claims
		a.claims.Chained = true
		if id.who.kind == kindRole && a.duration > maxChained {
			return errValidation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
		}
	}
	if in.ExternalId != nil {
		a.keys = append(a.keys, policy.Single("sts:ExternalId", *in.ExternalId))
	}
	if err := a.sourceIdentity(in.SourceIdentity, calling); err != nil {
		return err
	}
	if err := a.claims.describe(in.Tags, in.TransitiveTagKeys, calling); err != nil {
		return err
	}
	a.claims.MFA, err = a.s.requestMFA(ctx, &id.who.entity, in.SerialNumber, in.TokenCode)
	return err
}

// sourceIdentity takes over that of the calling session, which cannot be
// changed any more.
func (a *assumption) sourceIdentity(given *string, calling *claims) error {
	a.claims.SourceIdentity = or(given, "")
	if calling == nil || calling.SourceIdentity == "" {
		return nil
	}
	if given != nil && *given != calling.SourceIdentity {
		return a.refused("sts:SetSourceIdentity")
	}
	a.claims.SourceIdentity = calling.SourceIdentity
	return nil
}

// assumed is what the answers of all that assume roles say.
type assumed struct {
	user   *sts.AssumedRoleUser
	creds  *sts.Credentials
	packed *int64
}

// assume makes the session, if the role exists, trusts who asks, and lets
// sessions last that long.
func (a *assumption) assume(ctx context.Context, document *string, arns []sts.PolicyDescriptorType) (*assumed, error) {
	role, err := a.s.roleByARN(ctx, a.account, a.roleARN)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		role, err = &principal{entity: entity{kind: kindRole, account: a.account}}, nil // trusts nobody
	}
	if err != nil {
		return nil, fmt.Errorf("assume role %s: %w", a.roleARN, err)
	}
	if err := a.authorize(role); err != nil {
		return nil, err
	}
	if a.duration > role.maxSession {
		return nil, errValidation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if err := a.s.limit(ctx, &a.claims, document, arns); err != nil {
		return nil, err
	}
	a.claims.ID = role.id
	out := &assumed{user: &sts.AssumedRoleUser{
		Arn: sessionARN(role.account, role.name, a.claims.Session), AssumedRoleId: role.id + ":" + a.claims.Session,
	}}
	out.creds, out.packed, err = a.s.issueWire(&a.claims, a.duration)
	if err != nil {
		return nil, fmt.Errorf("assume role %s: %w", a.roleARN, err)
	}
	return out, nil
}

// authorize asks the trust policy and the caller's policies for each of the
// actions that the request comes to.
func (a *assumption) authorize(role *principal) error {
	actions := []string{a.action}
	if len(a.claims.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.claims.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	in := a.input
	in.Resource, in.Trust = role.trust, true
	pr := policy.Request{Resource: a.roleARN, ResourceAccount: a.account, Keys: a.requestKeys(role)}
	for _, action := range actions {
		pr.Action = action
		if d := in.Decide(&pr); d.Outcome != policy.Allowed {
			req := *a.req
			req.Caller = a.who
			a.s.noteRefusal(&req, &in, &pr, d)
			a.req.Explained = req.Explained
			return a.refused(action)
		}
	}
	return nil
}

// refused is the refusal that does not tell whether the role exists.
func (a *assumption) refused(action string) error {
	if a.input.Principal.Type == policy.WebIdentity {
		return awsapi.ErrAccessDenied("Not authorized to perform %s", action)
	}
	return awsapi.ErrAccessDenied("%s", deniedText(a.who, action, a.roleARN, ""))
}

func (a *assumption) requestKeys(role *principal) policy.Keys {
	keys := append(policy.Keys{policy.Single("sts:RoleSessionName", a.claims.Session)}, a.keys...)
	single := func(name, value string) { keys = append(keys, policy.Single(name, value)) }
	if a.claims.MFA != 0 {
		single("aws:MultiFactorAuthPresent", "true")
		single("aws:MultiFactorAuthAge", "0")
	}
	if a.seconds != nil {
		single("sts:DurationSeconds", strconv.FormatInt(*a.seconds, 10))
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
	return appendGlobalKeys(keys, a.req, a.account)
}
