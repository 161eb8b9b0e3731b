package script

import (
	"testing"
	"testing/fstest"

	"github.com/thingd/thingd/internal/fleet/model"
)

// TestPlaces: errors name file, line and column of what their person wrote.
func TestPlaces(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	document := file("{\"name\": \"a\",\n \"protocol\": {\"type\": \"mqtt\", \"security\": \"none\",\n  \"topic\": \"{{none}}\"}}")
	for _, x := range []struct{ file, content, want string }{
		{"running.js", "let a\nlet b = = 2", "a/running.js:2:9: SyntaxError: Unexpected token ="},
		{"running.js", "if (1) {\n  none.x\n}", "a/running.js:2:3: ReferenceError: none is not defined"},
		{"running.js", "none.x", "a/running.js:1:1: ReferenceError: none is not defined"},
		{"running.js", "return {n: 1n}", "a/running.js:1:1: what it returns: a BigInt has no JSON: use Number(…) or String(…)"},
		{"running.js", "}); f(); (function(){", "a/running.js:1:1: SyntaxError: a brace closes more than was opened"},
		{"running.js", "state.a = 'x'.repeat(300000)", "a/running.js:1:1: RangeError: state: there are more than 262144 bytes"},
		{"lib.js", "let a = 1\n  ;none.x", "a/lib.js:2:4: ReferenceError: none is not defined"},
		{"lib.js", "function f() {\n  throw new Error('no')\n}", "a/lib.js:2:9: Error: no"},
		{"running.js", "", "a/model.json:3:3: protocol.topic: ReferenceError: none is not defined"},
		{"one.js", "const model = {name: 'a'}\nfunction running() {\n  if (true) {\n    none.x\n  }\n}", "one.js:4:5: ReferenceError: none is not defined"},
		{"one.js", "const model = {name: 'a'}\nfunction running() { return none.x }", "one.js:2:29: ReferenceError: none is not defined"},
		{"one.js", "const model = {name: 'a'}\nfunction message(m) { none.x }", "one.js:2:23: ReferenceError: none is not defined"},
		{"one.js", "const model = {name: 'a'}\nfunction running() { f() }\nfunction f() {\n  none.x }", "one.js:4:3: ReferenceError: none is not defined"},
		{"one.js", "const model = {name: 'a',\n protocol: {type: 'mqtt', security: 'none', topic: '{{=}}'}}\nfunction running() {}", "one.js:2:45: protocol.topic: SyntaxError: Unexpected token ="},
	} {
		files, name := fstest.MapFS{"a/model.json": document, "a/running.js": file("f()"), "a/" + x.file: file(x.content)}, "a"
		if x.file == "one.js" {
			files, name = fstest.MapFS{"one.js": file(x.content)}, "one.js"
		}
		m, err := model.LoadFS(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := failure(t, m); got == nil || got.Error() != x.want {
			t.Errorf("%s\n got %v\nwant %s", x.content, got, x.want)
		}
	}
}

// failure is the first error of a model that is compiled and run.
func failure(t *testing.T, m *model.Model) error {
	p, err := Compile(m)
	if err != nil {
		return err
	}
	d, err := p.NewDevice(Info{}, newHost(t))
	if err != nil {
		return err
	}
	defer d.Close()
	if _, _, err = d.Run(t.Context(), model.StageRunning, 0); err == nil && m.Protocol != nil {
		_, err = d.Expand(m.Protocol.Topic)
	}
	if err == nil {
		err = d.Message(t.Context(), Message{Topic: "a"})
	}
	return err
}
