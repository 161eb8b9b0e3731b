package broker

import (
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

var versions = []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5}

func TestPublishAndSubscribe(t *testing.T) {
	for _, pipes := range []bool{false, true} {
		r := newRig(t, Standard())
		r.pipes = pipes
		r.start()
		for _, v := range versions {
			for _, w := range versions {
				sub, from := r.client("sub", v), r.client("pub", w)
				if got := sub.subscribe("a/+", 2); got != mqtt.GrantedQoS2 {
					t.Fatalf("granted %v", got)
				}
				from.send(pub("a/b", "zero", 0, 0))
				sub.message("a/b", "zero", 0)
				from.send(pub("a/b", "one", 1, 7))
				if got := want[*mqtt.Ack](from); got.Kind != mqtt.PUBACK || got.PacketID != 7 {
					t.Fatalf("got %+v", got)
				}
				sub.message("a/b", "one", 1)
				from.send(pub("a/b", "two", 2, 7))
				if got := want[*mqtt.Ack](from); got.Kind != mqtt.PUBREC || got.PacketID != 7 {
					t.Fatalf("got %+v", got)
				}
				from.send(pub("a/b", "two", 2, 7)) // again: it is taken once
				want[*mqtt.Ack](from)
				from.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 7})
				if got := want[*mqtt.Ack](from); got.Kind != mqtt.PUBCOMP || got.PacketID != 7 {
					t.Fatalf("got %+v", got)
				}
				m := sub.message("a/b", "two", 2)
				sub.send(&mqtt.Ack{Kind: mqtt.PUBREC, PacketID: m.PacketID})
				if got := want[*mqtt.Ack](sub); got.Kind != mqtt.PUBREL || got.PacketID != m.PacketID {
					t.Fatalf("got %+v", got)
				}
				sub.send(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: m.PacketID})
				sub.quiet()
				from.quiet()
				sub.send(&mqtt.Unsubscribe{PacketID: 9, Filters: [][]byte{[]byte("a/+")}})
				want[*mqtt.Unsuback](sub)
				from.send(pub("a/b", "none", 1, 8))
				want[*mqtt.Ack](from)
				sub.quiet()
				sub.send(&mqtt.Disconnect{})
				sub.closed()
				from.send(&mqtt.Disconnect{})
				from.closed()
			}
		}
	}
}
