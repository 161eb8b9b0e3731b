package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Resolve finds the user, group, role or policy that an IAM request is about. The
// target is an *entity or a *managed, or nil when there is none; the checks
// are then on the ARN that it would have.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	r := &resolution{s: s, account: awsapi.Account(ctx)}
	if err := r.resolve(ctx, op.Resource[1:], in); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", op.Name, err)
	}
	limitKeys(op.Name, r.checks)
	return &awsapi.Resolution{Checks: r.checks, Target: r.target}, nil
}

// resolution is being found.
type resolution struct {
	s       *Service
	account string
	checks  []awsapi.Check
	target  any
}

// resolve goes by the word behind the @ of the overlay's resource: it says
// which member of the input names what. Without a word the operation has a case
// of its own.
func (r *resolution) resolve(ctx context.Context, noun string, in any) error {
	switch noun {
	case "user":
		return r.entity(ctx, kindUser, awsapi.Member(in, "UserName"), paramsOf(in))
	case "caller":
		return r.userOrCaller(ctx, awsapi.Member(in, "UserName"))
	case "group":
		return r.entity(ctx, kindGroup, awsapi.Member(in, "GroupName"), paramsOf(in))
	case "role":
		return r.entity(ctx, kindRole, awsapi.Member(in, "RoleName"), paramsOf(in))
	case "policy":
		return r.policy(ctx, awsapi.Member(in, "PolicyArn"))
	case "instance-profile":
		return r.entity(ctx, kindProfile, awsapi.Member(in, "InstanceProfileName"), params{})
	case "oidc-provider":
		return r.provider(ctx, providerOIDC, awsapi.Member(in, "OpenIDConnectProviderArn"))
	case "saml-provider":
		return r.provider(ctx, providerSAML, awsapi.Member(in, "SAMLProviderArn"))
	case "mfa":
		return r.mfa(ctx, awsapi.Member(in, "SerialNumber"))
	case "mfa-owner":
		return r.mfaOwner(ctx, awsapi.Member(in, "UserName"))
	}
	switch in := in.(type) {
	case *iam.CreateUserRequest:
		return r.create(entityARN(r.account, kindUser, or(in.Path, "/"), in.UserName), "iam:TagUser", in.Tags, or(in.PermissionsBoundary, ""))
	case *iam.CreateRoleRequest:
		return r.create(entityARN(r.account, kindRole, or(in.Path, "/"), in.RoleName), "iam:TagRole", in.Tags, or(in.PermissionsBoundary, ""))
	case *iam.CreatePolicyRequest:
		return r.create(policyARN(r.account, or(in.Path, "/"), in.PolicyName), "iam:TagPolicy", in.Tags, "")
	case *iam.CreateGroupRequest:
		return r.create(entityARN(r.account, kindGroup, or(in.Path, "/"), in.GroupName), "", nil, "")
	case *iam.CreateInstanceProfileRequest:
		return r.create(entityARN(r.account, kindProfile, or(in.Path, "/"), in.InstanceProfileName), "iam:TagInstanceProfile", in.Tags, "")
	case *iam.AddRoleToInstanceProfileRequest:
		return r.placement(ctx, in)
	case *iam.CreateOpenIDConnectProviderRequest:
		return r.create(providerARN(r.account, providerOIDC, strings.TrimPrefix(in.Url, "https://")), "iam:TagOpenIDConnectProvider", in.Tags, "")
	case *iam.CreateSAMLProviderRequest:
		return r.create(providerARN(r.account, providerSAML, in.Name), "iam:TagSAMLProvider", in.Tags, "")
	case *iam.CreateServiceLinkedRoleRequest:
		r.linkedRole(in)
		return nil
	case *iam.GetServiceLinkedRoleDeletionStatusRequest:
		r.roleDeletion(in.DeletionTaskId)
		return nil
	case *iam.CreateVirtualMFADeviceRequest:
		return r.create(mfaARN(r.account, or(in.Path, "/"), in.VirtualMFADeviceName), "iam:TagMFADevice", in.Tags, "")
	case *iam.SimulatePrincipalPolicyRequest:
		return r.source(ctx, in.PolicySourceArn)
	case *iam.GetContextKeysForPrincipalPolicyRequest:
		return r.source(ctx, in.PolicySourceArn)
	case *iam.UpdateUserRequest:
		return r.rename(ctx, kindUser, in.UserName, in.NewUserName, in.NewPath)
	case *iam.UpdateGroupRequest:
		return r.rename(ctx, kindGroup, in.GroupName, in.NewGroupName, in.NewPath)
	case *iam.ChangePasswordRequest:
		return r.self(ctx)
	case *sts.GetFederationTokenRequest:
		return r.federation(in)
	case *thingd.PutOpenIDConnectProviderKeysRequest:
		return r.also("iam:UpdateOpenIDConnectProviderThumbprint", r.provider(ctx, providerOIDC, in.OpenIDConnectProviderArn))
	case *thingd.CreateAccountRequest:
		r.checks = append(r.checks, awsapi.Check{Resource: "*"})
		return r.also("organizations:CreateAccount", nil)
	case *iam.GetAccessKeyLastUsedRequest:
		return r.accessKey(ctx, in.AccessKeyId)
	}
	return fmt.Errorf("%T names no resource", in)
}

// also asks for AWS's own action beside one of our API that comes to the same:
// policies that allow all but IAM (PowerUserAccess) name AWS's.
func (r *resolution) also(action string, err error) error {
	for _, c := range r.checks {
		c.Action = action
		r.checks = append(r.checks, c)
	}
	return err
}

// params are what else a request names that conditions can ask for.
type params struct {
	policy   string // iam:PolicyARN
	boundary string // iam:PermissionsBoundary, where it is not the current one
}

func paramsOf(in any) params {
	return params{policy: awsapi.Member(in, "PolicyArn"), boundary: awsapi.Member(in, "PermissionsBoundary")}
}

// create is for what does not exist yet. Tags at creation need the permission
// to tag as well (IAM User Guide, "Controlling access to IAM resources with
// tags").
func (r *resolution) create(a, tagAction string, tags []iam.Tag, boundary string) error {
	c := awsapi.Check{Resource: a}
	if boundary != "" {
		c.Keys = map[string][]string{"iam:PermissionsBoundary": {boundary}}
	}
	r.checks = append(r.checks, c)
	if len(tags) > 0 {
		r.checks = append(r.checks, awsapi.Check{Action: tagAction, Resource: a})
	}
	return nil
}

// entity is for operations on a user, group or role.
func (r *resolution) entity(ctx context.Context, k kind, name string, p params) error {
	e, err := entityByName(ctx, r.s.DB, r.account, k, name)
	if errors.Is(err, db.ErrNotFound) {
		r.checks = append(r.checks, awsapi.Check{Resource: entityARN(r.account, k, "/", name), Keys: p.keys(nil)})
		return nil
	}
	if err != nil {
		return err
	}
	return r.found(ctx, e, p)
}

// found adds the check on an entity that exists.
func (r *resolution) found(ctx context.Context, e *entity, p params) error {
	tags, err := tagsOf(ctx, r.s.DB, e.account, e.id)
	if err != nil {
		return err
	}
	if p.boundary == "" {
		p.boundary = e.boundary
	}
	r.checks = append(r.checks, awsapi.Check{Resource: e.arn(), Keys: p.keys(tags)})
	r.target = e
	return nil
}

// keys are the condition keys of a check.
func (p params) keys(tags []iam.Tag) map[string][]string {
	keys := make(map[string][]string, 2*len(tags)+2)
	if p.policy != "" {
		keys["iam:PolicyARN"] = []string{p.policy}
	}
	if p.boundary != "" {
		keys["iam:PermissionsBoundary"] = []string{p.boundary}
	}
	for _, t := range tags {
		keys["iam:ResourceTag/"+t.Key] = []string{t.Value}
		keys["aws:ResourceTag/"+t.Key] = []string{t.Value}
	}
	if len(keys) == 0 {
		return nil
	}
	return keys
}

// userOrCaller is for operations whose UserName may be left out.
func (r *resolution) userOrCaller(ctx context.Context, name string) error {
	if name != "" {
		return r.entity(ctx, kindUser, name, params{})
	}
	switch c := awsapi.CallerOf(ctx); c.Type {
	case awsapi.Root:
		return r.found(ctx, rootEntity(c.Account), params{})
	case awsapi.User:
		e, err := entityByID(ctx, r.s.DB, c.Account, kindUser, c.UserID)
		if err != nil {
			return noEntity(err, kindUser, c.UserName)
		}
		return r.found(ctx, e, params{})
	}
	return errValidation("Must specify userName when calling with non-User credentials")
}

// rename is checked on the user or group as it is and as it will be.
func (r *resolution) rename(ctx context.Context, k kind, name string, newName, newPath *string) error {
	if err := r.entity(ctx, k, name, params{}); err != nil {
		return err
	}
	if e, ok := r.target.(*entity); ok && (newName != nil || newPath != nil) {
		r.checks = append(r.checks, awsapi.Check{Resource: entityARN(r.account, k, or(newPath, e.path), or(newName, e.name))})
	}
	return nil
}

// self is for what only an IAM user can do, and for itself.
func (r *resolution) self(ctx context.Context) error {
	if awsapi.CallerOf(ctx).Type != awsapi.User {
		return errUserType()
	}
	return r.userOrCaller(ctx, "")
}

func (r *resolution) accessKey(ctx context.Context, id string) error {
	e, err := keyOwner(ctx, r.s.DB, r.account, id)
	if errors.Is(err, db.ErrNotFound) {
		r.checks = append(r.checks, awsapi.Check{Resource: "*"})
		return nil
	}
	if err != nil {
		return err
	}
	return r.found(ctx, e, params{})
}

func (r *resolution) policy(ctx context.Context, a string) error {
	owner, err := policyAccount(a)
	if err != nil {
		return err
	}
	m, err := r.s.managedByARN(ctx, r.s.DB, r.account, a)
	if errors.Is(err, db.ErrNotFound) || owner != r.account && owner != awsAccount {
		r.checks = append(r.checks, awsapi.Check{Resource: a})
		return nil
	}
	if err != nil {
		return err
	}
	tags, err := tagsOf(ctx, r.s.DB, r.account, m.id)
	if err != nil {
		return err
	}
	r.checks = append(r.checks, awsapi.Check{Resource: a, Keys: params{}.keys(tags)})
	r.target = m
	return nil
}

// entityTarget is the user, group or role that the request was resolved to.
func entityTarget(ctx context.Context, k kind, name string) (*entity, error) {
	if e, ok := awsapi.Target(ctx).(*entity); ok {
		return e, nil
	}
	return nil, errNoEntity(k, name)
}

// userTarget is entityTarget where the name may be left out.
func userTarget(ctx context.Context, name *string) (*entity, error) {
	return entityTarget(ctx, kindUser, or(name, awsapi.CallerOf(ctx).UserName))
}

// policyTarget is the managed policy that the request was resolved to.
func policyTarget(ctx context.Context, policyARN string) (*managed, error) {
	if m, ok := awsapi.Target(ctx).(*managed); ok {
		return m, nil
	}
	return nil, errNoPolicy(policyARN)
}

// ownPolicyTarget is policyTarget for changes, which AWS's policies do not
// take.
func ownPolicyTarget(ctx context.Context, policyARN string) (*managed, error) {
	m, err := policyTarget(ctx, policyARN)
	if err != nil {
		return nil, err
	}
	if m.ofAWS() {
		return nil, awsapi.ErrAccessDenied("User: %s is not authorized to perform: %s on resource: policy %s",
			awsapi.CallerOf(ctx).ARN, actionOf(ctx), policyARN)
	}
	return m, nil
}

// actionOf is the IAM action of the request in hand.
func actionOf(ctx context.Context) string {
	r := awsapi.RequestOf(ctx)
	if r.Operation == nil {
		return "iam"
	}
	return r.Service.FullAction(r.Operation)
}
