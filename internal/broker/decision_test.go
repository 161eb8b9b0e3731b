package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// What a client may do is decided once, what it may not once a second, so that whoever keeps refusals knows of the latest.
func TestDecisionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Standard())
		r.pipes = true
		r.start()
		r.rules.deny("iot:Publish no")
		r.rules.deny("iot:RetainPublish yes")
		r.rules.deny("sub: iot:Receive yes")
		sub, from := r.client("sub", mqtt.V5), r.client("pub", mqtt.V5)
		sub.subscribe("yes", 0)
		asked := func(topic string, retain bool) (n int64) {
			t.Helper()
			before := r.rules.asked.Load()
			for range 3 {
				p := pub(topic, "x", 1, 1)
				p.Retain = retain
				from.send(p)
				if refused := want[*mqtt.Ack](from).Reason == mqtt.NotAuthorized; refused != (topic == "no" || retain) {
					t.Errorf("%s: refused is %v", topic, refused)
				}
			}
			return r.rules.asked.Load() - before
		}
		time.Sleep(100 * time.Millisecond) // away from where seconds begin
		for _, x := range []struct {
			topic       string
			retain      bool
			first, then int64
		}{
			{"no", false, 1, 1},
			{"yes", false, 2, 1}, // may it publish, may the other receive
			{"yes", true, 1, 1},
		} {
			if n := asked(x.topic, x.retain); n != x.first {
				t.Errorf("%+v: asked %d times", x, n)
			}
			for range 3 {
				if n := asked(x.topic, x.retain); n != 0 {
					t.Errorf("%+v: asked %d times again", x, n)
				}
				time.Sleep(time.Second)
				if n := asked(x.topic, x.retain); n != x.then {
					t.Errorf("%+v: asked %d times a second later", x, n)
				}
			}
		}
		sub.quiet()
		_, _ = sub.nc.Close(), from.nc.Close()
	})
}
