package identity

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// ServiceRole is a role that a service of ours takes on for one of its
// callers.
type ServiceRole struct {
	Account     string            // that the service acts for; also the role's
	RoleARN     string            //
	Service     string            // as trust policies name it: credentials.iot.amazonaws.com
	SessionName string            //
	Duration    time.Duration     // not bound to an hour: this is no role chaining
	Keys        map[string]string // context keys of all the session's requests: credentials-iot:…
	SourceARN   string            // aws:SourceArn for the trust policy, such as the role alias
	RequestID   string            // of the caller's request, under which a refusal can be asked about; may be empty
}

// AssumeRoleForService answers credentials of a role that trusts a service.
// ErrCannotAssume when there is no such role in the account or it does not
// trust the service, ErrDurationExceeds when its sessions may not be that long.
// It writes nothing, and reads nothing while the role does not change.
func (s *Service) AssumeRoleForService(ctx context.Context, r ServiceRole) (*SessionCredentials, error) {
	parts, ok := arn.Split(r.RoleARN)
	if !ok || parts[4] != r.Account {
		return nil, ErrCannotAssume
	}
	role, err := s.roleByARN(ctx, r.Account, r.RoleARN)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		s.noteService(r, nil, func() policy.Explanation { return explain.Because("the role does not exist") })
		return nil, ErrCannotAssume
	}
	if err != nil {
		return nil, fmt.Errorf("assume role %s for %s: %w", r.RoleARN, r.Service, err)
	}
	in := policy.Input{Principal: policy.Principal{Type: policy.Service, Service: r.Service}, Resource: role.trust, Trust: true}
	pr := policy.Request{
		Action: "sts:AssumeRole", Resource: r.RoleARN, ResourceAccount: role.account, Keys: s.serviceKeys(r, role),
	}
	d := in.Decide(&pr)
	if d.Outcome != policy.Allowed {
		s.Log.Debug("role does not trust service", "role", r.RoleARN, "service", r.Service, "outcome", d.Outcome.String(), "sid", d.Sid)
		s.noteService(r, pr.Keys, func() policy.Explanation { return in.Explain(&pr) })
		return nil, ErrCannotAssume
	}
	if r.Duration > role.maxSession {
		return nil, ErrDurationExceeds
	}
	creds, _, err := s.issue(&claims{Account: role.account, ID: role.id, Session: r.SessionName, Keys: r.Keys}, r.Duration)
	if err != nil {
		return nil, fmt.Errorf("assume role %s for %s: %w", r.RoleARN, r.Service, err)
	}
	return creds, nil
}

// serviceKeys are the context keys of a service's request for a role.
func (s *Service) serviceKeys(r ServiceRole, role *principal) policy.Keys {
	now := s.Now().UTC()
	keys := policy.Keys{
		policy.Single("sts:RoleSessionName", r.SessionName),
		policy.Single("aws:SourceAccount", r.Account),
		policy.Single("aws:ResourceAccount", r.Account),
		policy.Single("aws:PrincipalIsAWSService", "true"),
		policy.Single("aws:PrincipalServiceName", r.Service),
		policy.Single("aws:CurrentTime", now.Format(timeISO)),
		policy.Single("aws:EpochTime", strconv.FormatInt(now.Unix(), 10)),
		policy.Single("aws:SecureTransport", "true"),
	}
	if s.Region != "" {
		keys = append(keys, policy.Single("aws:RequestedRegion", s.Region))
	}
	if r.SourceARN != "" {
		keys = append(keys, policy.Single("aws:SourceArn", r.SourceARN))
	}
	for _, t := range role.tags {
		keys = append(keys, policy.Single("aws:ResourceTag/"+t.Key, t.Value), policy.Single("iam:ResourceTag/"+t.Key, t.Value))
	}
	return keys
}
