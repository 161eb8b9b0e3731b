package registry

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// makeGroup makes a thing group under a parent, which may be empty.
func (w *world) makeGroup(name, parent string) error {
	in := &sdk.CreateThingGroupInput{ThingGroupName: &name}
	if parent != "" {
		in.ParentGroupName = &parent
	}
	_, err := w.Client.CreateThingGroup(context.Background(), in)
	return err
}

func (w *world) join(thing, group string) error {
	_, err := w.Client.AddThingToThingGroup(context.Background(), &sdk.AddThingToThingGroupInput{ThingName: &thing, ThingGroupName: &group})
	return err
}

func TestThingGroup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		props := &types.ThingGroupProperties{ThingGroupDescription: str("a floor"), AttributePayload: payload(map[string]string{"floor": "1", "gone": ""})}
		made := must(c.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: str("floor"), ThingGroupProperties: props}))(t)
		if *made.ThingGroupArn != arnPrefix+"thinggroup/floor" || !uuidForm.MatchString(*made.ThingGroupId) {
			t.Errorf("made %v", made)
		}
		again := must(c.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: str("floor"), ThingGroupProperties: props}))(t)
		if *again.ThingGroupId != *made.ThingGroupId {
			t.Error("the same request again made another group")
		}
		refused(t, w.makeGroup("floor", ""), "ResourceAlreadyExistsException", 409, "Thing Group floor already exists in current account with different properties")
		refused(t, w.makeGroup("orphan", "nobody"), "InvalidRequestException", 400, "Parent thing group nobody does not exist")
		many := map[string]string{}
		for i := range 51 {
			many[fmt.Sprint("a", i)] = "x"
		}
		_, err := c.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: str("rich"), ThingGroupProperties: &types.ThingGroupProperties{AttributePayload: payload(many)}})
		refused(t, err, "InvalidRequestException", 400, "at most 50 attributes, not 51")

		for _, err := range []error{w.makeGroup("room", "floor"), w.makeGroup("shelf", "room")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		d := must(c.DescribeThingGroup(ctx, &sdk.DescribeThingGroupInput{ThingGroupName: str("shelf")}))(t)
		var above []string
		for _, g := range d.ThingGroupMetadata.RootToParentThingGroups {
			above = append(above, *g.GroupName)
		}
		if *d.ThingGroupMetadata.ParentGroupName != "room" || strings.Join(above, "/") != "floor/room" || d.Version != 1 {
			t.Errorf("described %+v, version %d", d.ThingGroupMetadata, d.Version)
		}
		_, err = c.DescribeThingGroup(ctx, &sdk.DescribeThingGroupInput{ThingGroupName: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "Thing group none does not exist")

		update := func(expected *int64, p *types.ThingGroupProperties) error {
			_, err := c.UpdateThingGroup(ctx, &sdk.UpdateThingGroupInput{ThingGroupName: str("floor"), ExpectedVersion: expected, ThingGroupProperties: p})
			return err
		}
		if err := update(new(int64(1)), &types.ThingGroupProperties{AttributePayload: &types.AttributePayload{Attributes: map[string]string{"wing": "east"}, Merge: true}}); err != nil {
			t.Error(err)
		}
		refused(t, update(new(int64(1)), props), "VersionConflictException", 409, "version")
		f := must(c.DescribeThingGroup(ctx, &sdk.DescribeThingGroupInput{ThingGroupName: str("floor")}))(t)
		if f.Version != 2 || *f.ThingGroupProperties.ThingGroupDescription != "a floor" ||
			fmt.Sprint(f.ThingGroupProperties.AttributePayload.Attributes) != "map[floor:1 wing:east]" {
			t.Errorf("updated to %+v, version %d", f.ThingGroupProperties, f.Version)
		}

		remove := func(name string, expected *int64) error {
			_, err := c.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: &name, ExpectedVersion: expected})
			return err
		}
		refused(t, remove("room", nil), "InvalidRequestException", 400, " Cannot delete thing group : room when there are still child groups attached to it")
		refused(t, remove("shelf", new(int64(7))), "VersionConflictException", 409, "version")
		for _, name := range []string{"shelf", "shelf", "room"} {
			if err := remove(name, nil); err != nil {
				t.Errorf("delete %s: %v", name, err)
			}
		}
	})
}

func TestThingGroupLimits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		parent := ""
		for i := range maxGroupDepth {
			name := fmt.Sprint("level", i)
			if err := w.makeGroup(name, parent); err != nil {
				t.Fatal(err)
			}
			parent = name
		}
		refused(t, w.makeGroup("toodeep", parent), "InvalidRequestException", 400, "at most 7 deep")
		for i := range maxGroupChildren - 1 { // level1 is one
			if err := w.makeGroup(fmt.Sprint("child", i), "level0"); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, w.makeGroup("onemore", "level0"), "InvalidRequestException", 400, "at most 100 direct child groups")
	})
}

func TestListThingGroups(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, g := range []string{"a:", "a-b:a", "a-b-c:a-b", "b:", "a0:", "a-z:a"} {
			name, parent, _ := strings.Cut(g, ":")
			if err := w.makeGroup(name, parent); err != nil {
				t.Fatal(err)
			}
		}
		list := func(in sdk.ListThingGroupsInput) string {
			var names []string
			in.MaxResults = new(int32(2))
			pages := sdk.NewListThingGroupsPaginator(w.Client, &in)
			for pages.HasMorePages() {
				for _, g := range must(pages.NextPage(ctx))(t).ThingGroups {
					if *g.GroupArn != arnPrefix+"thinggroup/"+*g.GroupName {
						t.Errorf("ARN %s", *g.GroupArn)
					}
					names = append(names, *g.GroupName)
				}
			}
			return strings.Join(names, " ")
		}
		for _, tt := range []struct {
			in   sdk.ListThingGroupsInput
			want string
		}{
			{sdk.ListThingGroupsInput{}, "a a-b a-b-c a-z a0 b"},
			{sdk.ListThingGroupsInput{Recursive: new(false)}, "a a0 b"},
			{sdk.ListThingGroupsInput{ParentGroup: str("a")}, "a-b a-z"},
			{sdk.ListThingGroupsInput{ParentGroup: str("a"), Recursive: new(true)}, "a-b a-b-c a-z"},
			{sdk.ListThingGroupsInput{NamePrefixFilter: str("a-b")}, "a-b a-b-c"},
			{sdk.ListThingGroupsInput{NamePrefixFilter: str("a-z"), ParentGroup: str("a"), Recursive: new(true)}, "a-z"},
		} {
			if got := list(tt.in); got != tt.want {
				t.Errorf("%+v lists %q, want %q", tt.in, got, tt.want)
			}
		}
		_, err := w.Client.ListThingGroups(ctx, &sdk.ListThingGroupsInput{ParentGroup: str("none")})
		refused(t, err, "ResourceNotFoundException", 404, "none")
	})
}

func TestThingGroupMembers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		for _, g := range []string{"house:", "floor:house", "room:floor", "team:"} {
			name, parent, _ := strings.Cut(g, ":")
			if err := w.makeGroup(name, parent); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"t1", "t2", "t3"} {
			must(c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: &name}))(t)
		}
		for _, m := range []string{"t1 room", "t1 room", "t2 floor", "t3 house", "t1 team"} {
			thing, group, _ := strings.Cut(m, " ")
			if err := w.join(thing, group); err != nil {
				t.Errorf("%s: %v", m, err)
			}
		}
		refused(t, w.join("t1", "floor"), "InvalidRequestException", 400, "another group of the same hierarchy")
		refused(t, w.join("t1", "none"), "ResourceNotFoundException", 404, "none")
		refused(t, w.join("none", "team"), "ResourceNotFoundException", 404, "Thing none not found")
		for _, tt := range []struct {
			in   sdk.AddThingToThingGroupInput
			code string
			text string
		}{
			{sdk.AddThingToThingGroupInput{}, "InvalidRequestException", "must be given"},
			{sdk.AddThingToThingGroupInput{ThingName: str("t2"), ThingGroupArn: str(arnPrefix + "thinggroup/team")}, "", ""},
			{sdk.AddThingToThingGroupInput{ThingArn: str(arnPrefix + "thing/t3"), ThingGroupArn: str(arnPrefix + "thinggroup/team"), ThingName: str("t3")}, "", ""},
			{sdk.AddThingToThingGroupInput{ThingArn: str(arnPrefix + "thing/t3"), ThingName: str("t1"), ThingGroupName: str("team")}, "InvalidRequestException", "different things"},
			{sdk.AddThingToThingGroupInput{ThingName: str("t1"), ThingGroupArn: str(arnPrefix + "thing/team")}, "InvalidRequestException", "Invalid ARN"},
			{sdk.AddThingToThingGroupInput{ThingName: str("t1"), ThingGroupArn: str("arn:aws:iot:us-east-1:999999999999:thinggroup/team")}, "ResourceNotFoundException", "does not exist"},
		} {
			_, err := c.AddThingToThingGroup(ctx, &tt.in)
			if tt.code == "" {
				if err != nil {
					t.Errorf("%+v: %v", tt.in, err)
				}
				continue
			}
			refused(t, err, tt.code, map[string]int{"InvalidRequestException": 400, "ResourceNotFoundException": 404}[tt.code], tt.text)
		}

		things := func(group string, recursive bool) string {
			var names []string
			pages := sdk.NewListThingsInThingGroupPaginator(c, &sdk.ListThingsInThingGroupInput{ThingGroupName: &group, Recursive: recursive, MaxResults: new(int32(1))})
			for pages.HasMorePages() {
				names = append(names, must(pages.NextPage(ctx))(t).Things...)
			}
			return strings.Join(names, " ")
		}
		groups := func(thing string) string {
			var names []string
			for _, g := range must(c.ListThingGroupsForThing(ctx, &sdk.ListThingGroupsForThingInput{ThingName: &thing}))(t).ThingGroups {
				names = append(names, *g.GroupName)
			}
			return strings.Join(names, " ")
		}
		for _, tt := range []struct{ got, want string }{
			{things("house", false), "t3"}, {things("house", true), "t1 t2 t3"}, {things("floor", true), "t1 t2"}, {things("team", false), "t1 t2 t3"},
			{groups("t1"), "room team"},
		} {
			if tt.got != tt.want {
				t.Errorf("listed %q, want %q", tt.got, tt.want)
			}
		}

		_, err := c.UpdateThingGroupsForThing(ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: str("t1"), ThingGroupsToRemove: []string{"room"}, ThingGroupsToAdd: []string{"floor", "none"}})
		refused(t, err, "ResourceNotFoundException", 404, "none")
		if got := groups("t1"); got != "room team" {
			t.Errorf("half an update: %s", got)
		}
		must(c.UpdateThingGroupsForThing(ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: str("t1"), ThingGroupsToRemove: []string{"room", "team"}, ThingGroupsToAdd: []string{"floor"}}))(t)
		if got := groups("t1"); got != "floor" {
			t.Errorf("after the update: %s", got)
		}
		for range 2 {
			must(c.RemoveThingFromThingGroup(ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: str("t1"), ThingGroupName: str("floor")}))(t)
		}
		must(c.DeleteThing(ctx, &sdk.DeleteThingInput{ThingName: str("t2")}))(t) // members go with the thing
		must(c.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: str("team")}))(t)
		if got := things("house", true) + "|" + groups("t3"); got != "t3|house" {
			t.Errorf("in the end: %s", got)
		}

		for i := range maxThingGroups {
			name := fmt.Sprint("g", i)
			if err := w.makeGroup(name, ""); err != nil {
				t.Fatal(err)
			}
			if err := w.join("t1", name); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, w.join("t1", "house"), "InvalidRequestException", 400, "at most 10 thing groups")
	})
}

// TestThingGroupRaces: no two writers together get what neither would alone.
func TestThingGroupRaces(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		for _, g := range []string{"house:", "left:house", "right:house"} {
			name, parent, _ := strings.Cut(g, ":")
			if err := w.makeGroup(name, parent); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			thing := fmt.Sprint("t", i)
			must(c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: &thing}))(t)
			var wg sync.WaitGroup
			for _, group := range []string{"left", "right", "house"} {
				wg.Go(func() { _ = w.join(thing, group) })
			}
			wg.Wait()
			if n := len(must(c.ListThingGroupsForThing(ctx, &sdk.ListThingGroupsForThingInput{ThingName: &thing}))(t).ThingGroups); n != 1 {
				t.Errorf("%s is in %d groups of a hierarchy", thing, n)
			}
			parent, child := fmt.Sprint("p", i), fmt.Sprint("c", i)
			if err := w.makeGroup(parent, ""); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { _ = w.makeGroup(child, parent) })
			wg.Go(func() { _, _ = c.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: &parent}) })
			wg.Wait()
			if _, err := c.DescribeThingGroup(ctx, &sdk.DescribeThingGroupInput{ThingGroupName: &child}); err == nil {
				if _, err := c.DescribeThingGroup(ctx, &sdk.DescribeThingGroupInput{ThingGroupName: &parent}); err != nil {
					t.Errorf("%s has lost its parent: %v", child, err)
				}
			}
		}
	})
}

func TestBillingGroup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), w.Client
		props := &types.BillingGroupProperties{BillingGroupDescription: str("north")}
		made := must(c.CreateBillingGroup(ctx, &sdk.CreateBillingGroupInput{BillingGroupName: str("north"), BillingGroupProperties: props}))(t)
		again := must(c.CreateBillingGroup(ctx, &sdk.CreateBillingGroupInput{BillingGroupName: str("north"), BillingGroupProperties: props}))(t)
		if *made.BillingGroupArn != arnPrefix+"billinggroup/north" || *made.BillingGroupId != *again.BillingGroupId {
			t.Errorf("made %v, then %v", made, again)
		}
		_, err := c.CreateBillingGroup(ctx, &sdk.CreateBillingGroupInput{BillingGroupName: str("north")})
		refused(t, err, "ResourceAlreadyExistsException", 409, "different properties")
		must(c.CreateBillingGroup(ctx, &sdk.CreateBillingGroupInput{BillingGroupName: str("south")}))(t)

		_, err = c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("t"), BillingGroupName: str("west")})
		refused(t, err, "ResourceNotFoundException", 404, "Billing group west not found")
		must(c.CreateThing(ctx, &sdk.CreateThingInput{ThingName: str("t"), BillingGroupName: str("north")}))(t)
		of := func() string {
			return text(must(c.DescribeThing(ctx, &sdk.DescribeThingInput{ThingName: str("t")}))(t).BillingGroupName)
		}
		if got := of(); got != "north" {
			t.Errorf("made in billing group %q", got)
		}
		add := func(thing, group string) error {
			_, err := c.AddThingToBillingGroup(ctx, &sdk.AddThingToBillingGroupInput{ThingName: &thing, BillingGroupName: &group})
			return err
		}
		refused(t, add("t", "west"), "ResourceNotFoundException", 404, "west")
		refused(t, add("none", "north"), "ResourceNotFoundException", 404, "none")
		if err := add("t", "south"); err != nil || of() != "south" {
			t.Errorf("moved to %s: %v", of(), err)
		}
		remove := func(group string) {
			must(c.RemoveThingFromBillingGroup(ctx, &sdk.RemoveThingFromBillingGroupInput{ThingName: str("t"), BillingGroupArn: str(arnPrefix + "billinggroup/" + group)}))(t)
		}
		if remove("north"); of() != "south" {
			t.Error("taken out of a group that it is not in")
		}
		list := must(c.ListThingsInBillingGroup(ctx, &sdk.ListThingsInBillingGroupInput{BillingGroupName: str("south")}))(t).Things
		if len(list) != 1 || list[0] != "t" {
			t.Errorf("things of south: %v", list)
		}
		u := must(c.UpdateBillingGroup(ctx, &sdk.UpdateBillingGroupInput{BillingGroupName: str("south"), ExpectedVersion: new(int64(1)), BillingGroupProperties: props}))(t)
		_, err = c.UpdateBillingGroup(ctx, &sdk.UpdateBillingGroupInput{BillingGroupName: str("south"), ExpectedVersion: new(int64(1)), BillingGroupProperties: props})
		refused(t, err, "VersionConflictException", 409, "version")
		d := must(c.DescribeBillingGroup(ctx, &sdk.DescribeBillingGroupInput{BillingGroupName: str("south")}))(t)
		if u.Version != 2 || d.Version != 2 || *d.BillingGroupProperties.BillingGroupDescription != "north" || d.BillingGroupMetadata.CreationDate == nil {
			t.Errorf("updated to %d, described %+v", u.Version, d)
		}
		groups := must(c.ListBillingGroups(ctx, &sdk.ListBillingGroupsInput{NamePrefixFilter: str("so")}))(t).BillingGroups
		if len(groups) != 1 || *groups[0].GroupName != "south" {
			t.Errorf("listed %v", groups)
		}
		_, err = c.DeleteBillingGroup(ctx, &sdk.DeleteBillingGroupInput{BillingGroupName: str("south"), ExpectedVersion: new(int64(1))})
		refused(t, err, "VersionConflictException", 409, "version")
		for range 2 {
			must(c.DeleteBillingGroup(ctx, &sdk.DeleteBillingGroupInput{BillingGroupName: str("south")}))(t)
		}
		if got := of(); got != "" {
			t.Errorf("still in billing group %q", got)
		}
		_, err = c.DescribeBillingGroup(ctx, &sdk.DescribeBillingGroupInput{BillingGroupName: str("south")})
		refused(t, err, "ResourceNotFoundException", 404, "south")
	})
}
