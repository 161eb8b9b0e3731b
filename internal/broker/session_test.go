package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// persistent connects with a session that lasts.
func (r *rig) persistent(id string, v mqtt.Version, clean bool) (*peer, bool) {
	r.t.Helper()
	p := &mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: clean, KeepAlive: 60}
	if v == mqtt.V5 {
		p.Props.SessionExpiry = mqtt.Some[uint32](3000)
	} else {
		p.CleanStart = false
		if clean { // begin anew, then stay
			c, _ := r.connect(&mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: true})
			c.send(&mqtt.Disconnect{})
			c.closed()
		}
	}
	c, ack := r.connect(p)
	if ack.Reason != mqtt.Success {
		r.t.Fatalf("CONNACK %v", ack.Reason)
	}
	return c, ack.SessionPresent
}

// A session that lasts has its subscriptions and what came meanwhile; what was
// not acknowledged comes again under its packet id, with DUP.
func TestSessionLasts(t *testing.T) {
	r := startRig(t, Standard())
	for _, v := range versions {
		c, present := r.persistent("c", v, true)
		if present {
			t.Fatal("a session was present")
		}
		c.subscribe("a/#", 2)
		from := r.client("from", v)
		from.send(pub("a/1", "one", 1, 1), pub("a/2", "two", 2, 2))
		want[*mqtt.Ack](from)
		want[*mqtt.Ack](from)
		from.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 2})
		want[*mqtt.Ack](from)
		one := want[*mqtt.Publish](c)
		two := want[*mqtt.Publish](c)
		_ = c.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["c"].conn.Load() == nil })
		for i := range 200 {
			from.send(pub("a/3", fmt.Sprint(i), 1, 3))
			want[*mqtt.Ack](from)
		}
		from.send(pub("a/3", "lost", 0, 0))
		from.quiet()

		c, present = r.persistent("c", v, false)
		if !present && v != mqtt.V31 { // whose CONNACK does not say
			t.Fatalf("%v: no session was present", v)
		}
		again := c.message("a/1", "one", 1)
		if !again.Dup || again.PacketID != one.PacketID {
			t.Errorf("%+v, first %+v", again, one)
		}
		again = c.message("a/2", "two", 2)
		if !again.Dup || again.PacketID != two.PacketID {
			t.Errorf("%+v, first %+v", again, two)
		}
		c.send(&mqtt.Ack{Kind: mqtt.PUBREC, PacketID: again.PacketID})
		for i, rel := 0, false; i < 200 || !rel; {
			switch p := c.next().(type) {
			case *mqtt.Ack: // PUBREL, in between
				if p.Kind != mqtt.PUBREL || p.PacketID != again.PacketID {
					t.Fatalf("%+v", p)
				}
				rel = true
			case *mqtt.Publish:
				if string(p.Payload) != fmt.Sprint(i) || p.Dup {
					t.Fatalf("%s %+v, want %d", p.Payload, p, i)
				}
				c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
				i++
			}
		}
		c.quiet()
		_ = c.nc.Close() // between PUBREC and PUBCOMP: PUBREL comes again
		r.settle(func(sp *space) bool { return sp.sessions["c"].conn.Load() == nil })
		c, _ = r.persistent("c", v, false)
		for {
			p := want[*mqtt.Ack](c)
			if p.Kind == mqtt.PUBREL && p.PacketID == again.PacketID {
				break
			}
		}
		c.send(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: again.PacketID})
		c.quiet()
		c.send(&mqtt.Disconnect{})
		c.closed()
		c = r.client("c", v)
		c.send(&mqtt.Disconnect{})
		c.closed()
		if _, present = r.persistent("c", v, false); present {
			t.Error("a clean start has left a session")
		}
	}
}

// settle waits until something holds in the space of the tests' clients.
func (r *rig) settle(ok func(sp *space) bool) {
	r.t.Helper()
	sp := r.space("123456789012", "us-east-1")
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		sp.mu.RLock()
		done := ok(sp)
		sp.mu.RUnlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("it does not come to pass")
		}
	}
}

// A client id is connected once: the newcomer counts, the old one is told and
// its will sent.
func TestTakeover(t *testing.T) {
	r := startRig(t, Standard())
	for _, v := range versions {
		watch := r.client("watch", v)
		watch.subscribe("will", 1)
		old, _ := r.connect(&mqtt.Connect{
			Version: v, ClientID: []byte("c"), CleanStart: true, HasWill: true, Will: mqtt.Will{Topic: []byte("will"), Payload: []byte("gone"), QoS: 1},
		})
		c := r.client("c", v)
		if v == mqtt.V5 {
			if got := want[*mqtt.Disconnect](old); got.Reason != mqtt.SessionTakenOver {
				t.Errorf("DISCONNECT %v", got.Reason)
			}
		}
		old.closed()
		watch.message("will", "gone", 1)
		c.quiet()
	}
}

func TestWills(t *testing.T) {
	r := startRig(t, Standard())
	watch := r.client("watch", mqtt.V5)
	watch.subscribe("will", 1)
	lost := func(v mqtt.Version, end func(c *peer)) {
		c, _ := r.connect(&mqtt.Connect{
			Version: v, ClientID: []byte("c"), CleanStart: true, HasWill: true,
			Will: mqtt.Will{Topic: []byte("will"), Payload: []byte("gone"), QoS: 1, Props: mqtt.WillProperties{ContentType: []byte("text/plain")}},
		})
		end(c)
		r.settle(func(sp *space) bool { return sp.sessions["c"] == nil })
	}
	for _, v := range versions {
		lost(v, func(c *peer) { _ = c.nc.Close() })
		m := watch.message("will", "gone", 1)
		if v == mqtt.V5 && string(m.Props.ContentType) != "text/plain" {
			t.Errorf("%+v", m.Props)
		}
		lost(v, func(c *peer) { _, _ = c.nc.Write([]byte{0}) })
		watch.message("will", "gone", 1)
		lost(v, func(c *peer) { c.send(&mqtt.Disconnect{}) })
		watch.quiet()
	}
	lost(mqtt.V5, func(c *peer) { c.send(&mqtt.Disconnect{Reason: mqtt.DisconnectWithWillMessage}) })
	watch.message("will", "gone", 1)
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Standard())
		r.pipes = true
		r.start()
		for _, v := range versions {
			c, _ := r.connect(&mqtt.Connect{Version: v, ClientID: []byte("c"), CleanStart: true, KeepAlive: 10})
			for range 5 {
				time.Sleep(14 * time.Second)
				c.quiet()
			}
			began := time.Now()
			p, err := c.read(time.Minute)
			if v == mqtt.V5 {
				if d, ok := p.(*mqtt.Disconnect); !ok || d.Reason != mqtt.KeepAliveTimeout {
					t.Errorf("%+v %v", p, err)
				}
			} else if err == nil {
				t.Errorf("%+v", p)
			}
			if took := time.Since(began); took < 15*time.Second || took > 18*time.Second {
				t.Errorf("closed after %v", took)
			}
		}
		c := r.dial() // and nobody says nothing
		began := time.Now()
		if _, err := c.read(time.Minute); err == nil || time.Since(began) > 13*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// Will delay and session expiry, whichever comes first, and neither if the
// client is back in time.
func TestDelayAndExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Standard())
		r.pipes = true
		r.start()
		watch, _ := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("watch"), CleanStart: true})
		watch.subscribe("will", 1)
		leave := func(delay, expiry uint32) time.Time {
			p := &mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c"), HasWill: true, Will: mqtt.Will{Topic: []byte("will"), Payload: []byte("gone")}}
			p.Props.SessionExpiry, p.Will.Props.Delay = mqtt.Some(expiry), mqtt.Some(delay)
			c, _ := r.connect(p)
			_ = c.nc.Close()
			return time.Now()
		}
		for _, tt := range []struct{ delay, expiry, after uint32 }{{0, 100, 0}, {20, 100, 20}, {100, 20, 20}, {20, 0, 0}, {3000, forever, 3000}} {
			began := leave(tt.delay, tt.expiry)
			if _, err := watch.read(2 * time.Hour); err != nil {
				t.Fatal(err)
			}
			want := time.Duration(tt.after) * time.Second
			if took := time.Since(began); took < want || took > want+3*time.Second {
				t.Errorf("%+v: after %v", tt, took)
			}
			if tt.expiry != forever {
				time.Sleep(time.Duration(tt.expiry)*time.Second + 3*time.Second)
				synctest.Wait()
				if n := len(r.space("123456789012", "us-east-1").sessions); n != 1 {
					t.Errorf("%+v: %d sessions", tt, n)
				}
			}
		}
		leave(20, 100)
		time.Sleep(10 * time.Second)
		c, ack := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c")})
		if !ack.SessionPresent {
			t.Error("the session has gone early")
		}
		time.Sleep(time.Minute)
		watch.quiet()
		c.send(&mqtt.Disconnect{})
		c.closed()
	})
}

func TestRetained(t *testing.T) {
	for _, l := range []*Limits{Standard(), AWS()} {
		l.ConnectRatePerClient = 0
		r := startRig(t, l)
		from := r.client("from", mqtt.V5)
		keep := func(topic, payload string) {
			p := pub(topic, payload, 1, 1)
			p.Retain = true
			from.send(p)
			if got := want[*mqtt.Ack](from); got.Reason != mqtt.Success {
				t.Fatalf("PUBACK %v", got.Reason)
			}
		}
		keep("r/1", "old")
		keep("r/1", "one")
		keep("r/2", "two")
		c := r.client("c", mqtt.V5)
		c.subscribe("r/1", 1)
		if m := c.message("r/1", "one", 1); !m.Retain {
			t.Error("RETAIN is not set")
		}
		c.subscribe("r/+", 0)
		if l.RetainedWildcard {
			a, b := want[*mqtt.Publish](c), want[*mqtt.Publish](c)
			if !a.Retain || !b.Retain || a.QoS != 0 || string(a.Topic) == string(b.Topic) {
				t.Errorf("%+v %+v", a, b)
			}
		}
		c.subscribe("$share/g/r/2", 1)
		c.quiet()
		c.send(&mqtt.Unsubscribe{PacketID: 3, Filters: [][]byte{[]byte("$share/g/r/2"), []byte("r/1")}})
		want[*mqtt.Unsuback](c)
		keep("r/1", "live")
		if m := c.message("r/1", "live", 0); m.Retain {
			t.Error("RETAIN is set")
		}
		keep("r/1", "")
		c.message("r/1", "", 0)
		c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("r/1"), RetainHandling: 2}, {Filter: []byte("r/2"), RetainHandling: 1}}})
		want[*mqtt.Suback](c)
		c.message("r/2", "two", 0)
		c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("r/2"), RetainHandling: 1}}})
		want[*mqtt.Suback](c)
		c.quiet()
		if l.RetainAsPublished {
			c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("asis"), RetainAsPublished: true}}})
			want[*mqtt.Suback](c)
			keep("asis", "x")
			if m := c.message("asis", "x", 0); !m.Retain {
				t.Error("RETAIN is not as published")
			}
		}
	}
}
