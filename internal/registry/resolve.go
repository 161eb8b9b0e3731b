package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
)

// passedTo is the service that roles of role aliases are passed to.
const passedTo = "credentials.iot.amazonaws.com"

// target is what Resolve found for an operation on a principal or a resource
// with tags, or what to answer instead when the caller may ask.
type target struct {
	principal principal
	resource  string // of tags: the last part of the ARN
	err       error
}

// errUnresolved is a mistake of the wiring.
var errUnresolved = errors.New("registry: the operation was not resolved")

// targetOf is the principal that was authorized.
func targetOf(ctx context.Context) (principal, error) {
	t, ok := awsapi.Target(ctx).(*target)
	if !ok {
		return principal{}, errUnresolved
	}
	return t.principal, t.err
}

// Resolve implements awsapi.Resolver, as the word behind the @ of the overlay's
// resource says: operations on a principal are authorized on the certificate,
// those with a template on that with its tags. Those without a word are cases
// of their own: who names a role needs to be allowed to pass it.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	at := placeOf(ctx)
	switch word := op.Resource[1:]; {
	case word == "principal":
		return at.onPrincipal(awsapi.Member(in, "Principal"), at.thingKeys(in)), nil
	case strings.Contains(word, "/"):
		resource, err := awsapi.Expand(word, in)
		if err != nil {
			return nil, err
		}
		tags, err := s.resourceTags(ctx, at, resource)
		if err != nil {
			return nil, err
		}
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: at.arn(resource), Keys: tags}}}, nil
	}
	switch in := in.(type) {
	case *iot.AttachPolicyRequest:
		return s.onPolicyTarget(ctx, at, in.Target)
	case *iot.DetachPolicyRequest:
		return s.onPolicyTarget(ctx, at, in.Target)
	case *iot.GetEffectivePoliciesRequest:
		return at.onDevice(in.Principal), nil
	case *iot.TestAuthorizationRequest:
		return at.onDevice(in.Principal), nil
	case *iot.SetLoggingOptionsRequest:
		return onLogging(&in.LoggingOptionsPayload.RoleArn), nil
	case *iot.SetV2LoggingOptionsRequest:
		return onLogging(in.RoleArn), nil
	case *iot.CreateThingRequest:
		return s.onNewThing(ctx, at, in)
	case *iot.CreateRoleAliasRequest:
		return at.onRoleAlias(in.RoleAlias, &in.RoleArn, nil), nil
	case *iot.UpdateRoleAliasRequest:
		tags, err := s.resourceTags(ctx, at, "rolealias/"+in.RoleAlias)
		if err != nil {
			return nil, err
		}
		return at.onRoleAlias(in.RoleAlias, in.RoleArn, tags), nil
	case *iot.RegisterCACertificateRequest:
		return onCA("*", in.RegistrationConfig, nil), nil
	case *iot.UpdateCACertificateRequest:
		tags, err := s.resourceTags(ctx, at, "cacert/"+in.CertificateId)
		if err != nil {
			return nil, err
		}
		return onCA(at.ca(in.CertificateId), in.RegistrationConfig, tags), nil
	case *iot.AddThingToThingGroupRequest, *iot.RemoveThingFromThingGroupRequest:
		return s.onMembership(ctx, at, "thinggroup", in)
	case *iot.AddThingToBillingGroupRequest, *iot.RemoveThingFromBillingGroupRequest:
		return s.onMembership(ctx, at, "billinggroup", in)
	case *iot.UpdateThingGroupsForThingRequest:
		return s.onGroupsOfThing(ctx, at, in)
	case *thingd.CreateDeviceKitRequest:
		return s.onKit(ctx, at, in)
	case *iot.TagResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	case *iot.UntagResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	case *iot.ListTagsForResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	}
	return nil, fmt.Errorf("registry: %s has nothing to resolve", op.Name)
}

// onNewThing is for CreateThing, which has to be allowed on the billing group
// as well that the thing is to be in.
func (s *Service) onNewThing(ctx context.Context, at place, in *iot.CreateThingRequest) (*awsapi.Resolution, error) {
	r := &awsapi.Resolution{Checks: []awsapi.Check{{Resource: at.arn("thing/" + in.ThingName)}}}
	if in.BillingGroupName != nil {
		group := "billinggroup/" + *in.BillingGroupName
		tags, err := s.resourceTags(ctx, at, group)
		if err != nil {
			return nil, err
		}
		r.Checks = append(r.Checks, awsapi.Check{Resource: at.arn(group), Keys: tags})
	}
	return r, nil
}

// thingKeys is the condition key of what attaches a principal to a thing, or
// detaches it.
func (p place) thingKeys(in any) map[string][]string {
	switch in := in.(type) {
	case *iot.AttachThingPrincipalRequest:
		return map[string][]string{"iot:thingArn": {p.arn("thing/" + in.ThingName)}}
	case *iot.DetachThingPrincipalRequest:
		return map[string][]string{"iot:thingArn": {p.arn("thing/" + in.ThingName)}}
	}
	return nil
}

func (p place) onPrincipal(name string, keys map[string][]string) *awsapi.Resolution {
	t := &target{}
	t.principal, t.err = p.principal(name)
	resource := t.principal.about()
	if t.err != nil {
		resource = askedFor(name)
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: resource, Keys: keys}}, Target: t}
}

// onPolicyTarget is for attaching policies and detaching them: the certificate
// or the thing group has to be allowed.
func (s *Service) onPolicyTarget(ctx context.Context, at place, name string) (*awsapi.Resolution, error) {
	t := &target{}
	t.principal, t.err = at.policyTarget(name)
	check := awsapi.Check{Resource: t.principal.about()}
	if t.err != nil {
		check.Resource = askedFor(name)
	}
	if group := t.principal.group; group != "" {
		var err error
		if check.Keys, err = s.resourceTags(ctx, at, "thinggroup/"+group); err != nil {
			return nil, err
		}
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{check}, Target: t}, nil
}

// onDevice is for questions about what a principal, if one is named, may do.
// AWS knows the certificate as their only resource.
func (p place) onDevice(name *string) *awsapi.Resolution {
	t, check := &target{}, awsapi.Check{Resource: "*"}
	if name != nil {
		t.principal, t.err = p.policyTarget(*name)
		switch {
		case t.err != nil:
			check.Resource = askedFor(*name)
		case t.principal.certificate != "":
			check.Resource = t.principal.name
		}
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{check}, Target: t}
}

// askedFor is what a request is authorized on whose ARN is refused in any
// case: whoever may not touch the resource does not learn what is wrong with it.
func askedFor(name string) string {
	if _, err := arn.Parse(name); err != nil {
		return "*"
	}
	return name
}

func (p place) onRoleAlias(alias string, role *string, tags map[string][]string) *awsapi.Resolution {
	return &awsapi.Resolution{Checks: append([]awsapi.Check{{Resource: p.arn("rolealias/" + alias), Keys: tags}}, passRole(role, passedTo)...)}
}

// passRole is what a request needs beside its own action to give a service a
// role, if it does.
func passRole(role *string, service string) []awsapi.Check {
	if role == nil {
		return nil
	}
	return []awsapi.Check{{Action: "iam:PassRole", Resource: askedFor(*role), Keys: map[string][]string{"iam:PassedToService": {service}}}}
}

func (s *Service) onTags(ctx context.Context, at place, name string) (*awsapi.Resolution, error) {
	t := &target{}
	t.resource, t.err = at.taggable(name)
	if t.err != nil {
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: askedFor(name)}}, Target: t}, nil
	}
	tags, err := s.resourceTags(ctx, at, t.resource)
	if err != nil {
		return nil, err
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: name, Keys: tags}}, Target: t}, nil
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*awsapi.Error](err)
	return ok && e.Code == "ResourceNotFoundException"
}
