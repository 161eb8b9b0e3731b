package worker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

// What stands in a document's numbers, times and names by chance is no secret,
// and hiding it would leave no document.
func TestHideLeavesDocuments(t *testing.T) {
	h := newHider([]string{"2026", "1234", "true", "client", "succeeded", "nope", "a\\\"b<c"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 1234e5, time.UTC)
	in := report.Result{
		Outcome: report.Succeeded, Snapshot: report.Snapshot{Started: at, ElapsedMs: 12345, Virtual: true, Seed: 20261},
		FailedDevices: []report.DeviceStatus{{
			Client: 1234, Connected: true, LastError: "PIN 1234 of 2026 is true", State: json.RawMessage(`{"nope":2026,"x":["nope","\\\\","1234"]}`),
			Logs: []report.LogEntry{{Seq: 2026, Time: at, Client: 1234, Text: `it is a\"b<c, in JSON "a\\\"b<c"`}},
		}},
	}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out report.Result
	if err := json.Unmarshal(h.json(raw), &out); err != nil {
		t.Fatalf("%v in %s", err, h.json(raw))
	}
	d := out.FailedDevices[0]
	if out.Outcome != in.Outcome || !out.Started.Equal(at) || out.ElapsedMs != 12345 || out.Seed != 20261 || d.Client != 1234 || !d.Logs[0].Time.Equal(at) {
		t.Errorf("%+v", out)
	}
	if d.LastError != "PIN ******** of ******** is ********" || string(d.State) != `{"********":2026,"x":["********","\\\\","********"]}` ||
		d.Logs[0].Text != `it is ********, in JSON "********"` {
		t.Errorf("%q %s %q", d.LastError, d.State, d.Logs[0].Text)
	}
	for _, broken := range []string{`"`, `"a\`, `{"x":"1234`, `\"`, ``} {
		h.json(json.RawMessage(broken)) // whatever comes out: it does not panic
	}
}
