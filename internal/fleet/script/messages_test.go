package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

func TestTemplates(t *testing.T) {
	d, _ := device(t, &model.Model{Script: "function f(x) { return x.none.y }", Settings: []model.Setting{{Name: "host", Default: "h.example"}},
		Stages: map[string]string{"init": "state.__$cert = 'PEM\\n'; state.o = {a: 1}; state.b = Buffer.from('bytes')"}}, Info{Client: 4})
	if _, _, err := d.Run(t.Context(), "init", 0); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ template, want, fault string }{
		{"plain", "plain", ""},
		{"", "", ""},
		{"{{client()}}", "4", ""},
		{"dev-{{ client() }}/{{client() + 1}}!", "dev-4/5!", ""},
		{"{{state.__$cert}}", "PEM\n", ""},
		{"{{settings.host}}:8883", "h.example:8883", ""},
		{"{{'}}' + \"{{\"}}", "}}{{", ""},
		{"{{ {a: {b: 2}}.a.b }}", "2", ""},
		{"{{`${client()}}}`}}", "4}}", ""},
		{"{{state.o}} {{state.b}} {{true}} {{1.5}}", `{"a":1} bytes true 1.5`, ""},
		{"{{client() // why\n}}", "4", ""},
		{"a\n{{f({})}}", "", "script, line 1: TypeError: Cannot read property 'y' of undefined"},
		{"{{state.none}}", "", "template: {{state.none}} is undefined"},
		{"{{null}}", "", "template: {{null}} is null"},
		{"{{ none }}", "", "template, line 1: ReferenceError: none is not defined"},
		{"{{() => 1}}", "", "template: {{() => 1}}: a function or symbol cannot be sent"},
		{"{{'x'.repeat(300000)}}", "", "template: {{'x'.repeat(300000)}}: there are more than 262144 bytes"},
		{"a\nb {{client(}}", "", "template, line 2: SyntaxError: "},
		{"{{client()", "", "template, line 1: SyntaxError: what begins with {{ does not end with }}"},
	} {
		for range 2 { // compiled, and remembered
			got, err := d.Expand(x.template)
			if x.fault == "" && (err != nil || got != x.want) || x.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), x.fault)) {
				t.Errorf("%q: %q, %v; want %q %s", x.template, got, err, x.want, x.fault)
			}
		}
	}
}

func TestMessages(t *testing.T) {
	d, h := device(t, &model.Model{Stages: map[string]string{
		"init": `
			subscribe('a/+', 1, m => log('handler', m.topic, m.payload, m.qos, m.retain, m.json().x))
			subscribe('b/#', m => { throw new Error('in a handler') })
			subscribe('$share/g/s/+', 1, m => log('shared', m.bytes.length, m))
			subscribe('c')`,
		"message": "log('stage', message.topic, message.properties.k, message.bytes.toString('hex')); return 'ignored'",
		"running": "sleep(10); log('slept'); return 'done'",
	}}, Info{})
	if _, _, err := d.Run(t.Context(), "init", 0); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/+ 1", "b/# 0", "$share/g/s/+ 1", "c 0"}; !slices.Equal(h.filters, want) {
		t.Errorf("subscribed %q, want %q", h.filters, want)
	}
	message := func(topic, payload string) error {
		return d.Message(t.Context(), Message{Topic: topic, Payload: []byte(payload), QoS: 1, Properties: map[string]string{"k": "v"}})
	}
	for _, m := range []error{message("a/1", `{"x":5}`), message("c", "\xff"), message("s/1", "é")} {
		if m != nil {
			t.Error(m)
		}
	}
	if err := message("b/x", ""); err == nil || err.Error() != "stage init, line 3: Error: in a handler" {
		t.Error(err)
	}
	// A message that comes while the device sleeps, which may sleep itself.
	h.onSleep = func(ctx context.Context, _ time.Duration) error {
		h.onSleep = nil
		return message("d", "x")
	}
	if got := mustRun(t, d); got != "done" {
		t.Error(got)
	}
	want := []string{
		`info handler a/1 {"x":5} 1 false 5`, "info stage c v ff",
		`info shared 2 {"topic":"s/1","payload":"é","qos":1,"retain":false,"properties":{"k":"v"}}`,
		"info stage d v 78", "info slept",
	}
	if !slices.Equal(h.log, want) {
		t.Errorf("log\n%s\nwant\n%s", strings.Join(h.log, "\n"), strings.Join(want, "\n"))
	}
	for topic, want := range map[string]bool{"a/1": true, "z": true} {
		if d.Handles(topic) != want {
			t.Errorf("Handles(%q) is not %v", topic, want)
		}
	}
	quiet, _ := device(t, &model.Model{Stages: map[string]string{"running": "subscribe('x', () => {}); unsubscribe('x'); subscribe('y/+', () => {})"}}, Info{})
	mustRun(t, quiet)
	if quiet.Handles("x") || !quiet.Handles("y/1") {
		t.Error("Handles of a device without stage message")
	}
}

// answering has a host that is AWS's shadows and jobs.
func answering(t *testing.T, h *fakeHost, answers map[string]string) {
	h.onPublish = func(m Message) {
		var token struct{ ClientToken string }
		answer, ok := answers[m.Topic]
		if !ok {
			return
		}
		if err := json.Unmarshal(m.Payload, &token); err != nil {
			t.Error(err)
		}
		suffix, body, _ := strings.Cut(answer, " ")
		// The answer to another request comes first.
		h.pending = append(h.pending, Message{Topic: m.Topic + "/" + suffix, Payload: []byte(`{"clientToken":"other"}`)},
			Message{Topic: m.Topic + "/" + suffix, Payload: []byte(strings.Replace(body, "{", fmt.Sprintf(`{"clientToken":%q,`, token.ClientToken), 1))})
	}
}

func TestShadowAndJobs(t *testing.T) {
	d, h := device(t, &model.Model{
		Protocol: &model.Protocol{Type: "mqtt", ClientID: "thing-{{client()}}"},
		Stages: map[string]string{
			"running": `
				const out = [shadow.get(), shadow.get('none'), shadow.update({reported: {t: 20}}, 'room', {version: 3}).version]
				try { shadow.delete() } catch (e) { out.push(e.code, e.statusCode, e.message) }
				try { shadow.get({thing: 'silent', timeout: 20}) } catch (e) { out.push(e.name, e.message) }
				const job = jobs.start({statusDetails: {a: 'b'}})
				out.push(job.jobId, jobs.update(job.jobId, 'SUCCEEDED', {statusDetails: {p: '1'}}).executionState, jobs.describe('none-left'), jobs.pending().queuedJobs)
				shadow.onDelta('room', (delta, document) => log('delta', delta, document.version))
				jobs.onNext(job => log('next', job))
				return out`,
		},
	}, Info{Client: 9})
	const base = "$aws/things/thing-9/"
	answering(t, h, map[string]string{
		base + "shadow/get":               `accepted {"state":{"reported":{"t":19}},"version":2}`,
		base + "shadow/name/none/get":     `rejected {"code":404,"message":"No shadow exists with name: 'none'"}`,
		base + "shadow/name/room/update":  `accepted {"version":4}`,
		base + "shadow/delete":            `rejected {"code":403,"message":"Forbidden"}`,
		base + "jobs/start-next":          `accepted {"execution":{"jobId":"j1"}}`,
		base + "jobs/j1/update":           `accepted {"executionState":{"status":"SUCCEEDED"}}`,
		base + "jobs/none-left/get":       `accepted {"timestamp":1}`,
		base + "jobs/get":                 `accepted {"queuedJobs":[]}`,
		"$aws/things/silent/shadow/other": "",
	})
	got := mustRun(t, d)
	want := `[{"clientToken":"9-1","state":{"reported":{"t":19}},"version":2},null,4,"403",403,"shadow.delete: Forbidden","TimeoutError","shadow.get: no answer came in 20ms: context deadline exceeded","j1",{"status":"SUCCEEDED"},null,[]]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m := h.sent[2]; m.Topic != base+"shadow/name/room/update" || string(m.Payload) != `{"clientToken":"9-3","state":{"reported":{"t":20}},"version":3}` || m.QoS != 1 {
		t.Errorf("%s %s", m.Topic, m.Payload)
	}
	for _, m := range []Message{
		{Topic: base + "shadow/name/room/update/delta", Payload: []byte(`{"state":{"t":21},"version":7}`)},
		{Topic: base + "jobs/notify-next", Payload: []byte(`{"timestamp":5}`)},
	} {
		if err := d.Message(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	if want := []string{`info delta {"t":21} 7`, "info next null"}; !slices.Equal(h.log, want) {
		t.Errorf("log %q, want %q", h.log, want)
	}
	if len(d.waiting) != 0 {
		t.Error("requests still wait")
	}
}

func TestAWS(t *testing.T) {
	d, h := device(t, &model.Model{Stages: map[string]string{
		"running": `
			aws('iot', 'CreateThing', {thingName: 'a', bytes: Buffer.from('hi')}, {accessKeyId: 'AK', secretAccessKey: 's', region: 'eu-west-1', endpoint: 'http://e'})
			try { aws('iot', 'DescribeThing') } catch (e) {
				return [e instanceof Error, e.name, e.code, e.message, e.statusCode, String(e)]
			}`,
		"init": "aws('iot', 'DescribeThing')",
	}}, Info{})
	h.onAWS = func(c Call) (json.RawMessage, error) {
		if c.Operation == "DescribeThing" {
			return nil, &AWSError{Code: "ResourceNotFoundException", Message: "Thing a not found", Status: 404}
		}
		return json.RawMessage(`{"thingArn":"arn"}`), nil
	}
	if got, want := mustRun(t, d), `[true,"ResourceNotFoundException","ResourceNotFoundException","Thing a not found",404,"ResourceNotFoundException: Thing a not found"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := Call{Service: "iot", Operation: "CreateThing", Params: json.RawMessage(`{"thingName":"a","bytes":"aGk="}`), AccessKeyID: "AK", SecretAccessKey: "s", Region: "eu-west-1", Endpoint: "http://e"}
	if !reflect.DeepEqual(h.calls[0], want) {
		t.Errorf("got  %+v\nwant %+v", h.calls[0], want)
	}
	_, _, err := d.Run(t.Context(), "init", 0)
	refused, ok := errors.AsType[*AWSError](err)
	e, isError := errors.AsType[*Error](err)
	if !ok || refused.Status != 404 || !isError || e.Name != "ResourceNotFoundException" || err.Error() != "stage init, line 1: ResourceNotFoundException: Thing a not found" {
		t.Errorf("%v", err)
	}
}

func TestSettings(t *testing.T) {
	m := &model.Model{
		Settings: []model.Setting{{Name: "region", Default: "eu-west-1"}, {Name: "count", Default: "5"}, {Name: "on"}, {Name: "empty"}},
		Stages:   map[string]string{"running": `return [settings, setting('region'), setting('count', 1) + 1, setting('on', false), setting('empty', 'x'), setting('extra'), environment.endpoint]`},
		Run:      &model.RunSettings{Iterations: 9, Interval: model.Duration(1500 * time.Millisecond)},
	}
	d, _ := device(t, m, Info{Settings: map[string]string{"on": "true", "count": "7", "extra": "e", "empty": ""}, Environment: map[string]string{"endpoint": "e"}})
	if got, want := mustRun(t, d), `[{"region":"eu-west-1","count":"7","on":"true","extra":"e"},"eu-west-1",8,true,"x","e","e"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m.Stages["running"] = "return [jobInterval(), jobRepeat(), getRunSettings().interval]"
	d, _ = device(t, m, Info{})
	if got, want := mustRun(t, d), `[1500,9,"1.5s"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLogAndMetrics(t *testing.T) {
	d, h := device(t, &model.Model{Stages: map[string]string{"running": `
		log('a', 1, {b: [2]}, null, undefined, Buffer.from('hi'), new TypeError('t'), () => 1)
		console.warn('w'); console.error('x'.repeat(5000)); log({s: 'x'.repeat(9000)})
		const o = {}; o.o = o; log(o)
		metrics.counter('c'); metrics.counter('c', 4); metrics.gauge('g', 1.5); metrics.trend('t', 7); metrics.rate('r', true); metrics.rate('r', 0)`}}, Info{})
	mustRun(t, d)
	if want := `info a 1 {"b":[2]} null undefined <2 bytes 6869> TypeError: t <function>`; h.log[0] != want {
		t.Errorf("got %s\nwant %s", h.log[0], want)
	}
	if h.log[1] != "warn w" || len(h.log[2]) != len("error ")+4096+len("…") || len(h.log[3]) > 4200 || !strings.Contains(h.log[4], "in themselves") {
		t.Errorf("%d lines: %.100s", len(h.log), strings.Join(h.log[1:], "\n"))
	}
	want := []Metric{{"c", "counter", 1}, {"c", "counter", 4}, {"g", "gauge", 1.5}, {"t", "trend", 7}, {"r", "rate", 1}, {"r", "rate", 0}}
	if !slices.Equal(h.metrics, want) {
		t.Errorf("%v", h.metrics)
	}
}
