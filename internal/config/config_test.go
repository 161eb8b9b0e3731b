package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parse fills a Config as the command does.
func parse(t *testing.T, args ...string) (*Config, error) {
	t.Helper()
	var c struct {
		Config `embed:""`
	}
	p, err := kong.New(&c, append(Options(), kong.Exit(func(int) { t.Error("exit") }))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(args)
	return &c.Config, err
}

func clearEnv(t *testing.T) {
	for _, kv := range os.Environ() {
		if k, v, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "THINGD_") && k != "THINGD_TEST_POSTGRES" {
			t.Setenv(k, v) // put back at the end
			_ = os.Unsetenv(k)
		}
	}
}

func TestDefaults(t *testing.T) {
	clearEnv(t)
	c, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "/data"}
	if err := c.Finish(func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	want := Config{Data: "/data/thingd", API: "127.0.0.1:4566", Device: ":8443", MQTT: ":8883", Ops: "127.0.0.1:9464", Region: "us-east-1",
		RootEmail: "root@localhost", LogLevel: "info", LogFormat: "text", Audit: "on", AuditSize: "64MiB", AuditKeep: "10", MQTTReasons: "on", Database: "sqlite:/data/thingd/thingd.db", Limits: "aws", ShadowSize: "8KiB",
		FleetMemory: "512MiB", FleetTime: "1h", FleetRuns: "2"}
	if len(c.Advertise) != 0 || c.Name() != "localhost" {
		t.Errorf("advertise %q, name %q", c.Advertise, c.Name())
	}
	c.Advertise = nil
	if got := *c; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// Flags win over variables, variables over the file, the file over defaults.
func TestPrecedence(t *testing.T) {
	clearEnv(t)
	file := filepath.Join(t.TempDir(), "thingd.json")
	if err := os.WriteFile(file, []byte(`{"api":"127.0.0.1:1","device":"127.0.0.1:1","ops":"127.0.0.1:1","aws-names":true,"advertise":["a.example","b.example"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("THINGD_DEVICE", "127.0.0.1:2")
	t.Setenv("THINGD_OPS", "127.0.0.1:2")
	for _, how := range []string{"flag", "variable"} {
		args := []string{"--ops", "127.0.0.1:3"}
		if how == "flag" {
			args = append(args, "--config", file)
		} else {
			t.Setenv("THINGD_CONFIG", file)
		}
		c, err := parse(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		if c.API != "127.0.0.1:1" || c.Device != "127.0.0.1:2" || c.Ops != "127.0.0.1:3" || c.MQTT != ":8883" || !c.AWSNames || c.Name() != "a.example" || len(c.Advertise) != 2 {
			t.Errorf("--config by %s: %+v", how, c)
		}
	}
}

func TestFileFaults(t *testing.T) {
	clearEnv(t)
	for content, want := range map[string]string{ // want: FILE is the file
		`{"apy":"x","zone":1}`:         "FILE: no option is called \"apy\"\nFILE: no option is called \"zone\"",
		`{"config":"x"}`:               `FILE: no option is called "config"`,
		`{"help":true}`:                `FILE: no option is called "help"`,
		``:                             `FILE: ends before the JSON object does`,
		`{"api":`:                      `FILE: ends before the JSON object does`,
		`{"api":}`:                     `FILE: not JSON: invalid character '}' looking for beginning of value`,
		`[]`:                           `FILE: not a JSON object, such as {"region": "us-east-1"}`,
		`null`:                         `FILE: not a JSON object, such as {"region": "us-east-1"}`,
		`{} {}`:                        `FILE: more than one JSON value`,
		`{"dev":"perhaps"}`:            `FILE: dev: true or false is wanted`,
		`{"dev":1}`:                    `FILE: dev: true or false is wanted`,
		`{"api":4566}`:                 `FILE: api: a string such as "127.0.0.1:4566" is wanted`,
		`{"api":{"host":"h"}}`:         `FILE: api: a string such as "127.0.0.1:4566" is wanted`,
		`{"data":null}`:                `FILE: data: a string is wanted`,
		`{"advertise":["a",1]}`:        `FILE: advertise: a list of strings, or one string, is wanted`,
		`{"apy":"x","mqtt":["a","b"]}`: "FILE: mqtt: a string such as \":8883\" is wanted\nFILE: no option is called \"apy\"",
	} {
		file := filepath.Join(t.TempDir(), "f.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(want, "FILE", "configuration file "+file)
		_, err := parse(t, "--config", file)
		if _, ok := errors.AsType[*ValueError](err); !ok || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", content, err, want)
		}
	}
	for _, content := range []string{`{}`, `{"dev":"yes","advertise":"a,b"}`, `{"advertise":["a","b"],"dev":true}`} {
		file := filepath.Join(t.TempDir(), "f.json")
		write(t, os.WriteFile(file, []byte(content), 0o600))
		c, err := parse(t, "--config", file)
		if err != nil || c.Dev != (content != `{}`) || c.Dev && len(c.Advertise) != 2 {
			t.Errorf("%s: %+v %v", content, c, err)
		}
	}
	if _, err := parse(t, "--config", "/nonexistent/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	good := func() *Config {
		return &Config{Data: "/d", API: "127.0.0.1:4566", Device: ":8443", MQTT: ":8883", Ops: "[::1]:9464", Region: "us-east-1",
			RootEmail: "root@localhost", LogLevel: "info", LogFormat: "text", Limits: "aws", Database: "sqlite:/d/x"}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Config)
		want  string // whole; empty: no fault
	}{
		{"nothing", func(*Config) {}, ""},
		{"port 0 many times", func(c *Config) { c.API, c.Device, c.MQTT, c.Ops = "h:0", ":0", ":0", ":0" }, ""},
		{"mqtt off", func(c *Config) { c.MQTT = "off" }, ""},
		{"gov region", func(c *Config) { c.Region = "us-gov-west-1" }, ""},
		{"names", func(c *Config) { c.Advertise = []string{"a", "a.b-c.example", "10.0.0.1", "::1", "raspberry_pi.local"} }, ""},
		{"postgres", func(c *Config) { c.Database = "postgres://u:p@h/d" }, ""},

		{"root e-mail", func(c *Config) { c.RootEmail = "it's+me@raspberry.local" }, ""},

		{"no root e-mail", func(c *Config) { c.RootEmail = "" }, `--root-email: "" is not an e-mail address such as root@example.com`},
		{"root e-mail with two @", func(c *Config) { c.RootEmail = "a@b@c" }, `--root-email: "a@b@c" is not an e-mail address such as root@example.com`},
		{"root e-mail with a blank", func(c *Config) { c.RootEmail = "a b@c" }, `--root-email: "a b@c" is not an e-mail address such as root@example.com`},
		{"no directory", func(c *Config) { c.Data = "" }, "--data: no default: neither XDG_DATA_HOME nor HOME is set"},
		{"no port", func(c *Config) { c.API = "localhost" }, `--api: "localhost" is not an address such as 127.0.0.1:4566 or :4566`},
		{"large port", func(c *Config) { c.Device = ":65536" }, `--device: ":65536" has no port number from 0 to 65535`},
		{"named port", func(c *Config) { c.Device = ":https" }, `--device: ":https" has no port number from 0 to 65535`},
		{"bad host", func(c *Config) { c.Ops = "a b:1" }, `--ops: "a b:1" has no valid host part`},
		{"off where it cannot be", func(c *Config) { c.API = "off" }, `--api: "off" is not an address such as 127.0.0.1:4566 or :4566`},
		{"same port", func(c *Config) { c.MQTT = ":8443" }, `--ops: --device and --mqtt are both :8443`},
		{"same port, one for all addresses", func(c *Config) { c.Device = "0.0.0.0:8443"; c.MQTT = "10.0.0.1:8443" }, `--ops: --device and --mqtt are both 10.0.0.1:8443`},
		{"region", func(c *Config) { c.Region = "Europe" }, `--region: "Europe" is not a region name such as us-east-1`},
		{"name with port", func(c *Config) { c.Advertise = []string{"ok", "h:1"} }, `--advertise: "h:1" is not a host name or an IP address (no port, no scheme)`},
		{"name with scheme", func(c *Config) { c.Advertise = []string{"https://h"} }, `--advertise: "https://h" is not a host name or an IP address (no port, no scheme)`},
		{"database keeps its secret", func(c *Config) { c.Database = "mysql://u:secret@h" }, "--database: not a sqlite: or postgres:// URL"},
		{"all at once", func(c *Config) { c.API, c.Region, c.LogLevel, c.LogFormat, c.Limits = "x", "", "loud", "xml", "none" },
			`--api: "x" is not an address such as 127.0.0.1:4566 or :4566` + "\n" +
				`--region: "" is not a region name such as us-east-1` + "\n" +
				`--log-level: "loud" is not one of debug, info, warn, error` + "\n" +
				`--log-format: "xml" is not one of text, json` + "\n" +
				`--limits: "none" is not one of aws, mqtt`},
	} {
		c := good()
		tt.spoil(c)
		got := ""
		if err := c.Check(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestDevDirs(t *testing.T) {
	env := map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}
	dirs := DevDirs(func(k string) string { return env[k] })
	if len(dirs) != 2 || dirs[0] != "/run/user/7/thingd-dev" || !strings.HasPrefix(dirs[1], "/tmp/thingd-dev-") {
		t.Errorf("got %q", dirs)
	}
	if got := DevDirs(func(string) string { return "" }); len(got) != 1 || got[0] != dirs[1] {
		t.Errorf("got %q", got)
	}
	c := &Config{Dev: true, API: ":1", Device: ":2", MQTT: ":3", Ops: ":4", Region: "us-east-1", LogLevel: "info", LogFormat: "text", Limits: "aws"}
	if err := c.Finish(func(k string) string { return env[k] }); err != nil || c.Data != "/run/user/7/thingd-dev" {
		t.Errorf("%v, data %s", err, c.Data)
	}
}

func TestPrepare(t *testing.T) {
	dev := RootCredentials{AccountID: DevAccountID, AccessKeyID: DevAccessKeyID, SecretAccessKey: DevSecretAccessKey, Region: "us-east-1"}
	own := RootCredentials{AccountID: "111122223333", AccessKeyID: "AKIA0000000000000000", SecretAccessKey: "s", Region: "us-east-1"}
	for _, tt := range []struct {
		name string
		dev  bool
		make func(t *testing.T, dir string)
		want string
	}{
		{"new", false, func(*testing.T, string) {}, ""},
		{"new, dev", true, func(*testing.T, string) {}, ""},
		{"again", false, func(t *testing.T, d string) { mkdir(t, d, 0o755); write(t, own.Write(d)) }, ""},
		{"dev again", true, func(t *testing.T, d string) { mkdir(t, d, 0o700); write(t, dev.Write(d)) }, ""},
		{"dev on real data", true, func(t *testing.T, d string) { mkdir(t, d, 0o700); write(t, own.Write(d)) }, "belongs to a server without --dev"},
		{"real on dev data", false, func(t *testing.T, d string) { mkdir(t, d, 0o700); write(t, dev.Write(d)) }, "belongs to a --dev server"},
		{"a file", false, func(t *testing.T, d string) { write(t, os.WriteFile(d, nil, 0o600)) }, "not a directory"},
		{"a checkout", false, func(t *testing.T, d string) { mkdir(t, filepath.Join(d, ".git"), 0o700) }, "data: is not empty and not thingd's: choose an empty or new one with --data"},
		{"somebody's", true, func(t *testing.T, d string) {
			mkdir(t, filepath.Join(d, "keys"), 0o700)
			write(t, os.WriteFile(filepath.Join(d, "README.md"), nil, 0o600))
		}, "data: is not empty and not thingd's: choose an empty or new one with --data"},
		{"large", false, func(t *testing.T, d string) {
			mkdir(t, d, 0o700)
			for i := range 250 {
				write(t, os.WriteFile(filepath.Join(d, fmt.Sprintf(".%03d", i)), nil, 0o600))
			}
			write(t, os.WriteFile(filepath.Join(d, "seen"), nil, 0o600))
		}, "is not empty"},
		{"a fresh mount", false, func(t *testing.T, d string) { mkdir(t, filepath.Join(d, "lost+found"), 0o700) }, ""},
		{"a fresh home", false, func(t *testing.T, d string) {
			mkdir(t, d, 0o700)
			write(t, os.WriteFile(filepath.Join(d, ".profile"), nil, 0o600))
		}, ""},
		{"a start that came to nothing", false, func(t *testing.T, d string) {
			mkdir(t, d, 0o700)
			write(t, os.WriteFile(filepath.Join(d, "lock"), nil, 0o600))
			write(t, os.WriteFile(filepath.Join(d, "more"), nil, 0o600))
		}, ""},
		{"spoiled", false, func(t *testing.T, d string) {
			mkdir(t, d, 0o700)
			write(t, os.WriteFile(filepath.Join(d, RootCredentialsFile), []byte("{"), 0o600))
		}, "read "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "data")
			if tt.name != "new" && tt.name != "new, dev" {
				mkdir(t, filepath.Dir(dir), 0o700)
			}
			tt.make(t, dir)
			err := (&Config{Data: dir, Dev: tt.dev}).Prepare()
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				fi, err := os.Stat(dir)
				if err != nil || !fi.IsDir() {
					t.Fatalf("%v %v", fi, err)
				}
				if strings.HasPrefix(tt.name, "new") && fi.Mode().Perm() != 0o700 {
					t.Errorf("mode %o", fi.Mode().Perm())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Which directory could not be made is said.
func TestPrepareCannotMake(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	write(t, os.WriteFile(file, nil, 0o600))
	data := filepath.Join(file, "x", "y")
	if err := (&Config{Data: data}).Prepare(); err == nil || err.Error() != "data directory "+data+": "+file+": not a directory" {
		t.Errorf("got %v", err)
	}
	if os.Geteuid() == 0 {
		return // may make any
	}
	base = t.TempDir()
	write(t, os.Chmod(base, 0o500))
	data = filepath.Join(base, "x", "y")
	want := "data directory " + data + ": no right to make " + filepath.Dir(data) + ": make it and give it to this user, or choose another with --data"
	if err := (&Config{Data: data}).Prepare(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// A directory of the other kind that a variable named is said to be that.
func TestPrepareByVariable(t *testing.T) {
	dir := t.TempDir()
	write(t, RootCredentials{AccountID: DevAccountID, AccessKeyID: DevAccessKeyID, SecretAccessKey: DevSecretAccessKey, Region: "us-east-1"}.Write(dir))
	for variable, want := range map[string]string{
		"":         "data directory " + dir + ": belongs to a --dev server, whose keys are public",
		"/another": "data directory " + dir + ": belongs to a --dev server, whose keys are public",
		dir:        "data directory " + dir + ": belongs to a --dev server, whose keys are public; THINGD_DATA names it: unset THINGD_DATA, or choose another with --data",
	} {
		c := &Config{Data: dir, API: ":1", Device: ":2", MQTT: ":3", Ops: ":4", Region: "us-east-1", LogLevel: "info", LogFormat: "text", Limits: "aws"}
		write(t, c.Finish(func(k string) string { return map[string]string{"THINGD_DATA": variable}[k] }))
		if err := c.Prepare(); err == nil || err.Error() != want {
			t.Errorf("THINGD_DATA=%s: %v\nwant %s", variable, err, want)
		}
	}
}

// The shared place for --dev must be the user's own.
func TestPrepareSharedPlace(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	open := filepath.Join(tmp, "open")
	mkdir(t, open, 0o755)
	if err := (&Config{Data: open, Dev: true}).Prepare(); err == nil || !strings.Contains(err.Error(), "open to other users (mode 0755, want 0700)") {
		t.Errorf("got %v", err)
	}
	link := filepath.Join(tmp, "link")
	write(t, os.Symlink(t.TempDir(), link))
	if err := (&Config{Data: link, Dev: true}).Prepare(); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v", err)
	}
	own := filepath.Join(tmp, "own")
	if err := (&Config{Data: own, Dev: true}).Prepare(); err != nil {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		write(t, os.Chown(own, 12345, 12345))
		if err := (&Config{Data: own, Dev: true}).Prepare(); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
			t.Errorf("got %v", err)
		}
	} else {
		ro := filepath.Join(t.TempDir(), "ro")
		mkdir(t, ro, 0o500)
		if err := (&Config{Data: ro}).Prepare(); err == nil || !strings.Contains(err.Error(), "no right to read and write in the data directory ") {
			t.Errorf("got %v", err)
		}
	}
}

func mkdir(t *testing.T, d string, mode fs.FileMode) {
	t.Helper()
	write(t, os.MkdirAll(filepath.Dir(d), 0o700))
	write(t, os.Mkdir(d, mode))
}

func write(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
