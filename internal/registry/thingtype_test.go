package registry

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func TestUpdateThingType(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		update := func(p *types.ThingTypeProperties) error {
			_, err := c.UpdateThingType(ctx, &sdk.UpdateThingTypeInput{ThingTypeName: str("camera"), ThingTypeProperties: p})
			return err
		}
		mqtt5 := func(list ...types.PropagatingAttribute) *types.ThingTypeProperties {
			return &types.ThingTypeProperties{Mqtt5Configuration: &types.Mqtt5Configuration{PropagatingAttributes: list}}
		}
		key := func(k string) types.PropagatingAttribute {
			return types.PropagatingAttribute{UserPropertyKey: &k, ThingAttribute: str("floor")}
		}
		refused(t, update(nil), "ResourceNotFoundException", 404, "Thing Type camera not found")
		must(c.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera"), ThingTypeProperties: &types.ThingTypeProperties{
			ThingTypeDescription: str("a camera"), SearchableAttributes: []string{"model"},
		}}))(t)
		show := func() string {
			p := must(c.DescribeThingType(ctx, &sdk.DescribeThingTypeInput{ThingTypeName: str("camera")}))(t).ThingTypeProperties
			out := []string{"description=" + text(p.ThingTypeDescription), "searchable=" + strings.Join(p.SearchableAttributes, ",")}
			if p.Mqtt5Configuration != nil {
				for _, a := range p.Mqtt5Configuration.PropagatingAttributes {
					out = append(out, *a.UserPropertyKey+"<-"+text(a.ThingAttribute)+text(a.ConnectionAttribute))
				}
			}
			return strings.Join(out, " ")
		}
		both := key("both")
		both.ConnectionAttribute = str("iot:ClientId")
		client := types.PropagatingAttribute{UserPropertyKey: str("client"), ConnectionAttribute: str("iot:ClientId")}
		for _, tt := range []struct {
			properties *types.ThingTypeProperties
			refusal    string
			want       string
		}{
			{nil, "", "description=a camera searchable=model"},
			{&types.ThingTypeProperties{SearchableAttributes: []string{"b", "a", "b"}}, "", "description=a camera searchable=a,b"},
			{&types.ThingTypeProperties{SearchableAttributes: []string{"a", "b", "c", "d"}}, "at most 3", ""},
			{&types.ThingTypeProperties{ThingTypeDescription: str("")}, "", "description= searchable=a,b"},
			{mqtt5(key("floor"), client), "", "description= searchable=a,b floor<-floor client<-iot:ClientId"},
			{mqtt5(key("x"), key("x")), "given twice", ""},
			{mqtt5(both), "needs either", ""},
			{mqtt5(types.PropagatingAttribute{UserPropertyKey: str("none")}), "needs either", ""},
			{mqtt5(types.PropagatingAttribute{ThingAttribute: str("a")}), "needs a userPropertyKey", ""},
			{mqtt5(types.PropagatingAttribute{UserPropertyKey: str("k"), ConnectionAttribute: str("iot:Other")}), "iot:Other is none of", ""},
			{mqtt5(make([]types.PropagatingAttribute, 21)...), "at most 20", "description= searchable=a,b floor<-floor client<-iot:ClientId"},
			{mqtt5(), "", "description= searchable=a,b"},
		} {
			err := update(tt.properties)
			if tt.refusal != "" {
				refused(t, err, "InvalidRequestException", 400, tt.refusal)
			} else if err != nil {
				t.Error(err)
			}
			if got := show(); tt.want != "" && got != tt.want {
				t.Errorf("after %+v: %s, want %s", tt.properties, got, tt.want)
			}
		}
	})
}

func TestV2Listings(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		arn := func() *string {
			return must(c.CreateKeysAndCertificate(ctx, &sdk.CreateKeysAndCertificateInput{}))(t).CertificateArn
		}
		attach := func(thing string, principal *string, typ types.ThingPrincipalType) {
			must(c.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: &thing, Principal: principal, ThingPrincipalType: typ}))(t)
		}
		for _, name := range []string{"a", "b", "c"} {
			must(c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: &name}))(t)
		}
		shared, own := arn(), arn()
		for _, name := range []string{"a", "b", "c"} {
			attach(name, shared, types.ThingPrincipalTypeNonExclusiveThing)
		}
		attach("a", own, types.ThingPrincipalTypeExclusiveThing)

		principals := func(filter types.ThingPrincipalType) (out string) {
			pages := sdk.NewListThingPrincipalsV2Paginator(c, &sdk.ListThingPrincipalsV2Input{ThingName: str("a"), MaxResults: new(int32(1)), ThingPrincipalType: filter})
			for pages.HasMorePages() {
				for _, p := range must(pages.NextPage(ctx))(t).ThingPrincipalObjects {
					out += map[string]string{*shared: "shared", *own: "own"}[*p.Principal] + ":" + string(p.ThingPrincipalType) + " "
				}
			}
			return out
		}
		things := func(principal *string, filter types.ThingPrincipalType) (out string) {
			pages := sdk.NewListPrincipalThingsV2Paginator(c, &sdk.ListPrincipalThingsV2Input{Principal: principal, MaxResults: new(int32(2)), ThingPrincipalType: filter})
			for pages.HasMorePages() {
				for _, p := range must(pages.NextPage(ctx))(t).PrincipalThingObjects {
					out += *p.ThingName + ":" + string(p.ThingPrincipalType) + " "
				}
			}
			return out
		}
		for _, tt := range []struct{ got, want string }{
			{principals(""), "shared:NON_EXCLUSIVE_THING own:EXCLUSIVE_THING "},
			{principals(types.ThingPrincipalTypeExclusiveThing), "own:EXCLUSIVE_THING "},
			{principals(types.ThingPrincipalTypeNonExclusiveThing), "shared:NON_EXCLUSIVE_THING "},
			{things(shared, ""), "a:NON_EXCLUSIVE_THING b:NON_EXCLUSIVE_THING c:NON_EXCLUSIVE_THING "},
			{things(shared, types.ThingPrincipalTypeExclusiveThing), ""},
			{things(own, types.ThingPrincipalTypeExclusiveThing), "a:EXCLUSIVE_THING "},
		} {
			if tt.got != tt.want {
				t.Errorf("listed %q, want %q", tt.got, tt.want)
			}
		}
		_, err := c.ListThingPrincipalsV2(ctx, &sdk.ListThingPrincipalsV2Input{ThingName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "Failed to list principals for thing none")
		_, err = c.ListPrincipalThingsV2(ctx, &sdk.ListPrincipalThingsV2Input{Principal: str(arnPrefix + "cert/" + strings.Repeat("0", 64))})
		refused(t, err, "ResourceNotFoundException", 404, "does not exist")
		_, err = c.ListThingPrincipalsV2(ctx, &sdk.ListThingPrincipalsV2Input{ThingName: str("a"), NextToken: str("eA==")})
		refused(t, err, "InvalidRequestException", 400, "Invalid token")
	})
}
