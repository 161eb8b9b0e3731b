package script

import (
	"encoding/hex"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Options need not have all that they could.
func TestPublishOptions(t *testing.T) {
	var got []Message
	d, h := device(t, &model.Model{Stages: map[string]string{"running": `
		publish('a', 'x')
		publish('b', 'x', {qos: 1, retain: true})
		publish('c', 'x', {properties: {k: 'v'}})`}}, Info{})
	h.onPublish = func(m Message) { got = append(got, m) }
	if _, _, err := d.Run(t.Context(), "running", 0); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].QoS != 0 || got[1].QoS != 1 || !got[1].Retain || got[1].Properties != nil || got[2].Properties["k"] != "v" {
		t.Errorf("%+v", got)
	}
}

// TestKuraBytes: what Kura's own kurapayload.proto says of
// {timestamp: 5, position: {latitude: 1, longitude: 2}, metrics: {t: 1 as INT32}, body: "b"}.
func TestKuraBytes(t *testing.T) {
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": `return kura.encode({
		timestamp: 5, position: {latitude: 1, longitude: 2}, metrics: {t: {type: 'INT32', value: 1}}, body: 'b'})`}}, Info{})
	b, _, err := d.Run(t.Context(), "running", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := "0805" + // 1: 5
		"1212" + "09000000000000f03f" + "110000000000000040" + // 2: a message of 18 bytes: 1: 1.0, 2: 2.0
		"c2b802" + "07" + "0a0174" + "1003" + "3001" + // 5000: a message of 7 bytes: 1: "t", 2: INT32, 6: 1
		"cab802" + "0162" // 5001: "b"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
