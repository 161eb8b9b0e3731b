package db_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// benchmarks runs fn on every kind of database, durable as in production and
// without syncing as in --dev.
func benchmarks(b *testing.B, fn func(b *testing.B, d *db.DB)) {
	for _, sync := range []bool{true, false} {
		b.Run(fmt.Sprintf("sqlite/sync=%v", sync), func(b *testing.B) {
			fn(b, open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), sync))
		})
		b.Run(fmt.Sprintf("postgres/sync=%v", sync), func(b *testing.B) {
			fn(b, open(b, dbtest.PostgresURL(b), sync))
		})
	}
}

func open(tb testing.TB, url string, sync bool) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), url, db.Options{Sync: sync})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	create(tb, d, `CREATE TABLE thing (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL, attributes TEXT NOT NULL, PRIMARY KEY (account, region, name))`)
	return d
}

const attributes = `{"serial":"0123456789","model":"A100","site":"hall 7"}`

// BenchmarkWrite is a transaction of a lookup and an insert, by 16 callers.
func BenchmarkWrite(b *testing.B) {
	benchmarks(b, func(b *testing.B, d *db.DB) {
		var id atomic.Int64
		ctx := b.Context()
		b.SetParallelism(8) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				name := fmt.Sprintf("thing-%08x", uint32(id.Add(1)*2654435761))
				err := d.Write(ctx, func(tx *db.Tx) error {
					var version int64
					err := tx.QueryRow(ctx, `SELECT version FROM thing WHERE account = $1 AND region = $2 AND name = $3`, "123456789012", "us-east-1", name).Scan(&version)
					if err != db.ErrNotFound {
						return fmt.Errorf("lookup: %v", err)
					}
					_, err = tx.Exec(ctx, `INSERT INTO thing (account, region, name, version, attributes) VALUES ($1, $2, $3, $4, $5)`, "123456789012", "us-east-1", name, 1, attributes)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
	})
}

// BenchmarkRead looks up one row by its key, by 16 callers.
func BenchmarkRead(b *testing.B) {
	benchmarks(b, func(b *testing.B, d *db.DB) {
		ctx := b.Context()
		const things = 10_000
		err := d.Write(ctx, func(tx *db.Tx) error {
			for i := range things {
				if _, err := tx.Exec(ctx, `INSERT INTO thing (account, region, name, version, attributes) VALUES ($1, $2, $3, $4, $5)`, "123456789012", "us-east-1", fmt.Sprint("thing-", i), 1, attributes); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.SetParallelism(8)
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			i := 0
			for pb.Next() {
				i = (i + 7919) % things
				var version int64
				var attrs string
				if err := d.QueryRow(ctx, `SELECT version, attributes FROM thing WHERE account = $1 AND region = $2 AND name = $3`, "123456789012", "us-east-1", fmt.Sprint("thing-", i)).Scan(&version, &attrs); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	})
}
