package script

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

var (
	bytesType  = reflect.TypeFor[[]byte]()
	bufferType = reflect.TypeFor[goja.ArrayBuffer]()
)

// raw are the bytes of a view of them, which they share, or of an ArrayBuffer.
func raw(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	switch o.ExportType() {
	case bytesType:
		b, ok := o.Export().([]byte)
		return b, ok
	case bufferType:
		b, ok := o.Export().(goja.ArrayBuffer)
		if !ok || b.Detached() {
			return nil, false
		}
		return b.Bytes(), true
	}
	return nil, false
}

// bytes are a value as it is sent: a copy of the bytes of a string (UTF-8) or
// of a view, else JSON.
func (d *Device) bytes(v goja.Value, limit int) ([]byte, error) {
	switch x := v.(type) {
	case goja.String:
		if x.Length() > limit {
			return nil, tooLong(limit)
		}
		if s := x.String(); len(s) <= limit {
			return []byte(s), nil
		}
		return nil, tooLong(limit)
	case *goja.Object:
		if b, ok := raw(x); ok {
			if len(b) > limit {
				return nil, tooLong(limit)
			}
			return slices.Clone(b), nil
		}
	}
	b, err := d.encode(v, limit)
	if err == nil && b == nil {
		err = errors.New("a function or symbol cannot be sent")
	}
	return b, err
}

// data are the bytes of an argument: text, a view, or an array of numbers.
// They may be the script's own: they are not to be kept or changed.
func (d *Device) data(what string, v goja.Value) []byte {
	if s, ok := v.(goja.String); ok {
		return []byte(s.String())
	}
	if b, ok := raw(v); ok {
		return b
	}
	if o, ok := v.(*goja.Object); ok && o.ClassName() == "Array" {
		n := length(o)
		d.atOnce(float64(n))
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(o.Get(strconv.Itoa(i)).ToInteger())
		}
		return b
	}
	d.throw("TypeError", "%s must be text, a Buffer or an array of bytes", what)
	return nil
}

// toText is bytes in an encoding.
func toText(b []byte, encoding string) string {
	switch encoding {
	case "hex":
		return hex.EncodeToString(b)
	case "base64":
		return base64.StdEncoding.EncodeToString(b)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(b)
	case "latin1":
		var s strings.Builder
		for _, c := range b {
			s.WriteRune(rune(c))
		}
		return s.String()
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// fromText are the bytes of a text in an encoding.
func fromText(s, encoding string) ([]byte, error) {
	switch encoding {
	case "hex":
		return hex.DecodeString(s)
	case "base64", "base64url":
		s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(s), "=")
		return base64.RawStdEncoding.DecodeString(s)
	case "latin1":
		b := make([]byte, 0, len(s))
		for _, r := range s {
			b = append(b, byte(r))
		}
		return b, nil
	}
	return []byte(s), nil
}

// encoding is the name of an encoding, by which it is known here.
func (d *Device) encoding(v goja.Value) string {
	if goja.IsUndefined(v) {
		return "utf8"
	}
	switch e := strings.ToLower(v.String()); e {
	case "utf8", "utf-8":
		return "utf8"
	case "ascii", "binary", "latin1":
		return "latin1"
	case "hex", "base64", "base64url":
		return e
	default:
		d.throw("TypeError", "%q is no encoding: utf8, hex, base64, base64url and latin1 are", v.String())
		return ""
	}
}

func (d *Device) decoded(s, encoding string) []byte {
	b, err := fromText(s, encoding)
	if err != nil {
		d.throw("TypeError", "this is no %s: %v", encoding, err)
	}
	return b
}

func encodeAs(encoding string) native {
	return func(d *Device, c goja.FunctionCall) goja.Value {
		return d.vm.ToValue(toText(d.data("what is encoded", c.Argument(0)), encoding))
	}
}

func decodeAs(encoding string) native {
	return func(d *Device, c goja.FunctionCall) goja.Value {
		return d.buffer(d.decoded(c.Argument(0).String(), encoding))
	}
}

func btoa(d *Device, c goja.FunctionCall) goja.Value {
	for _, r := range c.Argument(0).String() {
		if r > 0xff {
			d.throw("RangeError", "btoa takes characters up to U+00FF: base64.encode takes any text")
		}
	}
	b, _ := fromText(c.Argument(0).String(), "latin1")
	return d.vm.ToValue(toText(b, "base64"))
}

func atob(d *Device, c goja.FunctionCall) goja.Value {
	return d.vm.ToValue(toText(d.decoded(c.Argument(0).String(), "base64"), "latin1"))
}

// span is the part of n items that two arguments say, as slice() takes them.
func span(n int, from, to goja.Value) (int, int) {
	at := func(v goja.Value, otherwise int) int {
		if goja.IsUndefined(v) {
			return otherwise
		}
		i := v.ToInteger()
		if i < 0 {
			i += int64(n)
		}
		return int(min(max(i, 0), int64(n)))
	}
	a, b := at(from, 0), at(to, n)
	return a, max(a, b)
}

// number is an argument that is a number of a name, or a default.
func (d *Device) number(o *goja.Object, name string, otherwise float64) float64 {
	if o == nil {
		return otherwise
	}
	v := o.Get(name)
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return otherwise
	}
	f := v.ToFloat()
	if f != f {
		d.throw("TypeError", "%s must be a number, it is %s", name, shown(v))
	}
	return f
}

// text is a member that is text, or a default.
func (d *Device) text(o *goja.Object, name, otherwise string) string {
	if o == nil {
		return otherwise
	}
	v := o.Get(name)
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return otherwise
	}
	return v.String()
}

// flag is a member that is true or false.
func (d *Device) flag(o *goja.Object, name string) bool {
	if o == nil {
		return false
	}
	v := o.Get(name)
	return v != nil && v.ToBoolean()
}

// options is an argument that is an object with options; nil of none.
func (d *Device) options(function string, v goja.Value) *goja.Object {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		d.throw("TypeError", "%s takes its options as an object, not as %s", function, shown(v))
	}
	return o
}

// named is an argument that is text and not empty.
func (d *Device) named(function, what string, v goja.Value) string {
	if s, ok := v.(goja.String); ok && s.Length() > 0 {
		return s.String()
	}
	d.throw("TypeError", "%s: %s must be a text, it is %s", function, what, shown(v))
	return ""
}

// shown is a value in a message.
func shown(v goja.Value) string {
	switch x := v.(type) {
	case nil:
		return "undefined"
	case goja.String:
		if x.Length() > 50 {
			return fmt.Sprintf("%q…", x.Substring(0, 50).String())
		}
		return fmt.Sprintf("%q", x.String())
	case *goja.Object:
		return "an object of class " + x.ClassName()
	}
	return v.String()
}
