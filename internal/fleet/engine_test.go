package fleet

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/fleet/model"
)

// Models as people write them, done by real workers.
func TestRealRuns(t *testing.T) {
	t.Parallel()
	secretHost, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = secretHost.Close() })
	w := newWorld(t, dbtest.SQLite(t), func(s *Service) { s.Limits.AtOnce = 1; s.Workers.Memory = 256 << 20 })
	for _, tt := range []struct {
		name, running string
		run           m
		status        string
		logs, reason  string // parts
		failed        string // devices that failed
	}{
		{name: "plain", running: `log('client ' + client() + ' of ' + clients() + ', ' + settings.standard); state.n = iteration()`, status: "SUCCEEDED", logs: "client 0 of 1, of the model"},
		{name: "secret", running: `log('token ' + settings.token); state.mine = settings.token; throw new Error('with ' + settings.token)`, status: "FAILED", logs: "token ********", failed: "0"},
		{name: "glob", running: `glob.set('k' + client(), {of: client()}); log(JSON.stringify(glob.list('k')) + JSON.stringify(glob.get('k0')))`, status: "SUCCEEDED", logs: `{"of":0}`},
		// One device of three eats memory: it is stopped and named, the others go on.
		{name: "eater", running: `if (client() === 1) { const all = []; for (let i = 0; ; i++) all.push({i, text: 'x' + i}) } sleep(10); log('device ' + client() + ' goes on')`,
			run: m{"clients": 3, "iterations": 2, "interval": "3s"}, status: "FAILED", logs: "device 2 goes on", reason: "1 of 3 devices failed", failed: "1"},
		{name: "loop", running: `if (client() === 0) { for (;;) {} } log('device ' + client() + ' goes on')`,
			run: m{"clients": 2}, status: "FAILED", logs: "device 1 goes on", reason: "1 of 2 devices failed", failed: "0"},
		// Where no operator has allowed to go.
		{name: "egress", running: fmt.Sprintf(`for (const url of ['http://%s/', 'http://169.254.169.254/latest/meta-data/', 'http://example.com/']) { try { http.get(url); log('reached ' + url) } catch (e) { log(String(e)) } }`, secretHost.Addr()),
			status: "SUCCEEDED", logs: "--fleet-allow 169.254.169.254:80"},
		{name: "nowhere", running: `state.known = [typeof process, typeof require, typeof global].join(); log(state.known + ' ' + JSON.stringify(environment))`, status: "SUCCEEDED", logs: "undefined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if raceDetector && tt.name == "eater" {
				t.Skip("the race detector needs more memory than a worker has")
			}
			w := *w
			w.t = t
			w.test(tt.name, tt.running, nil)
			run := m{"iterations": 1}
			for k, v := range tt.run {
				run[k] = v
			}
			id := w.run(tt.name, m{"runSettings": run})
			a := w.until(id, "SUCCEEDED", "FAILED", "STOPPED")
			var failed []string
			for _, d := range w.must("GET", "/fleet/runs/"+id+"/devices?phase=failed", nil)["devices"].([]any) {
				failed = append(failed, fmt.Sprint(d.(map[string]any)["client"], ": ", d.(map[string]any)["lastError"]))
			}
			logs := w.logs(id)
			if a.text("run", "status") != tt.status || !strings.Contains(logs, tt.logs) || !strings.Contains(a.text("run", "statusReason"), tt.reason) || !strings.HasPrefix(strings.Join(failed, "; "), tt.failed) || (tt.failed == "") != (failed == nil) {
				t.Errorf("%v\n%s\nfailed: %q", a["run"], logs, failed)
			}
			if strings.Contains(logs, "reached") {
				t.Error(logs)
			}
			t.Log(a.text("run", "statusReason"), failed)
		})
	}
	everything := w.dump() + w.log.String()
	if strings.Contains(everything, secretToken) {
		t.Error("a secret got out")
	}
	for _, id := range strings.Fields(w.must("GET", "/fleet/runs", nil).names("runs", "runId")) {
		for _, path := range []string{"", "/devices", "/devices/0", "/logs", "/series", "/report?format=json", "/report?format=text", "/report?format=junit", "/report?format=csv"} {
			a, err := w.do("GET", "/fleet/runs/"+id+path, nil)
			if err != nil || strings.Contains(fmt.Sprint(a), secretToken) {
				t.Error(id, path, err, a)
			}
		}
	}
}

// Devices are asked for by their numbers, while a run goes on and afterwards.
func TestRealRunOffset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t), begun)
	w.test("offset", "state.n = (state.n || 0) + 1; sleep('1h')", nil)
	for n := 1; n <= 2; n++ {
		id := w.run("offset", m{"runSettings": m{"clients": 3, "offset": 10, "keepState": true}})
		for w.until(id, "RUNNING")["snapshot"] == nil {
			time.Sleep(10 * time.Millisecond)
		}
		state := fmt.Sprintf(`{"n":%d}`, n)
		look := func() string { return w.must("GET", "/fleet/runs/"+id+"/devices/12", nil).text("state") }
		for deadline := time.Now().Add(30 * time.Second); look() != state && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		w.must("POST", "/fleet/runs/"+id+"/stop", nil)
		w.until(id, "STOPPED")
		if a := w.must("GET", "/fleet/runs/"+id+"/devices", nil); a.names("devices", "client") != "10 11 12" || look() != state {
			t.Error(a, look())
		}
	}
}

// A person who may only look and start gets no secret by what is told of a
// model that fails to compile, either.
func TestRealRunFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t), begun)
	w.test("faulty", "return )", nil)
	if a := w.until(w.run("faulty", m{}), "FAILED", "SUCCEEDED"); !strings.HasPrefix(a.text("run", "statusReason"), "m/running.js:1:8: SyntaxError") {
		t.Error(a)
	}
	w.test("thresholds", "log('x')", nil)
	if a := w.until(w.run("thresholds", m{"runSettings": m{"thresholds": []string{"iterations count > 1000"}}}), "FAILED", "SUCCEEDED"); !strings.Contains(a.text("run", "statusReason"), "threshold") {
		t.Error(a)
	}
	w.test("stopped", "sleep('1h')", func(d *model.Model) { d.Stages["finished"] = "log('finished')" })
	id := w.run("stopped", m{})
	for w.until(id, "RUNNING")["snapshot"] == nil {
	}
	w.must("POST", "/fleet/runs/"+id+"/stop", nil)
	if a := w.until(id, "STOPPED"); !strings.Contains(w.logs(id), "finished") {
		t.Error(a, w.logs(id))
	}
}
