package mqtt_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

// The first topics get aliases: with the topic at first, then in its place. Everything else stays as it is.
func TestAliases(t *testing.T) {
	a := mqtt.Aliases{Most: 2}
	first, second := "first/"+strings.Repeat("x", 120), "second"
	for i, tt := range []struct {
		topic, sent string
		alias       uint16
		size        int // of the payload
	}{
		{first, first, 1, 0}, {first, "", 1, 1}, {"t", "t", 0, 1}, {second, second, 2, 120}, {first, "", 1, 125}, {second, "", 2, 16300},
		{"third", "third", 0, 1}, {second, second, 0, 1 << 16},
	} {
		for qos := range byte(3) {
			p := mqtt.Publish{Topic: []byte(tt.topic), Payload: bytes.Repeat([]byte("p"), tt.size), QoS: qos, Retain: i%2 == 0}
			p.Props.User = []mqtt.UserProperty{{Name: []byte("k"), Value: []byte(strings.Repeat("v", 110+i))}}
			packet, at := mqtt.AppendPublish(nil, mqtt.V5, &p)
			out, shift := a.Append([]byte("before"), packet, 1<<16)
			out = out[len("before"):]
			if qos > 0 {
				mqtt.SetPacketID(out, at-shift, 7)
				p.PacketID = 7
			}
			got, err := decode(mqtt.V5, out)
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if p.Topic = []byte(tt.sent); tt.alias != 0 {
				p.Props.TopicAlias = mqtt.Some(tt.alias)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", &p) {
				t.Fatalf("%d, QoS %d:\ngot  %.200v\nwant %.200v", i, qos, got, &p)
			}
			if tt.alias != 0 {
				tt.sent = ""
			}
		}
	}
}
