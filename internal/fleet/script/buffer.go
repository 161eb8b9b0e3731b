package script

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"strconv"

	"github.com/dop251/goja"
)

// buffer makes a Buffer: a Uint8Array with the methods that people know of
// Node.js. The bytes are the script's from then on.
func (d *Device) buffer(b []byte) *goja.Object {
	o, err := d.vm.New(d.builtin("Uint8Array"), d.vm.ToValue(d.vm.NewArrayBuffer(b)))
	if err != nil {
		panic(err)
	}
	return d.asBuffer(o)
}

func (d *Device) asBuffer(o *goja.Object) *goja.Object {
	if d.buffers == nil {
		d.buffers = d.vm.NewDynamicObject(&lazyObject{d: d, of: d.program.buffers})
		if err := d.buffers.SetPrototype(d.builtin("Uint8Array").Get("prototype").(*goja.Object)); err != nil {
			panic(err)
		}
	}
	if err := o.SetPrototype(d.buffers); err != nil {
		panic(err)
	}
	return o
}

// bufferConstructor is Buffer; its functions make buffers, it cannot be called.
func bufferConstructor(d *Device) goja.Value {
	return d.vm.NewDynamicObject(&lazyObject{d: d, of: members{
		"from":     native(bufferFrom),
		"alloc":    native(bufferAlloc),
		"concat":   native(bufferConcat),
		"isBuffer": native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(d.isBuffer(c.Argument(0))) }),
		"byteLength": native(func(d *Device, c goja.FunctionCall) goja.Value {
			return d.vm.ToValue(len(d.data("what is measured", c.Argument(0))))
		}),
	}})
}

func (d *Device) isBuffer(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && d.buffers != nil && o.Prototype() == d.buffers
}

func bufferFrom(d *Device, c goja.FunctionCall) goja.Value {
	if s, ok := c.Argument(0).(goja.String); ok {
		return d.buffer(d.decoded(s.String(), d.encoding(c.Argument(1))))
	}
	return d.buffer(bytes.Clone(d.data("what the buffer is made from", c.Argument(0))))
}

func bufferAlloc(d *Device, c goja.FunctionCall) goja.Value {
	n := c.Argument(0).ToInteger()
	if n < 0 {
		d.throw("RangeError", "a buffer has no %d bytes", n)
	}
	d.atOnce(float64(n))
	b := make([]byte, n)
	if fill := c.Argument(1); !goja.IsUndefined(fill) && n > 0 {
		pattern := []byte{byte(fill.ToInteger())}
		if s, ok := fill.(goja.String); ok {
			pattern = []byte(s.String())
		}
		for i := 0; i < len(b) && len(pattern) > 0; {
			i += copy(b[i:], pattern)
		}
	}
	return d.buffer(b)
}

func bufferConcat(d *Device, c goja.FunctionCall) goja.Value {
	list, ok := c.Argument(0).(*goja.Object)
	if !ok || list.ClassName() != "Array" {
		d.throw("TypeError", "Buffer.concat takes an array of buffers")
	}
	var out []byte
	for i := range length(list) {
		b := d.data("what is joined", list.Get(strconv.FormatInt(i, 10)))
		d.atOnce(float64(len(out) + len(b)))
		out = append(out, b...)
	}
	return d.buffer(out)
}

// self are the bytes of a method's object.
func (d *Device) self(c goja.FunctionCall) []byte {
	b, ok := raw(c.This)
	if !ok {
		d.throw("TypeError", "this is no Buffer")
	}
	return b
}

// bufferMethods are the methods of buffers.
func bufferMethods() members {
	m := members{
		"toString": native(func(d *Device, c goja.FunctionCall) goja.Value {
			b := d.self(c)
			from, to := span(len(b), c.Argument(1), c.Argument(2))
			return d.vm.ToValue(toText(b[from:to], d.encoding(c.Argument(0))))
		}),
		"toJSON":   native(func(d *Device, c goja.FunctionCall) goja.Value { return d.vm.ToValue(toText(d.self(c), "base64")) }),
		"slice":    native(bufferSlice),
		"subarray": native(bufferSlice),
		"equals": native(func(d *Device, c goja.FunctionCall) goja.Value {
			return d.vm.ToValue(bytes.Equal(d.self(c), d.data("what is compared", c.Argument(0))))
		}),
		"write": native(func(d *Device, c goja.FunctionCall) goja.Value {
			b := d.self(c)
			at, _ := span(len(b), c.Argument(1), goja.Undefined())
			return d.vm.ToValue(copy(b[at:], d.decoded(c.Argument(0).String(), d.encoding(c.Argument(2)))))
		}),
		"copy": native(func(d *Device, c goja.FunctionCall) goja.Value {
			target, ok := raw(c.Argument(0))
			if !ok {
				d.throw("TypeError", "copy needs a Buffer to copy to")
			}
			b := d.self(c)
			at, _ := span(len(target), c.Argument(1), goja.Undefined())
			from, to := span(len(b), c.Argument(2), c.Argument(3))
			return d.vm.ToValue(copy(target[at:], b[from:to]))
		}),
	}
	for _, order := range []struct {
		name string
		binary.ByteOrder
	}{{"LE", binary.LittleEndian}, {"BE", binary.BigEndian}} {
		for _, bits := range []int{8, 16, 32} {
			name := strconv.Itoa(bits) + order.name
			if bits == 8 {
				name = "8"
			}
			maps.Copy(m, numbers("UInt"+name, bits/8, order.ByteOrder, 0, math.Ldexp(1, bits)-1,
				func(u uint64) float64 { return float64(u) }, func(f float64) uint64 { return uint64(f) }))
			maps.Copy(m, numbers("Int"+name, bits/8, order.ByteOrder, -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1,
				func(u uint64) float64 { return float64(int64(u<<(64-bits)) >> (64 - bits)) }, func(f float64) uint64 { return uint64(int64(f)) }))
		}
		maps.Copy(m, numbers("Float"+order.name, 4, order.ByteOrder, math.Inf(-1), math.Inf(1),
			func(u uint64) float64 { return float64(math.Float32frombits(uint32(u))) }, func(f float64) uint64 { return uint64(math.Float32bits(float32(f))) }))
		maps.Copy(m, numbers("Double"+order.name, 8, order.ByteOrder, math.Inf(-1), math.Inf(1), math.Float64frombits, math.Float64bits))
	}
	return m
}

// numbers are the methods that read and write one kind of number.
func numbers(name string, size int, order binary.ByteOrder, least, most float64, decode func(uint64) float64, encode func(float64) uint64) members {
	at := func(d *Device, b []byte, v goja.Value) []byte {
		i := int64(0)
		if !goja.IsUndefined(v) {
			i = v.ToInteger()
		}
		if i < 0 || i+int64(size) > int64(len(b)) {
			d.throw("RangeError", "%s at %d is outside of a buffer of %d bytes", name, i, len(b))
		}
		return b[i : i+int64(size)]
	}
	read := func(d *Device, c goja.FunctionCall) goja.Value {
		var word [8]byte
		b := at(d, d.self(c), c.Argument(0))
		if order == binary.ByteOrder(binary.BigEndian) {
			copy(word[8-size:], b)
		} else {
			copy(word[:], b)
		}
		return d.vm.ToValue(decode(order.Uint64(word[:])))
	}
	write := func(d *Device, c goja.FunctionCall) goja.Value {
		f := c.Argument(0).ToFloat()
		if !math.IsInf(least, 0) {
			f = math.Trunc(f)
			if !(f >= least && f <= most) {
				d.throw("RangeError", "%s cannot be %s: it is from %.0f to %.0f", name, c.Argument(0), least, most)
			}
		}
		b := at(d, d.self(c), c.Argument(1))
		var word [8]byte
		order.PutUint64(word[:], encode(f))
		if order == binary.ByteOrder(binary.BigEndian) {
			copy(b, word[8-size:])
		} else {
			copy(b, word[:])
		}
		return d.vm.ToValue(offset(c.Argument(1)) + size)
	}
	return members{"read" + name: native(read), "write" + name: native(write)}
}

func offset(v goja.Value) int {
	if goja.IsUndefined(v) {
		return 0
	}
	return int(v.ToInteger())
}

// bufferSlice is a part that shares its bytes.
func bufferSlice(d *Device, c goja.FunctionCall) goja.Value {
	b := d.self(c)
	from, to := span(len(b), c.Argument(0), c.Argument(1))
	o := c.This.(*goja.Object)
	part, err := d.vm.New(d.builtin("Uint8Array"), o.Get("buffer"), d.vm.ToValue(o.Get("byteOffset").ToInteger()+int64(from)), d.vm.ToValue(to-from))
	if err != nil {
		d.throwHost(fmt.Errorf("slice: %w", err))
	}
	return d.asBuffer(part)
}
