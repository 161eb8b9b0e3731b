package globfile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/globfile"
	"github.com/thingd/thingd/internal/fleet/script"
)

var _ script.Glob = (*globfile.File)(nil)

func open(t *testing.T, path string) *globfile.File {
	t.Helper()
	f, err := globfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestGlob(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a?b#c %20.db")
	f, ctx := open(t, path), t.Context()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if err := f.Set(ctx, fmt.Sprintf("k_%02d", i), fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	second := open(t, path) // as another process would
	if v, ok, err := second.Get(ctx, "k_07"); string(v) != `{"n":7}` || !ok || err != nil {
		t.Errorf("%s %v %v", v, ok, err)
	}
	if _, ok, err := second.Get(ctx, "none"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	for _, key := range []string{"kx00", "K_00", "k_é", "k_\uffff"} { // beside the prefix, and beyond
		if err := second.Set(ctx, key, json.RawMessage(`1`)); err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := f.List(ctx, "k_", "k_47", 10); fmt.Sprint(keys) != "[k_48 k_49 k_é k_\uffff]" || err != nil {
		t.Errorf("%q %v", keys, err)
	}
	if keys, err := f.List(ctx, "", "", 2); fmt.Sprint(keys) != "[K_00 k_00]" || err != nil {
		t.Errorf("%q %v", keys, err)
	}
	if err := f.Delete(ctx, "k_07"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := second.Get(ctx, "k_07"); ok {
		t.Error("it is still there")
	}
	for _, bad := range []error{f.Set(ctx, "", json.RawMessage(`1`)), f.Set(ctx, "k", json.RawMessage(`{`)), f.Set(ctx, string(make([]byte, 513)), json.RawMessage(`1`)), f.Set(ctx, "k", json.RawMessage(`"`+string(make([]byte, 300<<10))+`"`))} {
		if bad == nil {
			t.Error("it is taken")
		}
	}
	if err := f.KeepState(ctx, "m", 3, json.RawMessage(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if s, err := second.State(ctx, "m", 3); string(s) != `{"a":1}` || err != nil {
		t.Errorf("%s %v", s, err)
	}
	if s, err := second.State(ctx, "m", 4); s != nil || err != nil {
		t.Errorf("%s %v", s, err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

// What was written is there after kill -9.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "glob.db")
	if os.Getenv("GLOBFILE_TEST") != "" {
		path = os.Getenv("GLOBFILE_TEST")
		f := open(t, path)
		for i := 0; ; i++ {
			if err := f.Set(t.Context(), "last", fmt.Appendf(nil, "%d", i)); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%09d\n", i)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	file, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "GLOBFILE_TEST="+path)
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(out); err == nil && info.Size() > 500 || time.Now().After(deadline) {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	told, err := os.ReadFile(out)
	if err != nil || len(told) < 500 {
		t.Fatalf("%d bytes: %v", len(told), err)
	}
	told = told[:len(told)/10*10]
	var acknowledged, kept int
	if _, err := fmt.Sscanf(string(told[len(told)-10:]), "%d", &acknowledged); err != nil {
		t.Fatal(err)
	}
	v, ok, err := open(t, path).Get(t.Context(), "last")
	if err != nil || !ok || json.Unmarshal(v, &kept) != nil || kept < acknowledged {
		t.Errorf("%s is kept, %d was acknowledged: %v", v, acknowledged, err)
	}
}
