package script

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/thingd/thingd/internal/fleet/model"
)

// TestDocs runs the examples of docs/fleet-models.md. A line that ends with
// "// → text" must have that value.
func TestDocs(t *testing.T) {
	document, err := os.ReadFile("../../../docs/fleet-models.md")
	if err != nil {
		t.Fatal(err)
	}
	claim := regexp.MustCompile(`(?m)^(.*\S)\s+// → (.+)$`)
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllSubmatch(document, -1)
	if len(blocks) < 10 {
		t.Fatalf("there are %d examples", len(blocks))
	}
	for _, b := range blocks {
		kind, code := string(b[1]), string(b[2])
		m := &model.Model{
			Name: "example", Stages: map[string]string{},
			Script: "function claim(v, want) { const got = typeof v === 'string' ? v : JSON.stringify(v); if (got !== want) throw new Error(`${got} is not ${want}`) }",
		}
		switch {
		case kind == "json":
			if m, err = model.Parse(b[2]); err != nil {
				t.Errorf("%v:\n%s", err, code)
				continue
			}
		case kind == "js" && strings.HasPrefix(code, "const model"):
			if m, err = model.LoadFS(fstest.MapFS{"model.js": {Data: b[2]}}, "model.js"); err != nil {
				t.Errorf("%v:\n%s", err, code)
				continue
			}
		case kind == "js":
			m.Stages["running"] = claim.ReplaceAllStringFunc(code, func(line string) string {
				parts := claim.FindStringSubmatch(line)
				return "claim(" + parts[1] + ", " + strconv.Quote(parts[2]) + ")"
			})
		default:
			continue
		}
		d, h := device(t, m, Info{Client: 1, Clients: 5, Seed: 1, Settings: map[string]string{"endpoint": "h.example"}})
		h.onAWS = func(c Call) (json.RawMessage, error) {
			if c.Operation == "CreateThingGroup" {
				return nil, &AWSError{Code: "ResourceAlreadyExistsException", Message: "it is there", Status: 409}
			}
			return json.RawMessage(`{"certificatePem":"PEM"}`), nil
		}
		answering(t, h, map[string]string{
			"$aws/things/thermostat-1/jobs/start-next": `accepted {"execution":{"jobId":"j","jobDocument":{}}}`,
			"$aws/things/thermostat-1/jobs/j/update":   `accepted {"executionState":{}}`,
		})
		for _, stage := range []string{"init", "running", "finished"} {
			if _, _, err := d.Run(t.Context(), stage, 0); err != nil {
				t.Errorf("%v:\n%s", err, code)
			}
		}
		if err := d.Message(t.Context(), Message{Topic: "rooms/1/light", Payload: []byte(`{"on":true,"name":"reset"}`)}); err != nil {
			t.Errorf("%v:\n%s", err, code)
		}
	}
	// Every helper is described.
	for _, name := range slices.Sorted(maps.Keys(helpers)) {
		if name == "JSON" || name == "globalThis" {
			continue // JavaScript's own
		}
		if !strings.Contains(string(document), name) {
			t.Errorf("docs/fleet-models.md does not describe %s", name)
		}
		if of, ok := helpers[name].(members); ok {
			for member := range of {
				if !strings.Contains(string(document), member) {
					t.Errorf("docs/fleet-models.md does not describe %s.%s", name, member)
				}
			}
		}
	}
}
