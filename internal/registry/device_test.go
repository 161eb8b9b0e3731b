package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// device is what a certificate is under a client id, as text: thing, groups,
// policies and the thing's variables.
func (w *world) device(id, clientID string) string {
	w.t.Helper()
	d, ok, err := w.Device(w.t.Context(), account, region, id, clientID)
	if err != nil || !ok {
		return fmt.Sprint(ok, err)
	}
	if !w.Current(d) {
		w.t.Error("not current when it was made")
	}
	var policies, keys []string
	for _, p := range d.Policies {
		policies = append(policies, p.ID())
	}
	slices.Sort(policies)
	for _, k := range d.Keys() {
		if name, ok := strings.CutPrefix(k.Name(), "iot:Connection.Thing."); ok {
			keys = append(keys, name+"="+strings.Join(k.Values(), ","))
		}
	}
	if _, ok := d.Keys().Lookup("iot:CertificateId"); !ok || d.Certificate.ID != id || d.ClientID != clientID {
		w.t.Errorf("got %+v", d)
	}
	return fmt.Sprint(d.Thing, " ", d.Groups, " ", policies, " ", keys)
}

// TestDevice changes all that a device is made of, one after the other: each
// change counts for the next question, and what was answered before is not
// current any more.
func TestDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		id, cert := w.certificate()
		must(w.Client.CreateThingType(ctx, &sdk.CreateThingTypeInput{ThingTypeName: str("camera")}))(t)
		for _, thing := range []string{"cam", "door"} {
			w.thing(thing)
		}
		attach := func(thing string, how types.ThingPrincipalType) func() error {
			return func() error {
				_, err := w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: &thing, Principal: &cert, ThingPrincipalType: how})
				return err
			}
		}
		detach := func(thing string) func() error {
			return func() error {
				_, err := w.Client.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: &thing, Principal: &cert})
				return err
			}
		}
		const alone = " [] [p] [IsAttached=false]"
		last := " [] [] [IsAttached=false]"
		if got := w.device(id, "cam"); got != last {
			t.Fatalf("got %s", got)
		}
		for _, c := range []struct {
			name string
			do   func() error
			want string // of cam
			door string // of door; empty: alone
		}{
			{"a policy", func() error { return w.attachPolicy("p", cert) }, alone, ""},
			{"its thing", attach("cam", "NON_EXCLUSIVE_THING"), "cam [] [p] [IsAttached=true ThingName=cam]", ""},
			{"another thing", attach("door", "NON_EXCLUSIVE_THING"), "cam [] [p] [IsAttached=true ThingName=cam]", "door [] [p] [IsAttached=true ThingName=door]"},
			{"not any more", detach("door"), "cam [] [p] [IsAttached=true ThingName=cam]", ""},
			{"attributes", func() error {
				_, err := w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("cam"), ThingTypeName: str("camera"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"floor": "2", "a": "b"}}})
				return err
			}, "cam [] [p] [IsAttached=true ThingName=cam ThingTypeName=camera Attributes[a]=b Attributes[floor]=2]", ""},
			{"no type", func() error {
				_, err := w.Client.UpdateThing(ctx, &sdk.UpdateThingInput{ThingName: str("cam"), RemoveThingType: true, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"floor": "2"}}})
				return err
			}, "cam [] [p] [IsAttached=true ThingName=cam Attributes[floor]=2]", ""},
			{"a group", func() error { w.intoGroup("cam", "low"); return nil }, "cam [low middle top] [p] [IsAttached=true ThingName=cam Attributes[floor]=2]", ""},
			{"a policy of the group", func() error { return w.attachPolicy("q", groupARN("top")) }, "cam [low middle top] [p q] [IsAttached=true ThingName=cam Attributes[floor]=2]", ""},
			{"the same once more", func() error { return w.attachPolicy("p", groupARN("low")) }, "cam [low middle top] [p q] [IsAttached=true ThingName=cam Attributes[floor]=2]", ""},
			{"not of the certificate", func() error { return w.detachPolicy("p", cert) }, "cam [low middle top] [p q] [IsAttached=true ThingName=cam Attributes[floor]=2]", " [] [] [IsAttached=false]"},
			{"not of the group", func() error { return w.detachPolicy("q", groupARN("top")) }, "cam [low middle top] [p] [IsAttached=true ThingName=cam Attributes[floor]=2]", " [] [] [IsAttached=false]"},
			{"the group is gone", func() error {
				_, err := w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: str("low")})
				return err
			}, "cam [] [] [IsAttached=true ThingName=cam Attributes[floor]=2]", " [] [] [IsAttached=false]"},
			{"two groups", func() error {
				_, err := w.Client.UpdateThingGroupsForThing(ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: str("cam"), ThingGroupsToAdd: []string{"middle", "side"}})
				return err
			}, "cam [middle side top] [] [IsAttached=true ThingName=cam Attributes[floor]=2]", " [] [] [IsAttached=false]"},
			{"exclusively", attach("cam", "EXCLUSIVE_THING"), "cam [middle side top] [] [IsAttached=true ThingName=cam Attributes[floor]=2]", "cam [middle side top] [] [IsAttached=true ThingName=cam Attributes[floor]=2]"},
			{"out of a group", func() error {
				_, err := w.Client.RemoveThingFromThingGroup(ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: str("cam"), ThingGroupName: str("middle")})
				return err
			}, "cam [side] [] [IsAttached=true ThingName=cam Attributes[floor]=2]", "cam [side] [] [IsAttached=true ThingName=cam Attributes[floor]=2]"},
			{"detached", detach("cam"), " [] [] [IsAttached=false]", " [] [] [IsAttached=false]"},
		} {
			before, _, err := w.Device(ctx, account, region, id, "cam")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.do(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got := w.device(id, "cam")
			if got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			if got != last && w.Current(before) {
				t.Errorf("%s: what was before is current", c.name)
			}
			last = got
			if c.door == "" {
				c.door = alone
			}
			if got := w.device(id, "door"); got != c.door {
				t.Errorf("%s: door is %s, want %s", c.name, got, c.door)
			}
		}
		// The document and the certificate's status.
		if err := w.attachPolicy("p", cert); err != nil {
			t.Fatal(err)
		}
		d, _, _ := w.Device(ctx, account, region, id, "cam")
		must(w.Client.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyName: str("p"), PolicyDocument: str(labPolicy), SetAsDefault: true}))(t)
		if now, _, _ := w.Device(ctx, account, region, id, "cam"); w.Current(d) || now.Policies[0].Document() != labPolicy {
			t.Error("a new version does not count")
		} else {
			d = now
		}
		must(w.Client.UpdateCertificate(ctx, &sdk.UpdateCertificateInput{CertificateId: &id, NewStatus: "INACTIVE"}))(t)
		if now, _, _ := w.Device(ctx, account, region, id, "cam"); w.Current(d) || now.Certificate.Status != "INACTIVE" {
			t.Error("the status does not count")
		} else {
			d = now
		}
		must(w.Client.DeleteCertificate(ctx, &sdk.DeleteCertificateInput{CertificateId: &id, ForceDelete: true}))(t)
		if _, ok, err := w.Device(ctx, account, region, id, "cam"); w.Current(d) || ok || err != nil {
			t.Errorf("a deleted certificate: %t, %v", ok, err)
		}
	})
}

func TestDeviceOfOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id, _ := w.certificate()
		for _, c := range [][3]string{{other, region, id}, {account, "eu-west-1", id}, {account, region, strings.Repeat("0", 64)}} {
			if _, ok, err := w.Device(t.Context(), c[0], c[1], c[2], "cam"); ok || err != nil {
				t.Errorf("%v: %t, %v", c, ok, err)
			}
		}
		for _, clientID := range []string{"", "a b", "\x00", "\xff", strings.Repeat("x", 1000), "+/#"} {
			if got := w.device(id, clientID); got != " [] [] [IsAttached=false]" {
				t.Errorf("client id %q: %s", clientID, got)
			}
		}
	})
}

// BenchmarkDevice is what the broker asks for each packet: of a device that it
// holds, and by name.
func BenchmarkDevice(b *testing.B) {
	w := newWorld(b, dbtest.SQLite(b))
	ctx := b.Context()
	id, cert := w.certificate()
	w.policy("p")
	w.thing("cam")
	must(w.Client.CreateThingGroup(ctx, &sdk.CreateThingGroupInput{ThingGroupName: str("g")}))(b)
	w.intoGroup("cam", "g")
	must(w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: str("cam"), Principal: &cert}))(b)
	for _, target := range []string{cert, groupARN("g")} {
		if err := w.attachPolicy("p", target); err != nil {
			b.Fatal(err)
		}
	}
	d, _, err := w.Device(ctx, account, region, id, "cam")
	if err != nil || d.Thing != "cam" {
		b.Fatal(d, err)
	}
	b.Run("held", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !w.Current(d) {
				b.Fatal("not current")
			}
		}
	})
	b.Run("found", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if again, ok, err := w.Device(ctx, account, region, id, "cam"); again != d || !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

// TestDeviceDoesNotAllocate holds the benchmark's promise.
func TestDeviceDoesNotAllocate(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	id, _ := w.certificate()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if d, ok, err := w.Device(ctx, account, region, id, "cam"); !ok || err != nil || !w.Current(d) {
			t.Fatal(ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
