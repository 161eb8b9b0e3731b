package registry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// switchEvents switches types of events on or off.
func (w *world) switchEvents(t testing.TB, on bool, names ...string) {
	t.Helper()
	c := map[string]types.Configuration{}
	for _, name := range names {
		c[name] = types.Configuration{Enabled: on}
	}
	must(w.Client.UpdateEventConfigurations(t.Context(), &sdk.UpdateEventConfigurationsInput{EventConfigurations: c}))(t)
}

// told renders what was published, a line each: the topic behind $aws/events/
// and the payload without what is new each time. It checks what every event has.
func (e *events) told(t testing.TB, now int64) []string {
	t.Helper()
	var lines []string
	ids := map[string]bool{}
	for _, p := range e.take() {
		topic, ok := strings.CutPrefix(p.topic, "$aws/events/")
		if !ok || p.account != account || p.region != region {
			t.Errorf("published in %s %s on %s", p.account, p.region, p.topic)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(p.payload), &m); err != nil {
			t.Fatal(err)
		}
		id, _ := m["eventId"].(string)
		if len(id) != 36 || ids[id] {
			t.Errorf("event id %q", id)
		}
		ids[id] = true
		if at, _ := m["timestamp"].(float64); int64(at) < now {
			t.Errorf("timestamp %v, want at least %d", m["timestamp"], now)
		}
		for _, k := range []string{"thingId", "thingTypeId", "thingGroupId", "groupId", "childGroupId", "membershipId", "parentGroupId"} {
			if v, ok := m[k].(string); ok {
				if len(v) != 36 {
					t.Errorf("%s is %q", k, v)
				}
				m[k] = "ID"
			}
		}
		if above, ok := m["rootToParentThingGroups"].([]any); ok {
			for _, g := range above {
				g.(map[string]any)["groupId"] = "ID"
			}
		}
		if m["deprecationDate"] != nil {
			m["deprecationDate"] = "SET"
		}
		delete(m, "eventId")
		delete(m, "timestamp")
		rest, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, topic+" "+string(rest))
	}
	return lines
}

// TestRegistryEvents holds each change of the registry to what it tells
// (mqtt.md §5).
func TestRegistryEvents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, published := t.Context(), &events{}
		w.Events = published
		w.TypeDeleteWait = -1
		now := w.now()
		all := []string{"THING", "THING_TYPE", "THING_TYPE_ASSOCIATION", "THING_GROUP", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY"}
		must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: aws.String("quiet")}))(t)
		if got := published.told(t, now); len(got) != 0 {
			t.Fatalf("off, but told %q", got)
		}
		w.switchEvents(t, true, all...)

		thing := func(op, name, rest string) string {
			return "thing/" + name + "/" + strings.ToLower(op) + ` {"accountId":"123456789012",` + rest + `,"eventType":"THING_EVENT","operation":"` + op + `","thingId":"ID","thingName":"` + name + `",`
		}
		association := func(op string) string {
			return "thingTypeAssociation/thing/t1/thingType/cam/" + strings.ToLower(op) + ` {"eventType":"THING_TYPE_ASSOCIATION_EVENT","operation":"` + op + `","thingId":"ID","thingName":"t1","thingTypeName":"cam"}`
		}
		typ := func(op, rest string) string {
			return "thingType/cam/" + strings.ToLower(op) + ` {"accountId":"123456789012",` + rest + `,"eventType":"THING_TYPE_EVENT",`
		}
		group := func(op, name, version string) string {
			return "thingGroup/" + name + "/" + strings.ToLower(op) + ` {"accountId":"123456789012","attributes":{},"description":null,"dynamicGroupMappingId":null,"eventType":"THING_GROUP_EVENT","operation":"` + op + `","parentGroupId":` +
				map[string]string{"root": `null,"parentGroupName":null,"rootToParentThingGroups":[]`, "leaf": `"ID","parentGroupName":"root","rootToParentThingGroups":[{"groupArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/root","groupId":"ID"}]`}[name] +
				`,"thingGroupId":"ID","thingGroupName":"` + name + `","versionNumber":` + version + `}`
		}
		hierarchy := func(op string) string {
			return "thingGroupHierarchy/thingGroup/root/childThingGroup/leaf/" + strings.ToLower(op) + ` {"accountId":"123456789012","childGroupId":"ID","childGroupName":"leaf","eventType":"THING_GROUP_HIERARCHY_EVENT","operation":"` + op + `","thingGroupId":"ID","thingGroupName":"root"}`
		}
		member := func(op, group, thing string) string {
			return "thingGroupMembership/thingGroup/" + group + "/thing/" + thing + "/" + strings.ToLower(op) + ` {"accountId":"123456789012","eventType":"THING_GROUP_MEMBERSHIP_EVENT","groupArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/` + group + `","groupId":"ID","membershipId":"ID","operation":"` + op + `","thingArn":"arn:aws:iot:us-east-1:123456789012:thing/` + thing + `","thingId":"ID"}`
		}
		for _, step := range []struct {
			what string
			do   func() error
			want []string // beginnings
		}{
			{"create a type", func() error {
				_, err := w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: aws.String("cam"), ThingTypeProperties: &types.ThingTypeProperties{SearchableAttributes: []string{"lens"}}})
				return err
			}, []string{typ("CREATED", `"deprecationDate":null,"description":null`) + `"isDeprecated":false,"operation":"CREATED","propagatingAttributes":[],"searchableAttributes":["lens"],"thingTypeId":"ID","thingTypeName":"cam"}`}},
			{"create it again", func() error {
				_, err := w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: aws.String("cam"), ThingTypeProperties: &types.ThingTypeProperties{SearchableAttributes: []string{"lens"}}})
				return err
			}, nil},
			{"update it", func() error {
				_, err := w.Client.UpdateThingType(ctx, &sdk.UpdateThingTypeInput{ThingTypeName: aws.String("cam"), ThingTypeProperties: &types.ThingTypeProperties{
					ThingTypeDescription: aws.String("sees"),
					Mqtt5Configuration:   &types.Mqtt5Configuration{PropagatingAttributes: []types.PropagatingAttribute{{UserPropertyKey: aws.String("k"), ThingAttribute: aws.String("lens")}}},
				}})
				return err
			}, []string{typ("UPDATED", `"deprecationDate":null,"description":"sees"`) + `"isDeprecated":false,"operation":"UPDATED","propagatingAttributes":[{"thingAttribute":"lens","userPropertyKey":"k"}],`}},
			{"create a thing of it", func() error {
				_, err := w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: aws.String("t1"), ThingTypeName: aws.String("cam"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"k": "v"}}})
				return err
			}, []string{association("ADDED"), thing("CREATED", "t1", `"attributes":{"k":"v"}`) + `"thingTypeName":"cam","versionNumber":1}`}},
			{"create it again", func() error {
				_, err := w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: aws.String("t1"), ThingTypeName: aws.String("cam"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"k": "v"}}})
				return err
			}, nil},
			{"update a thing", func() error {
				_, err := w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: aws.String("t1"), RemoveThingType: true})
				return err
			}, []string{association("REMOVED"), thing("UPDATED", "t1", `"attributes":{"k":"v"}`) + `"thingTypeName":null,"versionNumber":2}`}},
			{"a refused update", func() error {
				_, err := w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: aws.String("t1"), ExpectedVersion: aws.Int64(9)})
				if err == nil {
					return errors.New("not refused")
				}
				return nil
			}, nil},
			{"create groups", func() error {
				_, err := w.Client.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("root")})
				_, err2 := w.Client.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("leaf"), ParentGroupName: aws.String("root")})
				return errors.Join(err, err2)
			}, []string{group("CREATED", "root", "1"), group("CREATED", "leaf", "1"), hierarchy("ADDED")}},
			{"update a group", func() error {
				_, err := w.Client.UpdateThingGroup(ctx, &sdk.UpdateThingGroupInput{ThingGroupName: aws.String("leaf"), ThingGroupProperties: &types.ThingGroupProperties{}})
				return err
			}, []string{group("UPDATED", "leaf", "2")}},
			{"join a group, twice", func() error {
				_, err := w.Client.AddThingToThingGroup(ctx, &sdk.AddThingToThingGroupInput{ThingName: aws.String("t1"), ThingGroupName: aws.String("leaf")})
				_, err2 := w.Client.AddThingToThingGroup(ctx, &sdk.AddThingToThingGroupInput{ThingName: aws.String("t1"), ThingGroupName: aws.String("leaf")})
				return errors.Join(err, err2)
			}, []string{member("ADDED", "leaf", "t1")}},
			{"change groups", func() error {
				_, err := w.Client.UpdateThingGroupsForThing(ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: aws.String("t1"), ThingGroupsToRemove: []string{"leaf"}, ThingGroupsToAdd: []string{"root"}})
				return err
			}, []string{member("REMOVED", "leaf", "t1"), member("ADDED", "root", "t1")}},
			{"leave one that it is not in", func() error {
				_, err := w.Client.RemoveThingFromThingGroup(ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: aws.String("t1"), ThingGroupName: aws.String("leaf")})
				return err
			}, nil},
			{"delete a thing in a group", func() error {
				_, err := w.Client.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: aws.String("t1")})
				return err
			}, []string{member("REMOVED", "root", "t1"), thing("DELETED", "t1", `"attributes":{"k":"v"}`) + `"thingTypeName":null,"versionNumber":2}`}},
			{"delete groups", func() error {
				_, err := w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("leaf")})
				_, err2 := w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("root")})
				return errors.Join(err, err2)
			}, []string{group("DELETED", "leaf", "2"), hierarchy("REMOVED"), group("DELETED", "root", "1")}},
			{"deprecate a type", func() error {
				_, err := w.Client.DeprecateThingType(ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: aws.String("cam")})
				return err
			}, []string{typ("UPDATED", `"deprecationDate":"SET","description":"sees"`) + `"isDeprecated":true,`}},
			{"delete it", func() error {
				_, err := w.Client.DeleteThingType(ctx, &sdk.DeleteThingTypeInput{ThingTypeName: aws.String("cam")})
				return err
			}, []string{typ("DELETED", `"deprecationDate":"SET","description":"sees"`) + `"isDeprecated":true,`}},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
			got := published.told(t, now)
			ok := len(got) == len(step.want)
			for i := range min(len(got), len(step.want)) {
				ok = ok && strings.HasPrefix(got[i], step.want[i])
			}
			if !ok {
				t.Errorf("%s: told\n%s\nwant\n%s", step.what, strings.Join(got, "\n"), strings.Join(step.want, "\n"))
			}
		}

		// Each type by itself; and what cannot be told is done all the same.
		for _, name := range all {
			w.switchEvents(t, false, all...)
			w.switchEvents(t, true, name)
			must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: aws.String("one-" + name)}))(t)
			must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: aws.String("one-" + name), ThingTypeName: aws.String("one-" + name)}))(t)
			must(w.Client.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("one-" + name)}))(t)
			must(w.Client.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("under-" + name), ParentGroupName: aws.String("one-" + name)}))(t)
			must(w.Client.AddThingToThingGroup(ctx, &sdk.AddThingToThingGroupInput{ThingName: aws.String("one-" + name), ThingGroupName: aws.String("one-" + name)}))(t)
			got := published.told(t, now)
			if want := map[bool]int{true: 2, false: 1}[name == "THING_GROUP"]; len(got) != want {
				t.Errorf("%s: told %q", name, got)
			}
			for _, line := range got {
				if !strings.Contains(line, `"eventType":"`+name+`_EVENT"`) {
					t.Errorf("%s: told %s", name, line)
				}
			}
		}
		w.switchEvents(t, true, all...)
		published.fail = errors.New("broken")
		must(w.Client.CreateThing(ctx, &sdk.CreateThingInput{ThingName: aws.String("untold")}))(t)
		must(w.Client.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: aws.String("untold")}))(t)
	})
}
