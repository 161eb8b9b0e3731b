package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// A fleet connects, publishes what its stages return, and says goodbye; each message is there, and counted once.
func TestRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	r.hear()
	p := r.plain()
	p.Subscribe = []model.Subscription{{Filter: "t/{{client()}}", QoS: 1}}
	res := do(t, engine.Options{
		Model: &model.Model{
			Protocol: p,
			Stages:   map[string]string{"init": "state.n = 100", "running": "return {client: client(), n: ++state.n}", "finished": "return 'bye'"},
		},
		Run: model.RunSettings{Clients: 5, Iterations: 3, Offset: 10, Thresholds: []string{"publishes count == 20", "errors rate < 0.01", "publish_ms p(99) < 5000", "lost count == 0"}},
	})
	heard := r.by(20)
	for c := 10; c < 15; c++ {
		want := fmt.Sprintf(`[{"client":%d,"n":101} {"client":%d,"n":102} {"client":%d,"n":103} bye]`, c, c, c)
		if got := fmt.Sprint(heard[fmt.Sprintf("t/%d", c)]); got != want {
			t.Errorf("device %d published %s, want %s", c, got, want)
		}
	}
	want(t, res, map[string]float64{"connects": 5, "publishes": 20, "iterations": 15, "publish_ms": 20, "connect_ms": 5, "disconnects": 0, "devices_failed": 0})
	if res.Outcome != report.Succeeded || res.Devices.Finished != 5 || res.Devices.Connected != 0 || res.Progress != 1 || res.Phase != report.Done {
		t.Errorf("outcome: %s (%s), devices %+v", res.Outcome, res.Reason, res.Devices)
	}
}

func TestThresholdsAndFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 2, Thresholds: []string{"publishes count > 2", "iterations count >= 2", "nothing p(99) < 1"}}})
	if res.Outcome != report.Thresholds || res.ExitCode() != 99 || res.Thresholds[0].OK || !res.Thresholds[1].OK || res.Thresholds[2].OK {
		t.Errorf("outcome: %s %+v", res.Outcome, res.Thresholds)
	}
	// One device throws: it ends, and the others go on.
	m.Stages["running"] = "if (client() == 1 && iteration() == 1) { throw new Error('no') }\nreturn 'x'"
	m.Script = "function iteration() { state.i = (state.i || 0) + 1; return state.i - 1 }"
	res = do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Iterations: 5}})
	want(t, res, map[string]float64{"iterations": 11, "devices_failed": 1, "publishes": 11})
	if res.Outcome != report.Failed || res.ExitCode() != 1 || len(res.FailedDevices) != 1 || res.FailedDevices[0].Client != 1 || len(res.Errors) != 1 || res.Errors[0].Count != 1 {
		t.Errorf("outcome: %s (%s) %+v", res.Outcome, res.Reason, res.Errors)
	}
	// Unless a threshold speaks of that.
	res = do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Iterations: 5, Thresholds: []string{"devices_failed count <= 1"}}})
	if res.Outcome != report.Succeeded {
		t.Errorf("outcome: %s (%s)", res.Outcome, res.Reason)
	}
}

// A run that is stopped has its devices run stage finished.
func TestStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	r.hear()
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'", "finished": "return 'bye'"}}
	run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Iterations: 100, Interval: model.Duration(time.Hour)}})
	go func() {
		r.until(func() bool { s := run.Snapshot(); m, _ := s.Metric("publishes"); return m.Count == 3 })
		run.Stop()
	}()
	res := finish(t, run)
	if res.Outcome != report.Stopped || res.ExitCode() != 130 || res.Devices.Stopped != 3 {
		t.Errorf("outcome: %s %+v", res.Outcome, res.Devices)
	}
	if got := fmt.Sprint(r.by(6)); got != "map[t/0:[x bye] t/1:[x bye] t/2:[x bye]]" {
		t.Error(got)
	}
	// Its time being up is no failure.
	res = do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Duration: model.Duration(300 * time.Millisecond), Interval: model.Duration(100 * time.Millisecond)}})
	if res.Outcome != report.Succeeded || res.Devices.Finished != 3 || count(res, "iterations") < 6 {
		t.Errorf("outcome: %s (%s) %+v %v", res.Outcome, res.Reason, res.Devices, res.Metrics)
	}
}

// A day passes at once, in its order.
func TestVirtualTime(t *testing.T) {
	r := newRig(t, broker.Standard(), "")
	r.hear()
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	m.Protocol.Topic = "all"
	m.Stages["running"] = "return String(client())"
	begin := time.Now()
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Duration: model.Duration(24 * time.Hour), Interval: model.Duration(time.Hour), Gap: model.Duration(10 * time.Minute), Time: "virtual"}})
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("a day took %s", d)
	}
	want(t, res, map[string]float64{"iterations": 72})
	heard := r.by(72)["all"]
	for i, c := range heard {
		if c != fmt.Sprint(i%3) {
			t.Fatalf("the order is %v", heard)
		}
	}
	if !res.Virtual || res.VirtualMs < 23*3600*1000 || res.VirtualMs > 24*3600*1000 {
		t.Errorf("%d ms passed", res.VirtualMs)
	}
}
