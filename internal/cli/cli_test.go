package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
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
		Endpoints:   config.Endpoints{API: "http://127.0.0.1:4566", Device: "localhost:8443", MQTT: "localhost:8883", Ops: "127.0.0.1:9464", Region: "eu-west-1", PID: 1},
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
		{[]string{"env", "--data", "/nonexistent"}, 1, "", "thingd: no thingd server is running in /nonexistent; start one with: thingd serve --data /nonexistent\n"},
		{[]string{"reset-root", "--help"}, 0, "--database=URL", ""},
		{[]string{"reset-root", "--data", "/nonexistent"}, 1, "", "thingd: data directory /nonexistent: no server has run on it: choose another with --data\n"},
		{[]string{"reset-root", "--data", "/nonexistent", "--root-email", "x"}, 1, "", "thingd: --root-email: \"x\" is not an e-mail address such as root@example.com\n"},
		{[]string{"serve", "--help"}, 0, "THINGD_ROOT_EMAIL", ""},
		{[]string{"--version"}, 0, "thingd v1.2.3\n", ""},
		{[]string{"-v"}, 0, "thingd v1.2.3\n", ""},
		{[]string{"serve", "--help"}, 0, "--database=URL", ""},
		{[]string{"serve", "--dev=perhaps"}, 1, "", "thingd: --dev: \"perhaps\" is neither true nor false\n"},
		{[]string{"serve", "--api"}, 2, "", "thingd: --api"},
		{[]string{"serve", "--config", "/nonexistent/f"}, 1, "", "thingd: configuration file /nonexistent/f: no such file or directory\n"},
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

// Values that cannot be are one kind of failure, wherever they stand.
func TestBadValues(t *testing.T) {
	running(t)
	file := filepath.Join(t.TempDir(), "f.json")
	if err := os.WriteFile(file, []byte(`{"api":1,"zone":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "serve", "--config", file)
	want := "thingd: configuration file " + file + ": api: a string such as \"127.0.0.1:4566\" is wanted\n" +
		"thingd: configuration file " + file + ": no option is called \"zone\"\n"
	if code != 1 || stderr != want {
		t.Errorf("%d %s\nwant %s", code, stderr, want)
	}
	t.Setenv("THINGD_REGION", "nowhere")
	if code, _, stderr := run(t, "serve"); code != 1 || stderr != "thingd: --region: \"nowhere\" is not a region name such as us-east-1\n" {
		t.Errorf("%d %s", code, stderr)
	}
	t.Setenv("THINGD_DEV", "perhaps")
	for _, args := range [][]string{{"serve"}, {"env"}, {"aws", "sts", "x"}} {
		code, _, stderr := run(t, args...)
		if args[0] == "aws" && strings.Contains(stderr, "not installed") {
			continue
		}
		if code != 1 || !strings.Contains(stderr, `"perhaps" is neither true nor false`) || !strings.Contains(stderr, "THINGD_DEV") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: %d %s", args, code, stderr)
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
export THINGD_MQTT_ADDRESS=localhost:8883
export THINGD_OPS_ADDRESS=127.0.0.1:9464
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

// Commands that speak for the root user say that its file is missing, not that
// nothing runs.
func TestNoRootCredentials(t *testing.T) {
	r := running(t)
	file := filepath.Join(r.Dir, config.RootCredentialsFile)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"env"}, {"configure", "--profile", "p"}, {"account", "list"}, {"account", "create", "x"}} {
		code, _, stderr := run(t, append(args, "--data", r.Dir)...)
		want := "thingd: the server runs, but the file " + file + " is missing: stop the server and run thingd reset-root --data " + config.ShellQuote(r.Dir) + ", which makes a new root access key\n"
		if code != 1 || stderr != want {
			t.Errorf("%q: %d %s\nwant %s", args, code, stderr, want)
		}
	}
	if _, err := awsServer(func(k string) string { return map[string]string{"THINGD_DATA": r.Dir}[k] }); err == nil || !strings.Contains(err.Error(), "reset-root") {
		t.Errorf("aws: %v", err)
	}
	r.Endpoints.Dev = true
	if err := r.Endpoints.Write(r.Dir); err != nil {
		t.Fatal(err)
	}
	if _, _, stderr := run(t, "env", "--data", r.Dir); !strings.HasSuffix(stderr, " is missing: start the server again, which writes it\n") {
		t.Errorf("--dev: %s", stderr)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a/b-c_1": "a/b-c_1", "a b": "'a b'", "$x": "'$x'", "it's": `'it'\''s'`, "~": "'~'", "a\nb": "'a\nb'", "é": "'é'"} {
		if got := config.ShellQuote(in); got != want {
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
			[]string{"AWS_CA_BUNDLE=/d/server-root.pem"}},
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

// What thingd aws says must be of use where every argument is the AWS CLI's.
func TestAWSServer(t *testing.T) {
	r := running(t)
	for _, dir := range config.DevDirs(func(string) string { return "" }) {
		if _, err := config.ReadEndpoints(dir); err == nil {
			t.Skip("a --dev server of this user's is running")
		}
	}
	other := filepath.Join(t.TempDir(), "thingd-dev")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for range 2 { // both answer
		s := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(s.Close)
		addrs = append(addrs, s.URL)
	}
	r.Endpoints.API = addrs[0]
	if err := errors.Join(r.Endpoints.Write(r.Dir), config.Endpoints{API: addrs[1], PID: 1}.Write(other), r.Credentials.Write(other)); err != nil {
		t.Fatal(err)
	}
	// The default place is thingd in XDG_DATA_HOME.
	home := filepath.Join(filepath.Dir(r.Dir), "thingd")
	if err := os.Rename(r.Dir, home); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		data, dev string
		want      string // directory, or error
	}{
		{"", "", "several servers are running (" + other + ", " + home + "); choose one by a variable: THINGD_DATA=DIR or THINGD_DEV=1"},
		{home, "", home},
		{"", "YES", other},
		{"", "maybe", `THINGD_DEV: "maybe" is neither true nor false`},
		{"/nonexistent", "1", "no thingd server is running in /nonexistent; start one with: thingd serve --data /nonexistent"},
	} {
		env := map[string]string{"THINGD_DATA": tt.data, "THINGD_DEV": tt.dev, "XDG_DATA_HOME": filepath.Dir(home), "XDG_RUNTIME_DIR": filepath.Dir(other)}
		got := ""
		if r, err := awsServer(func(k string) string { return env[k] }); err != nil {
			got = err.Error()
		} else {
			got = r.Dir
		}
		if got != tt.want {
			t.Errorf("THINGD_DATA=%s THINGD_DEV=%s: %s\nwant %s", tt.data, tt.dev, got, tt.want)
		}
	}
	t.Setenv("XDG_DATA_HOME", filepath.Dir(home))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(other))
	if code, _, stderr := run(t, "env"); code != 1 || !strings.Contains(stderr, "choose one with --data DIR or --dev") {
		t.Errorf("%d %s", code, stderr)
	}
}

// A relative --data comes out as paths that hold in other directories too.
func TestRelativeData(t *testing.T) {
	r := running(t)
	t.Chdir(filepath.Dir(r.Dir))
	t.Setenv("HOME", t.TempDir())
	code, stdout, stderr := run(t, "env", "--data", filepath.Base(r.Dir))
	dir := config.ShellQuote(r.Dir)
	if code != 0 || !strings.Contains(stdout, "export THINGD_DATA="+dir+"\n") ||
		!strings.Contains(stdout, "export AWS_CA_BUNDLE="+config.ShellQuote(r.Dir+"/server-root.pem")+"\n") ||
		!strings.Contains(stdout, "export THINGD_CA_FILE="+config.ShellQuote(r.Dir+"/server-root.pem")+"\n") {
		t.Errorf("%d %s\n%s", code, stderr, stdout)
	}
	if code, _, stderr := run(t, "configure", "--data", filepath.Base(r.Dir), "--profile", "p"); code != 0 || stderr != "" {
		t.Fatalf("%d %s", code, stderr)
	}
	b, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), ".aws", "config"))
	if err != nil || !strings.Contains(string(b), "\nca_bundle = "+r.Dir+"/server-root.pem\n") {
		t.Errorf("%v %s", err, b)
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
	// A healthy server is healthy without the file that clients want.
	if err := os.Remove(filepath.Join(r.Dir, config.RootCredentialsFile)); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "healthcheck", "--data", r.Dir); code != 0 {
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
