package engine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// The same seed gives the same messages in the same order for each device, whatever the time and the network are like; another
// gives others.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	r.hear()
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{
		"init":    "state.id = chance.guid()",
		"running": "sleep(chance.integer({min: 0, max: 20})); publish('t/' + client(), 'x' + Math.random()); return {id: state.id, v: chance.normal(), i: iteration()}",
		"message": "state.m = chance.integer()",
	}}
	m.Protocol.Subscribe = []model.Subscription{{Filter: "t/{{client()}}"}}
	heard := func(s model.RunSettings) map[string][]string {
		s.Clients, s.Iterations = 4, 5
		want(t, do(t, engine.Options{Model: m, Run: s}), map[string]float64{"publishes": 40, "devices_failed": 0})
		return r.by(40)
	}
	first := heard(model.RunSettings{Seed: 42})
	for i, s := range []model.RunSettings{
		{Seed: 42, Gap: model.Duration(5 * time.Millisecond), Interval: model.Duration(10 * time.Millisecond), Jitter: model.Duration(10 * time.Millisecond)},
		{Seed: 42, Time: "virtual", Interval: model.Duration(time.Hour), Jitter: model.Duration(time.Hour)},
		{Seed: 42, Network: model.Network{Latency: model.Duration(2 * time.Millisecond), Jitter: model.Duration(5 * time.Millisecond)}},
	} {
		if again := heard(s); !reflect.DeepEqual(again, first) {
			t.Errorf("%d: the same seed gave\n%v\nafter\n%v", i, again, first)
		}
	}
	if other := heard(model.RunSettings{Seed: 43}); reflect.DeepEqual(other, first) {
		t.Error("another seed gave the same")
	}
}

// A model that throws, loops for ever or eats memory is stopped and named; the others go on, also one that computes for long.
func TestCulprits(t *testing.T) {
	r := newRig(t, broker.Standard(), "")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": `
		if (client() == 10 && iteration() == 2) throw new RangeError('thrown')
		if (client() == 11 && iteration() == 2) for (;;) ;
		if (client() == 12 && iteration() == 2) { state.hoard = []; for (let i = 0; ; i++) state.hoard.push(new Uint8Array(100000)) }
		if (client() == 15 && iteration() == 1) for (const end = Date.now() + 3000; Date.now() < end;) ;
		if (client() == 13 && iteration() == 2) { state.hoard = []; for (let i = 0; i < 200; i++) { state.hoard.push(new Uint8Array(1000000)); sleep(20) } }
		return 'x'`}}
	res := do(t, engine.Options{Model: m, MemoryLimit: 40 << 20, Run: model.RunSettings{Clients: 6, Offset: 10, Iterations: 200, Interval: model.Duration(60 * time.Millisecond)}})
	want(t, res, map[string]float64{"devices_failed": 4, "iterations": 2*200 + 4*2})
	for i, text := range []string{"RangeError: thrown", "it computed for too long", "MiB itself", "it was stopped: it holds "} {
		if len(res.FailedDevices) <= i || res.FailedDevices[i].Client != 10+i || !strings.Contains(res.FailedDevices[i].LastError, text) {
			t.Errorf("device %d: %+v, want %s", 10+i, res.FailedDevices, text)
			break
		}
	}
	if res.Outcome != report.Failed || !strings.HasPrefix(res.Reason, "4 of 6 devices failed; device 10: ") || res.Devices.Finished != 2 {
		t.Errorf("%s %s %+v", res.Outcome, res.Reason, res.Devices)
	}
}

// A network that breaks connections: devices come back, and each message is counted once, as acknowledged or as lost.
func TestBrokenNetwork(t *testing.T) {
	t.Parallel()
	for _, clean := range []bool{false, true} {
		r := newRig(t, broker.Standard(), "")
		r.hear()
		m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return client() + '/' + iteration()"}}
		m.Protocol.CleanSession, m.Protocol.QoS, m.Protocol.Topic = &clean, 2, "all"
		res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 5, Iterations: 20, Seed: 7, Interval: model.Duration(10 * time.Millisecond), Network: model.Network{
			DisconnectEvery: model.Duration(150 * time.Millisecond), Latency: model.Duration(5 * time.Millisecond),
		}}})
		published, lost := count(res, "publishes"), count(res, "lost")
		if published+lost != 100 || count(res, "iterations") != 100 || count(res, "reconnects") < 5 || count(res, "disconnects") < count(res, "reconnects") {
			t.Errorf("clean %v: %v published, %v lost, %v", clean, published, lost, res.Metrics)
		}
		if !clean && lost > 0 {
			t.Errorf("%v messages were lost though sessions last: %v", lost, res.Errors)
		}
		heard := r.by(int(published))["all"]
		slices.Sort(heard)
		if once := slices.Compact(slices.Clone(heard)); len(once) != len(heard) {
			t.Errorf("clean %v: messages of QoS 2 came twice: %v", clean, heard)
		}
		if res.Devices.Finished != 5 {
			t.Errorf("clean %v: %+v %v", clean, res.Devices, res.Errors)
		}
	}
}

func TestLatencyAndLoss(t *testing.T) {
	r := newRig(t, broker.Standard(), "")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 2, Iterations: 5, Network: model.Network{Latency: model.Duration(30 * time.Millisecond)}}})
	if p, _ := res.Metric("publish_ms"); p.Min < 60 || p.P50 > 150 {
		t.Errorf("publish_ms: %+v", p)
	}
	m.Protocol.QoS = 0
	res = do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 4, Iterations: 250, Network: model.Network{Loss: 0.1}}})
	vanished := count(res, "network_lost")
	if count(res, "publishes")+vanished != 1000 || vanished < 60 || vanished > 140 {
		t.Errorf("%v of 1000 vanished, %v were published", vanished, count(res, "publishes"))
	}
}

// Who is refused for good is told why, and not tried for ever; who may not publish, in MQTT 5, is told by an exception.
func TestRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "iot:Publish secret")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	m.Protocol.Username = "stranger"
	res := do(t, engine.Options{Model: m})
	want(t, res, map[string]float64{"devices_failed": 1, "connects": 0})
	if len(res.Errors) != 1 || res.Errors[0] != (report.ErrorCount{Reason: "CONNECT refused: Not authorized", Count: 5}) {
		t.Errorf("%+v", res.Errors)
	}
	if text := res.FailedDevices[0].LastError; !strings.Contains(text, "it cannot connect to "+r.address) {
		t.Error(text)
	}

	m = &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "try { publish('secret', 'x', {qos: 1}) } catch (e) { return 'caught: ' + e.message }"}}
	m.Protocol.Version = "5"
	r.hear()
	res = do(t, engine.Options{Model: m})
	want(t, res, map[string]float64{"publishes": 1, "devices_failed": 0})
	if heard := r.by(1)["t/0"]; len(heard) != 1 || !strings.HasPrefix(heard[0], "caught: publish to secret: PUBLISH refused: Not authorized") {
		t.Errorf("%q", heard)
	}
	if len(res.Errors) != 1 || !strings.HasPrefix(res.Errors[0].Reason, "PUBLISH refused: Not authorized") || res.Errors[0].Count != 1 {
		t.Errorf("%+v", res.Errors)
	}

	// A server that is not there.
	m.Protocol.Endpoint = "127.0.0.1:1"
	run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Duration: model.Duration(time.Second)}})
	res = finish(t, run)
	if res.Devices.Failed != 1 || res.Outcome != report.Failed || res.ExitCode() != 1 || len(res.Errors) != 1 || res.Errors[0].Reason != "dial 127.0.0.1:1: connection refused" || res.Errors[0].Count < 2 {
		t.Errorf("%+v %+v", res.Devices, res.Errors)
	}
	if want := "it never connected to 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"; len(res.FailedDevices) != 1 || res.FailedDevices[0].LastError != want {
		t.Errorf("%+v, want %s", res.FailedDevices, want)
	}
}

// Messages come to the script while it sleeps, and while it waits for its next iteration. Who starts first waits for the other
// to be subscribed.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, clock := range []string{"real", "virtual"} {
		r := newRig(t, broker.Standard(), "")
		m := &model.Model{Protocol: r.plain(), Stages: map[string]string{
			"init":    "subscribe('to/' + client(), 1, m => { state.own = (state.own || 0) + 1 })",
			"running": "glob.set('there' + client(), true); while (!glob.get('there0') || !glob.get('there1')) sleep(10); publish('to/' + (client() + 1) % 2, 'hello', {qos: 1}); publish('t/x', 'x', {qos: 1}); sleep(300)",
			"message": "state.other = (state.other || 0) + 1; metrics.trend('size', message.payload.length)",
		}}
		m.Protocol.Subscribe = []model.Subscription{{Filter: "t/#", QoS: 1}}
		m.Protocol.Topic = ""
		run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 2, Iterations: 3, Time: clock, Interval: model.Duration(400 * time.Millisecond)}})
		res := finish(t, run)
		want(t, res, map[string]float64{"publishes": 12, "devices_failed": 0, "lost": 0})
		if clock == "real" { // in virtual time a message may take longer than three iterations
			want(t, res, map[string]float64{"messages_received": 18, "size": 12})
			for c := range 2 {
				if d, _ := run.Device(c); string(d.State) != `{"own":3,"other":6}` && string(d.State) != `{"other":6,"own":3}` {
					t.Errorf("device %d: %s", c, d.State)
				}
			}
		}
	}
}

// What was received before the end is handled before stage finished.
func TestLastMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{
		// Two more, so that the first has come back when the iteration is over.
		"running":  "publish('to/me', 'x', {qos: 1}); publish('away', 'x', {qos: 1}); publish('away', 'x', {qos: 1})",
		"message":  "state.n = (state.n || 0) + 1",
		"finished": "state.seen = state.n",
	}}
	m.Protocol.Subscribe = []model.Subscription{{Filter: "to/#", QoS: 1}}
	m.Protocol.Topic = ""
	run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Iterations: 3, KeepState: true}})
	res := finish(t, run)
	want(t, res, map[string]float64{"messages_received": 3, "devices_failed": 0})
	if d, _ := run.Device(0); string(d.State) != `{"n":3,"seen":3}` {
		t.Errorf("%s", d.State)
	}
}

// One device does it for all, who sleep meanwhile; virtual time passes for the one.
func TestOnce(t *testing.T) {
	r := newRig(t, broker.Standard(), "")
	r.hear()
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{
		"running": "const v = once('name', () => { sleep('1h'); return {by: client()} }); return v.by",
	}}
	m.Protocol.Topic = "all"
	begin := time.Now()
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 10, Time: "virtual"}})
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
	want(t, res, map[string]float64{"publishes": 10})
	if by := slices.Compact(r.by(10)["all"]); len(by) != 1 {
		t.Errorf("it was done by %v", by)
	}
}

func TestRequests(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/slow" {
			time.Sleep(50 * time.Millisecond)
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s", req.Method, req.URL.Path)
	}))
	defer srv.Close()
	m := &model.Model{
		Settings: []model.Setting{{Name: "url", Required: true}},
		Stages: map[string]string{"running": `
			const r = http.get(settings.url + '/slow')
			if (r.status != 418 || String(r.body) != 'GET /slow') throw new Error(JSON.stringify(r))
			try { aws('iot', 'DescribeThing', {thingName: 'x'}) } catch (e) { if (e.code != 'NoCredentialsError') throw e }
			try { http.get('http://127.0.0.1:1/') } catch (e) { return }
			throw new Error('it was reached')`},
	}
	if _, err := engine.New(engine.Options{Model: m, Glob: &memory{}}); err == nil || !strings.Contains(err.Error(), "setting url is missing") {
		t.Error(err)
	}
	res := do(t, engine.Options{Model: m, Settings: map[string]string{"url": srv.URL}, Region: "eu-west-1", Run: model.RunSettings{Clients: 8, RequestLimit: 2}})
	want(t, res, map[string]float64{"requests": 16, "iterations": 8, "devices_failed": 0})
	if p, _ := res.Metric("request_ms"); p.Max < 50 || p.Max > 5000 {
		t.Errorf("%+v", p)
	}
	if len(res.Errors) != 1 || res.Errors[0].Reason != "Get request: dial 127.0.0.1:1: connection refused" || res.Errors[0].Count != 8 {
		t.Errorf("%+v", res.Errors)
	}
	if d := res.Elapsed(); d < 200*time.Millisecond {
		t.Errorf("8 requests of 50 ms, 2 at once, took %s", d)
	}
}
