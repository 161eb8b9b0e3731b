package msglog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/msglog"
)

// benchmarks runs fn on every kind of database, durable as in production.
func benchmarks(b *testing.B, fn func(b *testing.B, d *db.DB)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			url := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
			if kind == "postgres" {
				url = dbtest.PostgresURL(b)
			}
			d, err := db.Open(b.Context(), url, db.Options{Sync: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { d.Close() })
			fn(b, d)
		})
	}
}

func openBench(b *testing.B, d *db.DB) *msglog.Log {
	l, err := msglog.Open(b.Context(), d, msglog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Load(b.Context(), nothing, nothingRetained); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

func nothing(*msglog.Loaded) error                       { return nil }
func nothingRetained(msglog.RetainedTopic, []byte) error { return nil }
func sessions(b *testing.B, l *msglog.Log, n int) (ids []msglog.SessionID) {
	var batch msglog.Batch
	for i := range n {
		s := &msglog.Session{ID: l.NewSession(), Account: "123456789012", Region: "us-east-1", ClientID: fmt.Sprint("client-", i)}
		batch.PutSession(s)
		ids = append(ids, s.ID)
	}
	wait(b, l, &batch)
	return ids
}

func wait(tb testing.TB, l *msglog.Log, batch *msglog.Batch) {
	tb.Helper()
	done := make(chan error, 1)
	if err := l.Append(batch, func(err error) { done <- err }); err != nil {
		tb.Fatal(err)
	}
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkAppend is messages of 64 bytes from publishers with so many
// unacknowledged each, for one session of four; settled as the session's client
// acknowledges them, after they are durable. What counts is messages/s.
func BenchmarkAppend(b *testing.B) {
	for _, load := range []struct{ publishers, window int }{{1, 1}, {100, 1}, {100, 16}, {1000, 16}} {
		b.Run(fmt.Sprintf("publishers=%d/window=%d", load.publishers, load.window), func(b *testing.B) {
			benchmarks(b, func(b *testing.B, d *db.DB) {
				l := openBench(b, d)
				ids := sessions(b, l, 4)
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for p := range load.publishers {
					wg.Go(func() {
						data := make([]byte, 64)
						to := ids[p%len(ids)]
						targets := []msglog.Target{{Session: to, QoS: 1}}
						var batch, settled msglog.Batch
						done := make(chan error, 1)
						for left.Add(-int64(load.window)) > -int64(load.window) {
							batch.Reset()
							for range load.window {
								batch.Message(data, targets)
							}
							if err := l.Append(&batch, func(err error) { done <- err }); err != nil {
								b.Error(err)
								return
							}
							if err := <-done; err != nil {
								b.Error(err)
								return
							}
							settled.Reset()
							for i := range load.window {
								settled.Settled(to, batch.Seq(i))
							}
							l.Append(&settled, nil)
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		})
	}
}

// BenchmarkQueue is messages for a session that sleeps while others go through
// at once: the sleeper's are moved as the log goes on.
func BenchmarkQueue(b *testing.B) {
	benchmarks(b, func(b *testing.B, d *db.DB) {
		l := openBench(b, d)
		ids := sessions(b, l, 2)
		data := make([]byte, 64)
		var batch, settled msglog.Batch
		b.ResetTimer()
		for i := 0; i < b.N; i += 1000 {
			batch.Reset()
			for j := range 1000 {
				targets := []msglog.Target{{Session: ids[1], QoS: 1}}
				if j%20 == 0 {
					targets = []msglog.Target{{Session: ids[0], QoS: 1}}
				}
				batch.Message(data, targets)
			}
			wait(b, l, &batch)
			settled.Reset()
			for j := range 1000 {
				if j%20 != 0 {
					settled.Settled(ids[1], batch.Seq(j))
				}
			}
			l.Append(&settled, nil)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

// BenchmarkSessions is sessions put, each waited for, by 1000 clients at once.
func BenchmarkSessions(b *testing.B) {
	benchmarks(b, func(b *testing.B, d *db.DB) {
		l := openBench(b, d)
		ids := sessions(b, l, 1000)
		var left atomic.Int64
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		b.ResetTimer()
		for _, id := range ids {
			wg.Go(func() {
				var batch msglog.Batch
				for left.Add(-1) >= 0 {
					batch.Reset()
					batch.PutSession(&msglog.Session{ID: id, Account: "123456789012", Region: "us-east-1", ClientID: fmt.Sprint("client-", id),
						Subscriptions: []msglog.Subscription{{Filter: "dt/+/up", Options: 1}, {Filter: "$aws/things/x/shadow/update/delta", Options: 1}}})
					wait(b, l, &batch)
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
	})
}

// BenchmarkLoad is opening a log with 100,000 messages for 1,000 sessions.
func BenchmarkLoad(b *testing.B) {
	benchmarks(b, func(b *testing.B, d *db.DB) {
		l := openBench(b, d)
		ids := sessions(b, l, 1000)
		var batch msglog.Batch
		for i := range 100_000 {
			batch.Message(make([]byte, 64), []msglog.Target{{Session: ids[i%1000], QoS: 1}})
		}
		wait(b, l, &batch)
		l.Close()
		b.ResetTimer()
		for range b.N {
			l, err := msglog.Open(context.Background(), d, msglog.Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := l.Load(b.Context(), nothing, nothingRetained); err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
	})
}
