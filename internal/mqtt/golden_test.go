package mqtt_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

// golden is a line of testdata/packets.txt.
type golden struct {
	version mqtt.Version
	bytes   []byte
	text    string
}

func goldens(t testing.TB) []golden {
	data, err := os.ReadFile("testdata/packets.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		part := strings.SplitN(line, " / ", 3)
		if len(part) != 3 {
			t.Fatalf("%s: not three parts", line)
		}
		g := golden{text: part[2]}
		for _, v := range []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5} {
			if v.String() == strings.TrimSpace(part[0]) {
				g.version = v
			}
		}
		if g.bytes, err = hex.DecodeString(strings.ReplaceAll(part[1], " ", "")); err != nil || g.version == 0 {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, g)
	}
	return out
}

// decode decodes the one packet that b is.
func decode(v mqtt.Version, b []byte) (mqtt.Packet, error) {
	h, n, err := mqtt.Frame(b, 0)
	if err != nil {
		return nil, err
	}
	if n == 0 || len(b) != n+h.Remaining {
		return nil, &mqtt.Error{Text: "not one packet"}
	}
	return mqtt.Decode(v, h, b[n:])
}

func TestGolden(t *testing.T) {
	all := goldens(t)
	used := map[mqtt.Type]mqtt.Packet{} // decoded into again and again
	for _, g := range all {
		p, err := decode(g.version, g.bytes)
		if err != nil {
			t.Errorf("%s\n% x: %v", g.text, g.bytes, err)
			continue
		}
		if got := mqtttest.Format(p); got != g.text {
			t.Errorf("% x\ngot  %s\nwant %s", g.bytes, got, g.text)
		}
		if got := p.Append(nil, g.version); !bytes.Equal(got, g.bytes) {
			t.Errorf("%s\ngot  % x\nwant % x", g.text, got, g.bytes)
		}

		q, err := mqtttest.Parse(g.version, g.text)
		if err != nil {
			t.Errorf("%s: %v", g.text, err)
			continue
		}
		if got := q.Append([]byte("before"), g.version); string(got) != "before"+string(g.bytes) {
			t.Errorf("%s\ngot  % x\nwant % x", g.text, got, g.bytes)
		}

		// A struct that was used before holds nothing of what it held.
		u := used[p.Type()]
		if u == nil {
			used[p.Type()] = p
			continue
		}
		h, n, _ := mqtt.Frame(g.bytes, 0)
		if err := u.Decode(g.version, h.Flags, g.bytes[n:]); err != nil {
			t.Errorf("%s: %v", g.text, err)
		} else if got := mqtttest.Format(u); got != g.text {
			t.Errorf("used before\ngot  %s\nwant %s", got, g.text)
		}
	}
	// What is short of a golden packet's end is malformed, wherever it is cut.
	for _, g := range all {
		h, n, _ := mqtt.Frame(g.bytes, 0)
		for cut := range h.Remaining {
			p, err := mqtt.Decode(g.version, h, g.bytes[n:n+cut])
			if err == nil && !whole(g, p, cut) {
				t.Errorf("%s: cut to %d of %d bytes it is %s", g.text, cut, h.Remaining, mqtttest.Format(p))
			}
		}
	}
}

// whole says whether the packet may well end after so many bytes: payload, a list's entry or what may be omitted ended there.
func whole(g golden, p mqtt.Packet, cut int) bool {
	switch p := p.(type) {
	case *mqtt.Publish, *mqtt.Subscribe, *mqtt.Suback, *mqtt.Unsubscribe, *mqtt.Unsuback:
		return true
	case *mqtt.Ack, *mqtt.Disconnect, *mqtt.Auth:
		return g.version == mqtt.V5 && cut <= 3
	case *mqtt.Connect:
		return p.Version == mqtt.V31
	}
	return false
}

// Lengths at the edges of a variable byte integer, of a body and of properties (table 2-1 of 3.1.1, table 1-1 of 5).
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_151, 2_097_152} {
		p := &mqtt.Publish{Topic: []byte("t"), Payload: bytes.Repeat([]byte("x"), n)}
		roundTrip(t, mqtt.V311, p)
		roundTrip(t, mqtt.V5, p)
		for n > 65_535 {
			n /= 2
		}
		v := bytes.Repeat([]byte("v"), n)
		user := []mqtt.UserProperty{{Name: []byte("k"), Value: v}}
		p = &mqtt.Publish{Topic: []byte("t"), QoS: 1, PacketID: 3, Payload: []byte("p"), Props: mqtt.PublishProperties{User: user, ContentType: v}}
		roundTrip(t, mqtt.V5, p)
		roundTrip(t, mqtt.V5, &mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 3, Props: mqtt.AckProperties{ReasonString: v, User: user}})
		roundTrip(t, mqtt.V5, &mqtt.Connack{Props: mqtt.ConnackProperties{ReasonString: v, User: user}})
		roundTrip(t, mqtt.V5, &mqtt.Connect{Version: mqtt.V5, ClientID: v, HasWill: true,
			Will: mqtt.Will{Topic: []byte("w"), Payload: v, Props: mqtt.WillProperties{Correlation: v}}, Props: mqtt.ConnectProperties{User: user}})
		roundTrip(t, mqtt.V5, &mqtt.Subscribe{PacketID: 3, Filters: []mqtt.Subscription{{Filter: append([]byte("f"), v[:min(n, 65_534)]...)}}, Props: mqtt.SubscribeProperties{User: user}})
	}
}

func roundTrip(t *testing.T, v mqtt.Version, p mqtt.Packet) {
	t.Helper()
	b := p.Append(nil, v)
	q, err := decode(v, b)
	if err != nil {
		t.Errorf("%s of %d bytes: %v", p.Type(), len(b), err)
		return
	}
	if c := q.Append(nil, v); !bytes.Equal(c, b) {
		t.Errorf("%s of %d bytes does not come back the same", p.Type(), len(b))
	}
	if got, want := mqtttest.Format(q), mqtttest.Format(p); got != want {
		t.Errorf("got  %.200s\nwant %.200s", got, want)
	}
}

func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		bytes  string
		limit  int
		header mqtt.Header
		n      int
		reason mqtt.Reason
	}{
		{"", 0, mqtt.Header{}, 0, 0},
		{"10", 0, mqtt.Header{}, 0, 0},
		{"32 80", 0, mqtt.Header{}, 0, 0},
		{"32 ff ff ff", 0, mqtt.Header{}, 0, 0},
		{"c0 00", 2, mqtt.Header{Type: mqtt.PINGREQ}, 2, 0},
		{"3d 7f", 129, mqtt.Header{Type: mqtt.PUBLISH, Flags: 0x0D, Remaining: 127}, 2, 0},
		{"3d 7f", 128, mqtt.Header{Type: mqtt.PUBLISH, Flags: 0x0D, Remaining: 127}, 2, mqtt.PacketTooLarge},
		{"30 80 01", 0, mqtt.Header{Type: mqtt.PUBLISH, Remaining: 128}, 3, 0},
		{"30 ff ff 7f", 0, mqtt.Header{Type: mqtt.PUBLISH, Remaining: 2_097_151}, 4, 0},
		{"30 ff ff ff 7f", 0, mqtt.Header{Type: mqtt.PUBLISH, Remaining: 268_435_455}, 5, 0},
		{"30 ff ff ff 7f", 149_504, mqtt.Header{Type: mqtt.PUBLISH, Remaining: 268_435_455}, 5, mqtt.PacketTooLarge},
		{"30 ff ff ff ff", 0, mqtt.Header{Type: mqtt.PUBLISH}, 0, mqtt.MalformedPacket},
		{"30 80 80 80 80 01", 0, mqtt.Header{Type: mqtt.PUBLISH}, 0, mqtt.MalformedPacket},
		{"c0 80 00", 0, mqtt.Header{Type: mqtt.PINGREQ, Padded: true}, 3, 0},
		{"00 00", 0, mqtt.Header{}, 0, mqtt.MalformedPacket},
		{"0f", 0, mqtt.Header{Flags: 0x0F}, 0, mqtt.MalformedPacket},
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(tt.bytes, " ", ""))
		h, n, err := mqtt.Frame(b, tt.limit)
		if n != tt.n || tt.reason == 0 && h != tt.header || tt.reason != 0 && h.Type != tt.header.Type {
			t.Errorf("%s: %+v, %d", tt.bytes, h, n)
		}
		if reason(err) != tt.reason {
			t.Errorf("%s: %v", tt.bytes, err)
		}
	}
}

// reason is the error's; Success if there is none.
func reason(err error) mqtt.Reason {
	if e, ok := err.(*mqtt.Error); ok {
		return e.Reason
	}
	return mqtt.Success
}

// What was encoded once is sent to many with other identifiers, and again.
func TestAppendPublish(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		p := &mqtt.Publish{QoS: 1, Topic: []byte("a/b"), PacketID: 1, Payload: bytes.Repeat([]byte("x"), 200)}
		out, at := mqtt.AppendPublish(nil, v, p)
		sent := bytes.Clone(out)
		mqtt.SetPacketID(sent, at, 0xABCD)
		mqtt.SetDup(sent)
		got, err := decode(v, sent)
		if err != nil {
			t.Fatal(err)
		}
		p.PacketID, p.Dup = 0xABCD, true
		if !bytes.Equal(got.Append(nil, v), p.Append(nil, v)) {
			t.Errorf("%s", mqtttest.Format(got))
		}
		p.QoS = 0
		if out, at := mqtt.AppendPublish([]byte("x"), v, p); at != 0 || out[1] != 0x30 {
			t.Errorf("QoS 0: identifier at %d, first byte %x", at, out[1])
		}
	}
}

func TestClone(t *testing.T) {
	for _, g := range goldens(t) {
		b := bytes.Clone(g.bytes)
		p, err := decode(g.version, b)
		if err != nil {
			t.Fatal(err)
		}
		pub, ok := p.(*mqtt.Publish)
		if !ok {
			continue
		}
		c := pub.Clone()
		if !reflect.DeepEqual(c, pub) {
			t.Errorf("%s\n%+v", g.text, c)
		}
		clear(b)
		if got := mqtttest.Format(c); got != g.text {
			t.Errorf("the clone shares bytes:\ngot  %s\nwant %s", got, g.text)
		}
	}
}

// What a version has no place for is left out, and what is too long is cut, so that a packet is always well-formed.
func TestAppendLeavesOut(t *testing.T) {
	long := bytes.Repeat([]byte("é"), 40_000)
	for _, tt := range []struct {
		v    mqtt.Version
		p    mqtt.Packet
		want string
	}{
		{mqtt.V311, &mqtt.Connack{Reason: mqtt.QuotaExceeded, SessionPresent: true}, "CONNACK 0x88"},
		{mqtt.V311, &mqtt.Connack{Reason: mqtt.Banned}, "CONNACK 0x87"},
		{mqtt.V31, &mqtt.Connack{SessionPresent: true}, "CONNACK 0x00"},
		{mqtt.V5, &mqtt.Connack{Reason: mqtt.NotAuthorized, SessionPresent: true}, "CONNACK 0x87"},
		{mqtt.V311, &mqtt.Connect{ClientID: []byte("a"), Password: []byte("p"), CleanStart: true}, "CONNECT v3.1.1 id=a clean"},
		{mqtt.V311, &mqtt.Suback{PacketID: 1, Reasons: []mqtt.Reason{1, mqtt.NotAuthorized}}, "SUBACK id=1 0x01 0x80"},
		{mqtt.V311, &mqtt.Unsuback{PacketID: 1, Reasons: []mqtt.Reason{1}}, "UNSUBACK id=1"},
		{mqtt.V311, &mqtt.Disconnect{Reason: mqtt.ServerBusy}, "DISCONNECT"},
		{mqtt.V311, &mqtt.Ack{Kind: mqtt.PUBACK, PacketID: 1, Reason: mqtt.QuotaExceeded}, "PUBACK id=1"},
		{mqtt.V311, &mqtt.Publish{Dup: true, Topic: []byte("t"), Props: mqtt.PublishProperties{ContentType: []byte("c")}}, "PUBLISH t"},
		{mqtt.V311, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("f"), NoLocal: true, RetainHandling: 1}}}, "SUBSCRIBE id=1 f:0"},
		{mqtt.V5, &mqtt.Disconnect{Reason: mqtt.ServerBusy, Props: mqtt.DisconnectProperties{ReasonString: long}}, "DISCONNECT 0x89 reason-string=" + string(long[:65_534])},
	} {
		p, err := decode(tt.v, tt.p.Append(nil, tt.v))
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
		} else if got := mqtttest.Format(p); got != tt.want {
			t.Errorf("got  %.100s\nwant %.100s", got, tt.want)
		}
	}
	if b := (&mqtt.Auth{}).Append(nil, mqtt.V311); b != nil {
		t.Errorf("AUTH in 3.1.1: % x", b)
	}
}
