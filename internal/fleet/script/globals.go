package script

import (
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// native is a function of scripts.
type native func(d *Device, c goja.FunctionCall) goja.Value

// value makes a value of scripts when it is first asked for.
type value func(d *Device) goja.Value

// members are what an object has, by name: native, value or members.
type members map[string]any

// lazyObject is an object whose members are made when they are first used: most
// devices use few of them, and each costs some hundred bytes.
type lazyObject struct {
	d    *Device
	of   members
	made map[string]goja.Value // nil: deleted
}

func (l *lazyObject) Get(name string) goja.Value {
	if v, ok := l.made[name]; ok {
		return v
	}
	v := l.d.make(name, l.of[name])
	if v != nil {
		l.put(name, v)
	}
	return v
}

func (l *lazyObject) put(name string, v goja.Value) {
	if l.made == nil {
		l.made = map[string]goja.Value{}
	}
	l.made[name] = v
}

func (l *lazyObject) Set(name string, v goja.Value) bool {
	l.put(name, v)
	return true
}

func (l *lazyObject) Has(name string) bool {
	if v, ok := l.made[name]; ok {
		return v != nil
	}
	_, ok := l.of[name]
	return ok
}

func (l *lazyObject) Delete(name string) bool {
	l.put(name, nil)
	return true
}

func (l *lazyObject) Keys() []string {
	names := slices.Sorted(maps.Keys(l.of))
	for _, n := range slices.Sorted(maps.Keys(l.made)) {
		if _, ok := l.of[n]; !ok {
			names = append(names, n)
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !l.Has(n) })
}

// make makes the value of a member; nil of none.
func (d *Device) make(name string, m any) goja.Value {
	switch m := m.(type) {
	case native:
		return d.function(name, m)
	case value:
		return m(d)
	case members:
		return d.vm.NewDynamicObject(&lazyObject{d: d, of: m})
	}
	return nil
}

// function is a function as scripts see it: the runtime would name it, and so lines of stacks, as Go does.
func (d *Device) function(name string, n native) goja.Value {
	f := d.vm.ToValue(func(c goja.FunctionCall) goja.Value { return n(d, c) })
	if err := f.(*goja.Object).DefineDataProperty("name", d.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		panic(err)
	}
	return f
}

// scope stands behind the global object: what a script names for the first
// time is looked up here and put into the global object.
type scope struct{ d *Device }

func (s scope) Get(name string) goja.Value {
	v := s.d.make(name, helpers[name])
	if v == nil && builtins[name] {
		v = s.d.builtins.Get(name)
		if guard := guards[name]; guard != nil {
			v = guard(s.d, v)
		}
	}
	if v == nil {
		return nil
	}
	if err := s.d.vm.GlobalObject().DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		panic(err)
	}
	return v
}

func (s scope) Set(string, goja.Value) bool { return false }

func (s scope) Has(name string) bool { return helpers[name] != nil || builtins[name] }

func (s scope) Delete(string) bool { return false }

func (s scope) Keys() []string { return nil }

// furnish gives the device a global object of its own: what is not in helpers
// and builtins is not within a script's reach.
func (d *Device) furnish() {
	d.builtins = d.vm.GlobalObject()
	global := d.vm.NewObject()
	if err := global.SetPrototype(d.vm.NewDynamicObject(scope{d})); err != nil {
		panic(err)
	}
	d.vm.SetGlobalObject(global)
	d.set(global, "state", d.vm.NewObject())
}

// builtin is one of JavaScript's own functions.
func (d *Device) builtin(name string) *goja.Object { return d.builtins.Get(name).(*goja.Object) }

// builtins are what scripts have of JavaScript's own globals. Proxy is not
// among them, nor what makes code of text.
var builtins = setOf(
	"undefined", "NaN", "Infinity", "Object", "Array", "String", "Number", "Boolean", "Symbol", "BigInt", "Math", "Date", "RegExp",
	"Error", "AggregateError", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError",
	"Map", "Set", "WeakMap", "WeakSet", "Promise", "Reflect",
	"ArrayBuffer", "DataView", "Uint8Array", "Uint8ClampedArray", "Int8Array", "Uint16Array", "Int16Array", "Uint32Array", "Int32Array",
	"Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
	"parseInt", "parseFloat", "isNaN", "isFinite", "encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent", "escape", "unescape",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// helpers are the globals that are ours. docs/fleet-models.md describes them.
var helpers = members{
	"globalThis": value(func(d *Device) goja.Value { return d.vm.GlobalObject() }),
	"JSON":       members{"parse": native(jsonParse), "stringify": native(jsonStringify)},

	"client":         native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.info.Client) }),
	"clients":        native(jobClients),
	"index":          native(jobIteration),
	"iteration":      native(jobIteration),
	"jobId":          native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.info.RunID) }),
	"jobClients":     native(jobClients),
	"jobInterval":    native(jobInterval),
	"jobRepeat":      native(jobRepeat),
	"getRunSettings": native(getRunSettings),
	"settings":       value(settingsObject),
	"setting":        native(setting),
	"environment":    value(environmentObject),

	"log":     logAt("info"),
	"console": members{"log": logAt("info"), "info": logAt("info"), "warn": logAt("warn"), "error": logAt("error"), "debug": logAt("debug")},
	"metrics": members{"counter": metric("counter"), "gauge": metric("gauge"), "trend": metric("trend"), "rate": metric("rate")},
	"sleep":   native(sleep),
	"once":    native(once),
	"glob":    members{"get": native(globGet), "set": native(globSet), "delete": native(globDelete), "list": native(globList)},

	"publish":     native(publish),
	"subscribe":   native(subscribe),
	"unsubscribe": native(unsubscribe),
	"connect":     native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.tell(d.host.Connect) }),
	"disconnect":  native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.tell(d.host.Disconnect) }),
	"connected":   native(func(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.host.Connected()) }),

	"aws":      native(aws),
	"putMedia": native(putMedia),
	"http": members{
		"request": native(httpRequest), "get": httpMethod("GET", false), "delete": httpMethod("DELETE", false),
		"post": httpMethod("POST", true), "put": httpMethod("PUT", true), "patch": httpMethod("PATCH", true),
	},
	"shadow": members{"get": native(shadowGet), "update": native(shadowUpdate), "delete": native(shadowDelete), "onDelta": native(shadowOnDelta)},
	"jobs": members{
		"pending": native(jobsPending), "describe": native(jobsDescribe), "start": native(jobsStart), "update": native(jobsUpdate), "onNext": native(jobsOnNext),
	},

	"Buffer": value(bufferConstructor),
	"hex":    members{"encode": encodeAs("hex"), "decode": decodeAs("hex")},
	"base64": members{"encode": encodeAs("base64"), "decode": decodeAs("base64")},
	"btoa":   native(btoa),
	"atob":   native(atob),
	"crypto": cryptoMembers,
	"kura":   members{"encode": native(kuraEncode), "decode": native(kuraDecode)},
	"chance": chanceMembers,
}
