package registry

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func payload(attrs map[string]string) *types.AttributePayload {
	return &types.AttributePayload{Attributes: attrs}
}

func TestThingType(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		props := &types.ThingTypeProperties{ThingTypeDescription: str("a camera"), SearchableAttributes: []string{"model", "floor"}}
		first := must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera"), ThingTypeProperties: props}))(t)
		if *first.ThingTypeName != "camera" || *first.ThingTypeArn != "arn:aws:iot:us-east-1:123456789012:thingtype/camera" || !uuidForm.MatchString(*first.ThingTypeId) {
			t.Errorf("got %v", first)
		}
		props.SearchableAttributes = []string{"floor", "model"} // the order is nothing
		again := must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera"), ThingTypeProperties: props}))(t)
		if *again.ThingTypeId != *first.ThingTypeId {
			t.Error("the same request again made another thing type")
		}
		_, err := w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")})
		refused(t, err, "ResourceAlreadyExistsException", 409, "already exists in current account with different properties")
		_, err = w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("many"),
			ThingTypeProperties: &types.ThingTypeProperties{SearchableAttributes: []string{"a", "b", "c", "d"}}})
		refused(t, err, "InvalidRequestException", 400, "at most 3")
		_, err = w.Client.DescribeThingType(ctx, &sdk.DescribeThingTypeInput{ThingTypeName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")

		got := must(w.Client.DescribeThingType(ctx, &sdk.DescribeThingTypeInput{ThingTypeName: str("camera")}))(t)
		if *got.ThingTypeProperties.ThingTypeDescription != "a camera" || len(got.ThingTypeProperties.SearchableAttributes) != 2 ||
			got.ThingTypeMetadata.Deprecated || got.ThingTypeMetadata.DeprecationDate != nil || time.Since(*got.ThingTypeMetadata.CreationDate) > time.Minute {
			t.Errorf("got %+v %+v", got.ThingTypeProperties, got.ThingTypeMetadata)
		}
		for _, name := range []string{"cam", "car", "dog"} {
			must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: &name}))(t)
		}
		var names []string
		pages := sdk.NewListThingTypesPaginator(w.Client, &sdk.ListThingTypesInput{ThingTypeName: str("ca"), MaxResults: new(int32(2))})
		for pages.HasMorePages() {
			for _, d := range must(pages.NextPage(ctx))(t).ThingTypes {
				names = append(names, *d.ThingTypeName)
			}
		}
		if !slices.Equal(names, []string{"cam", "camera", "car"}) {
			t.Errorf("listed %v", names)
		}
	})
}

func TestThingTypeDeletion(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		deprecate := func(undo bool) error {
			_, err := w.Client.DeprecateThingType(ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: str("camera"), UndoDeprecate: undo})
			return err
		}
		remove := func() error {
			_, err := w.Client.DeleteThingType(ctx, &sdk.DeleteThingTypeInput{ThingTypeName: str("camera")})
			return err
		}
		refused(t, deprecate(false), "ResourceNotFoundException", 404, "camera")
		refused(t, remove(), "ResourceNotFoundException", 404, "camera")
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("cam1"), ThingTypeName: str("camera")}))(t)
		refused(t, remove(), "InvalidRequestException", 400, "deprecated first")
		if err := deprecate(false); err != nil {
			t.Fatal(err)
		}
		got := must(w.Client.DescribeThingType(ctx, &sdk.DescribeThingTypeInput{ThingTypeName: str("camera")}))(t)
		if !got.ThingTypeMetadata.Deprecated || got.ThingTypeMetadata.DeprecationDate == nil {
			t.Errorf("got %+v", got.ThingTypeMetadata)
		}
		// The same thing once more is no new thing.
		must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("cam1"), ThingTypeName: str("camera")}))(t)
		_, err := w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("cam2"), ThingTypeName: str("camera")})
		refused(t, err, "InvalidRequestException", 400, "Can not create new thing with depreated thing type:camera")
		w.thing("plain")
		_, err = w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("plain"), ThingTypeName: str("camera")})
		refused(t, err, "InvalidRequestException", 400, "deprecated thing type: camera")
		must(w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("cam1"), ThingTypeName: str("camera")}))(t)

		w.ahead.Store(int64(4 * time.Minute))
		if err := deprecate(false); err != nil { // does not begin the wait anew
			t.Fatal(err)
		}
		refused(t, remove(), "InvalidRequestException", 400, "Cannot delete thing type : camera. Please wait for 5 minutes after deprecation and then retry")
		w.ahead.Store(int64(6 * time.Minute))
		refused(t, remove(), "InvalidRequestException", 400, "still things")
		must(w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1")}))(t)
		if err := deprecate(true); err != nil {
			t.Fatal(err)
		}
		refused(t, remove(), "InvalidRequestException", 400, "deprecated first")
		if err := deprecate(false); err != nil {
			t.Fatal(err)
		}
		w.Service.TypeDeleteWait = -1
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		refused(t, remove(), "ResourceNotFoundException", 404, "camera")
	})
}

func TestThing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		create := func(in sdk.CreateThingInput) (*sdk.CreateThingOutput, error) {
			in.ThingName = str("cam1")
			return w.Client.CreateThing(ctx, &in)
		}
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		first := must(create(sdk.CreateThingInput{ThingTypeName: str("camera"), AttributePayload: payload(map[string]string{"floor": "2", "gone": ""})}))(t)
		if *first.ThingArn != "arn:aws:iot:us-east-1:123456789012:thing/cam1" || !uuidForm.MatchString(*first.ThingId) || *first.ThingName != "cam1" {
			t.Errorf("got %v", first)
		}
		again := must(create(sdk.CreateThingInput{ThingTypeName: str("camera"), AttributePayload: payload(map[string]string{"floor": "2"})}))(t)
		if *again.ThingId != *first.ThingId {
			t.Error("the same request again made another thing")
		}
		for _, in := range []sdk.CreateThingInput{
			{},
			{ThingTypeName: str("camera")},
			{AttributePayload: payload(map[string]string{"floor": "2"})},
			{ThingTypeName: str("camera"), AttributePayload: payload(map[string]string{"floor": "3"})},
		} {
			_, err := create(in)
			refused(t, err, "ResourceAlreadyExistsException", 409, "cam1")
			if e, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); !ok || text(e.ResourceId) != *first.ThingId || text(e.ResourceArn) != *first.ThingArn {
				t.Errorf("got %+v", e)
			}
		}
		_, err := create(sdk.CreateThingInput{ThingTypeName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		_, err = create(sdk.CreateThingInput{BillingGroupName: str("cost")})
		refused(t, err, "ResourceNotFoundException", 404, "cost")
		_, err = w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("cam 1")})
		refused(t, err, "InvalidRequestException", 400, "thingName")

		got := must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam1")}))(t)
		if *got.ThingId != *first.ThingId || *got.DefaultClientId != "cam1" || *got.ThingTypeName != "camera" || got.Version != 1 ||
			!maps.Equal(got.Attributes, map[string]string{"floor": "2"}) || got.BillingGroupName != nil {
			t.Errorf("got %+v", got)
		}
		_, err = w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "Thing none not found")
		must(w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("none")}))(t)
		_, err = w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1"), ExpectedVersion: new(int64(7))})
		refused(t, err, "VersionConflictException", 409, "The version for thing cam1 does not match the expected version.")
		must(w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("cam1"), ExpectedVersion: new(int64(1))}))(t)
		_, err = w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam1")})
		refused(t, err, "ResourceNotFoundException", 404, "cam1")
	})
}

func TestUpdateThing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		w.thing("cam1")
		many := map[string]string{}
		for i := range 51 {
			many[fmt.Sprint("a", i)] = "v"
		}
		merge := func(attrs map[string]string) *types.AttributePayload {
			p := payload(attrs)
			p.Merge = true
			return p
		}
		for _, step := range []struct {
			name    string
			in      sdk.UpdateThingInput
			code    string
			status  int
			text    string
			version int64
			attrs   map[string]string
			typ     string
		}{
			{name: "attributes", in: sdk.UpdateThingInput{AttributePayload: payload(map[string]string{"a": "1", "b": "2"})}, version: 2, attrs: map[string]string{"a": "1", "b": "2"}},
			{name: "merge", in: sdk.UpdateThingInput{AttributePayload: merge(map[string]string{"b": "", "c": "3"})}, version: 3, attrs: map[string]string{"a": "1", "c": "3"}},
			{name: "replace", in: sdk.UpdateThingInput{AttributePayload: payload(map[string]string{"d": "4"})}, version: 4, attrs: map[string]string{"d": "4"}},
			{name: "too many without a type", in: sdk.UpdateThingInput{AttributePayload: merge(map[string]string{"x": "1", "y": "1", "z": "1"})}, code: "InvalidRequestException", status: 400, text: "at most 3", version: 4, attrs: map[string]string{"d": "4"}},
			{name: "type", in: sdk.UpdateThingInput{ThingTypeName: str("camera"), ExpectedVersion: new(int64(4))}, version: 5, attrs: map[string]string{"d": "4"}, typ: "camera"},
			{name: "more with a type", in: sdk.UpdateThingInput{AttributePayload: merge(map[string]string{"x": "1", "y": "1", "z": "1"})}, version: 6, attrs: map[string]string{"d": "4", "x": "1", "y": "1", "z": "1"}, typ: "camera"},
			{name: "too many with a type", in: sdk.UpdateThingInput{AttributePayload: payload(many)}, code: "InvalidRequestException", status: 400, text: "at most 50", version: 6, attrs: map[string]string{"d": "4", "x": "1", "y": "1", "z": "1"}, typ: "camera"},
			{name: "type away with too many", in: sdk.UpdateThingInput{RemoveThingType: true}, code: "InvalidRequestException", status: 400, text: "at most 3", version: 6, attrs: map[string]string{"d": "4", "x": "1", "y": "1", "z": "1"}, typ: "camera"},
			{name: "both", in: sdk.UpdateThingInput{RemoveThingType: true, ThingTypeName: str("camera")}, code: "InvalidRequestException", status: 400, version: 6, attrs: map[string]string{"d": "4", "x": "1", "y": "1", "z": "1"}, typ: "camera"},
			{name: "type away", in: sdk.UpdateThingInput{RemoveThingType: true, AttributePayload: payload(map[string]string{})}, version: 7, attrs: map[string]string{}},
			{name: "version", in: sdk.UpdateThingInput{ExpectedVersion: new(int64(6))}, code: "VersionConflictException", status: 409, text: "does not match", version: 7, attrs: map[string]string{}},
			{name: "unknown type", in: sdk.UpdateThingInput{ThingTypeName: str("none")}, code: "ResourceNotFoundException", status: 404, text: "none", version: 7, attrs: map[string]string{}},
		} {
			step.in.ThingName = str("cam1")
			_, err := w.Client.UpdateThing(ctx, &step.in)
			if step.code != "" {
				refused(t, err, step.code, step.status, step.text)
			} else if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			got := must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("cam1")}))(t)
			if got.Version != step.version || !maps.Equal(got.Attributes, step.attrs) || text(got.ThingTypeName) != step.typ {
				t.Errorf("%s: got version %d, %v, type %q", step.name, got.Version, got.Attributes, text(got.ThingTypeName))
			}
		}
		_, err := w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
	})
}

func TestListThings(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		for i := range 12 {
			in := &sdk.CreateThingInput{ThingName: str(fmt.Sprintf("t%02d", i)), AttributePayload: payload(map[string]string{"floor": fmt.Sprint(i % 3), "room": fmt.Sprintf("r%d", i)})}
			if i%2 == 0 {
				in.ThingTypeName = str("camera")
			}
			must(w.Client.CreateThing(ctx, in))(t)
		}
		must(w.as(other, region).CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("theirs")}))(t)
		must(w.as(account, "eu-west-1").CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("there")}))(t)
		for _, c := range []struct {
			in   sdk.ListThingsInput
			want []string
		}{
			{sdk.ListThingsInput{}, []string{"t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11"}},
			{sdk.ListThingsInput{ThingTypeName: str("camera")}, []string{"t00", "t02", "t04", "t06", "t08", "t10"}},
			{sdk.ListThingsInput{ThingTypeName: str("cam")}, nil},
			{sdk.ListThingsInput{AttributeName: str("floor"), AttributeValue: str("1")}, []string{"t01", "t04", "t07", "t10"}},
			{sdk.ListThingsInput{AttributeName: str("floor"), AttributeValue: str("1"), ThingTypeName: str("camera")}, []string{"t04", "t10"}},
			{sdk.ListThingsInput{AttributeName: str("room"), AttributeValue: str("r1"), UsePrefixAttributeValue: true}, []string{"t01", "t10", "t11"}},
			{sdk.ListThingsInput{AttributeName: str("room"), AttributeValue: str("r1")}, []string{"t01"}},
			{sdk.ListThingsInput{AttributeName: str("cellar"), AttributeValue: str("1")}, nil},
		} {
			var names []string
			c.in.MaxResults = new(int32(2))
			for pages := sdk.NewListThingsPaginator(w.Client, &c.in); pages.HasMorePages(); {
				page := must(pages.NextPage(ctx))(t)
				for _, thing := range page.Things {
					names = append(names, *thing.ThingName)
					if thing.Version != 1 || len(thing.Attributes) != 2 || *thing.ThingArn != "arn:aws:iot:us-east-1:123456789012:thing/"+*thing.ThingName {
						t.Errorf("got %+v", thing)
					}
				}
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("%+v: got %v, want %v", c.in, names, c.want)
			}
		}
		// After an update the old values find nothing.
		must(w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("t01"), AttributePayload: payload(map[string]string{"floor": "9"})}))(t)
		for value, want := range map[string]int{"r1": 0, "r10": 1} {
			got := must(w.Client.ListThings(ctx, &sdk.ListThingsInput{AttributeName: str("room"), AttributeValue: &value}))(t)
			if len(got.Things) != want {
				t.Errorf("%s: got %d things", value, len(got.Things))
			}
		}
		_, err := w.Client.ListThings(ctx, &sdk.ListThingsInput{AttributeName: str("floor")})
		refused(t, err, "InvalidRequestException", 400, "together")
		_, err = w.Client.ListThings(ctx, &sdk.ListThingsInput{NextToken: str("nonsense!")})
		refused(t, err, "InvalidRequestException", 400, "token")
		_, err = w.Client.ListThings(ctx, &sdk.ListThingsInput{NextToken: cursor{name: "t01"}.token("policies")})
		refused(t, err, "InvalidRequestException", 400, "token")
		_, err = w.Client.ListThings(ctx, &sdk.ListThingsInput{MaxResults: new(int32(251))})
		refused(t, err, "InvalidRequestException", 400, "less than or equal to 250")
	})
}
