package mqtt_test

import (
	"bytes"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

// What comes in and goes out all day allocates nothing once its structs and buffers are there.
func TestAllocations(t *testing.T) {
	for name, run := range operations(t) {
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, run := range operations(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

func operations(t testing.TB) map[string]func() {
	decode := func(p mqtt.Packet, v mqtt.Version, packet []byte) func() {
		return func() {
			h, n, err := mqtt.Frame(packet, 149_504)
			if err == nil {
				err = p.Decode(v, h.Flags, packet[n:])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	pub := &mqtt.Publish{QoS: 1, PacketID: 7, Topic: []byte("dev/d1234/up"), Payload: bytes.Repeat([]byte("x"), 64)}
	rich := pub.Clone()
	rich.Props = mqtt.PublishProperties{
		MessageExpiry: mqtt.Some[uint32](60), ContentType: []byte("application/json"), ResponseTopic: []byte("dev/d1234/answers"),
		User: []mqtt.UserProperty{{Name: []byte("k"), Value: []byte("v")}, {Name: []byte("k"), Value: []byte("w")}}, SubscriptionIDs: []uint32{1, 300},
	}
	connect := &mqtt.Connect{Version: mqtt.V5, ClientID: []byte("d1234"), KeepAlive: 60, HasWill: true,
		Will: mqtt.Will{Topic: []byte("dev/d1234/gone"), Payload: []byte("bye")}, Username: []byte("?SDK=x"),
		Props: mqtt.ConnectProperties{SessionExpiry: mqtt.Some[uint32](3600)}}
	ack := &mqtt.Ack{Kind: mqtt.PUBACK, PacketID: 7}
	subscribe := &mqtt.Subscribe{PacketID: 7, Filters: []mqtt.Subscription{{Filter: []byte("dev/d1234/#"), QoS: 1}, {Filter: []byte("a/+"), QoS: 1}}}
	suback := &mqtt.Suback{PacketID: 7, Reasons: []mqtt.Reason{mqtt.GrantedQoS1, mqtt.GrantedQoS0}}

	out := make([]byte, 0, 1024)
	ops := map[string]func(){
		"encode PUBLISH 3.1.1":          func() { out, _ = mqtt.AppendPublish(out[:0], mqtt.V311, pub) },
		"encode PUBLISH 5":              func() { out, _ = mqtt.AppendPublish(out[:0], mqtt.V5, pub) },
		"encode PUBLISH 5 + properties": func() { out, _ = mqtt.AppendPublish(out[:0], mqtt.V5, rich) },
	}
	for name, p := range map[string]mqtt.Packet{"PUBLISH": pub, "CONNECT": connect, "PUBACK": ack, "SUBSCRIBE": subscribe, "SUBACK": suback} {
		ops["decode "+name+" 5"] = decode(mqtt.New(p.Type()), mqtt.V5, p.Append(nil, mqtt.V5))
		if p != connect {
			ops["decode "+name+" 3.1.1"] = decode(mqtt.New(p.Type()), mqtt.V311, p.Append(nil, mqtt.V311))
		}
		if p != pub {
			ops["encode "+name+" 5"] = func() { out = p.Append(out[:0], mqtt.V5) }
		}
	}
	ops["decode PUBLISH 5 + properties"] = decode(new(mqtt.Publish), mqtt.V5, rich.Append(nil, mqtt.V5))
	return ops
}
