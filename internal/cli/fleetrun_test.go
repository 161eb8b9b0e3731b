package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
)

func fleetModel(t *testing.T, text string) (folder, file string) {
	t.Helper()
	t.Setenv("THINGD_FLEET_GLOB", "") // what the machine has set is no part of it
	t.Setenv("THINGD_DATA", t.TempDir())
	folder = t.TempDir()
	file = filepath.Join(folder, "m.js")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, file
}

// TestFleetGlobSet takes values that look like options, and repeats none that it does not understand.
func TestFleetGlobSet(t *testing.T) {
	glob := filepath.Join(t.TempDir(), "glob.db")
	for _, value := range []string{
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE+/A==\n-----END RSA PRIVATE KEY-----\n", "-5", "-0.5", "-a text", "--a text=b", `[]`, "plain",
	} {
		for _, args := range [][]string{{"k", value, "--glob-file", glob}, {"--glob-file", glob, "k", value}, {"--glob-file=" + glob, "--", "k", value}} {
			if code, _, stderr := run(t, append([]string{"fleet", "glob", "set"}, args...)...); code != 0 {
				t.Errorf("%q: %d %s", args, code, stderr)
			}
			if _, out, stderr := run(t, "fleet", "glob", "get", "k", "--glob-file", glob); strings.Join(strings.Fields(out), " ") != strings.Join(strings.Fields(value), " ") {
				t.Errorf("%q: %q %s", args, out, stderr)
			}
		}
	}
	for _, args := range [][]string{{"k", "--secret"}, {"k", "-secret"}, {"k", "a", "secret"}, {"k", "-----BEGIN", "RSA", "secret"}, {"k", "--", "-a", "secret"}} {
		code, out, stderr := run(t, append([]string{"fleet", "glob", "set", "--glob-file", glob}, args...)...)
		if code != 2 || strings.Contains(out+stderr, "secret") || !strings.Contains(stderr, "standard input") {
			t.Errorf("%q: %d %s%s", args, code, out, stderr)
		}
	}
}

// TestFleetKeepState keeps the last state that can be kept.
func TestFleetKeepState(t *testing.T) {
	folder, file := fleetModel(t, `const model = {name: 'keep', settings: [{name: 'mode', default: 'count'}]}
function running() {
  state.n = (state.n || 0) + 1
  log('n is ' + state.n)
  if (setting('mode') === 'long') state.a = 'x'.repeat(300000)
  if (setting('mode') === 'odd') state.a = state
}
`)
	keep := func(mode string) (int, string) {
		code, _, stderr := run(t, "fleet", "run", file, "--keep-state", "--glob-file", filepath.Join(folder, "glob.db"), "--set", "mode="+mode)
		return code, stderr
	}
	for _, x := range []struct {
		mode string
		code int
		want string
	}{
		{"count", 0, "n is 1"}, {"long", 1, "RangeError: state: there are more than 262144 bytes"}, {"count", 0, "n is 2"},
		{"odd", 0, "state of device 0 is not kept, the one before stays"}, {"count", 0, "n is 3"},
	} {
		if code, stderr := keep(x.mode); code != x.code || !strings.Contains(stderr, x.want) {
			t.Errorf("%s: %d %s, want %s", x.mode, code, stderr, x.want)
		}
	}
}

// TestFleetOwnKey pairs no access key's identifier with another's secret.
func TestFleetOwnKey(t *testing.T) {
	m := &model.Model{Settings: []model.Setting{{Name: "accessKeyId"}, {Name: "secretAccessKey"}, {Name: "sessionToken"}, {Name: "region"}}}
	target := &fleetTarget{region: "r"}
	target.keys.AccessKeyID, target.keys.SecretAccessKey, target.keys.SessionToken = "own", "own", "token"
	for _, x := range []struct {
		set, env map[string]string
		want     string // or the error
	}{
		{nil, nil, "own own token"},
		{map[string]string{"accessKeyId": "A"}, map[string]string{"THINGD_FLEET_SECRET_ACCESS_KEY": "S"}, "A S "},
		{nil, map[string]string{"THINGD_FLEET_SECRET_ACCESS_KEY": "S", "THINGD_FLEET_ACCESS_KEY_ID": "A"}, "A S "},
		{map[string]string{"accessKeyId": ""}, nil, "  "},
		{nil, map[string]string{"THINGD_FLEET_SECRET_ACCESS_KEY": "S"}, "accessKeyId is the run's own but secretAccessKey is set by THINGD_FLEET_SECRET_ACCESS_KEY: set both or neither"},
		{nil, map[string]string{"THINGD_FLEET_ACCESS_KEY_ID": "A"}, "secretAccessKey is the run's own but accessKeyId is set by THINGD_FLEET_ACCESS_KEY_ID: set both or neither"},
		{map[string]string{"secretAccessKey": "S"}, nil, "accessKeyId is the run's own but secretAccessKey is set by --set: set both or neither"},
	} {
		f := &fleetRunCmd{Set: x.set}
		v, err := f.values(m, target, func(name string) string { return x.env[name] })
		got := v["accessKeyId"] + " " + v["secretAccessKey"] + " " + v["sessionToken"]
		if err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%v %v: %s, want %s", x.set, x.env, got, x.want)
		}
	}
}
