package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/thingd/thingd/internal/fleet/model"
)

const (
	maxLine  = 4096      // bytes of a line of the log
	maxKey   = 512       // bytes of a key of the glob
	maxValue = 256 << 10 // bytes of a value there
	maxList  = 10_000    // keys that glob.list gives at once
)

func jobClients(d *Device, _ goja.FunctionCall) goja.Value {
	return d.vm.ToValue(max(d.info.Clients, 1))
}

func jobIteration(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.iteration) }

func jobInterval(d *Device, _ goja.FunctionCall) goja.Value {
	return d.vm.ToValue(time.Duration(d.run.Interval).Milliseconds())
}

// jobRepeat is the number of iterations; 0 means until the run's time is over.
func jobRepeat(d *Device, _ goja.FunctionCall) goja.Value { return d.vm.ToValue(d.iterations()) }

func (d *Device) iterations() int {
	if d.run.Iterations == 0 && d.run.Duration == 0 {
		return 1
	}
	return d.run.Iterations
}

// getRunSettings are the settings of the run with what holds by default.
func getRunSettings(d *Device, _ goja.FunctionCall) goja.Value {
	r := *d.run
	r.Clients, r.Iterations = max(d.info.Clients, 1), d.iterations()
	if r.Time == "" {
		r.Time = "real"
	}
	b, err := json.Marshal(r)
	if err != nil {
		d.throwHost(err)
	}
	return d.fromJSON(b)
}

// settingsObject are the run's values of the model's settings, and its
// defaults.
func settingsObject(d *Device) goja.Value {
	o := d.vm.NewObject()
	for _, s := range d.program.settings {
		if v, ok := d.setting(s); ok {
			d.set(o, s.Name, d.vm.ToValue(v))
		}
	}
	known := func(name string) bool {
		return slices.ContainsFunc(d.program.settings, func(s model.Setting) bool { return s.Name == name })
	}
	for _, name := range slices.Sorted(maps.Keys(d.info.Settings)) {
		if !known(name) && name != "__proto__" {
			d.set(o, name, d.vm.ToValue(d.info.Settings[name]))
		}
	}
	return o
}

func (d *Device) setting(s model.Setting) (string, bool) {
	if v, ok := d.info.Settings[s.Name]; ok && v != "" {
		return v, true
	}
	return s.Default, s.Default != ""
}

// setting(name[, otherwise]) is a setting that must have a value; with a
// number or a boolean as the second argument it is one as well.
func setting(d *Device, c goja.FunctionCall) goja.Value {
	name := d.named("setting", "the name", c.Argument(0))
	text, ok := d.info.Settings[name], d.info.Settings[name] != ""
	for _, s := range d.program.settings {
		if s.Name == name {
			text, ok = d.setting(s)
		}
	}
	otherwise := c.Argument(1)
	if !ok {
		if goja.IsUndefined(otherwise) {
			d.throw("Error", "the setting %q has no value", name)
		}
		return otherwise
	}
	switch otherwise.Export().(type) {
	case int64, float64:
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			d.throw("TypeError", "the setting %q must be a number", name)
		}
		return d.vm.ToValue(f)
	case bool:
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text)))
		if err != nil {
			d.throw("TypeError", "the setting %q must be true or false", name)
		}
		return d.vm.ToValue(b)
	}
	return d.vm.ToValue(text)
}

func environmentObject(d *Device) goja.Value {
	o := d.vm.NewObject()
	for _, name := range slices.Sorted(maps.Keys(d.info.Environment)) {
		if name != "__proto__" {
			d.set(o, name, d.vm.ToValue(d.info.Environment[name]))
		}
	}
	return o
}

// logAt writes its arguments in one line: text as it is, else JSON.
func logAt(level string) native {
	return func(d *Device, c goja.FunctionCall) goja.Value {
		var line strings.Builder
		for i, a := range c.Arguments {
			if i > 0 {
				line.WriteByte(' ')
			}
			if line.Len() > maxLine {
				break
			}
			line.WriteString(d.readable(a))
		}
		text := line.String()
		if len(text) > maxLine {
			text = strings.ToValidUTF8(text[:maxLine], "") + "…"
		}
		d.host.Log(level, text)
		return goja.Undefined()
	}
}

// readable is a value for people.
func (d *Device) readable(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		if s, ok := v.(goja.String); ok && s.Length() > maxLine {
			return s.Substring(0, maxLine+1).String()
		}
		return v.String()
	}
	if b, ok := raw(o); ok {
		return fmt.Sprintf("<%d bytes %s>", len(b), toText(b[:min(len(b), 50)], "hex"))
	}
	switch o.ClassName() {
	case "Error":
		_, text := d.describe(o)
		return text
	case "Function":
		return "<function>"
	}
	b, err := d.encode(o, maxLine)
	if err != nil {
		if uncatchable(err) {
			panic(err)
		}
		if len(b) > maxLine {
			return string(b)
		}
		return fmt.Sprintf("<%s: %v>", o.ClassName(), err)
	}
	return string(b)
}

// metric records a value of a metric of the model's own.
func metric(kind string) native {
	return func(d *Device, c goja.FunctionCall) goja.Value {
		name := d.named("metrics."+kind, "the name", c.Argument(0))
		if len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
		}) || name[0] >= '0' && name[0] <= '9' {
			d.throw("TypeError", "metrics.%s: %q is no name: up to 64 letters, digits and _, a letter first", kind, name)
		}
		v := 1.0
		switch a := c.Argument(1); {
		case kind == "rate":
			if !a.ToBoolean() {
				v = 0
			}
		case kind != "counter" || !goja.IsUndefined(a):
			v = a.ToFloat()
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			d.throw("TypeError", "metrics.%s: the value of %s must be a number, it is %s", kind, name, shown(c.Argument(1)))
		}
		d.host.Metric(Metric{Name: name, Kind: kind, Value: v})
		return goja.Undefined()
	}
}

// sleep waits: a number is of milliseconds, text such as "1.5s".
func sleep(d *Device, c goja.FunctionCall) goja.Value {
	t := d.duration("sleep", c.Argument(0))
	d.outside(func(ctx context.Context) error { return d.host.Sleep(ctx, t) })
	return goja.Undefined()
}

func (d *Device) duration(function string, v goja.Value) time.Duration {
	const most = 365 * 24 * time.Hour
	if s, ok := v.(goja.String); ok {
		t, err := time.ParseDuration(strings.ReplaceAll(s.String(), " ", ""))
		if err == nil && t >= 0 && t <= most {
			return t
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(s.String()), 64); err != nil {
			d.throw("TypeError", `%s: %s is no time such as "1.5s" or "2m"`, function, shown(v))
		}
	}
	ms := v.ToFloat()
	if !(ms >= 0 && ms <= float64(most.Milliseconds())) || v == nil || goja.IsUndefined(v) {
		d.throw("TypeError", `%s: %s is no time such as 1500 (milliseconds) or "1.5s"`, function, shown(v))
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// tell calls the host for what gives nothing back.
func (d *Device) tell(call func(context.Context) error) goja.Value {
	d.outside(call)
	return goja.Undefined()
}

// once(name, f) has f run by one device of the run; all get what it returns.
func once(d *Device, c goja.FunctionCall) goja.Value {
	name := d.named("once", "the name", c.Argument(0))
	if len(name) > maxKey {
		d.throw("RangeError", "once: the name has at most %d bytes", maxKey)
	}
	f, ok := goja.AssertFunction(c.Argument(1))
	if !ok {
		d.throw("TypeError", "once(name, function) needs a function")
	}
	var result json.RawMessage
	var own error // what f threw, which is no business of others' runtimes
	err := d.ask(func(ctx context.Context) (err error) {
		result, err = d.host.Once(ctx, name, func() (json.RawMessage, error) {
			out := json.RawMessage("null")
			err := d.inside(func(fr *frame) error {
				_, err := d.safely(func() (goja.Value, error) {
					v, err := f(goja.Undefined())
					if err == nil {
						v, err = d.settled(v)
					}
					var b []byte
					if err == nil {
						b, err = d.encode(v, maxValue)
					}
					if b != nil {
						out = b
					}
					return nil, err
				})
				if own = err; err == nil {
					return nil
				}
				return fmt.Errorf("once %s: %s", name, d.plain(err))
			})
			return out, err
		})
		return err
	})
	if own != nil {
		err = own
	}
	if err != nil {
		d.throwHost(err)
	}
	return d.fromJSON(result)
}

// plain is an error for other devices, without values of this one.
func (d *Device) plain(err error) string {
	thrown, ok := errors.AsType[*goja.Exception](err)
	if !ok {
		return err.Error()
	}
	e := &Error{Message: thrown.Value().String()}
	if d.locate(e, thrown.Stack()); e.Place == "" {
		return e.Message
	}
	return e.Error()
}

// inside runs a part of the script from within a call of the host.
func (d *Device) inside(f func(fr *frame) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.clock
	c.mu.Lock()
	fr := c.frame
	d.resume(fr)
	c.mu.Unlock()
	err := f(fr)
	c.mu.Lock()
	fr.left -= time.Since(c.since)
	c.since = time.Time{}
	c.mu.Unlock()
	return err
}

// key is an argument that is a key of the glob.
func (d *Device) key(function string, v goja.Value) string {
	if _, ok := v.Export().(int64); ok {
		return v.String()
	}
	key := d.named(function, "the key", v)
	if len(key) > maxKey {
		d.throw("RangeError", "%s: a key has at most %d bytes", function, maxKey)
	}
	return key
}

// back gives a result to a callback as well, if there is one: callback(error,
// result), in the manner of Node.js.
func (d *Device) back(callback, result goja.Value) goja.Value {
	if f, ok := goja.AssertFunction(callback); ok {
		if _, err := f(goja.Undefined(), goja.Null(), result); err != nil {
			d.throwHost(err)
		}
	}
	return result
}

func globGet(d *Device, c goja.FunctionCall) goja.Value {
	key := d.key("glob.get", c.Argument(0))
	var v json.RawMessage
	var found bool
	d.outside(func(ctx context.Context) (err error) {
		v, found, err = d.host.Glob().Get(ctx, key)
		return err
	})
	result := goja.Undefined()
	if found {
		result = d.fromJSON(v)
	}
	return d.back(c.Argument(1), result)
}

func globSet(d *Device, c goja.FunctionCall) goja.Value {
	key := d.key("glob.set", c.Argument(0))
	v := d.toJSON("glob.set", c.Argument(1), maxValue)
	if v == nil {
		d.throw("TypeError", "glob.set: %s has no value that can be kept: glob.delete(key) takes it away", shown(c.Argument(1)))
	}
	d.outside(func(ctx context.Context) error { return d.host.Glob().Set(ctx, key, v) })
	return d.back(c.Argument(2), c.Argument(1))
}

func globDelete(d *Device, c goja.FunctionCall) goja.Value {
	key := d.key("glob.delete", c.Argument(0))
	d.outside(func(ctx context.Context) error { return d.host.Glob().Delete(ctx, key) })
	return d.back(c.Argument(1), goja.Undefined())
}

// globList gives keys with a prefix: {after, limit} of them.
func globList(d *Device, c goja.FunctionCall) goja.Value {
	prefix := ""
	if !goja.IsUndefined(c.Argument(0)) {
		prefix = c.Argument(0).String()
	}
	options, callback := c.Argument(1), c.Argument(2)
	if _, ok := goja.AssertFunction(options); ok {
		options, callback = goja.Undefined(), options
	}
	o := d.options("glob.list", options)
	after, limit := d.text(o, "after", ""), int(min(max(d.number(o, "limit", 1000), 1), maxList))
	if len(prefix) > maxKey || len(after) > maxKey {
		d.throw("RangeError", "glob.list: a key has at most %d bytes", maxKey)
	}
	var keys []string
	d.outside(func(ctx context.Context) (err error) {
		keys, err = d.host.Glob().List(ctx, prefix, after, limit)
		return err
	})
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return d.back(callback, d.vm.NewArray(list...))
}
