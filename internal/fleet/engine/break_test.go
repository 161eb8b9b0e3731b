package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// A question that nothing answers fails when the connection breaks, and does not wait for its time to be over.
func TestBreakUnanswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	for _, question := range []string{"shadow.get()", "shadow.update({reported: {a: 1}})", "jobs.pending()", "jobs.update('j', 'SUCCEEDED')"} {
		t.Run(question, func(t *testing.T) {
			t.Parallel()
			m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "try { " + question + "; return 'answered' } catch (e) { state.why = e.message; throw e }"}}
			begin := time.Now()
			res := do(t, engine.Options{Model: m, Run: model.RunSettings{Network: model.Network{DisconnectEvery: model.Duration(300 * time.Millisecond)}}})
			const why = "the connection broke before the answer came"
			if res.Outcome != report.Failed || !strings.Contains(res.Reason, why) || !strings.Contains(string(res.FailedDevices[0].State), why) {
				t.Errorf("%s: %s", res.Outcome, res.Reason)
			}
			if took := time.Since(begin); took > 8*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
