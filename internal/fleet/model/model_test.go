package model

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const sensor = `{
  "name": "sensor",
  "description": "sends a temperature",
  "settings": [{"name": "endpoint", "label": "Endpoint", "required": true}, {"name": "secret", "secret": true}],
  "protocol": {"type": "mqtt", "endpoint": "{{settings.endpoint}}:8883", "certificate": "{{state.__$cert}}", "key": "{{state.__$key}}",
    "clientId": "sensor-{{client()}}", "topic": "sensors/{{client()}}/data", "qos": 1, "cleanSession": false,
    "subscribe": [{"filter": "sensors/+/commands", "qos": 1}], "will": {"topic": "sensors/gone", "payload": "{{client()}}"}},
  "script": "function reading() { return 20 }\n",
  "stages": {"init": "state.n = 0\n", "running": "return reading()\n", "message": "log(message.payload)\n"},
  "run": {"clients": 5, "iterations": 10, "interval": "1s", "jitter": 0.5, "thresholds": ["errors rate < 0.01"]}
}`

func TestParse(t *testing.T) {
	m, err := Parse([]byte(sensor))
	if err != nil {
		t.Fatal(err)
	}
	if m.Run.Interval != Duration(time.Second) || m.Run.Jitter != Duration(500*time.Millisecond) || *m.Protocol.CleanSession {
		t.Errorf("%+v %+v", m.Run, m.Protocol)
	}
	again, err := Parse(m.JSON())
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("%v\n%+v\n%+v", err, m, again)
	}
}

// TestFaults: what people are told of a document.
func TestFaults(t *testing.T) {
	for _, x := range []struct {
		document string
		want     string
	}{
		{``, `line 1, column 1: the document ends too early`},
		{`{"name": "a",`, `line 1, column 13: the document ends too early`},
		{"{\n  \"name\": a}", `line 2, column 11: invalid character 'a' looking for beginning of value`},
		{`{"name": "a", "stages": {"running": ""}} {}`, `line 1, column 42: something stands after the document`},
		{`{"naame": "a"}`, `there is no member "naame"; is "name" meant?`},
		{`{"name": "a", "run": {"Clientz": 5}}`, `there is no member "Clientz"; is "clients" meant?`},
		{`{"name": "a", "protocol": {"clientID": "x"}, "run": {"CLIENTS": 5}}`, "there is no member \"clientID\"; is \"clientId\" meant?\nthere is no member \"CLIENTS\"; is \"clients\" meant?"},
		{`{"name": "a b", "settings": 5, "run": {"clients": "x", "interval": "y", "offset": -1}}`, "run.clients: a string stands where a whole number belongs\nrun.interval: \"y\" is no duration such as \"1.5s\"\nsettings: a number stands where an array belongs\nname: \"a b\" must be 1 to 128 letters, digits, colons, hyphens and underscores"},
		{`{"whatever": 1}`, `there is no member "whatever"`},
		{`{"run": {"clients": "5"}}`, `run.clients: a string stands where a whole number belongs`},
		{`{"run": {"interval": "soon"}}`, `run.interval: "soon" is no duration such as "1.5s"`},
		{`{"run": {"interval": 1e300}}`, `run.interval: 1e+300 seconds are no duration such as "1.5s"`},
		{`[]`, `line 1, column 1: an array stands where an object belongs`},
		{`{}`, "name: is missing\nstages: there are none: a model has at least one, such as \"running\""},
		{`{"name": "a b", "stages": {"x-y": "", "other": "", "running": "", "class": ""}, "sequence": ["runnning", "init", "class"], "minIterations": -1}`, strings.Join([]string{
			`name: "a b" must be 1 to 128 letters, digits, colons, hyphens and underscores`,
			`stages.class: no stage can be named so`,
			`stages.other: never runs: it is none of init, running, finished and message, and sequence does not name it`,
			`stages: "x-y" must be a name as in JavaScript, up to 64 characters: letters, digits, _ and $`,
			`stages.running: never runs: sequence is in its place and does not name it`,
			`sequence[0]: there is no stage "runnning"; is "running" meant?`,
			`sequence[1]: init runs by itself and is no iteration`,
			`minIterations: is -1, it must be between 0 and 1000000000`,
		}, "\n")},
		{`{"name": "a", "stages": {"running": ""}, "settings": [{"name": "k"}, {"name": "k"}, {}, {"name": "s", "secret": true, "default": "x"}, {"name": "1"}]}`, strings.Join([]string{
			`settings[1].name: "k" is there twice`, `settings[2].name: is missing`, `settings[3].default: a secret has none: who reads the model would read it`,
			`settings[4].name: "1" must be a name as in JavaScript, up to 64 characters: letters, digits, _ and $`,
		}, "\n")},
		{`{"name": "a", "stages": {"running": ""}, "protocol": {"type": "amqp", "endpoint": "http://h", "version": "4", "security": "tls", "keepAlive": "70000", "topic": "a/#", "qos": 3, "subscribe": [{"qos": -1}, {"filter": "a#"}], "will": {}, "clientId": "{{a"}}`, strings.Join([]string{
			`protocol.type: "amqp" must be "mqtt" or "https"`,
			`protocol.endpoint: "http://h" is no host or host:port`,
			`protocol.version: "4" must be "3.1.1" or "5"`,
			`protocol.security: "tls" must be "certificate" or "none"`,
			`protocol.clientId: what begins with {{ does not end with }}`,
			`protocol.keepAlive: "70000" is no number of seconds from 0 to 65535`,
			`protocol.topic: "a/#": a topic name contains no wildcard [MQTT-3.3.2-2]`,
			`protocol.qos: is 3, it must be between 0 and 2`,
			`protocol.subscribe[0].filter: is missing`,
			`protocol.subscribe[0].qos: is -1, it must be between 0 and 2`,
			`protocol.subscribe[1].filter: "a#": # stands alone in the last level of a filter [MQTT-4.7.1-1]`,
			`protocol.will.topic: is missing`,
		}, "\n")},
		{`{"name": "a", "stages": {"running": ""}, "protocol": {"type": "https", "endpoint": "h:99999", "qos": 2, "subscribe": [{"filter": "a"}], "will": {"topic": "t"}}}`, strings.Join([]string{
			`protocol.endpoint: "h:99999" has no port from 1 to 65535`,
			`protocol.certificate: is missing: give a template such as {{state.__$cert}}, or set security to "none"`,
			`protocol.key: is missing: give a template such as {{state.__$key}}, or set security to "none"`,
			`protocol.qos: is 2, it must be between 0 and 1`,
			`protocol.subscribe: over https nothing can be received`,
			`protocol.will: over https there is none`,
		}, "\n")},
		{`{"name": "a", "stages": {"running": ""}, "minIterations": 5, "run": {"clients": 100001, "iterations": 1, "interval": "-1s", "rampUp": "1s", "gap": "1s", "network": {"loss": 2}, "time": "fast", "thresholds": [""]}}`, strings.Join([]string{
			`run.clients: is 100001, it must be between 0 and 100000`,
			`run.interval: is -1s, it must be between 0s and 8760h0m0s`,
			`run.gap: rampUp says already when devices start: give one of them`,
			`run.network.loss: is 2, it is a share from 0 to 1`,
			`run.time: "fast" must be "real" or "virtual"`,
			`run.thresholds: "" is no condition such as "publish_ms p(99) < 50"`,
			`run.iterations: is 1, below minIterations (5)`,
		}, "\n")},
		{`{"name": "a", "stages": {"running": "` + strings.Repeat("x", maxCode+1) + `"}}`, `stages.running: has 262145 bytes, at most 262144 can be`},
		{strings.Repeat(" ", maxDocument+1), `the document has 2097153 bytes, at most 2097152 can be`},
	} {
		_, err := Parse([]byte(x.document))
		if err == nil || err.Error() != x.want {
			t.Errorf("%.200s\n got %v\nwant %s", x.document, err, x.want)
		}
	}
	if err := (&RunSettings{Clients: -1}).Validate(); err == nil || err.Error() != "clients: is -1, it must be between 0 and 100000" {
		t.Error(err)
	}
}

const oneFile = `// A sensor.
const model = {
  name: 'sensor',
  "description": ` + "`two\nlines`" + `,
  settings: [{name: 'region', default: 'eu-' + 'west-1'}],
  sequence: ['createThing', 'running'],
  run: {clients: 2, jitter: 0.5, offset: -0},
  protocol: {type: 'mqtt', security: 'none', topic: 'a/{{client()}}', cleanSession: false, will: null},
};

const unit = 'C'

function init() {
  state.n = 0

  helper()
}

async function createThing() { await 1 }

function helper() {
  return unit
}
function running() {
    const s = ` + "`\n  x`" + `
    return s
}

function message(m) {
  log(m.payload)
}
let last = 1
`

func TestOneFile(t *testing.T) {
	files := fstest.MapFS{"sensor.js": {Data: []byte(oneFile)}}
	m, err := LoadFS(files, "sensor.js")
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := &Model{
		Name: "sensor", Description: "two\nlines", Settings: []Setting{{Name: "region", Default: "eu-west-1"}},
		Protocol: &Protocol{Type: "mqtt", Security: "none", Topic: "a/{{client()}}", CleanSession: &no},
		Sequence: []string{"createThing", "running"}, Run: &RunSettings{Clients: 2, Jitter: Duration(time.Second / 2)},
		Script: "// A sensor.\n\n\n\n\n\n\n\n\n\n\nconst unit = 'C'\n\n\n\n\n\n\n\n\n\nfunction helper() {\n  return unit\n}\n\n\n\n\n\n\n\n\n\nlet last = 1\n",
		Stages: map[string]string{
			"init": "state.n = 0\n\nhelper()\n", "createThing": "await 1\n",
			"running": "    const s = `\n  x`\n    return s", "message": "var m = message; \nlog(m.payload)\n",
		},
	}
	for stage, want := range map[string]Origin{
		"": {"sensor.js", 1, 0, 0}, "init": {"sensor.js", 15, 2, 2}, "createThing": {"sensor.js", 20, 31, 1}, "running": {"sensor.js", 26, 0, 0}, "message": {"sensor.js", 31, 6, 2},
	} {
		if got := m.Origin(stage); got != want {
			t.Errorf("%q comes from %+v, want %+v", stage, got, want)
		}
	}
	for member, want := range map[string]string{"": "sensor.js:2:15", "run.jitter": "sensor.js:8:21", "settings[0].default": "sensor.js:6:31", "sequence[1]": "sensor.js:7:29"} {
		if got, _ := m.Member(member); got.String() != want {
			t.Errorf("%s is at %s, want %s", member, got, want)
		}
	}
	m.source = nil
	if !reflect.DeepEqual(m, want) {
		a, _ := json.MarshalIndent(m, "", " ")
		b, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got %s\nwant %s", a, b)
	}
	for source, want := range map[string]string{
		"function running() {}":                 "f.js: there is no model: const model = {name: …}",
		"const model = {":                       "f.js:1:16: SyntaxError: Unexpected end of input",
		"const model = {}, b = 1":               "f.js:1:1: model must be declared by itself: const model = {…}",
		"let model":                             "f.js:1:1: model has no value: const model = {…}",
		"const model = {\n name: f()}":          `f.js:2:8: model may hold plain values alone, as JSON does: "f()" is none`,
		"const model = {...a}":                  `f.js:1:19: model may hold plain values alone, as JSON does: "a" is none`,
		"const model = {name: 'a', stages: {}}": "f.js:1:15: model: stages and script are the functions and the rest of the file",
		"const model = {name: 'a'}\nfunction init() {}\nfunction runnin() {}": `f.js:3:1: function runnin is no stage, and nothing calls it; is "running" meant?`,
		"const model = {nam: 'a'}":                                                `f.js:1:16: there is no member "nam"; is "name" meant?`,
		"const model = {name: 'a'}\nfunction running(x) {}":                       "f.js:2:1: function running: stages have no parameters, but message, which may have one",
		"const model = {name: 'a'}\nfunction message({topic}) {}":                 "f.js:2:1: function message: stages have no parameters, but message, which may have one",
		"const model = {name: 'a'}\nfunction *running() {}":                       "f.js:2:1: function* running: a stage is a plain or an async function",
		"const model = {name: 'a'}\nfunction running() {}\nfunction running() {}": "f.js:3:1: function running is there twice",
		"const model = {name: 'a'}":                                               "f.js:1:15: stages: there are none: a model has at least one, such as \"running\"",
		strings.Repeat("(", 2000):                                                 "f.js:1:1001: brackets stand more than 1000 deep",
	} {
		if _, err := parseFile("f.js", source); err == nil || err.Error() != want {
			t.Errorf("%.80s\n got %v\nwant %s", source, err, want)
		}
	}
}

// TestWrite: a model is the same after it was written and loaded, in each form.
func TestWrite(t *testing.T) {
	m, err := Parse([]byte(sensor))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", "sensor.js", "sensor.json"} {
		path := filepath.Join(t.TempDir(), name)
		if filepath.Ext(name) == ".json" {
			err = os.WriteFile(path, m.JSON(), 0o666)
		} else {
			err = m.Write(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(got.JSON(), m.JSON()) {
			t.Errorf("%s:\n%s\n%s", name, got.JSON(), m.JSON())
		}
		if err := m.Write(path); err == nil {
			t.Errorf("%s is overwritten", name)
		}
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no model.json") {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	files := fstest.MapFS{
		"m/model.json": file("\xef\xbb\xbf{\"name\": \"a\"}"), "m/running.js": file("return 1"), "m/lib.js": file("let a"), "m/README.md": file("#"),
		"twice/model.json": file(`{"name": "a", "stages": {"running": ""}}`), "twice/running.js": file(""),
		"odd/model.json": file(`{"name": "a"}`), "odd/runnning.js": file(""),
		"bad/model.json": file("{\n}}"),
		"set/model.json": file("{\"name\": \"a\",\n\t\"run\": {\n\t\t\"network\": {\"loss\": 2, \"los\": 1},\n\"clients\": \"x\"}}"), "set/running.js": file(""),
	}
	m, err := LoadFS(files, "m")
	if err != nil || m.Stages["running"] != "return 1" || m.Script != "let a" || len(m.Stages) != 1 {
		t.Errorf("%v %+v", err, m)
	}
	for dir, want := range map[string]string{
		"twice": "twice/model.json has what running.js has too: leave one of them",
		"odd":   "odd/runnning.js:1:1: stages.runnning: never runs: it is none of init, running, finished and message, and sequence does not name it",
		"set":   "set/model.json:4:1: run.clients: a string stands where a whole number belongs\nset/model.json:3:26: there is no member \"los\"; is \"loss\" meant?\nset/model.json:3:15: run.network.loss: is 2, it is a share from 0 to 1",
		"bad":   "bad/model.json:2:2: something stands after the document",
	} {
		if _, err := LoadFS(files, dir); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", dir, err, want)
		}
	}
}

// FuzzParse: a document that is taken is the same after it was written again,
// in each form.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sensor))
	f.Add([]byte(`{"name":"a","stages":{"running":"return {{}}"}}`))
	f.Add([]byte(`{"name":"a","stages":{"running":""},"run":{"seed":18446744073709551615,"network":{"loss":0.5,"latency":"1ms"}}}`))
	f.Add([]byte(`{"name":"a","stages":{"a":"` + "`" + `","message":"await 1"},"sequence":["a","a"]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		m, err := Parse(document)
		if err != nil {
			if m != nil {
				t.Error("a model with an error")
			}
			return
		}
		again, err := Parse(m.JSON())
		if err != nil || !bytes.Equal(again.JSON(), m.JSON()) {
			t.Fatalf("%v\n%s\n%s", err, m.JSON(), again.JSON())
		}
	})
}

// FuzzFile: whatever stands in a file, it is a model or an error.
func FuzzFile(f *testing.F) {
	f.Add(oneFile)
	f.Add("const model={name:'a'};function running(){return 1};")
	f.Add("var model = {name: `a`, run: {clients: 0x5}}\nasync function\nrunning() {}")
	f.Fuzz(func(t *testing.T, source string) {
		m, err := parseFile("f.js", source)
		if err == nil && m.Validate() != nil {
			t.Error("a model with faults")
		}
	})
}
