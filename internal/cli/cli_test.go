package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/config"
)

// running lays the files of a running server and answers its directory.
func running(t *testing.T) *config.Running {
	t.Helper()
	for _, kv := range os.Environ() {
		if k, v, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "THINGD_") || strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, v)
			_ = os.Unsetenv(k)
		}
	}
	r := &config.Running{
		Dir:         filepath.Join(t.TempDir(), "it's data"),
		Endpoints:   config.Endpoints{API: "http://127.0.0.1:4566", Device: "localhost:8443", Ops: "127.0.0.1:9464", Region: "eu-west-1", PID: 1},
		Credentials: config.RootCredentials{AccountID: "111122223333", AccessKeyID: "AKIA0000000000000000", SecretAccessKey: "sec/ret+", Region: "eu-west-1"},
	}
	if err := os.Mkdir(r.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Endpoints.Write(r.Dir), r.Credentials.Write(r.Dir)); err != nil {
		t.Fatal(err)
	}
	return r
}

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &CLI{Args: args, Stdout: &out, Stderr: &errs, Version: "v1.2.3", Serve: func(context.Context, *config.Config, *slog.Logger, io.Writer) error {
		t.Error("serve was called")
		return nil
	}}
	return c.Run(t.Context()), out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	running(t)
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{[]string{"version"}, 0, "thingd v1.2.3\n", ""},
		{nil, 0, "Usage: thingd <command>", ""},
		{[]string{"--help"}, 0, "configure", ""},
		{[]string{"serve", "--help"}, 0, "THINGD_INSECURE_HTTP", ""},
		{[]string{"sevre"}, 2, "", "thingd: unexpected argument sevre"},
		{[]string{"serve", "--port", "1"}, 2, "", "thingd: unknown flag --port"},
		{[]string{"configure"}, 2, "", "thingd: missing flags: --profile=NAME"},
		{[]string{"serve", "--api", "x", "--region", "y"}, 1, "", "thingd: --api: \"x\" is not an address such as 127.0.0.1:4566 or :4566\nthingd: --region: "},
		{[]string{"env", "--data", "/nonexistent"}, 1, "", "thingd: no thingd server is running here; start one with: thingd serve\n"},
	} {
		code, stdout, stderr := run(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%q: %d\n%s%s\nwant %d %q %q", tt.args, code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
		}
		if tt.stderr == "" && stderr != "" {
			t.Errorf("%q: stderr %s", tt.args, stderr)
		}
	}
}

func TestServe(t *testing.T) {
	running(t)
	t.Setenv("THINGD_LOG_FORMAT", "json")
	t.Setenv("THINGD_LOG_LEVEL", "warn")
	var out, errs bytes.Buffer
	c := &CLI{Args: []string{"serve", "--data", t.TempDir(), "--api", "127.0.0.1:1"}, Stdout: &out, Stderr: &errs}
	c.Serve = func(ctx context.Context, cfg *config.Config, log *slog.Logger, w io.Writer) error {
		_, _ = io.WriteString(w, "hello "+cfg.API)
		log.Info("not this")
		log.Warn("this")
		return nil
	}
	if code := c.Run(t.Context()); code != 0 || out.String() != "hello 127.0.0.1:1" {
		t.Errorf("%d %s", code, out.String())
	}
	if s := errs.String(); !strings.HasPrefix(s, `{"time":`) || !strings.Contains(s, `"msg":"this"`) || strings.Contains(s, "not this") {
		t.Errorf("log %s", s)
	}
	errs.Reset()
	c.Serve = func(context.Context, *config.Config, *slog.Logger, io.Writer) error {
		return errors.New("the port is in use")
	}
	if code := c.Run(t.Context()); code != 1 || errs.String() != "thingd: the port is in use\n" {
		t.Errorf("%d %s", code, errs.String())
	}
}

func TestEnv(t *testing.T) {
	r := running(t)
	t.Setenv("AWS_ENDPOINT_URL_IOT", "https://other")
	t.Setenv("AWS_PROFILE", "other")
	code, stdout, stderr := run(t, "env", "--data", r.Dir)
	dir := `'` + strings.ReplaceAll(r.Dir, `'`, `'\''`)
	want := `unset AWS_DEFAULT_PROFILE AWS_ENDPOINT_URL_IOT AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_PROFILE AWS_SECURITY_TOKEN AWS_SESSION_TOKEN
export AWS_ACCESS_KEY_ID=AKIA0000000000000000
export AWS_SECRET_ACCESS_KEY=sec/ret+
export AWS_REGION=eu-west-1
export AWS_DEFAULT_REGION=eu-west-1
export AWS_ENDPOINT_URL=http://127.0.0.1:4566
export AWS_CA_BUNDLE=` + dir + `/server-root.pem'
export THINGD_DATA=` + dir + `'
export THINGD_CA_FILE=` + dir + `/server-root.pem'
export THINGD_DEVICE_ADDRESS=localhost:8443
`
	if code != 0 || stdout != want || stderr != "" {
		t.Errorf("%d %s\n%s\nwant\n%s", code, stderr, stdout, want)
	}
	// And as a shell sees it.
	sh := exec.Command("sh", "-c", `set -eu; eval "$1"; printf '%s|' "$AWS_CA_BUNDLE" "${AWS_PROFILE-none}" "$AWS_SECRET_ACCESS_KEY"`, "sh", stdout)
	got, err := sh.CombinedOutput()
	if err != nil || string(got) != r.Dir+"/server-root.pem|none|sec/ret+|" {
		t.Errorf("%v %s", err, got)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a/b-c_1": "a/b-c_1", "a b": "'a b'", "$x": "'$x'", "it's": `'it'\''s'`, "~": "'~'", "a\nb": "'a\nb'", "é": "'é'"} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestAWSCommand(t *testing.T) {
	r := &config.Running{Dir: "/d", Endpoints: config.Endpoints{API: "http://127.0.0.1:4566"},
		Credentials: config.RootCredentials{AccessKeyID: "AK", SecretAccessKey: "SK", Region: "us-east-1"}}
	for _, tt := range []struct {
		name      string
		args, env []string
		wantArgs  []string
		wantEnv   []string
	}{
		{"plain", []string{"iot", "list-things"}, []string{"HOME=/h", "AWS_SESSION_TOKEN=stale"},
			[]string{"--endpoint-url", "http://127.0.0.1:4566", "iot", "list-things"},
			[]string{"HOME=/h", "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=SK", "AWS_DEFAULT_REGION=us-east-1", "AWS_CA_BUNDLE=/d/server-root.pem"}},
		{"own credentials", []string{"kinesisvideo", "describe-stream"}, []string{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=S", "AWS_SESSION_TOKEN=T"},
			[]string{"--endpoint-url", "http://127.0.0.1:4566", "kinesisvideo", "describe-stream"},
			[]string{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=S", "AWS_SESSION_TOKEN=T", "AWS_DEFAULT_REGION=us-east-1", "AWS_CA_BUNDLE=/d/server-root.pem"}},
		{"profile", []string{"--profile", "kvs", "iot", "list-things"}, []string{"AWS_CA_BUNDLE=/own"},
			[]string{"--endpoint-url", "http://127.0.0.1:4566", "--profile", "kvs", "iot", "list-things"},
			[]string{"AWS_CA_BUNDLE=/own"}},
		{"profile by variable", []string{"iot", "list-things"}, []string{"AWS_PROFILE=kvs"},
			[]string{"--endpoint-url", "http://127.0.0.1:4566", "iot", "list-things"},
			[]string{"AWS_PROFILE=kvs", "AWS_CA_BUNDLE=/d/server-root.pem"}},
		{"own region and endpoint", []string{"--endpoint-url=http://h", "sts", "x"}, []string{"AWS_REGION=eu-west-1"},
			[]string{"--endpoint-url=http://h", "sts", "x"},
			[]string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=SK", "AWS_CA_BUNDLE=/d/server-root.pem"}},
		{"nothing", nil, []string{"AWS_ACCESS_KEY_ID=A"}, nil,
			[]string{"AWS_ACCESS_KEY_ID=A", "AWS_DEFAULT_REGION=us-east-1", "AWS_CA_BUNDLE=/d/server-root.pem"}},
	} {
		args, env := awsCommand(r, tt.args, tt.env)
		if !slices.Equal(args, tt.wantArgs) {
			t.Errorf("%s: %q, want %q", tt.name, args, tt.wantArgs)
		}
		if !slices.Equal(env, tt.wantEnv) {
			t.Errorf("%s: %q, want %q", tt.name, env, tt.wantEnv)
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

func TestHealthcheck(t *testing.T) {
	r := running(t)
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/readyz" {
			t.Errorf("asked for %s", req.URL)
		}
		http.Error(w, "database: closed", status)
	}))
	r.Endpoints.Ops = strings.TrimPrefix(s.URL, "http://")
	if err := r.Endpoints.Write(r.Dir); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "healthcheck", "--data", r.Dir); code != 0 {
		t.Errorf("%d %s", code, stderr)
	}
	if code, _, stderr := run(t, "healthcheck", "--ops", r.Endpoints.Ops); code != 0 {
		t.Errorf("%d %s", code, stderr)
	}
	status = http.StatusServiceUnavailable
	if code, _, stderr := run(t, "healthcheck", "--data", r.Dir); code != 1 || stderr != "thingd: not ready: database: closed\n" {
		t.Errorf("%d %s", code, stderr)
	}
	s.Close()
	if code, _, stderr := run(t, "healthcheck", "--data", r.Dir); code != 1 || !strings.HasPrefix(stderr, "thingd: not ready: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%d %s", code, stderr)
	}
}
