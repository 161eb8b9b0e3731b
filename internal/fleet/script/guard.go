package script

import (
	"math"
	"regexp"

	"github.com/dop251/goja"
)

// Functions of JavaScript that make much at once, or work for long within one
// instruction, cannot be interrupted: they are bounded instead.
const (
	maxAtOnce  = 16 << 20 // bytes
	maxItems   = maxAtOnce / 16
	maxPattern = 10_000 // characters of a regular expression
	maxJoining = 500    // arrays in arrays that are made text
)

// unguarded is code that can reach none of the methods of guardMethods: it
// neither names them nor has a way to a name that it makes up, nor to an array
// that is long without having been filled. Most models have such code, and each
// device of theirs takes some kilobytes less.
func unguarded(source string) bool { return !reaches.MatchString(source) }

var reaches = regexp.MustCompile(`repeat|pad(Start|End)|fill|Array|Reflect|getOwn|constructor|\\u|length\s*=|` +
	`[\w$)\]}'"/\x60]\s*(\?\.)?\s*\[\s*(\d+\s*)?[^\s\d\]]|\{\s*\[|,\s*\[[^\]]*\]\s*:`)

// guard bounds what text is made of arrays, which nothing needs to name.
func (d *Device) guard() {
	array := d.vm.NewArray().Prototype()
	join, _ := goja.AssertFunction(array.Get("join"))
	d.define(array, "join", func(c goja.FunctionCall) goja.Value {
		d.items(length(c.This) * (1 + length(c.Argument(0))))
		if d.joining++; d.joining > maxJoining {
			d.joining = 0
			d.throw("RangeError", "arrays stand more than %d deep in each other", maxJoining)
		}
		v, err := join(c.This, c.Arguments...)
		d.joining = max(d.joining-1, 0)
		if err != nil {
			d.throwHost(err)
		}
		return v
	})
	if d.program.guarded {
		d.guardMethods()
	}
}

// guardMethods bounds the methods that every string and array has.
func (d *Device) guardMethods() {
	text := d.vm.ToValue("").ToObject(d.vm).Prototype()
	d.wrap(text, "repeat", func(c goja.FunctionCall) {
		d.atOnce(float64(length(c.This)) * c.Argument(0).ToFloat())
	})
	pad := func(c goja.FunctionCall) { d.atOnce(c.Argument(0).ToFloat()) }
	d.wrap(text, "padStart", pad)
	d.wrap(text, "padEnd", pad)
	d.wrap(d.vm.NewArray().Prototype(), "fill", func(c goja.FunctionCall) { d.items(length(c.This)) })
}

// guards are the globals that are bounded when a script first names them.
var guards = map[string]func(d *Device, v goja.Value) goja.Value{
	"Array":       guardArray,
	"RegExp":      guardRegExp,
	"ArrayBuffer": guardBytes(1), "Uint8Array": guardBytes(1), "Uint8ClampedArray": guardBytes(1), "Int8Array": guardBytes(1),
	"Uint16Array": guardBytes(2), "Int16Array": guardBytes(2), "Uint32Array": guardBytes(4), "Int32Array": guardBytes(4), "Float32Array": guardBytes(4),
	"Float64Array": guardBytes(8), "BigInt64Array": guardBytes(8), "BigUint64Array": guardBytes(8),
}

func guardArray(d *Device, v goja.Value) goja.Value {
	d.wrap(v.(*goja.Object), "from", func(c goja.FunctionCall) { d.items(length(c.Argument(0))) })
	return v
}

func guardRegExp(d *Device, v goja.Value) goja.Value {
	return d.construct(v.(*goja.Object), func(arguments []goja.Value) {
		if len(arguments) > 0 {
			if _, ok := arguments[0].(*goja.Object); !ok && length(arguments[0]) > maxPattern {
				d.throw("RangeError", "a regular expression has at most %d characters", maxPattern)
			}
		}
	})
}

func guardBytes(size int) func(d *Device, v goja.Value) goja.Value {
	return func(d *Device, v goja.Value) goja.Value {
		return d.construct(v.(*goja.Object), func(arguments []goja.Value) {
			if len(arguments) == 0 {
				return
			}
			if o, ok := arguments[0].(*goja.Object); ok {
				d.atOnce(float64(length(o)) * float64(size))
			} else {
				d.atOnce(arguments[0].ToFloat() * float64(size))
			}
		})
	}
}

// construct stands a constructor in for a built-in one, with a check before.
func (d *Device) construct(of *goja.Object, check func(arguments []goja.Value)) goja.Value {
	prototype := of.Get("prototype").(*goja.Object)
	c := d.vm.ToValue(func(c goja.ConstructorCall) *goja.Object {
		check(c.Arguments)
		o, err := d.vm.New(of, c.Arguments...)
		if err != nil {
			d.throwHost(err)
		}
		if p := c.This.Prototype(); p != nil && p != prototype {
			if err := o.SetPrototype(p); err != nil { // a class that extends it
				panic(err)
			}
		}
		return o
	}).(*goja.Object)
	d.hidden(c, "name", of.Get("name"))
	d.set(c, "prototype", prototype)
	if n := of.Get("BYTES_PER_ELEMENT"); n != nil {
		d.hidden(c, "BYTES_PER_ELEMENT", n)
	}
	if isView := of.Get("isView"); isView != nil {
		d.hidden(c, "isView", isView)
	}
	if p := of.Prototype(); p != nil {
		if err := c.SetPrototype(p); err != nil {
			panic(err)
		}
	}
	d.hidden(prototype, "constructor", c)
	return c
}

// wrap puts a check before a method.
func (d *Device) wrap(o *goja.Object, name string, check func(goja.FunctionCall)) {
	method, _ := goja.AssertFunction(o.Get(name))
	d.define(o, name, func(c goja.FunctionCall) goja.Value {
		check(c)
		v, err := method(c.This, c.Arguments...)
		if err != nil {
			d.throwHost(err)
		}
		return v
	})
}

func (d *Device) define(o *goja.Object, name string, f func(goja.FunctionCall) goja.Value) {
	d.hidden(o, name, d.vm.ToValue(f))
}

// hidden defines a property that loops do not see, as built-in ones are.
func (d *Device) hidden(o *goja.Object, name string, v goja.Value) {
	if err := o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		panic(err)
	}
}

// length is the length of a string or of what is like an array, else 0.
func length(v goja.Value) int64 {
	switch v := v.(type) {
	case goja.String:
		return int64(v.Length())
	case *goja.Object:
		if n := v.Get("length"); n != nil {
			return min(max(n.ToInteger(), 0), math.MaxInt32*1024)
		}
	}
	return 0
}

func (d *Device) atOnce(bytes float64) {
	if bytes > maxAtOnce {
		d.throw("RangeError", "that makes %.0f bytes at once: at most %d can be", bytes, maxAtOnce)
	}
}

func (d *Device) items(n int64) {
	if n > maxItems {
		d.throw("RangeError", "that are %d items at once: at most %d can be", n, maxItems)
	}
}
