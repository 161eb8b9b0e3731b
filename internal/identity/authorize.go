package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// Authorize returns nil when every check is allowed for the caller, by his
// policies as they are now: a caller may have been authenticated long ago, on
// a connection that lasts. A refusal is an awsapi.ErrAccessDenied in AWS's
// words, or a *sigv4.Error when his key or role is no more.
func (s *Service) Authorize(ctx context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	if len(checks) == 0 {
		return errors.New("authorize: nothing to check")
	}
	in, err := s.inputOf(ctx, req.Caller)
	if err != nil {
		return err
	}
	for i := range checks {
		c := &checks[i]
		if err := s.sessionMay(req.Caller, c.Action); err != nil {
			return err
		}
		pr := policy.Request{
			Action: c.Action, Resource: c.Resource,
			ResourceAccount: resourceAccount(c.Resource, req.Caller.Account),
		}
		pr.Keys = requestKeys(req, c, pr.ResourceAccount)
		if d := in.Decide(&pr); d.Outcome != policy.Allowed {
			s.noteRefusal(req, in, &pr, d)
			return awsapi.ErrAccessDenied("%s", deniedText(req.Caller, c.Action, c.Resource, d.Reason(c.Action)))
		}
	}
	return nil
}

// inputOf is the caller's side of a decision, as it is now.
func (s *Service) inputOf(ctx context.Context, caller *awsapi.Caller) (*policy.Input, error) {
	id, ok := caller.Identity.(*credential)
	if !ok {
		return &policy.Input{Principal: policy.Principal{Type: policy.Anonymous}, Keys: (&policy.Principal{}).Keys()}, nil
	}
	if s.stands(id) {
		return &id.input, nil
	}
	now, err := s.again(ctx, id)
	if err != nil {
		return nil, refused(err)
	}
	return &now.Identity.(*credential).input, nil
}

// stands says that nothing was written that what is known of a caller rests on.
func (s *Service) stands(id *credential) bool {
	return s.fresh(id.who) && (id.session == nil || s.freshSession(id.session))
}

// again finds a caller anew by the key or session it had, or as the user that it
// is.
func (s *Service) again(ctx context.Context, id *credential) (*awsapi.Caller, error) {
	if id.key == nil && id.session == nil {
		who, err := s.principal(ctx, id.who.account, id.who.id)
		if err != nil {
			return nil, err
		}
		return newCaller(who, nil, nil), nil
	}
	if id.key != nil {
		k, err := s.key(ctx, id.key.id)
		if err != nil {
			return nil, err
		}
		return k.caller, nil
	}
	if s.freshSession(id.session) {
		return s.sessionCaller(ctx, id.session)
	}
	renewed, err := s.newSession(ctx, id.session.claims, id.session.secret)
	if err != nil {
		return nil, err
	}
	return s.sessionCaller(ctx, renewed)
}

// sessionMay refuses what temporary credentials are of no use for (IAM User
// Guide, "Compare AWS STS credentials"). Those of GetSessionToken may not call
// IAM without MFA, nor STS but for AssumeRole and GetCallerIdentity; those of
// GetFederationToken may not assume roles either; none get a user's session.
// Sessions of the console may call IAM, and STS as their user may. IAM answers
// as to a key it does not know. What our own API has of IAM's kind goes with it.
func (s *Service) sessionMay(caller *awsapi.Caller, action string) error {
	id, ok := caller.Identity.(*credential)
	if !ok || id.session == nil {
		return nil
	}
	service, name, _ := strings.Cut(action, ":")
	if service == "sts" && !id.mayCallSTS(name) {
		return awsapi.ErrAccessDenied("Cannot call %s with session credentials", name)
	}
	if id.who.kind == kindRole || id.session.claims.Console {
		return nil
	}
	switch {
	case id.mfaAt() != 0:
		return nil
	case service == "iam" && name != "PassRole":
		return sigv4.NewError(sigv4.UnknownKey)
	case service == "thingd" && (name == "PutOpenIDConnectProviderKeys" || name == "CreateAccount"): // IAM in all but name
		return awsapi.ErrAccessDenied("Cannot call %s with session credentials", name)
	}
	return nil
}

// mayCallSTS is sessionMay for an operation of STS.
func (c *credential) mayCallSTS(operation string) bool {
	switch operation {
	case "GetCallerIdentity":
		return true
	case "GetSessionToken", "GetFederationToken":
		return false
	}
	switch {
	case c.who.kind == kindRole:
		return true
	case c.session.claims.Federated != "":
		return false
	case c.session.claims.Console:
		return true
	}
	return operation == "AssumeRole"
}

// resourceAccount is the account that an ARN belongs to. AWS managed policies
// and resources without an account are the caller's own in this respect.
func resourceAccount(resource, own string) string {
	parts, ok := arn.Split(resource)
	if !ok || parts[4] == "" || parts[4] == awsAccount {
		return own
	}
	return parts[4]
}

// requestKeys are the condition keys of a request (iam-policy.md §5), those of
// the check first, which so have the last word.
func requestKeys(req *awsapi.Request, c *awsapi.Check, resourceAccount string) policy.Keys {
	keys := make(policy.Keys, 0, 10+len(c.Keys)+len(req.Tags))
	for name, values := range c.Keys {
		if len(values) == 1 && !multivalued(name) {
			keys = append(keys, policy.Single(name, values[0]))
		} else {
			keys = append(keys, policy.Multi(name, values...))
		}
	}
	if c.Action == "iam:PassRole" { // which the request's tags are not about
		return appendGlobalKeys(keys, req, resourceAccount)
	}
	for name, value := range req.Tags {
		keys = append(keys, policy.Single("aws:RequestTag/"+name, value))
	}
	if len(req.TagKeys) > 0 {
		keys = append(keys, policy.Multi("aws:TagKeys", req.TagKeys...))
	}
	return appendGlobalKeys(keys, req, resourceAccount)
}

func appendGlobalKeys(keys policy.Keys, req *awsapi.Request, resourceAccount string) policy.Keys {
	keys = append(keys,
		policy.Single("aws:CurrentTime", req.Time.UTC().Format(timeISO)),
		policy.Single("aws:EpochTime", strconv.FormatInt(req.Time.Unix(), 10)),
		policy.Single("aws:SecureTransport", strconv.FormatBool(req.TLS)),
	)
	if id, ok := req.Caller.Identity.(*credential); ok && id.mfaAt() != 0 {
		age := req.Time.Sub(fromMillis(id.mfaAt())) / time.Second
		keys = append(keys, policy.Single("aws:MultiFactorAuthAge", strconv.FormatInt(max(int64(age), 0), 10)))
	}
	for _, k := range [...]struct{ name, value string }{
		{"aws:SourceIp", req.SourceIP}, {"aws:UserAgent", req.UserAgent},
		{"aws:RequestedRegion", req.Region}, {"aws:ResourceAccount", resourceAccount},
	} {
		if k.value != "" {
			keys = append(keys, policy.Single(k.name, k.value))
		}
	}
	return keys
}

// multivalued reports whether a key is a set even with one value.
func multivalued(name string) bool {
	switch name {
	case "aws:TagKeys", "iot:ThingGroupArn", "sts:TransitiveTagKeys":
		return true
	}
	return false
}

// noteRefusal logs a refusal with what decided it, and keeps it for those who
// ask why. in and pr are not changed any more.
func (s *Service) noteRefusal(req *awsapi.Request, in *policy.Input, pr *policy.Request, d policy.Decision) {
	s.Log.Debug("access denied", "request", req.ID, "caller", req.Caller.ARN, "action", pr.Action, "resource", pr.Resource,
		"outcome", d.Outcome.String(), "by", d.Source.String(), "policy", d.PolicyID, "sid", d.Sid, "statement", d.Statement)
	if s.Refusals == nil {
		return
	}
	asked := *pr
	asked.Resource, asked.Keys = strings.Clone(pr.Resource), slices.Clone(pr.Keys)
	req.Explained = true
	if asked.ResourceAccount != req.Caller.Account {
		in = own(in)
		asked.Keys = slices.DeleteFunc(asked.Keys, func(k policy.Key) bool { return explain.ResourceTag(k.Name()) })
	}
	s.Refusals.Add(explain.Refusal{
		ID: req.ID, Account: req.Caller.Account, Time: req.Time, Principal: req.Caller.ARN, UserID: req.Caller.UserID,
		Action: asked.Action, Resource: asked.Resource, Keys: slices.Concat(asked.Keys, in.Keys),
		Explain: func() policy.Explanation { return in.Explain(&asked) },
	})
}

// own is an input without the policy of the resource: another account's is not
// explained, not even whether it says anything. Nor are the resource's tags, by
// what one's own conditions make of them.
func own(in *policy.Input) *policy.Input {
	c := *in
	c.Resource = nil
	return &c
}

// deniedText is AWS's wording (iam-policy.md §9).
func deniedText(caller *awsapi.Caller, action, resource, reason string) string {
	who := caller.ARN
	if who == "" {
		who = "anonymous"
	}
	if resource == "*" {
		resource = namedResource(caller.Account, action)
	}
	text := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", who, action, resource)
	if reason != "" {
		text += " " + reason
	}
	return text
}

// namedResource is what IAM's messages name for lists, which are decided on *.
func namedResource(account, action string) string {
	switch action {
	case "iam:ListUsers":
		return entityARN(account, kindUser, "/", "")
	case "iam:ListRoles":
		return entityARN(account, kindRole, "/", "")
	case "iam:ListGroups":
		return entityARN(account, "group", "/", "")
	case "iam:ListPolicies":
		return "policy path /"
	}
	return "*"
}
