package mqtt_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

// FuzzDecode holds, for any bytes: no panic; what decodes encodes to what decodes to the same; what was encoded is in its
// canonical form; the text form says all of it; errors have a reason and a text.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(byte(g.version), g.bytes)
	}
	f.Add(byte(0), []byte{0x90, 5, 0x30, 0x30, 0, 2, 0x80}) // a refusal in 3.1, which knows none
	f.Fuzz(func(t *testing.T, version byte, b []byte) {
		v := mqtt.Version(version%3 + 3)
		h, n, err := mqtt.Frame(b, 1<<20)
		if err != nil || n == 0 || len(b) < n+h.Remaining {
			if err != nil && (reason(err) == 0 || err.Error() == "") {
				t.Fatalf("%#v", err)
			}
			return
		}
		p, err := mqtt.Decode(v, h, b[n:n+h.Remaining])
		if err != nil {
			if reason(err) < 0x80 || err.Error() == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		again := p.Append(nil, v)
		q, err := decode(v, again)
		if err != nil {
			t.Fatalf("% x: encoded as % x: %v", b, again, err)
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("% x: encoded as % x\n%+v\n%+v", b, again, p, q)
		}
		if c := q.Append(nil, v); !bytes.Equal(c, again) {
			t.Fatalf("% x\nthen % x", again, c)
		}
		if m, ok := p.(*mqtt.Publish); ok && !reflect.DeepEqual(m.Clone(), m) {
			t.Fatalf("%+v\n%+v", m.Clone(), m)
		}

		text := mqtttest.Format(p)
		r, err := mqtttest.Parse(v, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !mqtttest.Match(text, text) {
			t.Fatalf("%s does not match itself", text)
		}
		if ambiguous(p) {
			return
		}
		if c := r.Append(nil, v); !bytes.Equal(c, again) {
			t.Fatalf("%s\n% x\n% x", text, c, again)
		}
	})
}

// ambiguous says whether a name of a user property has the colon that parts it from its value in the text form.
func ambiguous(p mqtt.Packet) bool {
	var l []mqtt.UserProperty
	switch p := p.(type) {
	case *mqtt.Connect:
		l = append(p.Props.User, p.Will.Props.User...)
	case *mqtt.Connack:
		l = p.Props.User
	case *mqtt.Publish:
		l = p.Props.User
	case *mqtt.Ack:
		l = p.Props.User
	case *mqtt.Subscribe:
		l = p.Props.User
	case *mqtt.Suback:
		l = p.Props.User
	case *mqtt.Unsubscribe:
		l = p.User
	case *mqtt.Unsuback:
		l = p.Props.User
	case *mqtt.Disconnect:
		l = p.Props.User
	case *mqtt.Auth:
		l = p.Props.User
	}
	for _, u := range l {
		if bytes.IndexByte(u.Name, ':') >= 0 {
			return true
		}
	}
	return false
}
