package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
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

// targetOf is the principal that was authorized.
func targetOf(ctx context.Context) (principal, error) {
	t, ok := awsapi.Target(ctx).(*target)
	if !ok {
		return principal{}, errors.New("registry: the operation was not resolved")
	}
	return t.principal, t.err
}

// Resolve implements awsapi.Resolver. Operations on principals are authorized
// on the certificate, those on what can have tags on that with its tags, and
// those that name a role on the role alias and on passing the role.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	at := placeOf(ctx)
	if resource, ok := taggableOf(in); ok {
		tags, err := s.resourceTags(ctx, at, resource)
		if err != nil {
			return nil, err
		}
		return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: at.arn(resource), Keys: tags}}}, nil
	}
	switch in := in.(type) {
	case *iot.AttachPolicyRequest:
		return at.onPrincipal(in.Target), nil
	case *iot.DetachPolicyRequest:
		return at.onPrincipal(in.Target), nil
	case *iot.AttachPrincipalPolicyRequest:
		return at.onPrincipal(in.Principal), nil
	case *iot.DetachPrincipalPolicyRequest:
		return at.onPrincipal(in.Principal), nil
	case *iot.AttachThingPrincipalRequest:
		return at.onPrincipal(in.Principal), nil
	case *iot.DetachThingPrincipalRequest:
		return at.onPrincipal(in.Principal), nil
	case *iot.ListPrincipalThingsRequest:
		return at.onPrincipal(in.Principal), nil
	case *iot.CreateRoleAliasRequest:
		return at.onRoleAlias(in.RoleAlias, &in.RoleArn, nil), nil
	case *iot.UpdateRoleAliasRequest:
		tags, err := s.resourceTags(ctx, at, "rolealias/"+in.RoleAlias)
		if err != nil {
			return nil, err
		}
		return at.onRoleAlias(in.RoleAlias, in.RoleArn, tags), nil
	case *iot.TagResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	case *iot.UntagResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	case *iot.ListTagsForResourceRequest:
		return s.onTags(ctx, at, in.ResourceArn)
	}
	return nil, fmt.Errorf("registry: %s has nothing to resolve", op.Name)
}

// taggableOf is the resource that an operation is about, where it is one that
// can have tags, names no other, and is there already.
func taggableOf(in any) (resource string, ok bool) {
	switch in := in.(type) {
	case *iot.GetPolicyRequest:
		return "policy/" + in.PolicyName, true
	case *iot.DeletePolicyRequest:
		return "policy/" + in.PolicyName, true
	case *iot.CreatePolicyVersionRequest:
		return "policy/" + in.PolicyName, true
	case *iot.GetPolicyVersionRequest:
		return "policy/" + in.PolicyName, true
	case *iot.ListPolicyVersionsRequest:
		return "policy/" + in.PolicyName, true
	case *iot.SetDefaultPolicyVersionRequest:
		return "policy/" + in.PolicyName, true
	case *iot.DeletePolicyVersionRequest:
		return "policy/" + in.PolicyName, true
	case *iot.ListTargetsForPolicyRequest:
		return "policy/" + in.PolicyName, true
	case *iot.DescribeRoleAliasRequest:
		return "rolealias/" + in.RoleAlias, true
	case *iot.DeleteRoleAliasRequest:
		return "rolealias/" + in.RoleAlias, true
	case *iot.DescribeThingTypeRequest:
		return "thingtype/" + in.ThingTypeName, true
	case *iot.DeprecateThingTypeRequest:
		return "thingtype/" + in.ThingTypeName, true
	case *iot.DeleteThingTypeRequest:
		return "thingtype/" + in.ThingTypeName, true
	}
	return "", false
}

func (p place) onPrincipal(name string) *awsapi.Resolution {
	t := &target{}
	t.principal, t.err = p.principal(name)
	resource := t.principal.about()
	if t.err != nil {
		resource = askedFor(name)
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: resource}}, Target: t}
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
	checks := []awsapi.Check{{Resource: p.arn("rolealias/" + alias), Keys: tags}}
	if role != nil {
		checks = append(checks, awsapi.Check{
			Action: "iam:PassRole", Resource: askedFor(*role),
			Keys: map[string][]string{"iam:PassedToService": {passedTo}},
		})
	}
	return &awsapi.Resolution{Checks: checks}
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
