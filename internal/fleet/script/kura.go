package script

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/dop251/goja"
)

// Eclipse Kura's payload is a message of protocol buffers (kurapayload.proto):
//
//	KuraPayload  1 timestamp int64, 2 position, 5000 metric (repeated), 5001 body bytes
//	KuraMetric   1 name, 2 type, 3 double, 4 float, 5 int64, 6 int32, 7 bool, 8 string, 9 bytes
//	KuraPosition 1 latitude, 2 longitude, 3 altitude, 4 precision, 5 heading, 6 speed (doubles),
//	             7 timestamp int64, 8 satellites int32, 9 status int32
const (
	kuraTimestamp = 1
	kuraPosition  = 2
	kuraMetric    = 5000
	kuraBody      = 5001
)

// kuraTypes are the types of metrics in the order of their numbers.
var kuraTypes = []string{"DOUBLE", "FLOAT", "INT64", "INT32", "BOOL", "STRING", "BYTES"}

// kuraPositions are the members of a position: the first six are doubles.
var kuraPositions = []string{"latitude", "longitude", "altitude", "precision", "heading", "speed", "timestamp", "satellites", "status"}

// Wire types of protocol buffers.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

func appendTag(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(wire))
}

func appendVarint(b []byte, field int, v int64) []byte {
	return binary.AppendUvarint(appendTag(b, field, wireVarint), uint64(v))
}

func appendDouble(b []byte, field int, v float64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(b, field, wire64), math.Float64bits(v))
}

func appendBytes(b []byte, field int, v []byte) []byte {
	return append(binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(v))), v...)
}

// kuraEncode is kura.encode({timestamp, position, metrics, body}[, {gzip}]): a
// Buffer. A metric is a value, or {type, value} to choose how it is written.
func kuraEncode(d *Device, c goja.FunctionCall) goja.Value {
	const function = "kura.encode"
	o := d.options(function, c.Argument(0))
	if o == nil {
		d.throw("TypeError", "kura.encode takes {metrics: …}")
	}
	stamp := d.host.Now().UnixMilli()
	if v := o.Get("timestamp"); v != nil && !goja.IsUndefined(v) {
		stamp = int64(v.ToFloat()) // a Date as well
	}
	out := appendVarint(nil, kuraTimestamp, stamp)
	if p := o.Get("position"); p != nil {
		if p := d.options(function+": position", p); p != nil {
			out = appendBytes(out, kuraPosition, d.kuraPosition(p))
		}
	}
	if m := o.Get("metrics"); m != nil {
		if m := d.options(function+": metrics", m); m != nil {
			for _, name := range m.Keys() {
				out = appendBytes(out, kuraMetric, d.kuraMetric(name, m.Get(name)))
				d.atOnce(float64(len(out)))
			}
		}
	}
	if b := o.Get("body"); b != nil && !goja.IsUndefined(b) && !goja.IsNull(b) {
		out = appendBytes(out, kuraBody, d.data(function+": the body", b))
	}
	if d.flag(d.options(function, c.Argument(1)), "gzip") {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(out)
		if err = errors.Join(err, w.Close()); err != nil {
			d.throwHost(err)
		}
		out = packed.Bytes()
	}
	return d.buffer(out)
}

func (d *Device) kuraPosition(p *goja.Object) []byte {
	var b []byte
	for i, name := range kuraPositions {
		v := p.Get(name)
		if v == nil || goja.IsUndefined(v) {
			if i < 2 {
				d.throw("TypeError", "kura.encode: a position needs latitude and longitude")
			}
			continue
		}
		if i < 6 {
			b = appendDouble(b, i+1, d.number(p, name, 0))
		} else {
			b = appendVarint(b, i+1, int64(d.number(p, name, 0)))
		}
	}
	return b
}

func (d *Device) kuraMetric(name string, v goja.Value) []byte {
	kind := ""
	if o, ok := v.(*goja.Object); ok && o.Get("type") != nil && o.Get("value") != nil {
		kind, v = strings.ToUpper(o.Get("type").String()), o.Get("value")
	}
	if kind == "" {
		switch v.Export().(type) {
		case bool:
			kind = "BOOL"
		case string:
			kind = "STRING"
		case int64, float64:
			kind = "DOUBLE" // of JavaScript's numbers: 20 and 20.5 of one metric have one type
		default:
			if _, ok := raw(v); ok {
				kind = "BYTES"
			}
		}
	}
	number := -1
	for i, t := range kuraTypes {
		if t == kind {
			number = i
		}
	}
	b := appendVarint(appendBytes(nil, 1, []byte(name)), 2, int64(number))
	switch kind {
	case "DOUBLE":
		return appendDouble(b, 3, v.ToFloat())
	case "FLOAT":
		return binary.LittleEndian.AppendUint32(appendTag(b, 4, wire32), math.Float32bits(float32(v.ToFloat())))
	case "INT64":
		return appendVarint(b, 5, v.ToInteger())
	case "INT32":
		return appendVarint(b, 6, int64(int32(v.ToInteger())))
	case "BOOL":
		on := int64(0)
		if v.ToBoolean() {
			on = 1
		}
		return appendVarint(b, 7, on)
	case "STRING":
		return appendBytes(b, 8, []byte(v.String()))
	case "BYTES":
		return appendBytes(b, 9, d.data("kura.encode: metric "+name, v))
	}
	d.throw("TypeError", "kura.encode: metric %s is %s of no type of Kura: %s", name, shown(v), strings.Join(kuraTypes, ", "))
	return nil
}

var errKura = errors.New("kura.decode: this is no Kura payload")

// field is one field of a message of protocol buffers.
type field struct {
	number int
	word   uint64 // of a varint or a fixed width
	bytes  []byte
}

// fields calls f with each field of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return errKura
		}
		b = b[n:]
		x := field{number: int(tag >> 3)}
		switch tag & 7 {
		case wireVarint:
			if x.word, n = binary.Uvarint(b); n <= 0 {
				return errKura
			}
		case wire64:
			if n = 8; len(b) < n {
				return errKura
			}
			x.word = binary.LittleEndian.Uint64(b)
		case wire32:
			if n = 4; len(b) < n {
				return errKura
			}
			x.word = uint64(binary.LittleEndian.Uint32(b))
		case wireBytes:
			size, m := binary.Uvarint(b)
			if m <= 0 || size > uint64(len(b)-m) {
				return errKura
			}
			n = m + int(size)
			x.bytes = b[m:n]
		default:
			return errKura
		}
		b = b[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// kuraDecode is kura.decode(bytes): {timestamp, position, metrics, body}. What
// is compressed it unpacks.
func kuraDecode(d *Device, c goja.FunctionCall) goja.Value {
	b := d.data("kura.decode: the payload", c.Argument(0))
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(io.LimitReader(r, maxAtOnce+1))
		}
		if err != nil {
			d.throwHost(fmt.Errorf("kura.decode: %w", err))
		}
		d.atOnce(float64(len(b)))
	}
	out, metrics := d.vm.NewObject(), d.vm.NewObject()
	err := fields(b, func(f field) error {
		switch f.number {
		case kuraTimestamp:
			d.set(out, "timestamp", d.vm.ToValue(int64(f.word)))
		case kuraPosition:
			position := d.vm.NewObject()
			d.set(out, "position", position)
			return fields(f.bytes, func(f field) error {
				if i := f.number - 1; i < 6 {
					d.set(position, kuraPositions[i], d.vm.ToValue(math.Float64frombits(f.word)))
				} else if i < len(kuraPositions) {
					d.set(position, kuraPositions[i], d.vm.ToValue(int64(f.word)))
				}
				return nil
			})
		case kuraMetric:
			name, v, err := d.kuraValue(f.bytes)
			if err != nil {
				return err
			}
			if name != "__proto__" {
				d.set(metrics, name, v)
			}
		case kuraBody:
			d.set(out, "body", d.buffer(bytes.Clone(f.bytes)))
		}
		return nil
	})
	if err != nil {
		d.throwHost(err)
	}
	d.set(out, "metrics", metrics)
	return out
}

func (d *Device) kuraValue(b []byte) (name string, v goja.Value, err error) {
	v = goja.Null()
	err = fields(b, func(f field) error {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 3:
			v = d.vm.ToValue(math.Float64frombits(f.word))
		case 4:
			v = d.vm.ToValue(float64(math.Float32frombits(uint32(f.word))))
		case 5, 6:
			v = d.vm.ToValue(int64(f.word))
		case 7:
			v = d.vm.ToValue(f.word != 0)
		case 8:
			v = d.vm.ToValue(string(f.bytes))
		case 9:
			v = d.buffer(bytes.Clone(f.bytes))
		}
		return nil
	})
	return name, v, err
}
