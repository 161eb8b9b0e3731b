package registry

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

// race runs calls at once and answers their errors, which have to be AWS's.
func race(t *testing.T, round int, calls ...func() error) []error {
	t.Helper()
	errs := make([]error, len(calls))
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() { errs[i] = call() })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil && !isAWS(err) {
			t.Fatalf("round %d, call %d: %v", round, i, err)
		}
	}
	return errs
}

func none(ctx context.Context, t *testing.T, w *world, round int, queries ...string) {
	t.Helper()
	for _, query := range queries {
		var n int64
		if err := w.DB.QueryRow(ctx, query).Scan(&n); err != nil || n != 0 {
			t.Fatalf("round %d: %d rows without what they belong to (%v): %s", round, n, err, query)
		}
	}
}

// TestGroupDeletionIsNotRaced deletes groups, types, things, policies and role
// aliases while they are attached and used: nothing hangs on what is gone.
func TestGroupDeletionIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.TypeDeleteWait = -1
		ctx := w.ctx(account, region)
		at := place{account, region}
		do := func(_ any, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range rounds() {
			name := fmt.Sprint("n", i)
			do(w.Service.CreateThingGroup(ctx, &iot.CreateThingGroupRequest{ThingGroupName: name}))
			do(w.Service.CreatePolicy(ctx, &iot.CreatePolicyRequest{PolicyName: name, PolicyDocument: policyDocument}))
			do(w.Service.CreateThing(ctx, &iot.CreateThingRequest{ThingName: name}))
			do(w.Service.CreateThingType(ctx, &iot.CreateThingTypeRequest{ThingTypeName: name}))
			do(w.Service.CreateRoleAlias(ctx, &iot.CreateRoleAliasRequest{RoleAlias: name, RoleArn: roleARN}))
			targeted := awsapi.WithRequest(ctx, requestWith(ctx, &target{principal: must(at.policyTarget(at.arn("thinggroup/" + name)))(t)}))
			r := *awsapi.RequestOf(ctx)
			r.Target = &membership{group: name, thing: name}
			member := awsapi.WithRequest(ctx, &r)
			errs := race(t, i,
				func() error {
					_, err := w.Service.AttachPolicy(targeted, &iot.AttachPolicyRequest{PolicyName: name, Target: at.arn("thinggroup/" + name)})
					return err
				},
				func() error {
					_, err := w.Service.DeletePolicy(ctx, &iot.DeletePolicyRequest{PolicyName: name})
					return err
				},
				func() error {
					_, err := w.Service.DeleteThingGroup(ctx, &iot.DeleteThingGroupRequest{ThingGroupName: name})
					return err
				},
				func() error {
					_, err := w.Service.CreateThingGroup(ctx, &iot.CreateThingGroupRequest{ThingGroupName: name + "-child", ParentGroupName: &name})
					return err
				},
				func() error {
					_, err := w.Service.AddThingToThingGroup(member, &iot.AddThingToThingGroupRequest{})
					return err
				},
				func() error {
					_, err := w.Service.DeleteThing(ctx, &iot.DeleteThingRequest{ThingName: name})
					return err
				},
				func() error {
					_, err := w.Service.CreateThing(ctx, &iot.CreateThingRequest{ThingName: name + "-typed", ThingTypeName: &name})
					return err
				},
				func() error {
					if _, err := w.Service.DeprecateThingType(ctx, &iot.DeprecateThingTypeRequest{ThingTypeName: name}); err != nil {
						return err
					}
					_, err := w.Service.DeleteThingType(ctx, &iot.DeleteThingTypeRequest{ThingTypeName: name})
					return err
				},
				func() error {
					_, err := w.Service.UpdateRoleAlias(ctx, &iot.UpdateRoleAliasRequest{RoleAlias: name, CredentialDurationSeconds: new(int64(900))})
					return err
				},
				func() error {
					_, err := w.Service.DeleteRoleAlias(ctx, &iot.DeleteRoleAliasRequest{RoleAlias: name})
					return err
				},
			)
			const policy, policyGone, groupGone, child, typed, typeGone = 0, 1, 2, 3, 6, 7
			switch {
			case errs[groupGone] == nil && errs[child] == nil, errs[typed] == nil && errs[typeGone] == nil, errs[9] != nil, errs[5] != nil:
				t.Fatalf("round %d: both used and deleted, or not deleted at all: %v", i, errs)
			case errs[policy] == nil && errs[policyGone] == nil && errs[groupGone] != nil: // else the group let go of it
				t.Fatalf("round %d: both attached and deleted: %v", i, errs)
			}
			none(ctx, t, w, i,
				`SELECT COUNT(*) FROM iot_policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM iot_policies p WHERE p.account = a.account AND p.region = a.region AND p.name = a.policy)`,
				`SELECT COUNT(*) FROM iot_policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM iot_thing_groups g WHERE g.account = a.account AND g.region = a.region AND g.name = a.group_name)`,
				`SELECT COUNT(*) FROM iot_thing_group_members m WHERE NOT EXISTS (SELECT 1 FROM iot_thing_groups g WHERE g.account = m.account AND g.region = m.region AND g.name = m.group_name)`,
				`SELECT COUNT(*) FROM iot_thing_group_members m WHERE NOT EXISTS (SELECT 1 FROM iot_things t WHERE t.account = m.account AND t.region = m.region AND t.name = m.thing)`,
				`SELECT COUNT(*) FROM iot_things t WHERE t.type IS NOT NULL AND NOT EXISTS (SELECT 1 FROM iot_thing_types y WHERE y.account = t.account AND y.region = t.region AND y.name = t.type)`,
				`SELECT COUNT(*) FROM iot_role_aliases`,
			)
		}
	})
}

// TestGroupPolicyLimitIsNotRaced attaches four policies to a group at once: two
// of them.
func TestGroupPolicyLimitIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fleet(t, w)
		for i := range min(rounds(), 50) {
			errs := race(t, i,
				func() error { return w.attachDirect("p") }, func() error { return w.attachDirect("q") },
				func() error { return w.attachDirect("r") }, func() error { return w.attachDirect("s") })
			n := 0
			for _, err := range errs {
				if err == nil {
					n++
				}
			}
			if n != maxGroupPolicies {
				t.Fatalf("%d policies attached: %v", n, errs)
			}
			for _, name := range []string{"p", "q", "r", "s"} {
				if err := w.detachPolicy(name, groupARN("top")); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// attachDirect attaches a policy to the group top.
func (w *world) attachDirect(name string) error {
	ctx := w.ctx(account, region)
	p, err := place{account, region}.policyTarget(groupARN("top"))
	if err != nil {
		return err
	}
	_, err = w.Service.AttachPolicy(awsapi.WithRequest(ctx, requestWith(ctx, &target{principal: p})), &iot.AttachPolicyRequest{PolicyName: name, Target: p.name})
	return err
}
