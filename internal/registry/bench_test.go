package registry

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// durable is a world on a SQLite database that waits for the disk.
func durable(b *testing.B) *world {
	b.Helper()
	d, err := db.Open(b.Context(), "sqlite:"+b.TempDir()+"/bench.db", db.Options{Sync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return newWorld(b, d)
}

// clients is the number of concurrent clients of the benchmarks.
const clients = 16

func BenchmarkCreateThing(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkCreateThing(b, durable(b)) })
	b.Run("postgres", func(b *testing.B) { benchmarkCreateThing(b, newWorld(b, dbtest.Open(b, dbtest.PostgresURL(b)))) })
}

func benchmarkCreateThing(b *testing.B, w *world) {
	ctx := w.ctx(account, region)
	var n atomic.Int64
	b.SetParallelism(clients)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			in := &iot.CreateThingRequest{ThingName: fmt.Sprint("thing-", n.Add(1)), AttributePayload: &iot.AttributePayload{Attributes: map[string]string{"floor": "2"}}}
			if _, err := w.Service.CreateThing(ctx, in); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkDescribeThing(b *testing.B) {
	w := durable(b)
	ctx := w.ctx(account, region)
	for i := range 1000 {
		if _, err := w.Service.CreateThing(ctx, &iot.CreateThingRequest{ThingName: fmt.Sprint("thing-", i)}); err != nil {
			b.Fatal(err)
		}
	}
	var n atomic.Int64
	b.SetParallelism(clients)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Service.DescribeThing(ctx, &iot.DescribeThingRequest{ThingName: fmt.Sprint("thing-", n.Add(1)%1000)}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkCreateKeysAndCertificate(b *testing.B) {
	w := newWorld(b, dbtest.SQLite(b))
	ctx := w.ctx(account, region)
	for b.Loop() {
		if _, err := w.Service.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookups is all that a request for credentials asks, from the cache.
func BenchmarkLookups(b *testing.B) {
	w := newWorld(b, dbtest.SQLite(b))
	ctx := w.ctx(account, region)
	id, cert := w.certificate()
	w.policy("p")
	w.thing("cam1")
	at := place{account, region}
	p, err := at.principal(cert)
	if err != nil {
		b.Fatal(err)
	}
	targeted := awsapi.WithRequest(ctx, requestWith(ctx, &target{principal: p}))
	if _, err := w.Service.AttachPolicy(targeted, &iot.AttachPolicyRequest{PolicyName: "p", Target: cert}); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Service.AttachThingPrincipal(targeted, &iot.AttachThingPrincipalRequest{ThingName: "cam1", Principal: cert}); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Service.CreateRoleAlias(ctx, &iot.CreateRoleAliasRequest{RoleAlias: "lab", RoleArn: roleARN}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, found, err := w.CertificateByID(ctx, id, "localhost")
		attached, _, _, err2 := w.ThingOfPrincipal(ctx, account, region, id, "cam1")
		policies, err3 := w.PoliciesOf(ctx, account, region, id)
		_, there, err4 := w.Service.RoleAlias(ctx, account, region, "lab")
		if err != nil || err2 != nil || err3 != nil || err4 != nil || !found || !attached || len(policies) != 1 || !there {
			b.Fatal("not found")
		}
	}
}
