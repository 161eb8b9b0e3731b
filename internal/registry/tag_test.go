package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/policy"
)

const (
	arnPrefix     = "arn:aws:iot:us-east-1:123456789012:"
	duplicateTags = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
)

// judge refuses what a user with a policy may not do.
func judge(t testing.TB, document string) func(awsapi.Check) bool {
	t.Helper()
	p, err := policy.Parse(policy.Identity, document)
	if err != nil {
		t.Fatal(err)
	}
	in := &policy.Input{Principal: policy.Principal{Type: policy.User, Account: account}, Identity: []*policy.Policy{p}}
	return func(c awsapi.Check) bool {
		var keys policy.Keys
		for name, values := range c.Keys {
			if len(values) != 1 {
				t.Errorf("%s has the values %q", name, values)
			}
			keys = append(keys, policy.Single(name, values[0]))
		}
		return in.Decide(&policy.Request{Action: c.Action, Resource: c.Resource, Keys: keys}).Outcome != policy.Allowed
	}
}

// call is an operation of the SDK with its input.
func call[I, O any](do func(context.Context, *I, ...func(*sdk.Options)) (*O, error), in *I) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := do(ctx, in)
		return err
	}
}

// onTagged are all operations on resources that can have tags and are there
// already, each on one of a name, or with an id in the case of CA certificates.
func onTagged(c *sdk.Client, name, ca string) map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{
		"GetPolicy":                call(c.GetPolicy, &sdk.GetPolicyInput{PolicyName: &name}),
		"CreatePolicyVersion":      call(c.CreatePolicyVersion, &sdk.CreatePolicyVersionInput{PolicyName: &name, PolicyDocument: str(policyDocument)}),
		"GetPolicyVersion":         call(c.GetPolicyVersion, &sdk.GetPolicyVersionInput{PolicyName: &name, PolicyVersionId: str("1")}),
		"ListPolicyVersions":       call(c.ListPolicyVersions, &sdk.ListPolicyVersionsInput{PolicyName: &name}),
		"SetDefaultPolicyVersion":  call(c.SetDefaultPolicyVersion, &sdk.SetDefaultPolicyVersionInput{PolicyName: &name, PolicyVersionId: str("1")}),
		"DeletePolicyVersion":      call(c.DeletePolicyVersion, &sdk.DeletePolicyVersionInput{PolicyName: &name, PolicyVersionId: str("1")}),
		"ListTargetsForPolicy":     call(c.ListTargetsForPolicy, &sdk.ListTargetsForPolicyInput{PolicyName: &name}),
		"DeletePolicy":             call(c.DeletePolicy, &sdk.DeletePolicyInput{PolicyName: &name}),
		"DescribeRoleAlias":        call(c.DescribeRoleAlias, &sdk.DescribeRoleAliasInput{RoleAlias: &name}),
		"UpdateRoleAlias":          call(c.UpdateRoleAlias, &sdk.UpdateRoleAliasInput{RoleAlias: &name, RoleArn: str(roleARN)}),
		"DeleteRoleAlias":          call(c.DeleteRoleAlias, &sdk.DeleteRoleAliasInput{RoleAlias: &name}),
		"DescribeThingType":        call(c.DescribeThingType, &sdk.DescribeThingTypeInput{ThingTypeName: &name}),
		"UpdateThingType":          call(c.UpdateThingType, &sdk.UpdateThingTypeInput{ThingTypeName: &name}),
		"DeprecateThingType":       call(c.DeprecateThingType, &sdk.DeprecateThingTypeInput{ThingTypeName: &name}),
		"DescribeThingGroup":       call(c.DescribeThingGroup, &sdk.DescribeThingGroupInput{ThingGroupName: &name}),
		"UpdateThingGroup":         call(c.UpdateThingGroup, &sdk.UpdateThingGroupInput{ThingGroupName: &name, ThingGroupProperties: &types.ThingGroupProperties{}}),
		"ListThingsInThingGroup":   call(c.ListThingsInThingGroup, &sdk.ListThingsInThingGroupInput{ThingGroupName: &name}),
		"DeleteThingGroup":         call(c.DeleteThingGroup, &sdk.DeleteThingGroupInput{ThingGroupName: &name}),
		"DescribeBillingGroup":     call(c.DescribeBillingGroup, &sdk.DescribeBillingGroupInput{BillingGroupName: &name}),
		"UpdateBillingGroup":       call(c.UpdateBillingGroup, &sdk.UpdateBillingGroupInput{BillingGroupName: &name, BillingGroupProperties: &types.BillingGroupProperties{}}),
		"ListThingsInBillingGroup": call(c.ListThingsInBillingGroup, &sdk.ListThingsInBillingGroupInput{BillingGroupName: &name}),
		"DeleteBillingGroup":       call(c.DeleteBillingGroup, &sdk.DeleteBillingGroupInput{BillingGroupName: &name}),
		"DescribeCACertificate":    call(c.DescribeCACertificate, &sdk.DescribeCACertificateInput{CertificateId: &ca}),
		"UpdateCACertificate":      call(c.UpdateCACertificate, &sdk.UpdateCACertificateInput{CertificateId: &ca, NewStatus: "INACTIVE"}),
		"DeleteCACertificate":      call(c.DeleteCACertificate, &sdk.DeleteCACertificateInput{CertificateId: &ca}),
		"DeleteThingType":          call(c.DeleteThingType, &sdk.DeleteThingTypeInput{ThingTypeName: &name}),
	}
	for typ := range tagged {
		arn := arnPrefix + typ + "/" + name
		if typ == "cacert" {
			arn = arnPrefix + "cacert/" + ca
		}
		calls["TagResource "+typ] = call(c.TagResource, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: str("protected"), Value: str("no")}}})
		calls["UntagResource "+typ] = call(c.UntagResource, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"protected"}})
		calls["ListTagsForResource "+typ] = call(c.ListTagsForResource, &sdk.ListTagsForResourceInput{ResourceArn: &arn})
	}
	return calls
}

// TestDenyByResourceTag: a Deny of what has a tag holds for every operation on
// it, whoever is allowed everything else.
func TestDenyByResourceTag(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		cas := map[string]string{"missing": strings.Repeat("0", 64)}
		for name, tags := range map[string][]types.Tag{
			"tagged": {{Key: str("Protected"), Value: str("yes")}, {Key: str("a"), Value: str("b")}},
			"plain":  {{Key: str("protected"), Value: str("no")}},
			"bare":   nil,
		} {
			must(c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: str(policyDocument), Tags: tags}))(t)
			must(c.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: &name, RoleArn: str(roleARN), Tags: tags}))(t)
			must(c.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: &name, Tags: tags}))(t)
			must(c.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: &name, Tags: tags}))(t)
			must(c.CreateBillingGroup(ctx, &sdk.CreateBillingGroupInput{BillingGroupName: &name, Tags: tags}))(t)
			cas[name] = newAuthority(t, name, nil).register(t, c, func(in *sdk.RegisterCACertificateInput) { sniOnly(in); in.Tags = tags })
		}
		w.guard.deny = judge(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/protected":"yes"}}}]}`)
		for name, do := range onTagged(c, "tagged", cas["tagged"]) {
			if err := do(ctx); !isDenied(err) {
				t.Errorf("%s: got %v, want a denial", name, err)
			}
		}
		// Whatever became of the others: not for want of permission.
		for _, resource := range []string{"plain", "bare", "missing"} {
			for name, do := range onTagged(c, resource, cas[resource]) {
				if err := do(ctx); isDenied(err) {
					t.Errorf("%s of %s: %v", name, resource, err)
				}
			}
		}

		// No operation was forgotten: those that are authorized on what can
		// have tags without asking for these make it.
		all := onTagged(c, "tagged", cas["tagged"])
		api := iot.Service.Bind(w.Service)
		for _, op := range iot.Service.Operations {
			if !api.Implemented(op.Name) {
				continue
			}
			typ, _, _ := strings.Cut(op.Resource, "/")
			if _, ok := tagged[typ]; ok && !strings.HasPrefix(op.Name, "Create") {
				t.Errorf("%s is authorized on %s without its tags", op.Name, op.Resource)
			}
			if strings.HasPrefix(op.Resource, "@") && strings.Contains(op.Resource, "/") && all[op.Name] == nil {
				t.Errorf("%s is authorized on %s and not tested", op.Name, op.Resource)
			}
		}
	})
}

func isDenied(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "AccessDeniedException"
}

// TestTagKeysThatDifferByCase: no resource ever has two.
func TestTagKeysThatDifferByCase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
		_, err := c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: str("p"), PolicyDocument: str(policyDocument), Tags: []types.Tag{tag("Team", "red"), tag("team", "blue")}})
		refused(t, err, "InvalidRequestException", 400, duplicateTags)
		w.policy("p")
		arn := arnPrefix + "policy/p"
		put := func(tags ...types.Tag) error {
			_, err := c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags})
			return err
		}
		list := func() string {
			var all []string
			for _, tag := range must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags {
				all = append(all, *tag.Key+"="+*tag.Value)
			}
			return strings.Join(all, " ")
		}
		if err := put(tag("Team", "red"), tag("x", "1")); err != nil {
			t.Fatal(err)
		}
		refused(t, put(tag("new", ""), tag("team", "blue")), "InvalidRequestException", 400, duplicateTags)
		if err := put(tag("Team", "green")); err != nil { // its own key is another matter
			t.Error(err)
		}
		if got := list(); got != "Team=green x=1" {
			t.Errorf("tags %s", got)
		}
		denied := judge(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/TEAM":"green"}}}]}`)
		for range 50 {
			_ = put(tag("team", "blue"))
			w.guard.deny = denied
			_, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyName: str("p")})
			refused(t, err, "AccessDeniedException", 403, "")
			w.guard.deny = nil
		}
		must(c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"Team"}}))(t)

		for i := range 5 { // nor when they come at once
			var wg sync.WaitGroup
			for _, key := range []string{"Key%d", "key%d", "kEY%d"} {
				wg.Go(func() { _ = put(tag(fmt.Sprintf(key, i), "")) })
			}
			wg.Wait()
		}
		if got := list(); strings.Count(got, " ") != 5 {
			t.Errorf("tags %s", got)
		}
	})
}
