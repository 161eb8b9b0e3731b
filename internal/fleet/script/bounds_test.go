package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

// TestErrors says what people read of a fault.
func TestErrors(t *testing.T) {
	deep := "'['.repeat(1000) + ']'.repeat(1000)"
	for _, x := range []struct{ code, want, name string }{
		{"let a = 1\n\nnone.b", "stage running, line 3: ReferenceError: none is not defined", "ReferenceError"},
		{"let a\na.b.c", "stage running, line 2: TypeError: Cannot read property 'b' of undefined", "TypeError"},
		{"throw new RangeError('far')", "stage running, line 1: RangeError: far", "RangeError"},
		{"throw 'text'", "stage running, line 1: text", "Error"},
		{"throw {code: 5}", `stage running, line 1: {"code":5}`, "Error"},
		{"throw null", "stage running, line 1: null", "Error"},
		{"const o = {get message() { throw 1 }}\nthrow o", "stage running, line 2: an exception that cannot be shown", "Error"},
		{"function f() { f() }\nf()", "stage running, line 1: functions call each other more than 4000 deep", "Recursion"},
		{"return await new Promise(() => {})", "stage running: it waits for a promise that nothing keeps", "Error"},
		{"await 1\nthrow new Error('late')", "stage running, line 2: Error: late", "Error"},
		{"(async () => { throw new Error('lost') })()", "stage running, line 1: Error: lost", "Error"},
		{"return 'x'.repeat(200000)", "stage running: what it returns: there are more than 131072 bytes", "PayloadError"},
		{"const a = {}; a.a = a; return a", "stage running: what it returns: objects stand more than 200 deep in each other, or in themselves", "PayloadError"},
		{"let a = [1, 2]; for (let i = 0; i < 60; i++) a = [a, a]; return a", "stage running: what it returns: there are more than 131072 bytes", "PayloadError"},
		{"return {a: 1n}", "stage running: what it returns: a BigInt has no JSON: use Number(…) or String(…)", "PayloadError"},
		{"JSON.parse(" + deep + ")", "stage running, line 1: Error: objects stand more than 200 deep in each other", "Error"},
		{"JSON.parse('{')", "stage running, line 1: SyntaxError: ", "SyntaxError"},
		{"'x'.repeat(2 ** 25)", "stage running, line 1: RangeError: that makes 33554432 bytes at once: at most 16777216 can be", "RangeError"},
		{"'x'.padStart(2 ** 25)", "stage running, line 1: RangeError: that makes", "RangeError"},
		{"new ArrayBuffer(2 ** 25)", "stage running, line 1: RangeError: that makes", "RangeError"},
		{"new Float64Array(2 ** 22)", "stage running, line 1: RangeError: that makes", "RangeError"},
		{"new Uint8Array({length: 2 ** 40})", "stage running, line 1: RangeError: that makes", "RangeError"},
		{"Buffer.alloc(2 ** 30)", "stage running, line 1: RangeError: that makes", "RangeError"},
		{"new Array(2 ** 30).fill(0)", "stage running, line 1: RangeError: that are 1073741824 items at once: at most 1048576 can be", "RangeError"},
		{"new Array(2 ** 30).join('x')", "stage running, line 1: RangeError: that are", "RangeError"},
		{"Array.from({length: 2 ** 30})", "stage running, line 1: RangeError: that are", "RangeError"},
		{"let a = []; for (let i = 0; i < 600; i++) a = [a]; String(a)", "stage running, line 1: RangeError: arrays stand more than 500 deep in each other", "RangeError"},
		{"new RegExp('('.repeat(20000))", "stage running, line 1: RangeError: a regular expression has at most 10000 characters", "RangeError"},
		{"eval('1')", "stage running, line 1: ReferenceError: eval is not defined", "ReferenceError"},
		{"require('fs')", "stage running, line 1: ReferenceError: require is not defined", "ReferenceError"},
		{"publish('a/#', 'x')", "stage running, line 1: TypeError: publish: \"a/#\": a topic name contains no wildcard [MQTT-3.3.2-2]", "TypeError"},
		{"publish('a', 'x', {qos: 3})", "stage running, line 1: TypeError: publish: the QoS is 0, 1 or 2, not 3", "TypeError"},
		{"publish('a', 'x'.repeat(131073))", "stage running, line 1: RangeError: publish to a: there are more than 131072 bytes", "RangeError"},
		{"publish(undefined, 'x')", "stage running, line 1: TypeError: publish: the topic must be a text, it is undefined", "TypeError"},
		{"subscribe('a#')", "stage running, line 1: TypeError: subscribe: \"a#\": # stands alone in the last level of a filter [MQTT-4.7.1-1]", "TypeError"},
		{"sleep()", `stage running, line 1: TypeError: sleep: undefined is no time such as 1500 (milliseconds) or "1.5s"`, "TypeError"},
		{"sleep('soon')", `stage running, line 1: TypeError: sleep: "soon" is no time such as "1.5s" or "2m"`, "TypeError"},
		{"sleep(-1)", "stage running, line 1: TypeError: sleep: -1 is no time", "TypeError"},
		{"glob.set('a', () => 1)", "stage running, line 1: TypeError: glob.set: an object of class Function has no value that can be kept", "TypeError"},
		{"glob.set('a', 'x'.repeat(300000))", "stage running, line 1: TypeError: glob.set: there are more than 262144 bytes", "TypeError"},
		{"glob.get('x'.repeat(513))", "stage running, line 1: RangeError: glob.get: a key has at most 512 bytes", "RangeError"},
		{"setting('none')", `stage running, line 1: Error: the setting "none" has no value`, "Error"},
		{"metrics.gauge('a-b', 1)", `stage running, line 1: TypeError: metrics.gauge: "a-b" is no name: up to 64 letters, digits and _, a letter first`, "TypeError"},
		{"metrics.trend('a', 'x')", `stage running, line 1: TypeError: metrics.trend: the value of a must be a number, it is "x"`, "TypeError"},
		{"http.get('file:///etc/passwd')", `stage running, line 1: TypeError: http.get: "file:///etc/passwd" is no URL that begins with http:// or https://`, "TypeError"},
		{"shadow.get()", "stage running, line 1: Error: shadow.get: which thing? Set state.thingName, or a client identifier in the protocol, or give {thing: …}", "Error"},
		{"shadow.update({a: 1})", "stage running, line 1: TypeError: shadow.update takes {reported: …}, {desired: …} or both", "TypeError"},
		{"chance.integer({min: 5, max: 1})", "stage running, line 1: RangeError: chance.integer: min (5) must be below max (1)", "RangeError"},
		{"chance.pickone([])", "stage running, line 1: TypeError: chance.pickone needs an array with items", "TypeError"},
		{"once('a', () => { throw new TypeError('inner') })", "stage running, line 1: TypeError: inner", "TypeError"},
		{"kura.decode(Buffer.from('ffff', 'hex'))", "stage running, line 1: Error: kura.decode: this is no Kura payload", "Error"},
	} {
		e := failing(t, x.code)
		if !strings.HasPrefix(e.Error(), x.want) || e.Name != x.name {
			t.Errorf("%s:\n got %s (%s)\nwant %s (%s)", x.code, e, e.Name, x.want, x.name)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, x := range []struct {
		model *model.Model
		want  string
	}{
		{&model.Model{Script: "let a = 1\nlet b = = 2"}, "script, line 2: SyntaxError: Unexpected token ="},
		{&model.Model{Stages: map[string]string{"running": "if (1 {"}}, "stage running, line 1: SyntaxError: Unexpected token {"},
		{&model.Model{Stages: map[string]string{"running": "state.a = 1\nreturn {;"}}, "stage running, line 2: SyntaxError: Unexpected token ;"},
		{&model.Model{Stages: map[string]string{"running": "return {; // all\n\na: 1}"}}, "stage running, line 1: SyntaxError: Unexpected token ;"},
		{&model.Model{Stages: map[string]string{"running": "let a = [1,\n()\n\n]"}}, "stage running, line 2: SyntaxError: Unexpected token )"},
		{&model.Model{Stages: map[string]string{"running": "a()\n}\n{"}}, "stage running, line 3: SyntaxError: "},
		{&model.Model{Stages: map[string]string{"running": "}); evil(); (function(){"}}, "stage running: SyntaxError: a brace closes more than was opened"},
		{&model.Model{Stages: map[string]string{"running": "a()\nlet x = 1; let x = 2"}}, "stage running, line 2: SyntaxError: Identifier 'x' has already been declared"},
		{&model.Model{Stages: map[string]string{"running": strings.Repeat("(", 2000)}}, "stage running, line 1: brackets stand more than 1000 deep"},
		{&model.Model{Protocol: &model.Protocol{ClientID: "a-{{client(}}"}}, "protocol.clientId, line 1: SyntaxError: "},
		{&model.Model{Protocol: &model.Protocol{Topic: "a\n{{ {;\n\n }}"}}, "protocol.topic, line 2: SyntaxError: Unexpected token ;"},
		{&model.Model{Protocol: &model.Protocol{Topic: "a/{{}}"}}, "protocol.topic, line 1: SyntaxError: "},
		{&model.Model{Protocol: &model.Protocol{Topic: "a/{{a; b}}"}}, "protocol.topic, line 1: SyntaxError: "},
		{&model.Model{Protocol: &model.Protocol{Key: "a/{{a) + (b}}"}}, ""},
	} {
		_, err := Compile(x.model)
		if x.want == "" {
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("got %v\nwant %s", err, x.want)
		}
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%v is no *Error", err)
		}
	}
}

// TestTime ends scripts that compute for too long, whatever they catch.
func TestTime(t *testing.T) {
	for _, code := range []string{
		"for (;;) {}",
		"try { for (;;) {} } catch (e) { for (;;) {} } finally { for (;;) {} }",
		"(async () => { for (;;) {} })(); return 1",
		"let p = Promise.resolve(); const f = () => { p = p.then(f) }; f()",
		"sleep(1000); for (;;) {}",
		"for (;;) sleep(0.001)",
		"once('x', () => { for (;;) {} })",
		"[1, 2].sort(() => { for (;;) {} })",
		"state.toJSON = () => { for (;;) {} }; log(state)",
		"throw {get name() { for (;;) {} }}",
	} {
		d, _ := device(t, &model.Model{Stages: map[string]string{"running": code, "init": "state.ok = true; return 'again'"}}, Info{})
		shorten(d)
		start := time.Now()
		_, _, err := d.Run(t.Context(), "running", 0)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Name != "Timeout" || !strings.Contains(err.Error(), "it computed for too long: 10s at most, without the time in which it waits") {
			t.Errorf("%s: %v", code, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", code, took)
		}
		// The device may go on, if its engine wants.
		if got, _, err := d.Run(t.Context(), "init", 1); err != nil || string(got) != "again" {
			t.Errorf("%s: after it: %s, %v", code, got, err)
		}
	}
}

// shorten leaves a device's next call a twentieth of a second of its time.
func shorten(d *Device) { d.quota = 50 * time.Millisecond }

func TestBacktracking(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": "return /(?=a)(a+)+$/.test('a'.repeat(60) + 'b')"}}, Info{})
	start := time.Now()
	if _, _, err := d.Run(t.Context(), "running", 0); err == nil || !strings.Contains(err.Error(), "computed for too long") || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestTimeInTheHostIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, h := device(t, &model.Model{Stages: map[string]string{"running": "sleep('1h'); sleep('1h'); return 'slept'"}}, Info{})
		h.onSleep = func(ctx context.Context, s time.Duration) error {
			if d.Running() != 0 {
				t.Error("the device computes while it sleeps")
			}
			time.Sleep(s)
			return ctx.Err()
		}
		if got := mustRun(t, d); got != "slept" {
			t.Error(got)
		}
		d.Close()
	})
}

func TestCancel(t *testing.T) {
	d, h := device(t, &model.Model{Stages: map[string]string{
		"running": "try { sleep('1h') } catch (e) { state.caught = true }\nfor (;;) {}",
		"init":    "for (;;) {}",
	}}, Info{})
	ctx, cancel := context.WithCancel(t.Context())
	h.onSleep = func(ctx context.Context, s time.Duration) error {
		cancel()
		return context.Cause(ctx)
	}
	_, _, err := d.Run(ctx, "running", 0)
	if e, ok := errors.AsType[*Error](err); !ok || e.Name != "Stopped" || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := string(d.State()); got != "{}" {
		t.Errorf("the script went on: %s", got)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := d.Run(ctx, "init", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, _, err := d.Run(ctx, "init", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestInterrupt(t *testing.T) {
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)"}}, Info{})
	done := make(chan error)
	go func() {
		_, _, err := d.Run(t.Context(), "running", 0)
		done <- err
	}()
	for d.Running() < 20*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	if _, ok := d.Size(1 << 30); ok {
		t.Error("the size of a device that computes")
	}
	reason := errors.New("it holds too much")
	d.Interrupt(reason)
	if err := <-done; !errors.Is(err, reason) || err.Error() != "stage running, line 1: it holds too much" {
		t.Error(err)
	}
	if _, _, err := d.Run(t.Context(), "running", 0); !errors.Is(err, reason) {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	small, _ := device(t, &model.Model{Stages: map[string]string{"running": "return 1"}}, Info{})
	mustRun(t, small)
	base, ok := small.Size(1 << 40)
	if !ok || base < 1000 || base > 100_000 {
		t.Fatalf("an empty device holds %d", base)
	}
	for _, x := range []struct {
		code  string
		bytes int64
	}{
		{"state.__$s = 'x'.repeat(1000000)", 1_000_000},
		{"state.__$s = 'ü'.repeat(1000000)", 2_000_000},
		{"state.__$b = Buffer.alloc(3000000)", 3_000_000},
		{"kept.push('x'.repeat(1000000))", 1_000_000},
		{"f = (s => () => s)('x'.repeat(1000000))", 1_000_000},
		{"state.__$m = new Map(); for (let i = 0; i < 10000; i++) state.__$m.set(i, 'x' + i)", 800_000},
		{"state.__$a = []; for (let i = 0; i < 10000; i++) state.__$a.push({i})", 1_500_000},
		{"let a = null; for (let i = 0; i < 10000; i++) a = {a}; state.__$a = a", 1_500_000},
	} {
		d, _ := device(t, &model.Model{Script: "const kept = []", Stages: map[string]string{"running": x.code}}, Info{})
		mustRun(t, d)
		got, ok := d.Size(1 << 40)
		if !ok || got < base+x.bytes || got > base+3*x.bytes {
			t.Errorf("%s: %d bytes, base is %d", x.code, got, base)
		}
		if got, _ := d.Size(100_000); got != 100_000 {
			t.Errorf("%s: with a limit: %d", x.code, got)
		}
	}
}

func TestState(t *testing.T) {
	d, _ := device(t, &model.Model{Stages: map[string]string{
		"running": "state.__$key = 'secret'; state.b = {__$x: 1, y: [{__$z: 2}]}; state.d = new Date()",
		"init":    "state.big = 'x'.repeat(300000)",
		"other":   "state = undefined",
		"toJSON":  "state = {toJSON() { for (;;) {} }}",
	}}, Info{})
	mustRun(t, d)
	if got, want := string(d.State()), `{"b":{"y":[{}]},"d":"2026-03-01T12:00:00.000Z"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, x := range [][2]string{{"init", `"the state cannot be shown: there are more than 262144 bytes"`}, {"other", "null"}} {
		if _, _, err := d.Run(t.Context(), x[0], 0); (err != nil) != (x[0] == "init") {
			t.Fatal(err)
		}
		if got := string(d.State()); got != x[1] {
			t.Errorf("%s: got %.100s, want %s", x[0], got, x[1])
		}
	}
	if err := d.SetState(json.RawMessage(`{"n":5}`)); err != nil || string(d.State()) != `{"n":5}` {
		t.Error(err, string(d.State()))
	}
	for _, bad := range []string{`[1]`, `5`, `{`, `"` + strings.Repeat("x", 300000) + `"`} {
		if err := d.SetState(json.RawMessage(bad)); err == nil {
			t.Errorf("%.20s is taken for a state", bad)
		}
	}
	if _, _, err := d.Run(t.Context(), "toJSON", 0); err != nil {
		t.Fatal(err)
	}
	if got := string(d.State()); !strings.Contains(got, "cannot be shown: ") {
		t.Error(got)
	}
}

// TestNothingLeaks looks for ways out of a script.
func TestNothingLeaks(t *testing.T) {
	for _, code := range []string{
		// What the host throws is a plain error.
		"try { http.get('http://h') } catch (e) { return Reflect.ownKeys(e).sort().join() + '|' + Object.prototype.toString.call(e.value) }",
		// A map's file is not read.
		"try { (function () {}).constructor('return 1\\n//# sourceMappingURL=/etc/passwd')() } catch (e) {} return 'message,stack|[object Undefined]'",
	} {
		d, h := device(t, &model.Model{Stages: map[string]string{"running": code}}, Info{})
		h.onHTTP = func(HTTPRequest) (*HTTPResponse, error) { return nil, fmt.Errorf("dial: %w", errors.New("refused")) }
		if got := mustRun(t, d); !strings.HasSuffix(got, "|[object Undefined]") {
			t.Errorf("%s: %s", code, got)
		}
	}
	if got := running(t, "return Object.getOwnPropertyNames(globalThis)"); got != `["state","Object","globalThis"]` {
		t.Error(got)
	}
}

// TestGuarded: whatever can reach a method that makes much at once has it
// bounded.
func TestGuarded(t *testing.T) {
	for _, code := range []string{
		"'x'.repeat(2 ** 30)", "'x'['re' + 'peat'](2 ** 30)", "const k = 're' + 'peat'; 'x'[k](2 ** 30)", "'x'?.[`rep${'eat'}`](2 ** 30)", "'x'.\\u0072epeat(2 ** 30)",
		"const a = 'x'; a[1 ? 're' + 'peat' : 0](2 ** 30)",
		"const {['re' + 'peat']: f} = ''; f.call('x', 2 ** 30)", "const {length, ['re' + 'peat']: f} = ''; f.call('x', 2 ** 30)",
		"Reflect.get(Object(''), 're' + 'peat').call('x', 2 ** 30)", "const s = 'x'\ns/**/\n['re' + 'peat'](2 ** 30)",
		"Object.getOwnPropertyDescriptors('' .__proto__)\n[ 're' + 'peat' ].value.call('x', 2 ** 30)",
		"const a = []; a.length = 2 ** 31; '' + a", "const a = []; Object.assign(a, {length: 2 ** 31}); '' + a", "'' + new Array(2 ** 31)",
	} {
		if e := failing(t, strings.ReplaceAll(code, `\\`, `\`)); e.Name != "RangeError" {
			t.Errorf("%s: %v", code, e)
		}
	}
	for _, code := range []string{"return {a: [1, client()], b: state.list}", "log(`a ${client()}`); publish('a', [1, 2])", "return state.a[0] + state.a[1]"} {
		if !unguarded(code) {
			t.Errorf("%s is guarded", code)
		}
	}
}
