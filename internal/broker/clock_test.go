package broker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// Somebody sets the clock, by a day forward or back: nothing ends early, nothing lasts longer.
func TestClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var shift atomic.Int64
			r := newRig(t, Standard())
			r.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			r.pipes = true
			r.start()
			watch, _ := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("watch"), CleanStart: true, KeepAlive: 60})
			watch.subscribe("will", 0)
			leaves := &mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c"), HasWill: true, Will: mqtt.Will{Topic: []byte("will"), Payload: []byte("gone")}}
			leaves.Props.SessionExpiry, leaves.Will.Props.Delay = mqtt.Some[uint32](100), mqtt.Some[uint32](40)
			c, _ := r.connect(leaves)
			c.subscribe("a", 1)
			began := time.Now()
			_ = c.nc.Close()
			r.settle(func(sp *space) bool { return sp.sessions["c"].conn.Load() == nil })
			expires := pub("a", "x", 1, 1)
			expires.Retain = true
			expires.Props.MessageExpiry = mqtt.Some[uint32](100)
			watch.send(expires)
			want[*mqtt.Ack](watch)

			shift.Store(int64(jump))
			time.Sleep(30 * time.Second)
			watch.quiet() // no will, and not disconnected
			watch.subscribe("a", 0)
			if m := watch.message("a", "x", 0); m.Props.MessageExpiry.Value != 70 {
				t.Errorf("%v s are left of a message", m.Props.MessageExpiry.Value)
			}
			if p, err := watch.read(time.Minute); err != nil || p.Type() != mqtt.PUBLISH {
				t.Fatalf("%+v %v, want the will", p, err)
			}
			if took := time.Since(began); took < 39*time.Second || took > 42*time.Second {
				t.Errorf("the will came after %v", took)
			}
			time.Sleep(45 * time.Second)
			watch.quiet()
			back, present := r.persistent("c", mqtt.V5, false)
			if !present {
				t.Fatal("the session has ended early")
			}
			if m := back.message("a", "x", 1); m.Props.MessageExpiry.Value > 15 {
				t.Errorf("%v s are left of a message", m.Props.MessageExpiry.Value)
			}
			back.send(&mqtt.Disconnect{Props: mqtt.DisconnectProperties{SessionExpiry: mqtt.Some[uint32](20)}})
			back.closed()
			time.Sleep(23 * time.Second)
			synctest.Wait()
			if n := len(r.space("123456789012", "us-east-1").sessions); n != 1 {
				t.Errorf("%d sessions are left", n)
			}
			watch.subscribe("a", 0) // the retained message has expired
			watch.quiet()
			began = time.Now()
			if p, err := watch.read(time.Hour); err == nil {
				if d, ok := p.(*mqtt.Disconnect); !ok || d.Reason != mqtt.KeepAliveTimeout {
					t.Errorf("%+v", p)
				}
			}
			if took := time.Since(began); took < 90*time.Second || took > 93*time.Second {
				t.Errorf("disconnected after %v", took)
			}
		})
	}
}

// What is kept is kept in the time that the clock tells, for the next process.
func TestClockIsSetBeforeRestart(t *testing.T) {
	const jump = 24 * time.Hour
	d := dbtest.SQLite(t)
	open := func(now func() time.Time) *rig {
		store, err := msglog.Open(t.Context(), d, msglog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		r := newRig(t, Standard())
		r.Store, r.Now = store, now
		return r.start()
	}
	var shift atomic.Int64
	r := open(func() time.Time { return time.Now().Add(time.Duration(shift.Load())) })
	shift.Store(int64(jump)) // as when the network's time comes after the start
	away, _ := r.persistent("away", mqtt.V5, true)
	away.subscribe("a", 1)
	_ = away.nc.Close()
	r.settle(func(sp *space) bool { return sp.sessions["away"].conn.Load() == nil })
	from := r.client("from", mqtt.V5)
	p := pub("a", "x", 1, 1)
	p.Props.MessageExpiry = mqtt.Some[uint32](1000)
	from.send(p)
	want[*mqtt.Ack](from)

	r = open(func() time.Time { return time.Now().Add(jump) })
	away, present := r.persistent("away", mqtt.V5, false)
	if !present {
		t.Fatal("the session is gone")
	}
	if m := away.message("a", "x", 1); m.Props.MessageExpiry.Value < 900 || m.Props.MessageExpiry.Value > 1000 {
		t.Errorf("%v s are left of a message", m.Props.MessageExpiry.Value)
	}
}
