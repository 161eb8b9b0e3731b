package broker

import (
	"bytes"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// A client that sends on while it is told why it has to go gets to read that: closed with bytes unread, TCP would have dropped it.
func TestLastWordsArrive(t *testing.T) {
	r := startRig(t, Standard())
	for range 20 {
		c := r.client("c", mqtt.V5)
		c.send(&mqtt.Auth{})
		more := bytes.Repeat(pub("t", "x", 0, 0).Append(nil, mqtt.V5), 10_000)
		if _, err := c.nc.Write(more); err != nil {
			t.Fatal(err)
		}
		if got := want[*mqtt.Disconnect](c); got.Reason != mqtt.ProtocolError {
			t.Fatalf("DISCONNECT %v", got.Reason)
		}
		c.closed()
		_ = c.nc.Close()
	}
	// Nor is it waited for longer than that takes.
	c := r.client("c", mqtt.V5)
	c.send(&mqtt.Auth{})
	want[*mqtt.Disconnect](c)
	deadline := time.Now().Add(patience)
	for r.Stats().Connections > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still there")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
