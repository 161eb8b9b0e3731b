package engine_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// A run of which no device can connect ends soon, and says why and what to do; whether more devices are to come or the run has
// an hour or not.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, broker.Standard(), "iot:Connect d0")
	for name, x := range map[string]struct {
		address, user string
		run           model.RunSettings
		says          []string
	}{
		"refused":        {nobody.Addr().String(), "", model.RunSettings{Clients: 3, Iterations: 5}, []string{"no device could connect to 127.0.0.1:", "connection refused", "does the server run"}},
		"within an hour": {nobody.Addr().String(), "", model.RunSettings{Clients: 500, Duration: model.Duration(time.Hour), RampUp: model.Duration(time.Hour)}, []string{"no device could connect to 127.0.0.1:"}},
		"no such name":   {"nobody.invalid", "", model.RunSettings{Clients: 20}, []string{"no device could connect to nobody.invalid:1883", "the name is not known"}},
		"a stranger":     {r.address, "stranger", model.RunSettings{}, []string{"it cannot connect to 127.0.0.1:", "does its policy allow iot:Connect"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := r.plain()
			p.Endpoint, p.Username = x.address, x.user
			m := &model.Model{Protocol: p, Stages: map[string]string{"running": "return 'x'"}}
			begin := time.Now()
			res := do(t, engine.Options{Model: m, Run: x.run})
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			for _, text := range x.says {
				if res.Outcome != report.Failed || res.ExitCode() != 1 || !strings.Contains(res.Reason, text) {
					t.Errorf("%s: %s; want %q", res.Outcome, res.Reason, text)
				}
			}
		})
	}
}

// Devices that have endpoints of their own are all waited for: those that nobody answers do not speak for those to come.
func TestEndpointOfEach(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	for name, x := range map[string]struct {
		endpoint string
		run      model.RunSettings
		finished int
		says     string
	}{
		"the second answers": {"{{client() ? '" + r.address + "' : '127.0.0.1:1'}}", model.RunSettings{Clients: 2, Iterations: 1, Duration: model.Duration(12 * time.Second), RampUp: model.Duration(19 * time.Second)}, 1, "1 of 2 devices failed"},
		"nobody answers":     {"127.0.0.1:{{client() + 1}}", model.RunSettings{Clients: 12, Duration: model.Duration(time.Hour), RampUp: model.Duration(3 * time.Second)}, 0, "no device could connect, the last of them to 127.0.0.1:"},
		"one for all":        {"{{'127.0.0.1:1'}}", model.RunSettings{Clients: 500, Duration: model.Duration(time.Hour), RampUp: model.Duration(time.Minute)}, 0, "no device could connect to 127.0.0.1:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := r.plain()
			p.Endpoint = x.endpoint
			m := &model.Model{Protocol: p, Stages: map[string]string{"running": "return 'x'"}}
			begin := time.Now()
			res := do(t, engine.Options{Model: m, Run: x.run})
			if took := time.Since(begin); took > 45*time.Second {
				t.Errorf("it took %s", took)
			}
			if res.Devices.Finished != x.finished || !strings.Contains(res.Reason, x.says) {
				t.Errorf("%s (%s): %+v", res.Outcome, res.Reason, res.Devices)
			}
		})
	}
}

// Once a device was connected, others try on.
func TestSomeReachable(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	p := r.plain()
	p.Endpoint = "{{client() ? '" + r.address + "' : '127.0.0.1:1'}}"
	m := &model.Model{Protocol: p, Stages: map[string]string{"running": "return 'x'"}}
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 2, Duration: model.Duration(9500 * time.Millisecond), Interval: model.Duration(time.Second)}})
	if res.Devices.Finished != 1 || res.Devices.Failed != 1 || strings.Contains(res.Reason, "no device could") {
		t.Errorf("%s (%s): %+v", res.Outcome, res.Reason, res.Devices)
	}
}

// A run in virtual time that is faster than the server lets it says so, once, with what helps; one in real time does not.
func TestHint(t *testing.T) {
	t.Parallel()
	limits := broker.Standard()
	limits.PublishRate = 5
	r := newRig(t, limits, "")
	for _, time := range []string{"virtual", "real"} {
		p := r.plain()
		p.Version, p.ClientID = "5", time+"{{client()}}"
		m := &model.Model{Protocol: p, Stages: map[string]string{"running": "for (let i = 0; i < 20; i++) try { publish('t', 'x', {qos: 1}) } catch (e) { }"}}
		run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 3, Time: time}})
		res := finish(t, run)
		told := 0
		for _, line := range run.Logs(0, 1000) {
			if line.Client == -1 && strings.Contains(line.Text, "In virtual time devices send as fast as they can") && strings.Contains(line.Text, "--limits mqtt") {
				told++
			}
		}
		if want := map[string]int{"virtual": 1}[time]; told != want || len(res.Notes) != want {
			t.Errorf("in %s time it is said %d times: %q", time, told, res.Notes)
		}
	}
}
