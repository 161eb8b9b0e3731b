package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// maxDepth is how deep objects and arrays of JSON stand in each other.
const maxDepth = 200

var errTooLong = errors.New("there are more than")

func tooLong(limit int) error { return fmt.Errorf("%w %d bytes", errTooLong, limit) }

// encoder writes values as JSON, in the order in which members were set, and
// no more than limit bytes. Views of bytes are text in base64, as AWS's APIs
// have them.
type encoder struct {
	d     *Device
	out   []byte
	limit int
	// hide leaves out names that begin with __$.
	hide bool
	// replacer and only are the second argument of JSON.stringify.
	replacer goja.Callable
	only     map[string]bool
}

// encode is the JSON of a value; nil of one that has none, such as undefined.
func (d *Device) encode(v goja.Value, limit int) ([]byte, error) {
	e := encoder{d: d, limit: limit}
	err := e.value(v, "", 0)
	return e.out, err
}

func (e *encoder) value(v goja.Value, key string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("objects stand more than %d deep in each other, or in themselves", maxDepth)
	}
	if len(e.out) > e.limit {
		return tooLong(e.limit)
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return e.primitive(v)
	}
	if toJSON, ok := goja.AssertFunction(o.Get("toJSON")); ok {
		r, err := toJSON(o, e.d.vm.ToValue(key))
		if err != nil {
			return err
		}
		if o, ok = r.(*goja.Object); !ok {
			return e.primitive(r)
		}
	}
	class := o.ClassName()
	switch class {
	case "Function":
		return nil
	case "String", "Number", "Boolean":
		return e.primitive(e.d.vm.ToValue(o.Export()))
	}
	if b, ok := raw(o); ok {
		if len(b) > e.limit {
			return tooLong(e.limit)
		}
		e.out = append(e.out, quoted(toText(b, "base64"))...)
	} else if class == "Array" {
		return e.array(o, depth)
	} else {
		return e.object(o, depth)
	}
	if len(e.out) > e.limit {
		return tooLong(e.limit)
	}
	return nil
}

func (e *encoder) array(o *goja.Object, depth int) error {
	n := length(o)
	if n > int64(e.limit) {
		return tooLong(e.limit) // an item takes two bytes
	}
	e.out = append(e.out, '[')
	for i := range n {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		name := strconv.FormatInt(i, 10)
		v, err := e.replaced(o, name, o.Get(name))
		before := len(e.out)
		if err == nil {
			err = e.value(v, name, depth+1)
		}
		if err != nil {
			return err
		}
		if len(e.out) == before {
			e.out = append(e.out, "null"...)
		}
	}
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) object(o *goja.Object, depth int) error {
	e.out = append(e.out, '{')
	first := true
	for _, name := range o.Keys() {
		if e.hide && strings.HasPrefix(name, "__$") || e.only != nil && !e.only[name] {
			continue
		}
		v, err := e.replaced(o, name, o.Get(name))
		if err != nil {
			return err
		}
		before := len(e.out)
		if !first {
			e.out = append(e.out, ',')
		}
		e.out = append(appendQuoted(e.out, name), ':')
		start := len(e.out)
		if err := e.value(v, name, depth+1); err != nil {
			return err
		}
		if len(e.out) == start { // it has no JSON
			e.out = e.out[:before]
			continue
		}
		first = false
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *encoder) replaced(o *goja.Object, name string, v goja.Value) (goja.Value, error) {
	if e.replacer == nil {
		return v, nil
	}
	if v == nil {
		v = goja.Undefined()
	}
	return e.replacer(o, e.d.vm.ToValue(name), v)
}

func (e *encoder) primitive(v goja.Value) error {
	switch x := v.(type) {
	case nil, *goja.Symbol:
		return nil
	case goja.String:
		if x.Length() > e.limit {
			return tooLong(e.limit)
		}
		e.out = appendQuoted(e.out, x.String())
		return nil
	}
	if goja.IsUndefined(v) {
		return nil
	}
	switch x := v.Export().(type) {
	case nil:
		e.out = append(e.out, "null"...)
	case bool:
		e.out = strconv.AppendBool(e.out, x)
	case int64:
		e.out = strconv.AppendInt(e.out, x, 10)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			e.out = append(e.out, "null"...)
		} else {
			e.out = append(e.out, v.String()...)
		}
	default:
		return errors.New("a BigInt has no JSON: use Number(…) or String(…)")
	}
	return nil
}

func quoted(s string) []byte { return appendQuoted(nil, s) }

// appendQuoted writes a JSON string as JavaScript does.
func appendQuoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		default:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(out, s[start:]...), '"')
}

// parse makes a value of JSON.
func (d *Device) parse(text string) (goja.Value, error) {
	depth, inside := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("objects stand more than %d deep in each other", maxDepth)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	parse, _ := goja.AssertFunction(d.builtin("JSON").Get("parse"))
	return parse(goja.Undefined(), d.vm.ToValue(text))
}

// fromJSON is a value of what a host gave.
func (d *Device) fromJSON(document json.RawMessage) goja.Value {
	if len(document) == 0 {
		return goja.Undefined()
	}
	if document[0] == '"' {
		// By hand: the runtime's own JSON, made for it, would take some kilobytes of a device that reads no more than its key.
		var s string
		if json.Unmarshal(document, &s) == nil {
			return d.vm.ToValue(s)
		}
	}
	v, err := d.parse(string(document))
	if err != nil {
		d.throwHost(err)
	}
	return v
}

// toJSON is the JSON of an argument.
func (d *Device) toJSON(what string, v goja.Value, limit int) json.RawMessage {
	b, err := d.encode(v, limit)
	d.check(err, "TypeError", what)
	return b
}

func jsonParse(d *Device, c goja.FunctionCall) goja.Value {
	v, err := d.parse(c.Argument(0).String())
	if err != nil {
		d.throwHost(err)
	}
	if reviver, ok := goja.AssertFunction(c.Argument(1)); ok {
		return d.revived(reviver, d.vm.NewObject(), "", v)
	}
	return v
}

// revived applies the second argument of JSON.parse, members first.
func (d *Device) revived(reviver goja.Callable, holder *goja.Object, name string, v goja.Value) goja.Value {
	d.set(holder, name, v)
	if o, ok := v.(*goja.Object); ok {
		for _, key := range o.Keys() {
			r := d.revived(reviver, o, key, o.Get(key))
			if goja.IsUndefined(r) {
				if err := o.Delete(key); err != nil {
					panic(err)
				}
				continue
			}
			d.set(o, key, r)
		}
	}
	v, err := reviver(holder, d.vm.ToValue(name), v)
	if err != nil {
		d.throwHost(err)
	}
	return v
}

func jsonStringify(d *Device, c goja.FunctionCall) goja.Value {
	e := encoder{d: d, limit: maxAtOnce}
	v := c.Argument(0)
	if replacer, ok := goja.AssertFunction(c.Argument(1)); ok {
		e.replacer = replacer
		holder := d.vm.NewObject()
		d.set(holder, "", v)
		var err error
		if v, err = replacer(holder, d.vm.ToValue(""), v); err != nil {
			d.throwHost(err)
		}
	} else if list, ok := c.Argument(1).(*goja.Object); ok && list.ClassName() == "Array" {
		e.only = map[string]bool{}
		for i := range min(length(list), 10_000) {
			e.only[list.Get(strconv.FormatInt(i, 10)).String()] = true
		}
	}
	d.check(e.value(v, "", 0), "TypeError", "JSON.stringify")
	if e.out == nil {
		return goja.Undefined()
	}
	return d.vm.ToValue(string(d.indented(e.out, c.Argument(2))))
}

// indented applies the third argument of JSON.stringify.
func (d *Device) indented(document []byte, space goja.Value) []byte {
	indent := ""
	switch x := space.Export().(type) {
	case int64:
		indent = strings.Repeat(" ", int(min(max(x, 0), 10)))
	case string:
		indent = x[:min(len(x), 10)]
	}
	var out bytes.Buffer
	if indent == "" || len(document) > maxAtOnce/16 || json.Indent(&out, document, "", indent) != nil {
		return document
	}
	return out.Bytes()
}
