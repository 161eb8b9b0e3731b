package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func open(tb testing.TB, o Options) (*Files, string) {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "blobs")
	f, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f, dir
}

func put(tb testing.TB, f *Files, name, content string) {
	tb.Helper()
	a, err := f.Create(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(a, content); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(a.Sync(tb.Context()), a.Close()); err != nil {
		tb.Fatal(err)
	}
}

func get(tb testing.TB, f *Files, name string) string {
	tb.Helper()
	r, err := f.OpenAt(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func list(tb testing.TB, f *Files, prefix string) []string {
	tb.Helper()
	names := []string{}
	for info, err := range f.List(prefix) {
		if err != nil {
			tb.Fatal(err)
		}
		if info.Modified.IsZero() {
			tb.Errorf("%s has no time", info.Name)
		}
		names = append(names, fmt.Sprintf("%s:%d", info.Name, info.Size))
	}
	return names
}

func TestAppendAndRead(t *testing.T) {
	for _, durable := range []bool{true, false} {
		t.Run(fmt.Sprint("sync=", durable), func(t *testing.T) {
			f, dir := open(t, Options{Sync: durable})
			a, err := f.Create(t.Context(), "video/s-1/0001.mkv")
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			for i := range 100 {
				p := bytes.Repeat([]byte{byte(i)}, i*37)
				want = append(want, p...)
				if n, err := a.Write(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				if i%10 == 0 {
					if err := a.Sync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if a.Len() != int64(len(want)) {
				t.Errorf("length %d, want %d", a.Len(), len(want))
			}
			r, err := f.OpenAt("video/s-1/0001.mkv")
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) || r.Size() != int64(len(want)) {
				t.Errorf("read differs: %v", err)
			}
			// More is seen by the open reader, and cutting goes back.
			if _, err := a.Write([]byte("more")); err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadAt(got[:4], int64(len(want))); err != nil || string(got[:4]) != "more" {
				t.Errorf("read %q, %v", got[:4], err)
			}
			if err := a.Truncate(10); err != nil || a.Len() != 10 {
				t.Errorf("truncate: %v, length %d", err, a.Len())
			}
			if err := a.Truncate(11); err == nil {
				t.Error("truncated to more than there is")
			}
			if _, err := a.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(a.Sync(t.Context()), a.Close(), a.Close(), r.Close(), r.Close()); err != nil {
				t.Fatal(err)
			}
			if got := get(t, f, "video/s-1/0001.mkv"); got != string(want[:10])+"x" {
				t.Errorf("%d bytes after truncating", len(got))
			}
			if _, err := a.Write([]byte("x")); !errors.Is(err, ErrClosed) {
				t.Errorf("write after close: %v", err)
			}
			if err := a.Sync(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("sync after close: %v", err)
			}
			if _, err := f.Create(t.Context(), "video/s-1/0001.mkv"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("create again: %v", err)
			}
			for name, mode := range map[string]fs.FileMode{"video/s-1/0001.mkv": 0o600, "video/s-1": 0o700, "video": 0o700, ".": 0o700} {
				if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != mode {
					t.Errorf("%s: %v, %v", name, fi.Mode(), err)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	f, dir := open(t, Options{})
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := errors.Join(os.WriteFile(outside, []byte("secret"), 0o600), os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink("..", filepath.Join(dir, "up"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "/", "/etc/passwd", "a/", "/a", "a//b", "a/../b", "../outside", "a/./b", ".a", "a/.b", "a b", "a\\b", "a\x00b", "é", "a:b", strings.Repeat("a", 201), strings.Repeat("a/", 256) + "a"} {
		_, err := f.Create(t.Context(), name)
		_, err2 := f.OpenAt(name)
		if !errors.Is(err, ErrName) || !errors.Is(err2, ErrName) || !errors.Is(f.Remove(name), ErrName) {
			t.Errorf("%q: %v, %v", name, err, err2)
		}
		if name == "" {
			continue // RemoveAll takes it for everything
		}
		if err := f.RemoveAll(name); !errors.Is(err, ErrName) {
			t.Errorf("remove all %q: %v", name, err)
		}
	}
	for _, name := range []string{"link", "up/outside"} {
		if _, err := f.OpenAt(name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if _, err := f.Create(t.Context(), "up/x"); err == nil {
		t.Error("created outside")
	}
	if err := f.RemoveAll(""); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(outside); string(b) != "secret" {
		t.Errorf("the file outside: %q, %v", b, err)
	}
	if _, err := f.OpenAt("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	put(t, f, "d/x", "")
	if _, err := f.OpenAt("d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
}

func TestListAndRemove(t *testing.T) {
	f, _ := open(t, Options{})
	for _, name := range []string{"v/b/2", "v/a/1", "v/ab/1", "v/a/2", "w"} {
		put(t, f, name, name)
	}
	for _, tt := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"v/a/1:5", "v/a/2:5", "v/ab/1:6", "v/b/2:5", "w:1"}},
		{"v/a", []string{"v/a/1:5", "v/a/2:5"}},
		{"v/a/2", []string{"v/a/2:5"}},
		{"none", []string{}},
	} {
		if got := list(t, f, tt.prefix); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.prefix, got, tt.want)
		}
	}
	for range f.List("") {
		break // must not go on
	}
	r, err := f.OpenAt("v/a/1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(f.Remove("v/a/1"), f.Remove("v/a/1"), f.Remove("no/such")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(f.RemoveAll("v/a"), f.RemoveAll("v/a")); err != nil {
		t.Error(err)
	}
	// The open reader goes on.
	b := make([]byte, 5)
	if _, err := r.ReadAt(b, 0); err != nil || string(b) != "v/a/1" {
		t.Errorf("removed blob reads %q, %v", b, err)
	}
	if got := list(t, f, ""); !slices.Equal(got, []string{"v/ab/1:6", "v/b/2:5", "w:1"}) {
		t.Errorf("left: %q", got)
	}
	put(t, f, "v/a/1", "anew")
	if err := f.RemoveAll(""); err != nil {
		t.Error(err)
	}
	if got := list(t, f, ""); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	put(t, f, "v/a/1", "anew")
}

// TestConcurrent has many appenders sync from several goroutines each, while
// files and directories come and go.
func TestConcurrent(t *testing.T) {
	f, _ := open(t, Options{Sync: true, MaxAppenders: 8, Syncers: 3})
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			name := fmt.Sprintf("v/%d/%d", i%5, i)
			a, err := f.Create(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			var syncs sync.WaitGroup
			for n := range 20 {
				if _, err := fmt.Fprintf(a, "%04d", n); err != nil {
					t.Error(err)
				}
				syncs.Go(func() {
					if err := a.Sync(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			syncs.Wait()
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if got := get(t, f, name); len(got) != 80 || !strings.HasSuffix(got, "0019") {
				t.Errorf("%s: %q", name, got)
			}
			put(t, f, fmt.Sprintf("gone/%d", i), "x")
			if err := f.RemoveAll("gone"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.dirs.mu.Lock()
	defer f.dirs.mu.Unlock()
	for name, s := range f.dirs.states {
		if s.dirty && !strings.HasPrefix(name, "gone") && name != "." {
			t.Errorf("directory %s was not synced", name)
		}
	}
}

func TestSyncIsShared(t *testing.T) {
	f, _ := open(t, Options{Sync: true, Syncers: 1})
	a, err := f.Create(t.Context(), "v/1")
	if err != nil {
		t.Fatal(err)
	}
	// Hold up the first sync at its directory.
	s := f.dirs.state("v")
	s.mu.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- a.Sync(ctx) }()
	running := func() *round {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.running
	}
	for running() == nil {
	}
	rounds := make(chan error)
	for range 10 {
		go func() { rounds <- a.Sync(t.Context()) }()
	}
	cancel() // the first caller leaves; its sync goes on
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("left: %v", err)
	}
	r := running()
	s.mu.Unlock()
	<-r.done
	if r.err != nil {
		t.Error(r.err)
	}
	for range 10 {
		if err := <-rounds; err != nil {
			t.Error(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestSyncCovers holds which sync answers for what was written: the one under way for what it covers, none when all is
// synced, and another after a cut, though the size may be the same again.
func TestSyncCovers(t *testing.T) {
	f, _ := open(t, Options{Sync: true, Syncers: 1})
	a, err := f.Create(t.Context(), "v/1")
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if _, err := a.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(size int64) {
		t.Helper()
		if err := a.Truncate(size); err != nil {
			t.Fatal(err)
		}
	}
	next := func() *round {
		t.Helper()
		r, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	dir := f.dirs.state("v")
	// begin has a sync run until its end is called.
	begin := func() (r *round, end func()) {
		dir.mu.Lock()
		a.mu.Lock()
		a.unnamed = true // for the sync to be held up at its directory
		a.mu.Unlock()
		r = next()
		for running := false; !running; {
			a.mu.Lock()
			running = a.running == r
			a.mu.Unlock()
		}
		return r, func() {
			dir.mu.Unlock()
			<-r.done
			if r.err != nil {
				t.Error(r.err)
			}
		}
	}

	write("one")
	r, end := begin()
	if next() != r {
		t.Error("what a sync under way covers got another")
	}
	write("two")
	second := next()
	if second == r || next() != second {
		t.Error("what came after a sync began got it, or one each")
	}
	end()
	<-second.done
	if next() != allSynced {
		t.Error("there was a sync for nothing")
	}

	cut(3)
	write("2wo")
	r = next()
	if r == allSynced {
		t.Error("what was written after a cut got no sync")
	}
	<-r.done
	r, end = begin()
	cut(3)
	write("two")
	third := next()
	if third == r {
		t.Error("what was written after a cut got the sync from before it")
	}
	end()
	<-third.done
	if next() != allSynced {
		t.Error("there was a sync for nothing after cuts")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestSyncByName syncs what another process has written.
func TestSyncByName(t *testing.T) {
	f, dir := open(t, Options{Sync: true})
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700), os.WriteFile(filepath.Join(dir, "a", "b", "c"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync("a/b/c"); err != nil {
		t.Error(err)
	}
	if err := f.Sync("a/b/d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing blob: %v", err)
	}
	if err := f.Sync("../c"); !errors.Is(err, ErrName) {
		t.Errorf("a bad name: %v", err)
	}
	for _, d := range []string{"a/b", "a", "."} {
		if f.dirs.state(d).dirty {
			t.Errorf("directory %s was not synced", d)
		}
	}
}

// TestBroken holds that an appender stays unusable after an error.
func TestBroken(t *testing.T) {
	f, _ := open(t, Options{Sync: true})
	a, err := f.Create(t.Context(), "v/1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := a.file.Close(); err != nil { // stands for a disk that fails
		t.Fatal(err)
	}
	if err := a.Sync(t.Context()); err == nil {
		t.Error("synced")
	}
	if _, err := a.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "sync blob v/1") {
		t.Errorf("write after a failed sync: %v", err)
	}
	_ = a.Close()
}

func TestBounds(t *testing.T) {
	f, _ := open(t, Options{MaxAppenders: 1, MaxReaders: 1})
	a, err := f.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Create(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("second appender: %v", err)
	}
	r, err := f.OpenAt("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.OpenAt("a"); !errors.Is(err, ErrTooManyOpen) {
		t.Errorf("second reader: %v", err)
	}
	if err := errors.Join(a.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		put(t, f, "c", "x")
		get(t, f, "c")
		if err := f.Remove("c"); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkSync is one fragment of 64 KiB and its sync, on 64 blobs at once.
func BenchmarkSync(b *testing.B) {
	f, _ := open(b, Options{Sync: true})
	fragment := bytes.Repeat([]byte("x"), 64<<10)
	var n sync.WaitGroup
	work := make(chan struct{})
	for i := range 64 {
		a, err := f.Create(b.Context(), fmt.Sprint("v/", i))
		if err != nil {
			b.Fatal(err)
		}
		n.Go(func() {
			for range work {
				if _, err := a.Write(fragment); err != nil {
					b.Error(err)
				}
				if err := a.Sync(b.Context()); err != nil {
					b.Error(err)
				}
			}
			a.Close()
		})
	}
	b.SetBytes(int64(len(fragment)))
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	n.Wait()
}

// Blobs leave their reserve to others, and go on once there is room again.
func TestReserve(t *testing.T) {
	f, _ := open(t, Options{Reserve: 1})
	total, err := totalSpace(f.space.dir)
	if err != nil {
		t.Skip("the system does not tell what is free")
	}
	a, err := f.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	if _, err := a.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	f.space.reserve = total
	if _, err := a.Write([]byte("two")); !errors.Is(err, ErrFull) {
		t.Errorf("written into the reserve: %v", err)
	}
	if _, err := f.Create(t.Context(), "b"); !errors.Is(err, ErrFull) {
		t.Errorf("created in the reserve: %v", err)
	}
	f.space.reserve = 1
	if _, err := a.Write([]byte("three")); err != nil {
		t.Error(err)
	}
	if got := get(t, f, "a"); got != "onethree" {
		t.Errorf("it has %q", got)
	}
}
