package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/awsapi"
)

const roleARN = "arn:aws:iam::123456789012:role/cam"

func TestThingPrincipals(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, a := w.certificate()
		_, b := w.certificate()
		const cognito = "us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e"
		for _, name := range []string{"cam1", "cam2", "cam3"} {
			w.thing(name)
		}
		attach := func(thing, principal string, typ types.ThingPrincipalType) error {
			_, err := w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: &thing, Principal: &principal, ThingPrincipalType: typ})
			return err
		}
		detach := func(thing, principal string) error {
			_, err := w.Client.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: &thing, Principal: &principal})
			return err
		}
		for _, step := range []struct {
			thing, principal string
			typ              types.ThingPrincipalType
			code             string
			status           int
		}{
			{"cam1", a, "", "", 0},
			{"cam1", a, "", "", 0},
			{"cam2", a, "NON_EXCLUSIVE_THING", "", 0},
			{"cam1", a, "EXCLUSIVE_THING", "InvalidRequestException", 400}, // it has cam2 too
			{"cam1", b, "EXCLUSIVE_THING", "", 0},
			{"cam1", b, "EXCLUSIVE_THING", "", 0},
			{"cam2", b, "", "InvalidRequestException", 400},
			{"cam2", b, "EXCLUSIVE_THING", "InvalidRequestException", 400},
			{"cam1", b, "", "", 0}, // no longer exclusive
			{"cam2", b, "", "", 0},
			{"cam3", cognito, "", "", 0},
			{"cam3", cognito, "EXCLUSIVE_THING", "InvalidRequestException", 400},
			{"none", a, "", "ResourceNotFoundException", 404},
			{"cam1", "arn:aws:iot:us-east-1:123456789012:cert/" + strings.Repeat("0", 64), "", "ResourceNotFoundException", 404},
			{"cam1", strings.Replace(a, account, other, 1), "", "ResourceNotFoundException", 404},
			{"cam1", strings.Replace(a, region, "eu-west-1", 1), "", "ResourceNotFoundException", 404},
			{"cam1", "hello", "", "InvalidRequestException", 400},
			{"cam1", a, "ANY", "InvalidRequestException", 400},
		} {
			err := attach(step.thing, step.principal, step.typ)
			if step.code != "" {
				refused(t, err, step.code, step.status, "")
			} else if err != nil {
				t.Fatalf("%+v: %v", step, err)
			}
		}
		var principals, things []string
		for p := sdk.NewListThingPrincipalsPaginator(w.Client, &sdk.ListThingPrincipalsInput{ThingName: str("cam1"), MaxResults: new(int32(1))}); p.HasMorePages(); {
			principals = append(principals, must(p.NextPage(ctx))(t).Principals...)
		}
		for p := sdk.NewListPrincipalThingsPaginator(w.Client, &sdk.ListPrincipalThingsInput{Principal: &a, MaxResults: new(int32(1))}); p.HasMorePages(); {
			things = append(things, must(p.NextPage(ctx))(t).Things...)
		}
		want := []string{a, b}
		slices.Sort(want)
		slices.Sort(principals)
		if !slices.Equal(principals, want) || !slices.Equal(slices.Sorted(slices.Values(things)), []string{"cam1", "cam2"}) {
			t.Errorf("got %v and %v", principals, things)
		}
		_, err := w.Client.ListThingPrincipals(ctx, &sdk.ListThingPrincipalsInput{ThingName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "Failed to list principals for thing none because the thing does not exist in your account")
		_, err = w.Client.ListPrincipalThings(ctx, &sdk.ListPrincipalThingsInput{Principal: str(strings.Replace(a, account, other, 1))})
		refused(t, err, "ResourceNotFoundException", 404, "")
		_, err = w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1")})
		refused(t, err, "InvalidRequestException", 400, "Cannot delete. Thing cam1 is still attached to one or more principals")

		for _, p := range []string{a, b, b} {
			if err := detach("cam1", p); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, detach("none", a), "ResourceNotFoundException", 404, "none")
		refused(t, detach("cam1", "arn:aws:iot:us-east-1:123456789012:cert/"+strings.Repeat("0", 64)), "ResourceNotFoundException", 404, "")
		must(w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1")}))(t)
	})
}

func TestRoleAlias(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		out := must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("lab=1"), RoleArn: str(roleARN), CredentialDurationSeconds: new(int32(900))}))(t)
		if *out.RoleAlias != "lab=1" || *out.RoleAliasArn != "arn:aws:iot:us-east-1:123456789012:rolealias/lab=1" {
			t.Errorf("got %+v", out)
		}
		describe := func(name string) (*types.RoleAliasDescription, error) {
			out, err := w.Client.DescribeRoleAlias(ctx, &sdk.DescribeRoleAliasInput{RoleAlias: &name})
			if err != nil {
				return nil, err
			}
			return out.RoleAliasDescription, nil
		}
		d := must(describe("lab=1"))(t)
		if *d.RoleArn != roleARN || *d.CredentialDurationSeconds != 900 || *d.Owner != account || *d.RoleAlias != "lab=1" || d.CreationDate == nil || !d.LastModifiedDate.Equal(*d.CreationDate) {
			t.Errorf("got %+v", d)
		}
		w.ahead.Store(int64(time.Second))
		must(w.Client.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("lab=1"), RoleArn: str(roleARN + "2")}))(t)
		d = must(describe("lab=1"))(t)
		if *d.RoleArn != roleARN+"2" || *d.CredentialDurationSeconds != 900 || !d.LastModifiedDate.After(*d.CreationDate) {
			t.Errorf("got %+v", d)
		}
		must(w.Client.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("lab=1"), CredentialDurationSeconds: new(int32(43200))}))(t)
		if d = must(describe("lab=1"))(t); *d.RoleArn != roleARN+"2" || *d.CredentialDurationSeconds != 43200 {
			t.Errorf("got %+v", d)
		}
		must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("plain"), RoleArn: str("arn:aws:iam::123456789012:role/service/path/cam")}))(t)
		if d = must(describe("plain"))(t); *d.CredentialDurationSeconds != 3600 {
			t.Errorf("got %+v", d)
		}
		create := func(name, role string, seconds *int32) error {
			_, err := w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: &name, RoleArn: &role, CredentialDurationSeconds: seconds})
			return err
		}
		refused(t, create("plain", roleARN, nil), "ResourceAlreadyExistsException", 409, "plain")
		refused(t, create("x", roleARN, new(int32(899))), "InvalidRequestException", 400, "900")
		refused(t, create("x", roleARN, new(int32(43201))), "InvalidRequestException", 400, "43200")
		refused(t, create("a b", roleARN, nil), "InvalidRequestException", 400, "roleAlias")
		refused(t, create("x", "arn:aws:iam::123456789012:user/cam", nil), "InvalidRequestException", 400, "Invalid role ARN")
		refused(t, create("x", roleARN+"\x00", nil), "InvalidRequestException", 400, "Invalid role ARN")
		refused(t, create("x", "arn:aws:iam::123456789012:role/", nil), "InvalidRequestException", 400, "Invalid role ARN")
		refused(t, create("x", strings.Repeat("x", 30), nil), "InvalidRequestException", 400, "Invalid role ARN")
		refused(t, create("x", "arn:aws:iam::210987654321:role/cam", nil), "AccessDeniedException", 403, "Cross-account pass role is not allowed.")
		_, err := w.Client.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("plain"), RoleArn: str("arn:aws:iam::210987654321:role/cam")})
		refused(t, err, "AccessDeniedException", 403, "Cross-account")
		_, err = w.Client.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		must(w.Client.DeleteRoleAlias(ctx, &sdk.DeleteRoleAliasInput{RoleAlias: str("plain")}))(t)
		_, err = w.Client.DeleteRoleAlias(ctx, &sdk.DeleteRoleAliasInput{RoleAlias: str("plain")})
		refused(t, err, "ResourceNotFoundException", 404, "plain")
		_, err = describe("plain")
		refused(t, err, "ResourceNotFoundException", 404, "plain")
	})
}

func TestTags(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
		first := []types.Tag{tag("env", "lab")}
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("n"), Tags: first}))(t)
		must(w.Client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: str("n"), PolicyDocument: str(policyDocument), Tags: first}))(t)
		must(w.Client.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("n"), RoleArn: str(roleARN), Tags: first}))(t)
		list := func(arn string) string {
			var all []string
			for _, tag := range must(w.Client.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags {
				all = append(all, *tag.Key+"="+*tag.Value)
			}
			return strings.Join(all, " ")
		}
		for _, typ := range []string{"thingtype", "policy", "rolealias"} {
			arn := "arn:aws:iot:us-east-1:123456789012:" + typ + "/n"
			if got := list(arn); got != "env=lab" {
				t.Errorf("%s: got %q", typ, got)
			}
			must(w.Client.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{tag("env", "prod"), tag("a", ""), tag("b", "<&>")}}))(t)
			if got := list(arn); got != "a= b=<&> env=prod" {
				t.Errorf("%s: got %q", typ, got)
			}
			must(w.Client.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "zzz"}}))(t)
			if got, want := w.guard.last(), "iot:UntagResource "+arn+" map[aws:ResourceTag/a:[] aws:ResourceTag/b:[<&>] aws:ResourceTag/env:[prod]]"; got != want {
				t.Errorf("authorized on %s, want %s", got, want)
			}
			if got := list(arn); got != "b=<&> env=prod" {
				t.Errorf("%s: got %q", typ, got)
			}
			var many []types.Tag
			for i := range 49 {
				many = append(many, tag(fmt.Sprint("k", i), ""))
			}
			_, err := w.Client.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: many})
			refused(t, err, "LimitExceededException", 410, "50")
			for _, bad := range [][]types.Tag{{tag("aws:x", "")}, {tag("AWS:x", "")}, {tag("x", "1"), tag("x", "2")}, {tag("x*", "")}} {
				_, err := w.Client.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: bad})
				refused(t, err, "InvalidRequestException", 400, "")
			}
		}
		for arn, code := range map[string]string{
			"arn:aws:iot:us-east-1:123456789012:policy/none": "ResourceNotFoundException",
			"arn:aws:iot:us-east-1:210987654321:policy/n":    "ResourceNotFoundException",
			"arn:aws:iot:eu-west-1:123456789012:policy/n":    "ResourceNotFoundException",
			"arn:aws:iot:us-east-1:123456789012:thing/n":     "InvalidRequestException",
			"arn:aws:s3:::bucket":                            "InvalidRequestException",
			"n":                                              "InvalidRequestException",
		} {
			status := map[string]int{"ResourceNotFoundException": 404, "InvalidRequestException": 400}[code]
			_, err := w.Client.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn})
			refused(t, err, code, status, "")
			_, err = w.Client.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: first})
			refused(t, err, code, status, "")
			_, err = w.Client.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"env"}})
			refused(t, err, code, status, "")
		}
		// Tags end with what had them.
		must(w.Client.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: str("n")}))(t)
		w.policy("n")
		if got := list("arn:aws:iot:us-east-1:123456789012:policy/n"); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAuthorization(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, cert := w.certificate()
		foreign := strings.Replace(cert, account, other, 1)
		c := w.Client
		const thingKey = " map[iot:thingArn:[arn:aws:iot:us-east-1:123456789012:thing/t]]"
		for _, call := range []struct {
			name, want string
			do         func() error
		}{
			{"AttachPolicy", cert, func() error {
				_, err := c.AttachPolicy(ctx, &sdk.AttachPolicyInput{PolicyName: str("p"), Target: &cert})
				return err
			}},
			{"DetachPolicy", foreign, func() error {
				_, err := c.DetachPolicy(ctx, &sdk.DetachPolicyInput{PolicyName: str("p"), Target: &foreign})
				return err
			}},
			{"AttachPrincipalPolicy", "*", func() error {
				_, err := c.AttachPrincipalPolicy(ctx, &sdk.AttachPrincipalPolicyInput{PolicyName: str("p"), Principal: str("hello")})
				return err
			}},
			{"DetachPrincipalPolicy", cert, func() error {
				_, err := c.DetachPrincipalPolicy(ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: str("p"), Principal: &cert})
				return err
			}},
			{"AttachThingPrincipal", cert + thingKey, func() error {
				_, err := c.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("t"), Principal: &cert})
				return err
			}},
			{"DetachThingPrincipal", "*" + thingKey, func() error {
				_, err := c.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: str("t"), Principal: str("us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e")})
				return err
			}},
			{"ListPrincipalThings", cert, func() error {
				_, err := c.ListPrincipalThings(ctx, &sdk.ListPrincipalThingsInput{Principal: &cert})
				return err
			}},
			{"CreateRoleAlias", "arn:aws:iot:us-east-1:123456789012:rolealias/r; iam:PassRole " + roleARN + " map[iam:PassedToService:[credentials.iot.amazonaws.com]]", func() error {
				_, err := c.CreateRoleAlias(ctx, &sdk.CreateRoleAliasInput{RoleAlias: str("r"), RoleArn: str(roleARN), Tags: []types.Tag{{Key: str("a"), Value: str("b")}}})
				return err
			}},
			{"UpdateRoleAlias", "arn:aws:iot:us-east-1:123456789012:rolealias/r", func() error {
				_, err := c.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("r")})
				return err
			}},
			{"UpdateRoleAlias", "arn:aws:iot:us-east-1:123456789012:rolealias/r; iam:PassRole " + roleARN + " map[iam:PassedToService:[credentials.iot.amazonaws.com]]", func() error {
				_, err := c.UpdateRoleAlias(ctx, &sdk.UpdateRoleAliasInput{RoleAlias: str("r"), RoleArn: str(roleARN)})
				return err
			}},
			{"DeleteCertificate", cert, func() error {
				_, err := c.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: str(cert[len(cert)-64:])})
				return err
			}},
		} {
			w.guard.deny = func(awsapi.Check) bool { return true }
			refused(t, call.do(), "AccessDeniedException", 403, "denied by the test")
			if got := w.guard.last(); got != "iot:"+call.name+" "+call.want {
				t.Errorf("%s: authorized on %s, want %s", call.name, got, call.want)
			}
			w.guard.deny = nil
		}
	})
}
