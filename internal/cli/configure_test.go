package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/config"
)

// Variables that win over a profile are spoken of; those of thingd env are not
// in the way.
func TestConfigureHints(t *testing.T) {
	r := running(t)
	t.Setenv("HOME", t.TempDir())
	ours := filepath.Join(r.Dir, config.ServerRootFile)
	for i, tt := range []struct{ bundle, endpoint, want string }{
		{"", "", ""},
		{ours, r.Endpoints.API, ""},
		{"/etc/ssl/corp.pem", "", "thingd: hint: AWS_CA_BUNDLE is set (/etc/ssl/corp.pem) and wins over the profile's ca_bundle; to use the profile: unset AWS_CA_BUNDLE\n"},
		{"", "http://other", "thingd: hint: AWS_ENDPOINT_URL is set (http://other) and wins over the profile's endpoint_url; to use the profile: unset AWS_ENDPOINT_URL\n"},
	} {
		t.Setenv("AWS_CA_BUNDLE", tt.bundle)
		t.Setenv("AWS_ENDPOINT_URL", tt.endpoint)
		if code, _, stderr := run(t, "configure", "--data", r.Dir, "--profile", fmt.Sprint("p", i)); code != 0 || stderr != tt.want {
			t.Errorf("%+v: %d %s", tt, code, stderr)
		}
	}
}

func TestConfigure(t *testing.T) {
	r := running(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	code, stdout, stderr := run(t, "configure", "--data", r.Dir, "--profile", "kvs")
	if code != 0 || !strings.Contains(stdout, "aws --profile kvs sts get-caller-identity") {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	conf, cred := filepath.Join(home, ".aws", "config"), filepath.Join(home, ".aws", "credentials")
	wantConf := "[profile kvs]\nregion = eu-west-1\noutput = json\nendpoint_url = http://127.0.0.1:4566\nca_bundle = " + r.Dir + "/server-root.pem\n"
	wantCred := "[kvs]\naws_access_key_id = AKIA0000000000000000\naws_secret_access_key = sec/ret+\n"
	check := func(path, want string, mode fs.FileMode) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Errorf("%s:\n%s\nwant\n%s", path, b, want)
		}
		if fi, _ := os.Stat(path); fi.Mode().Perm() != mode {
			t.Errorf("%s: mode %o, want %o", path, fi.Mode().Perm(), mode)
		}
	}
	check(conf, wantConf, 0o600)
	check(cred, wantCred, 0o600)

	// Never over an existing profile, in whichever file it is.
	if code, _, stderr := run(t, "configure", "--data", r.Dir, "--profile", "kvs"); code != 1 || !strings.Contains(stderr, "already in "+conf) {
		t.Errorf("%d %s", code, stderr)
	}
	check(conf, wantConf, 0o600)
	if err := os.WriteFile(cred, []byte("[ other ]\naws_access_key_id=x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "configure", "--data", r.Dir, "--profile", "other"); code != 1 || !strings.Contains(stderr, "already in "+cred) {
		t.Errorf("%d %s", code, stderr)
	}
	check(conf, wantConf, 0o600)

	// Appended, what was there stays; default has no word "profile".
	code, _, stderr = run(t, "configure", "--data", r.Dir, "--profile", "default")
	if code != 0 {
		t.Fatal(stderr)
	}
	check(conf, wantConf+"\n"+strings.Replace(wantConf, "profile kvs", "default", 1), 0o600)
	check(cred, "[ other ]\naws_access_key_id=x\n\n"+strings.Replace(wantCred, "kvs", "default", 1), 0o600)

	if code, _, stderr := run(t, "configure", "--data", r.Dir, "--profile", "a]\nb"); code != 1 || !strings.Contains(stderr, "use letters") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestConfigureElsewhere(t *testing.T) {
	r := running(t)
	dir := t.TempDir()
	target := filepath.Join(dir, "dotfiles-config")
	if err := os.WriteFile(target, []byte("[default]\nregion = x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "config")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", link)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "new", "credentials"))
	if code, _, stderr := run(t, "configure", "--data", r.Dir, "--profile", "p"); code != 0 {
		t.Fatal(stderr)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is gone: %v %v", fi.Mode(), err)
	}
	if b, _ := os.ReadFile(target); !strings.Contains(string(b), "[profile p]") || !strings.HasPrefix(string(b), "[default]\nregion = x\n") {
		t.Errorf("got %s", b)
	}
	// Credentials that cannot be written leave the configuration as it was.
	blocked := filepath.Join(dir, "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(target)
	f := awsFiles{target, filepath.Join(dir, "taken")}
	if err := os.MkdirAll(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.addProfile("q", r); err == nil {
		t.Error("no error")
	}
	if after, _ := os.ReadFile(target); !bytes.Equal(before, after) {
		t.Errorf("changed to %s", after)
	}
}

func TestHasSection(t *testing.T) {
	for _, tt := range []struct {
		text, name string
		want       bool
	}{
		{"[profile kvs]\n", "profile kvs", true},
		{"  [ profile   kvs ] # comment\n", "profile kvs", true},
		{"[profile \"kvs\"]", "profile kvs", true},
		{"[profile kvs2]", "profile kvs", false},
		{"# [profile kvs]", "profile kvs", false},
		{"[profile default]", "default", true},
		{"[default]", "default", true},
		{"[kvs", "kvs", false},
		{"", "kvs", false},
	} {
		if got := hasSection(tt.text, tt.name); got != tt.want {
			t.Errorf("%q in %q: %v", tt.name, tt.text, got)
		}
	}
}
