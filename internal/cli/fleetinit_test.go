package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/samples"
)

func TestFleetSamples(t *testing.T) {
	code, out, stderr := run(t, "fleet", "samples")
	if code != 0 || stderr != "" {
		t.Fatalf("%d %s", code, stderr)
	}
	for _, name := range samples.Names() {
		if !strings.Contains(out, name+"\n    ") {
			t.Errorf("%s is not listed:\n%s", name, out)
		}
	}
	for line := range strings.Lines(out) {
		if len(line) > 101 {
			t.Errorf("a line of %d: %s", len(line), line)
		}
	}
	code, out, _ = run(t, "fleet", "samples", "--json")
	var models []struct{ Name string }
	if err := json.Unmarshal([]byte(out), &models); code != 0 || err != nil || len(models) != len(samples.Names()) || models[0].Name != "aws-iot-connector" {
		t.Errorf("%d, %v: %.200s", code, err, out)
	}
}

func TestFleetInit(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, stderr := run(t, "fleet", "init", "aws-iot-connector")
	if code != 0 || !strings.Contains(out, filepath.Join("aws-iot-connector", "policy.json")+"\n") {
		t.Fatalf("%d %s %s", code, out, stderr)
	}
	if b, err := os.ReadFile("aws-iot-connector/policy.json"); err != nil || !json.Valid(b) {
		t.Errorf("%s %v", b, err)
	}
	if code, out, stderr = run(t, "fleet", "init", "aws-iot-connector"); code != 1 || out != "" || !strings.Contains(stderr, "createCertificate.js is there already\n") {
		t.Errorf("again: %d %s %s", code, out, stderr)
	}
	if code, _, stderr = run(t, "fleet", "init", "sensor", "deep/in"); code != 0 {
		t.Errorf("%d %s", code, stderr)
	}
	if _, err := os.Stat("deep/in/model.json"); err != nil {
		t.Error(err)
	}
	if code, _, stderr = run(t, "fleet", "init", "sensr"); code != 1 || !strings.HasPrefix(stderr, `thingd: there is no sample "sensr"; there are aws-iot-connector, `) {
		t.Errorf("%d %s", code, stderr)
	}
}
