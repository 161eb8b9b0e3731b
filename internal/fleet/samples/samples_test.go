package samples_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/samples"
)

func TestSamples(t *testing.T) {
	for _, name := range samples.Names() {
		m, err := samples.Model(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Name != name || m.Description == "" || m.Run == nil {
			t.Errorf("%s: name %s, description %q, run settings %v", name, m.Name, m.Description, m.Run)
		}
		for stage, code := range m.Stages {
			if n := strings.Count(code, "\n"); n > 50 {
				t.Errorf("%s: stage %s has %d lines: nobody takes that in at one look", name, stage, n)
			}
		}
		for _, s := range m.Settings {
			if s.Secret != (s.Name == "secretAccessKey" || s.Name == "sessionToken") {
				t.Errorf("%s: setting %s, secret: %v", name, s.Name, s.Secret)
			}
		}
	}
	if _, err := samples.Model("aws-iot-conector"); err == nil || err.Error() != `there is no sample "aws-iot-conector"; there are `+strings.Join(samples.Names(), ", ") {
		t.Error(err)
	}
}

// TestConnectorShape: what seeds/004 and its readers count on.
func TestConnectorShape(t *testing.T) {
	m, err := samples.Model("aws-iot-connector")
	if err != nil {
		t.Fatal(err)
	}
	if m.MinIterations != 5 || len(m.Sequence) != 5 || !slices.Contains(m.Sequence, "createThing") {
		t.Errorf("sequence %v, at least %d iterations", m.Sequence, m.MinIterations)
	}
	if m.Run.Clients != 5 || m.Run.Iterations != 5 {
		t.Errorf("%+v", m.Run)
	}
	var settings []string
	for _, s := range m.Settings {
		settings = append(settings, s.Label)
	}
	if got := strings.Join(settings, ", "); !strings.HasPrefix(got, "Access key, Secret access key, AWS region") {
		t.Error(got)
	}
	if !strings.Contains(m.Stages["createThing"], "iotify_${client()}") {
		t.Errorf("the name is not there to be edited:\n%s", m.Stages["createThing"])
	}
}

// TestWrite: what is written is the sample, and nothing is overwritten.
func TestWrite(t *testing.T) {
	for _, name := range samples.Names() {
		dir := filepath.Join(t.TempDir(), "new", name)
		written, err := samples.Write(name, dir)
		if err != nil {
			t.Fatal(err)
		}
		want, err := samples.Model(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := model.Load(dir); err != nil || string(got.JSON()) != string(want.JSON()) {
			t.Errorf("%s is written as %v, %v", name, got, err)
		}
		if slices.Contains(written, "policy.json") != (samples.Policy(name) != nil) {
			t.Errorf("%s: wrote %v", name, written)
		}
		if _, err := samples.Write(name, dir); err == nil || !strings.HasSuffix(err.Error(), " is there already") {
			t.Errorf("%s: %v", name, err)
		}
		// One file of its own in the way: the others are not written either.
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, "model.json"), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := samples.Write(name, other); err == nil {
			t.Errorf("%s is written over somebody's model", name)
		}
		if entries, _ := os.ReadDir(other); len(entries) != 1 {
			t.Errorf("%s: left %v", name, entries)
		}
	}
}
