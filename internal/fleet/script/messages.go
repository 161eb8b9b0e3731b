package script

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/thingd/thingd/internal/topic"
)

const maxHandlers = 100

// publish(topic, payload[, {qos, retain, properties}]) sends a message; of
// QoS 1 and 2 it returns once that is acknowledged.
func publish(d *Device, c goja.FunctionCall) goja.Value {
	m := Message{Topic: d.named("publish", "the topic", c.Argument(0))}
	if err := topic.ValidName(m.Topic); err != nil {
		d.throw("TypeError", "publish: %q: %v", m.Topic, err)
	}
	payload := c.Argument(1)
	if !goja.IsUndefined(payload) && !goja.IsNull(payload) {
		b, err := d.bytes(payload, MaxPayload)
		d.check(err, "RangeError", "publish to "+m.Topic)
		m.Payload = b
	}
	o := d.options("publish", c.Argument(2))
	m.QoS, m.Retain = d.qos("publish", d.number(o, "qos", 0)), d.flag(o, "retain")
	if o != nil {
		if p := d.options("publish: properties", o.Get("properties")); p != nil {
			m.Properties = map[string]string{}
			for _, name := range p.Keys() {
				m.Properties[name] = p.Get(name).String()
			}
		}
	}
	d.outside(func(ctx context.Context) error { return d.host.Publish(ctx, m) })
	return goja.Undefined()
}

func (d *Device) qos(function string, f float64) byte {
	if f != 0 && f != 1 && f != 2 {
		d.throw("TypeError", "%s: the QoS is 0, 1 or 2, not %v", function, f)
	}
	return byte(f)
}

// subscribe(filter[, qos][, f]) subscribes; f gets the messages in place of
// stage message.
func subscribe(d *Device, c goja.FunctionCall) goja.Value {
	filter := d.named("subscribe", "the filter", c.Argument(0))
	if err := topic.ValidFilter(filter); err != nil {
		d.throw("TypeError", "subscribe: %q: %v", filter, err)
	}
	qos, function := c.Argument(1), c.Argument(2)
	if _, ok := goja.AssertFunction(qos); ok {
		qos, function = goja.Undefined(), qos
	}
	level := byte(0)
	if !goja.IsUndefined(qos) && !goja.IsNull(qos) {
		level = d.qos("subscribe", qos.ToFloat())
	}
	f, ok := goja.AssertFunction(function)
	if !ok && !goja.IsUndefined(function) {
		d.throw("TypeError", "subscribe: what gets the messages must be a function, it is %s", shown(function))
	}
	d.listen(filter, level, f)
	return goja.Undefined()
}

// listen subscribes; f, which may be nil, takes the place of who listened to
// the filter before.
func (d *Device) listen(filter string, qos byte, f goja.Callable) {
	before := d.handlers
	matched := filter
	if _, rest, shared, err := topic.Share(filter); err == nil && shared {
		matched = rest
	}
	// It must be there before what the broker sends at once.
	d.handlers = slices.DeleteFunc(slices.Clone(before), func(h handler) bool { return h.filter == matched })
	if f != nil {
		if len(d.handlers) == maxHandlers {
			d.throw("RangeError", "at most %d functions listen to messages", maxHandlers)
		}
		d.handlers = append(d.handlers, handler{filter: matched, call: f})
	}
	if err := d.ask(func(ctx context.Context) error { return d.host.Subscribe(ctx, filter, qos) }); err != nil {
		d.handlers = before
		d.throwHost(err)
	}
}

func unsubscribe(d *Device, c goja.FunctionCall) goja.Value {
	filter := d.named("unsubscribe", "the filter", c.Argument(0))
	d.handlers = slices.DeleteFunc(slices.Clone(d.handlers), func(h handler) bool { return h.filter == filter })
	return d.tell(func(ctx context.Context) error { return d.host.Unsubscribe(ctx, filter) })
}

// received is a message as scripts see it; its members are made when they are
// asked for.
type received struct {
	lazyObject
	m Message
}

// message makes the object of a message.
func (d *Device) message(m Message) *goja.Object {
	r := &received{m: m}
	text := func() string {
		if utf8.Valid(m.Payload) {
			return string(m.Payload)
		}
		return strings.ToValidUTF8(string(m.Payload), "\uFFFD")
	}
	r.lazyObject = lazyObject{d: d, of: members{
		"topic":   value(func(d *Device) goja.Value { return d.vm.ToValue(m.Topic) }),
		"payload": value(func(d *Device) goja.Value { return d.vm.ToValue(text()) }),
		"bytes":   value(func(d *Device) goja.Value { return d.buffer(slices.Clone(m.Payload)) }),
		"qos":     value(func(d *Device) goja.Value { return d.vm.ToValue(int(m.QoS)) }),
		"retain":  value(func(d *Device) goja.Value { return d.vm.ToValue(m.Retain) }),
		"properties": value(func(d *Device) goja.Value {
			o := d.vm.NewObject()
			for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
				d.set(o, name, d.vm.ToValue(m.Properties[name]))
			}
			return o
		}),
		"json": native(func(d *Device, _ goja.FunctionCall) goja.Value {
			v, err := d.parse(text())
			if err != nil {
				d.throwHost(err)
			}
			return v
		}),
	}}
	return d.vm.NewDynamicObject(r)
}

// Keys are what the JSON of a message has.
func (r *received) Keys() []string {
	return []string{"topic", "payload", "qos", "retain", "properties"}
}
