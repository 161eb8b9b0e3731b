package config

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuntimeFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadEndpoints(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	r := RootCredentials{"111122223333", "AKIA0000000000000000", "secret", "eu-west-1"}
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
		write(t, RootCredentials{"1", "AKIA", "s", "us-east-1"}.Write(dir))
		write(t, Endpoints{API: api, PID: 1}.Write(dir))
	}
	dev, data := filepath.Join(t.TempDir(), "dev"), filepath.Join(t.TempDir(), "data")
	both := []string{dev, "", data}
	if _, err := find(both); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	expect := func(dirs []string, want string) {
		t.Helper()
		r, err := find(dirs)
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
	if _, err := find(both); err == nil || !strings.Contains(err.Error(), "several servers are running") {
		t.Errorf("got %v", err)
	}
	expect([]string{dev}, devAPI)
	if r, err := Find(data, true, os.Getenv); err != nil || r.Endpoints.API != dataAPI || r.Dir != data {
		t.Errorf("%+v %v", r, err)
	}
	_ = devListener.Close() // killed: its file stays
	expect(both, dataAPI)
}
