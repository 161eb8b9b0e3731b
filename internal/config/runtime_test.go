package config

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuntimeFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadEndpoints(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	r := RootCredentials{AccountID: "111122223333", AccessKeyID: "AKIA0000000000000000", SecretAccessKey: "secret", Region: "eu-west-1"}
	write(t, r.Write(dir))
	if got, err := ReadRootCredentials(dir); err != nil || got != r {
		t.Errorf("%+v %v", got, err)
	}
	e := Endpoints{API: "http://127.0.0.1:4566", Device: "localhost:8443", Ops: "127.0.0.1:9464", Region: "eu-west-1", Names: []string{"localhost"}, PID: 7}
	write(t, e.Write(dir))
	got, err := ReadEndpoints(dir)
	if err != nil || got.API != e.API || got.Names[0] != "localhost" || got.PID != 7 {
		t.Errorf("%+v %v", got, err)
	}
	for _, name := range []string{RootCredentialsFile, EndpointsFile} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, fi.Mode(), err)
		}
	}
	other := e
	other.PID = 8
	write(t, other.Remove(dir)) // not its own: stays
	if _, err := ReadEndpoints(dir); err != nil {
		t.Error(err)
	}
	write(t, e.Remove(dir))
	write(t, e.Remove(dir))
	if _, err := ReadEndpoints(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	write(t, os.WriteFile(filepath.Join(dir, RootCredentialsFile), []byte(`{}`), 0o600))
	if _, err := ReadRootCredentials(dir); err == nil || !strings.Contains(err.Error(), "no access key in it") {
		t.Errorf("got %v", err)
	}
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	mkdir(t, filepath.Join(path, "x"), 0o700)
	if err := WriteFile(path, []byte("x"), 0o600); err == nil || !strings.HasPrefix(err.Error(), "write "+path) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := WriteFile(filepath.Join(dir, "no", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFind(t *testing.T) {
	listen := func() (string, net.Listener) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		write(t, err)
		t.Cleanup(func() { _ = ln.Close() })
		return "http://" + ln.Addr().String(), ln
	}
	put := func(dir, api string) {
		write(t, os.MkdirAll(dir, 0o700))
		write(t, RootCredentials{AccountID: "1", AccessKeyID: "AKIA", SecretAccessKey: "s", Region: "us-east-1"}.Write(dir))
		write(t, Endpoints{API: api, PID: 1}.Write(dir))
	}
	dev, data := filepath.Join(t.TempDir(), "dev"), filepath.Join(t.TempDir(), "data")
	both := []string{dev, "", data}
	if _, err := find(both, ""); !errors.Is(err, ErrNotRunning) || err.Error() != "no thingd server is running in "+dev+" or "+data+"; start one with: thingd serve" {
		t.Errorf("got %v", err)
	}
	expect := func(dirs []string, want string) {
		t.Helper()
		r, err := find(dirs, "")
		if err != nil {
			t.Error(err)
		} else if r.Endpoints.API != want {
			t.Errorf("got %s, want %s", r.Endpoints.API, want)
		}
	}
	devAPI, devListener := listen()
	put(dev, devAPI)
	expect(both, devAPI)
	dataAPI, _ := listen()
	put(data, dataAPI)
	_, err := find(both, "")
	if several, ok := errors.AsType[*SeveralError](err); !ok || len(several.Dirs) != 2 || !strings.HasSuffix(err.Error(), "choose one with --data DIR or --dev") {
		t.Errorf("got %v", err)
	}
	expect([]string{dev}, devAPI)
	if r, err := Find(data, true, os.Getenv); err != nil || r.Endpoints.API != dataAPI || r.Dir != data {
		t.Errorf("%+v %v", r, err)
	}
	_ = devListener.Close() // killed, and another process has its number
	expect(both, dataAPI)
}

func TestFindIsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	write(t, err)
	want := filepath.Join(here, "om")
	mkdir(t, want, 0o700)
	if _, err := Find("om", false, os.Getenv); err == nil || err.Error() != "no thingd server is running in "+want+"; start one with: thingd serve --data om" {
		t.Errorf("got %v", err)
	}
	write(t, RootCredentials{AccountID: "1", AccessKeyID: "AKIA", SecretAccessKey: "s", Region: "us-east-1"}.Write("om"))
	write(t, Endpoints{API: "http://127.0.0.1:1", PID: os.Getpid()}.Write("om"))
	if r, err := Find("om", false, os.Getenv); err != nil || r.Dir != want {
		t.Errorf("%+v %v", r, err)
	}
}

// A server ended by kill -9 leaves its file.
func TestFindKilled(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	write(t, cmd.Start())
	dir := filepath.Join(t.TempDir(), "thingd-dev")
	mkdir(t, dir, 0o700)
	write(t, RootCredentials{AccountID: "1", AccessKeyID: "AKIA", SecretAccessKey: "s", Region: "us-east-1"}.Write(dir))
	write(t, Endpoints{API: "http://127.0.0.1:1", PID: cmd.Process.Pid}.Write(dir))
	env := func(k string) string {
		return map[string]string{"XDG_RUNTIME_DIR": filepath.Dir(dir)}[k]
	}
	for _, by := range []func() (*Running, error){
		func() (*Running, error) { return Find(dir, false, env) },
		func() (*Running, error) { return find(DevDirs(env)[:1], "--dev") },
	} {
		if r, err := by(); err != nil || r.Endpoints.PID != cmd.Process.Pid {
			t.Errorf("alive: %+v %v", r, err)
		}
	}
	write(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if _, err := Find(dir, false, env); !errors.Is(err, ErrNotRunning) || err.Error() != "no thingd server is running in "+dir+"; start one with: thingd serve --data "+dir {
		t.Errorf("got %v", err)
	}
	if _, err := find(DevDirs(env)[:1], "--dev"); err == nil || err.Error() != "no thingd server is running in "+dir+"; start one with: thingd serve --dev" {
		t.Errorf("got %v", err)
	}
	for _, pid := range []int{0, -1, 1, os.Getpid()} { // unknown, another user's, one's own
		if !alive(pid) {
			t.Errorf("process %d is said to be gone", pid)
		}
	}
}

func TestFindNoRights(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	write(t, Endpoints{API: "http://127.0.0.1:1", PID: os.Getpid()}.Write(dir))
	write(t, os.Chmod(dir, 0))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if _, err := Find(dir, false, os.Getenv); err == nil || err.Error() != "no right to read "+filepath.Join(dir, EndpointsFile)+": run it as the server's user" {
		t.Errorf("got %v", err)
	}
}
