package video

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
)

// durable is a fixture that waits for the disk, as a real server does.
func durable(b *testing.B) *fixture {
	b.Helper()
	d, err := db.Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), db.Options{Sync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return newFixture(b, d, func(s *Service) {
		blobs, err := blob.Open(b.TempDir(), blob.Options{Sync: true})
		if err != nil {
			b.Fatal(err)
		}
		s.Blobs = blobs
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Flush() error                { return nil }

// BenchmarkIngest takes in a kvssink body of 15 fragments again and again, everything durable, on some connections.
func BenchmarkIngest(b *testing.B) {
	body := file(b, "kvssink-av-30s.mkv")
	for _, connections := range []int{1, 16} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			f := durable(b)
			st := f.create(b, "bench", 1)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.SetParallelism((connections + 1) / 2) // of two cores
			run := func() {
				if err := f.ingest(b.Context(), st, false, 0, &onlyReader{bytes.NewReader(body)}, discard{}); err != nil {
					b.Error(err)
				}
			}
			b.ResetTimer()
			if connections == 1 {
				for b.Loop() {
					run()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					run()
				}
			})
		})
	}
}

// BenchmarkPlain is what BenchmarkIngest is measured by: the same bytes copied to a file, with as many syncs.
func BenchmarkPlain(b *testing.B) {
	body := file(b, "kvssink-av-30s.mkv")
	dir := b.TempDir()
	b.SetBytes(int64(len(body)))
	for i := 0; b.Loop(); i++ {
		w, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			b.Fatal(err)
		}
		r := &onlyReader{bytes.NewReader(body)}
		for n := range 15 {
			size := int64(len(body) / 15)
			if n == 14 {
				size = int64(len(body))
			}
			if _, err := io.CopyN(w, r, size); err != nil && err != io.EOF {
				b.Fatal(err)
			}
			if err := w.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// onlyReader hides WriteTo, and gives what a socket would.
type onlyReader struct{ r io.Reader }

func (o *onlyReader) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 32<<10)]) }

// BenchmarkListFragments pages through an index with many fragments.
func BenchmarkListFragments(b *testing.B) {
	const n = 100_000
	f := durable(b)
	st := f.create(b, "bench", 1)
	for i := 0; i < n; i += 1000 {
		list := make([]fragment, 1000)
		for j := range list {
			ms := f.clock.now().UnixMilli()
			list[j] = fragment{number: f.numbers.next(ms), server: ms + int64(i+j), producer: ms + int64(i+j), chunk: "video/x"}
		}
		if err := f.addFragments(b.Context(), st, list); err != nil {
			b.Fatal(err)
		}
	}
	from := f.clock.now().UnixMilli() + n/2
	b.ResetTimer()
	for b.Loop() {
		list, err := f.fragmentsBetween(b.Context(), st, byProducer, from, from+1e9, 0, 0, "", 101)
		if err != nil || len(list) != 101 {
			b.Fatal(len(list), err)
		}
	}
}
