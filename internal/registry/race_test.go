package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

var raceRounds = flag.Int("race-rounds", 100, "rounds of each race; make soak runs many")

func rounds() int {
	if testing.Short() {
		return min(20, *raceRounds)
	}
	return *raceRounds
}

// TestDeletionIsNotRaced attaches and deletes at once: either comes first, and
// nothing is ever attached to what is gone.
func TestDeletionIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.ctx(account, region)
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
		at := place{account, region}
		for i := range rounds() {
			block, _ := pem.Decode([]byte(selfSigned(t, key, nil)))
			cert := must(x509.ParseCertificate(block.Bytes))(t)
			id := must(w.register(ctx, at, cert, "INACTIVE", "DEFAULT"))(t)
			name := fmt.Sprint("n", i)
			if _, err := w.Service.CreateThing(ctx, &iot.CreateThingRequest{ThingName: name}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Service.CreatePolicy(ctx, &iot.CreatePolicyRequest{PolicyName: name, PolicyDocument: policyDocument}); err != nil {
				t.Fatal(err)
			}
			p := must(at.principal(at.certificate(id)))(t)
			targeted := awsapi.WithRequest(ctx, requestWith(ctx, &target{principal: p}))
			var group sync.WaitGroup
			errs, force := make([]error, 6), i%2 == 1
			for j, do := range []func() error{
				func() error {
					_, err := w.Service.AttachPolicy(targeted, &iot.AttachPolicyRequest{PolicyName: name, Target: p.name})
					return err
				},
				func() error {
					_, err := w.Service.DeletePolicy(ctx, &iot.DeletePolicyRequest{PolicyName: name})
					return err
				},
				func() error {
					_, err := w.Service.AttachThingPrincipal(targeted, &iot.AttachThingPrincipalRequest{ThingName: name, Principal: p.name})
					return err
				},
				func() error {
					_, err := w.Service.DeleteThing(ctx, &iot.DeleteThingRequest{ThingName: name})
					return err
				},
				func() error {
					_, err := w.Service.DeleteCertificate(ctx, &iot.DeleteCertificateRequest{CertificateId: id, ForceDelete: &force})
					return err
				},
				func() error {
					_, err := w.Service.UpdateThing(ctx, &iot.UpdateThingRequest{ThingName: name})
					return err
				},
			} {
				group.Go(func() { errs[j] = do() })
			}
			group.Wait()
			for j, err := range errs {
				if err != nil && !isAWS(err) {
					t.Fatalf("round %d, call %d: %v", i, j, err)
				}
			}
			if (!force && errs[0] == nil && errs[1] == nil) || (errs[2] == nil && errs[3] == nil) || (!force && errs[0] == nil && errs[4] == nil) || (errs[2] == nil && errs[4] == nil) {
				t.Fatalf("round %d: both attached and deleted: %v", i, errs)
			}
			for _, query := range []string{
				`SELECT COUNT(*) FROM iot_policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM iot_policies p WHERE p.account = a.account AND p.region = a.region AND p.name = a.policy)`,
				`SELECT COUNT(*) FROM iot_policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM iot_certificates c WHERE c.account = a.account AND c.region = a.region AND c.id = a.certificate)`,
				`SELECT COUNT(*) FROM iot_thing_principals a WHERE NOT EXISTS (SELECT 1 FROM iot_things t WHERE t.account = a.account AND t.region = a.region AND t.name = a.thing)`,
			} {
				var n int64
				if err := w.DB.QueryRow(ctx, query).Scan(&n); err != nil || n != 0 {
					t.Fatalf("round %d: %d rows without what they are attached to (%v): %s", i, n, err, query)
				}
			}
		}
	})
}

// TestExclusiveIsNotRaced attaches a certificate to two things at once, to one
// of them exclusively: one must lose.
func TestExclusiveIsNotRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, cert := w.certificate()
		w.thing("a")
		w.thing("b")
		ctx := t.Context()
		for range rounds() {
			var group sync.WaitGroup
			errs := map[string]error{}
			var mu sync.Mutex
			for thing, typ := range map[string]types.ThingPrincipalType{"a": "EXCLUSIVE_THING", "b": "NON_EXCLUSIVE_THING"} {
				group.Go(func() {
					_, err := w.Client.AttachThingPrincipal(ctx, &sdk.AttachThingPrincipalInput{ThingName: &thing, Principal: &cert, ThingPrincipalType: typ})
					mu.Lock()
					defer mu.Unlock()
					errs[thing] = err
				})
			}
			group.Wait()
			if (errs["a"] == nil) == (errs["b"] == nil) {
				t.Fatal(errs)
			}
			for thing := range errs {
				must(w.Client.DetachThingPrincipal(ctx, &sdk.DetachThingPrincipalInput{ThingName: &thing, Principal: &cert}))(t)
			}
		}
	})
}

func isAWS(err error) bool {
	_, ok := errors.AsType[*awsapi.Error](err)
	return ok
}

func requestWith(ctx context.Context, t *target) *awsapi.Request {
	r := *awsapi.RequestOf(ctx)
	r.Target = t
	return &r
}
