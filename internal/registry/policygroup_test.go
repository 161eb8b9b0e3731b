package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// fleet is a world with things and groups: top > middle > low, and side.
func fleet(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	for _, g := range [][2]string{{"top", ""}, {"middle", "top"}, {"low", "middle"}, {"side", ""}} {
		in := &sdk.CreateThingGroupInput{ThingGroupName: &g[0]}
		if g[1] != "" {
			in.ParentGroupName = &g[1]
		}
		must(w.Client.CreateThingGroup(ctx, in))(t)
	}
	for _, p := range []string{"p", "q", "r", "s"} {
		w.policy(p)
	}
}

func groupARN(name string) string { return "arn:aws:iot:us-east-1:123456789012:thinggroup/" + name }

func (w *world) attachPolicy(name, target string) error {
	_, err := w.Client.AttachPolicy(w.t.Context(), &sdk.AttachPolicyInput{PolicyName: &name, Target: &target})
	return err
}

func (w *world) detachPolicy(name, target string) error {
	_, err := w.Client.DetachPolicy(w.t.Context(), &sdk.DetachPolicyInput{PolicyName: &name, Target: &target})
	return err
}

func (w *world) intoGroup(thing, group string) {
	w.t.Helper()
	must(w.Client.AddThingToThingGroup(w.t.Context(), &sdk.AddThingToThingGroupInput{ThingName: &thing, ThingGroupName: &group}))(w.t)
}

func policyNames(policies []types.Policy) (out []string) {
	for _, p := range policies {
		out = append(out, *p.PolicyName)
		if *p.PolicyArn != "arn:aws:iot:us-east-1:123456789012:policy/"+*p.PolicyName {
			out = append(out, *p.PolicyArn)
		}
	}
	return out
}

func TestPoliciesOfGroups(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		for _, a := range [][2]string{{"p", "top"}, {"p", "top"}, {"q", "low"}, {"p", "low"}, {"r", "middle"}} {
			if err := w.attachPolicy(a[0], groupARN(a[1])); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, w.attachPolicy("s", groupARN("low")), "LimitExceededException", 410, "2")
		listed := func(group string, recursive bool) string {
			var out []string
			for p := sdk.NewListAttachedPoliciesPaginator(w.Client, &sdk.ListAttachedPoliciesInput{Target: str(groupARN(group)), PageSize: new(int32(1)), Recursive: recursive}); p.HasMorePages(); {
				out = append(out, policyNames(must(p.NextPage(ctx))(t).Policies)...)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		for _, c := range []struct {
			group, own, all string
		}{{"top", "p", "p"}, {"middle", "r", "p r"}, {"low", "p q", "p q r"}, {"side", "", ""}} {
			if own, all := listed(c.group, false), listed(c.group, true); own != c.own || all != c.all {
				t.Errorf("group %s has %q, with those above it %q", c.group, own, all)
			}
		}
		targets := must(w.Client.ListTargetsForPolicy(ctx, &sdk.ListTargetsForPolicyInput{PolicyName: str("p")}))(t).Targets
		if slices.Sort(targets); !slices.Equal(targets, []string{groupARN("low"), groupARN("top")}) {
			t.Errorf("targets %v", targets)
		}
		if got := must(w.Client.ListPolicyPrincipals(ctx, &sdk.ListPolicyPrincipalsInput{PolicyName: str("p")}))(t).Principals; len(got) != 0 {
			t.Errorf("a group is no principal: %v", got)
		}
		for _, target := range []string{groupARN("none"), groupARN("a/b"), "arn:aws:iot:us-east-1:210987654321:thinggroup/top", "arn:aws:iot:eu-west-1:123456789012:thinggroup/top"} {
			refused(t, w.attachPolicy("p", target), "ResourceNotFoundException", 404, "No thing group with ARN "+target+" exists")
			refused(t, w.detachPolicy("p", target), "InvalidRequestException", 400, "Invalid Target")
			for _, recursive := range []bool{true, false} {
				_, err := w.Client.ListAttachedPolicies(ctx, &sdk.ListAttachedPoliciesInput{Target: &target, Recursive: recursive})
				refused(t, err, "ResourceNotFoundException", 404, target)
			}
		}
		_, err := w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("any"), Principal: str(groupARN("top"))})
		refused(t, err, "InvalidRequestException", 400, "Invalid Target")
		_, err = w.as(other, region).AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: str(groupARN("top"))})
		refused(t, err, "ResourceNotFoundException", 404, "")
		_, err = w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("r")})
		refused(t, err, "DeleteConflictException", 409, "attached to one or more principals (name=r)")
		for _, a := range [][2]string{{"p", "top"}, {"p", "top"}, {"none", "top"}, {"r", "middle"}} {
			if err := w.detachPolicy(a[0], groupARN(a[1])); err != nil {
				t.Errorf("detach %v: %v", a, err)
			}
		}
		must(w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("r")}))(t)
		must(w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: str("low")}))(t)
		for _, p := range []string{"p", "q"} { // which the group let go of
			must(w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: &p}))(t)
		}
	})
}

func TestGroupPolicyIsAuthorized(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		must(w.Client.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: str(groupARN("top")), Tags: []types.Tag{{Key: str("team"), Value: str("blue")}}}))(t)
		_, cert := w.certificate()
		for _, c := range []struct {
			do   func() error
			want string
		}{
			{func() error { return w.attachPolicy("p", groupARN("top")) }, groupARN("top") + " map[aws:ResourceTag/team:[blue]]"},
			{func() error { return w.detachPolicy("p", groupARN("top")) }, groupARN("top") + " map[aws:ResourceTag/team:[blue]]"},
			{func() error { return w.attachPolicy("p", cert) }, cert},
			{func() error { _ = w.attachPolicy("p", "nonsense"); return nil }, "*"},
			{func() error {
				_, err := w.Client.GetEffectivePolicies(ctx, &sdk.GetEffectivePoliciesInput{Principal: &cert})
				return err
			}, cert},
			{func() error {
				_, err := w.Client.GetEffectivePolicies(ctx, &sdk.GetEffectivePoliciesInput{Principal: str(groupARN("top"))})
				return err
			}, "*"},
			{func() error {
				_, _ = w.Client.GetEffectivePolicies(ctx, &sdk.GetEffectivePoliciesInput{Principal: str("arn:aws:iot:us-east-1:210987654321:cert/00")})
				return nil
			}, "arn:aws:iot:us-east-1:210987654321:cert/00"},
		} {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			if _, got, _ := strings.Cut(w.guard.last(), " "); got != c.want {
				t.Errorf("authorized on %q, want %q", got, c.want)
			}
		}
	})
}

func TestEffectivePolicies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		_, cert := w.certificate()
		const cognito = "us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e"
		w.thing("cam")
		w.intoGroup("cam", "low")
		w.intoGroup("cam", "side")
		for _, a := range [][2]string{{"p", cert}, {"q", groupARN("top")}, {"p", groupARN("low")}, {"r", groupARN("side")}, {"s", cognito}} {
			if err := w.attachPolicy(a[0], a[1]); err != nil {
				t.Fatal(err)
			}
		}
		missing := "arn:aws:iot:us-east-1:123456789012:cert/" + strings.Repeat("0", 64)
		for name, c := range map[string]struct {
			principal, thing, pool string
			want                   string
			code, text             string
			status                 int
		}{
			"certificate":           {principal: cert, want: "p"},
			"certificate and thing": {principal: cert, thing: "cam", want: "p q r"},
			"thing":                 {thing: "cam", want: "p q r"},
			"group":                 {principal: groupARN("low"), want: "p q"},
			"cognito":               {principal: cognito, pool: "us-east-1:pool", want: "s"},
			"cognito and thing":     {principal: cognito, thing: "cam", want: "p q r s"},
			"nothing":               {code: "InvalidRequestException", status: 400, text: "must be given"},
			"a pool alone":          {pool: "us-east-1:pool", code: "InvalidRequestException", status: 400, text: "pool"},
			"pool of a certificate": {principal: cert, pool: "us-east-1:pool", code: "InvalidRequestException", status: 400, text: "pool"},
			"no principal":          {principal: "nobody", code: "InvalidRequestException", status: 400, text: "Invalid Target"},
			"no thing":              {principal: cert, thing: "none", code: "ResourceNotFoundException", status: 404, text: "none"},
			"no certificate":        {principal: missing, code: "ResourceNotFoundException", status: 404, text: "The certificate given in the principal does not exist."},
			"no group":              {principal: groupARN("none"), code: "ResourceNotFoundException", status: 404, text: "No thing group"},
		} {
			in := &sdk.GetEffectivePoliciesInput{}
			if c.principal != "" {
				in.Principal = &c.principal
			}
			if c.thing != "" {
				in.ThingName = &c.thing
			}
			if c.pool != "" {
				in.CognitoIdentityPoolId = &c.pool
			}
			out, err := w.Client.GetEffectivePolicies(ctx, in)
			if c.code != "" {
				t.Log(name)
				refused(t, err, c.code, c.status, c.text)
				continue
			}
			var got []string
			for _, p := range must(out, err)(t).EffectivePolicies {
				got = append(got, *p.PolicyName)
				if *p.PolicyDocument != policyDocument || *p.PolicyArn != "arn:aws:iot:us-east-1:123456789012:policy/"+*p.PolicyName {
					t.Errorf("%s: %s %s", name, *p.PolicyArn, *p.PolicyDocument)
				}
			}
			if slices.Sort(got); strings.Join(got, " ") != c.want {
				t.Errorf("%s: got %v, want %s", name, got, c.want)
			}
		}
	})
}

func TestTestAuthorization(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		_, cert := w.certificate()
		_, sole := w.certificate()
		document := func(name, text string) {
			must(w.Client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: str(`{"Version":"2012-10-17","Statement":[` + text + `]}`)}))(t)
		}
		const iot = "arn:aws:iot:us-east-1:123456789012:"
		document("own", `{"Effect":"Allow","Action":"iot:Connect","Resource":"`+iot+`client/${iot:Connection.Thing.ThingName}"},
			{"Effect":"Allow","Action":"iot:Publish","Resource":"`+iot+`topic/${iot:ClientId}/*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}},
			{"Effect":"Deny","Action":"iot:Publish","Resource":"`+iot+`topic/*/secret"}`)
		document("floor", `{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+iot+`topicfilter/${iot:Connection.Thing.Attributes[floor]}/#"}`)
		document("extra", `{"Effect":"Allow","Action":"iot:Receive","Resource":"*"}`)
		document("serial", `{"Effect":"Allow","Action":"iot:Receive","Resource":"`+iot+`topic/${iot:Certificate.Subject.CommonName}"}`)
		for _, thing := range []string{"cam", "door"} {
			must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: &thing, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"floor": "two"}}}))(t)
		}
		w.intoGroup("cam", "low")
		must(w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("cam"), Principal: &cert}))(t)
		must(w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("door"), Principal: &sole, ThingPrincipalType: types.ThingPrincipalTypeExclusiveThing}))(t)
		for _, a := range [][2]string{{"own", cert}, {"own", sole}, {"serial", sole}, {"floor", groupARN("top")}} {
			if err := w.attachPolicy(a[0], a[1]); err != nil {
				t.Fatal(err)
			}
		}
		const attached, thing = "iot:Connection.Thing.IsAttached", "iot:Connection.Thing.ThingName"
		for name, c := range map[string]struct {
			principal, client string
			add, skip         []string
			action            types.ActionType
			resources         []string
			want              string // decision, allowing, denying, indifferent, missing
		}{
			"connect":                     {principal: cert, client: "cam", action: "CONNECT", resources: []string{iot + "client/cam"}, want: "ALLOWED [own] [] [floor] []"},
			"connect as another":          {principal: cert, client: "cam", action: "CONNECT", resources: []string{iot + "client/door"}, want: "IMPLICIT_DENY [] [] [own floor] []"},
			"connect without a client id": {principal: cert, action: "CONNECT", resources: []string{iot + "client/cam"}, want: "IMPLICIT_DENY [] [] [own] [" + thing + "]"},
			"exclusive needs no name":     {principal: sole, action: "CONNECT", resources: []string{iot + "client/door"}, want: "ALLOWED [own] [] [serial] []"},
			"exclusive, any name":         {principal: sole, client: "any", action: "CONNECT", resources: []string{iot + "client/door"}, want: "ALLOWED [own] [] [serial] []"},
			"publish":                     {principal: cert, client: "cam", action: "PUBLISH", resources: []string{iot + "topic/cam/a"}, want: "ALLOWED [own] [] [floor] []"},
			"publish unattached":          {principal: cert, client: "door", action: "PUBLISH", resources: []string{iot + "topic/door/a"}, want: "IMPLICIT_DENY [] [] [own] []"},
			"publish without a client id": {principal: cert, action: "PUBLISH", resources: []string{iot + "topic/cam/a"}, want: "IMPLICIT_DENY [] [] [own] [iot:ClientId " + attached + "]"},
			"denied":                      {principal: cert, client: "cam", action: "PUBLISH", resources: []string{iot + "topic/cam/secret"}, want: "EXPLICIT_DENY [own] [own] [floor] []"},
			"one of two denied":           {principal: cert, client: "cam", action: "PUBLISH", resources: []string{iot + "topic/cam/a", iot + "topic/cam/secret"}, want: "EXPLICIT_DENY [own] [own] [floor] []"},
			"one of two not allowed":      {principal: cert, client: "cam", action: "PUBLISH", resources: []string{iot + "topic/cam/a", iot + "topic/b"}, want: "IMPLICIT_DENY [own] [] [floor] []"},
			"by the group":                {principal: cert, client: "cam", action: "SUBSCRIBE", resources: []string{iot + "topicfilter/two/#"}, want: "ALLOWED [floor] [] [own] []"},
			"not of the group":            {principal: sole, client: "door", action: "SUBSCRIBE", resources: []string{iot + "topicfilter/two/#"}, want: "IMPLICIT_DENY [] [] [own serial] []"},
			"skipped":                     {principal: cert, client: "cam", skip: []string{"floor", "none"}, action: "SUBSCRIBE", resources: []string{iot + "topicfilter/two/#"}, want: "IMPLICIT_DENY [] [] [own] []"},
			"added":                       {principal: cert, client: "cam", add: []string{"extra", "own"}, action: "RECEIVE", resources: []string{iot + "topic/x"}, want: "ALLOWED [extra] [] [own floor] []"},
			"by the certificate":          {principal: sole, client: "door", action: "RECEIVE", resources: []string{iot + "topic/AWS IoT Certificate"}, want: "ALLOWED [serial] [] [own] []"},
			"policies alone":              {add: []string{"extra"}, action: "RECEIVE", resources: []string{iot + "topic/x"}, want: "ALLOWED [extra] [] [] []"},
			"a group":                     {principal: groupARN("low"), action: "SUBSCRIBE", resources: []string{iot + "topicfilter/two/#"}, want: "IMPLICIT_DENY [] [] [floor] [iot:Connection.Thing.Attributes[floor]]"},
			"cognito":                     {principal: "us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e", client: "cam", action: "CONNECT", resources: []string{iot + "client/cam"}, want: "IMPLICIT_DENY [] [] [] []"},
		} {
			in := &sdk.TestAuthorizationInput{AuthInfos: []types.AuthInfo{{ActionType: c.action, Resources: c.resources}}, PolicyNamesToAdd: c.add, PolicyNamesToSkip: c.skip}
			if c.principal != "" {
				in.Principal = &c.principal
			}
			if c.client != "" {
				in.ClientId = &c.client
			}
			r := must(w.Client.TestAuthorization(ctx, in))(t).AuthResults[0]
			got := fmt.Sprint(r.AuthDecision, " ", policyNames(r.Allowed.Policies), " ", policyNames(r.Denied.ExplicitDeny.Policies), " ", policyNames(r.Denied.ImplicitDeny.Policies), " ", r.MissingContextValues)
			if got != c.want || r.AuthInfo.ActionType != c.action || !slices.Equal(r.AuthInfo.Resources, c.resources) {
				t.Errorf("%s: got %s, want %s", name, got, c.want)
			}
		}
		info := types.AuthInfo{ActionType: "CONNECT", Resources: []string{iot + "client/cam"}}
		for name, c := range map[string]struct {
			in         sdk.TestAuthorizationInput
			code, text string
			status     int
		}{
			"nobody":           {sdk.TestAuthorizationInput{AuthInfos: []types.AuthInfo{info}}, "InvalidRequestException", "must be given", 400},
			"no infos":         {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{}}, "InvalidRequestException", "authInfos", 400},
			"eleven infos":     {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: slices.Repeat([]types.AuthInfo{info}, 11)}, "InvalidRequestException", "authInfos", 400},
			"no resources":     {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{{ActionType: "CONNECT", Resources: []string{}}}}, "InvalidRequestException", "resource", 400},
			"no action":        {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{{Resources: info.Resources}}}, "InvalidRequestException", "action type", 400},
			"a strange action": {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{{ActionType: "DELETE", Resources: info.Resources}}}, "InvalidRequestException", "actionType", 400},
			"resources":        {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{{ActionType: "CONNECT", Resources: slices.Repeat(info.Resources, maxTestResources+1)}}}, "LimitExceededException", "100", 410},
			"policies":         {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{info}, PolicyNamesToAdd: slices.Repeat([]string{"p"}, maxTestPolicies+1)}, "LimitExceededException", "100", 410},
			"no policy":        {sdk.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{info}, PolicyNamesToAdd: []string{"none"}}, "ResourceNotFoundException", "Policy not found (name=none)", 404},
			"no principal":     {sdk.TestAuthorizationInput{Principal: str("cam"), AuthInfos: []types.AuthInfo{info}}, "InvalidRequestException", "Invalid Target", 400},
			"no certificate":   {sdk.TestAuthorizationInput{Principal: str(iot + "cert/" + strings.Repeat("0", 64)), AuthInfos: []types.AuthInfo{info}}, "ResourceNotFoundException", "The certificate given in the principal does not exist.", 404},
			"a pool alone":     {sdk.TestAuthorizationInput{CognitoIdentityPoolId: str("x"), AuthInfos: []types.AuthInfo{info}}, "InvalidRequestException", "pool", 400},
		} {
			t.Log(name)
			_, err := w.Client.TestAuthorization(ctx, &c.in)
			refused(t, err, c.code, c.status, c.text)
		}
	})
}
