package broker

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// onDisk starts a broker whose log is in a database. Called again for the same
// one, it is as if the first had been killed.
func onDisk(t *testing.T, d *db.DB) *rig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := msglog.Open(t.Context(), d, msglog.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Standard())
	r.Store = store
	t.Cleanup(func() { _ = store.Close() })
	return r.start()
}

// What was acknowledged is there after a kill: sessions, subscriptions, queues,
// retained messages, and how far each exchange of QoS 2 is.
func TestSurvivesKill(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, v := range versions[1:] {
			r := onDisk(t, d)
			from := r.client("from", v)
			ask := func(c *peer, p *mqtt.Publish) {
				t.Helper()
				c.send(p)
				ack := want[*mqtt.Ack](c)
				if p.QoS == 2 {
					if ack.Kind != mqtt.PUBREC {
						t.Fatalf("%+v", ack)
					}
					c.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: p.PacketID})
					ack = want[*mqtt.Ack](c)
				}
				if ack.Reason != mqtt.Success {
					t.Fatalf("%+v", ack)
				}
			}
			away, _ := r.persistent("away", v, true)
			away.subscribe("a/#", 2)
			away.subscribe("b", 1)
			away.send(&mqtt.Unsubscribe{PacketID: 2, Filters: [][]byte{[]byte("b")}})
			want[*mqtt.Unsuback](away)
			for i := range 100 {
				ask(from, pub("a/1", fmt.Sprint(i), byte(1+i%2), 1))
			}
			kept := pub("kept", "retained", 1, 1)
			kept.Retain = true
			ask(from, kept)
			gone := pub("gone", "x", 1, 1)
			gone.Retain = true
			ask(from, gone)
			gone.Payload = nil
			ask(from, gone)
			// The first is acknowledged, the second released, the third not.
			// One of QoS 1 may come before one of QoS 2, whose identifier has to be stored.
			first := map[string]*mqtt.Publish{}
			for first["0"] == nil || first["1"] == nil {
				p := want[*mqtt.Publish](away)
				first[string(p.Payload)] = p
			}
			one, two, three := first["0"], first["1"], want[*mqtt.Publish](away)
			away.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: one.PacketID}, &mqtt.Ack{Kind: mqtt.PUBREC, PacketID: two.PacketID})
			for {
				if p, ok := away.next().(*mqtt.Ack); ok {
					if p.Kind != mqtt.PUBREL || p.PacketID != two.PacketID {
						t.Fatalf("%+v", p)
					}
					break
				}
			}
			time.Sleep(300 * time.Millisecond) // acknowledgements are written when there is time
			// One of QoS 2 has come and is not released.
			half, _ := r.persistent("half", v, true)
			half.send(pub("a/2", "half", 2, 9))
			want[*mqtt.Ack](half)

			r = onDisk(t, d)
			half, present := r.persistent("half", v, false)
			if !present {
				t.Fatal("no session")
			}
			half.send(pub("a/2", "half", 2, 9)) // again, and not delivered again
			want[*mqtt.Ack](half)
			half.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 9})
			want[*mqtt.Ack](half)
			away, present = r.persistent("away", v, false)
			if !present {
				t.Fatal("no session")
			}
			got := map[string]int{}
			rel := false
			for len(got) < 99 {
				switch p := away.next().(type) {
				case *mqtt.Publish:
					got[string(p.Payload)]++
					if string(p.Payload) == string(three.Payload) && !p.Dup && p.QoS == 2 {
						t.Errorf("%s came again without DUP", p.Payload)
					}
					kind := mqtt.PUBACK
					if p.QoS == 2 {
						kind = mqtt.PUBREC
					}
					away.send(&mqtt.Ack{Kind: kind, PacketID: p.PacketID})
				case *mqtt.Ack:
					rel = rel || p.PacketID == two.PacketID
					away.send(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: p.PacketID})
				}
			}
			if !rel || got["0"] != 0 || got["1"] != 0 || got["half"] != 1 {
				t.Errorf("PUBREL %v, got %v", rel, got)
			}
			for m, n := range got {
				if n != 1 {
					t.Errorf("%s came %d times", m, n)
				}
			}
			away.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("kept")}, {Filter: []byte("gone")}}})
			for {
				if p, ok := away.next().(*mqtt.Publish); ok {
					if string(p.Payload) != "retained" || !p.Retain {
						t.Errorf("%+v", p)
					}
					break
				}
			}
			from = r.client("from", v)
			ask(from, pub("b", "unsubscribed", 1, 1))
			from.send(&mqtt.Disconnect{})
			from.closed()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			_ = r.Store.Close()
		}
	})
}

// A shared subscription's queue, and what its members have not acknowledged.
func TestSharedSurvivesKill(t *testing.T) {
	d := dbtest.SQLite(t)
	r := onDisk(t, d)
	a, _ := r.persistent("a", mqtt.V5, true)
	a.subscribe("$share/g/s", 1)
	_ = a.nc.Close()
	r.settle(func(sp *space) bool { return sp.sessions["a"].conn.Load() == nil })
	from := r.client("from", mqtt.V5)
	for i := range 150 {
		from.send(pub("s", fmt.Sprint(i), 1, 1))
		want[*mqtt.Ack](from)
	}
	b := r.client("b", mqtt.V5)
	b.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("$share/g/s"), QoS: 1}}})
	got := map[string]bool{}
	for len(got) < 50 { // and acknowledges them
		if p, ok := b.next().(*mqtt.Publish); ok {
			got[string(p.Payload)] = true
			b.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
		}
	}
	b.send(&mqtt.Pingreq{})
	for {
		if p := b.next(); p.Type() == mqtt.PINGRESP {
			break
		}
	}
	time.Sleep(300 * time.Millisecond)
	r = onDisk(t, d)
	a, _ = r.persistent("a", mqtt.V5, false)
	for len(got) < 150 {
		p := want[*mqtt.Publish](a)
		if got[string(p.Payload)] {
			t.Errorf("%s came again", p.Payload)
		}
		got[string(p.Payload)] = true
		a.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
	}
	a.quiet()
}

// Messages of QoS 2 that came while no member was connected are delivered once, whoever comes for them and however often the
// server is killed meanwhile.
func TestSharedQoS2SurvivesKillOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const all = 60
		r := onDisk(t, d)
		a, _ := r.persistent("a", mqtt.V5, true)
		a.subscribe("$share/g/s", 2)
		_ = a.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["a"].conn.Load() == nil })
		from := r.client("from", mqtt.V5)
		for i := range all {
			from.send(pub("s", fmt.Sprint(i), 2, 1))
			want[*mqtt.Ack](from)
			from.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 1})
			want[*mqtt.Ack](from)
		}
		got := map[string]int{}
		ids := map[uint16]string{} // what a has received, by identifier, until the PUBCOMP
		// take answers what comes until so many more have come: the first half of each exchange, or all of it.
		take := func(c *peer, more int, whole bool) {
			t.Helper()
			for until := len(got) + more; len(got) < until || whole && len(ids) > 0; {
				switch p := c.next().(type) {
				case *mqtt.Publish:
					if p.QoS != 2 {
						t.Fatalf("QoS %d", p.QoS)
					}
					if was, again := ids[p.PacketID]; !again || !p.Dup || was != string(p.Payload) {
						got[string(p.Payload)]++
					}
					ids[p.PacketID] = string(p.Payload)
					c.send(&mqtt.Ack{Kind: mqtt.PUBREC, PacketID: p.PacketID})
				case *mqtt.Ack:
					if whole {
						c.send(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: p.PacketID})
						delete(ids, p.PacketID)
					}
				}
			}
		}
		r = onDisk(t, d)
		a, _ = r.persistent("a", mqtt.V5, false)
		take(a, 20, false)
		r = onDisk(t, d) // where all is a's that had been on its way
		a, _ = r.persistent("a", mqtt.V5, false)
		take(a, all-20, true)
		a.quiet()
		// One whose session ends with its connection: what it was sent is nobody else's then.
		_ = a.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["a"].conn.Load() == nil })
		for i := range all {
			from = r.client("from", mqtt.V5)
			from.send(pub("s", fmt.Sprint(all+i), 2, 1))
			want[*mqtt.Ack](from)
		}
		b, _ := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("b"), CleanStart: true, Props: mqtt.ConnectProperties{ReceiveMaximum: mqtt.Some[uint16](10)}})
		b.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("$share/g/s"), QoS: 2}}})
		for n := len(got) + 10; len(got) < n; {
			if p, ok := b.next().(*mqtt.Publish); ok {
				got[string(p.Payload)]++
			}
		}
		r = onDisk(t, d)
		a, _ = r.persistent("a", mqtt.V5, false)
		take(a, 2*all-len(got), true)
		a.quiet()
		for m, n := range got {
			if n != 1 {
				t.Errorf("%s came %d times", m, n)
			}
		}
	})
}

// The wills of clients that were connected when the server was killed are published at the next start, or after their
// delay; those of clients that had said goodbye are not.
func TestWillsSurviveKill(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := onDisk(t, d)
		watch, _ := r.persistent("watch", mqtt.V5, true)
		watch.subscribe("will/#", 1)
		leaves := func(id string, v mqtt.Version, expiry, delay uint32) *peer {
			p := &mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: true, HasWill: true, Will: mqtt.Will{Topic: []byte("will/" + id), Payload: []byte("gone"), QoS: 1, Retain: true}}
			if v == mqtt.V5 {
				p.Props.SessionExpiry, p.Will.Props.Delay = mqtt.Some(expiry), mqtt.Some(delay)
				p.Will.Props.ContentType = []byte("text/plain")
			}
			c, _ := r.connect(p)
			return c
		}
		leaves("clean3", mqtt.V311, 0, 0)
		leaves("clean5", mqtt.V5, 0, 0)
		leaves("lasting", mqtt.V5, 3000, 0)
		leaves("delayed", mqtt.V5, 3000, 2)
		leaves("back", mqtt.V5, 3000, 2)
		bye := leaves("bye", mqtt.V5, 3000, 0)
		bye.send(&mqtt.Disconnect{})
		bye.closed()
		r.settle(func(sp *space) bool { return sp.sessions["bye"].conn.Load() == nil })
		publisher := r.client("publisher", mqtt.V5) // whose acknowledgement comes after all that
		publisher.send(pub("will/now", "here", 1, 1))
		want[*mqtt.Ack](publisher)
		watch.message("will/now", "here", 1)
		time.Sleep(300 * time.Millisecond) // acknowledgements are written when there is time
		_ = watch.nc.Close()
		r = onDisk(t, d)
		back, _ := r.persistent("back", mqtt.V5, false)
		watch, _ = r.persistent("watch", mqtt.V5, false)
		got := map[string]bool{}
		for len(got) < 4 {
			p := want[*mqtt.Publish](watch)
			if got[string(p.Topic)] || string(p.Payload) != "gone" || string(p.Topic) != "will/clean3" && string(p.Props.ContentType) != "text/plain" {
				t.Errorf("%+v", p)
			}
			got[string(p.Topic)] = true
			watch.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
		}
		if !got["will/clean3"] || !got["will/clean5"] || !got["will/lasting"] || !got["will/delayed"] {
			t.Errorf("the wills of %v", got)
		}
		watch.quiet()
		back.quiet()
		time.Sleep(300 * time.Millisecond)
		_ = watch.nc.Close()
		// They are published once, and kept as retained messages.
		r = onDisk(t, d)
		watch, _ = r.persistent("watch", mqtt.V5, false)
		watch.quiet()
		for _, id := range []string{"clean3", "clean5", "lasting", "delayed"} {
			watch.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("will/" + id)}}})
			want[*mqtt.Suback](watch)
			if p := want[*mqtt.Publish](watch); !p.Retain || string(p.Payload) != "gone" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// Many at once: what is acknowledged has been delivered or waits.
func TestDurableLoad(t *testing.T) {
	d := dbtest.SQLite(t)
	r := onDisk(t, d)
	away, _ := r.persistent("away", mqtt.V311, true)
	away.subscribe("load/+", 1)
	_ = away.nc.Close()
	const clients, each = 8, 300
	var wg sync.WaitGroup
	for i := range clients {
		c := r.client(fmt.Sprint("c", i), mqtt.V311)
		wg.Go(func() {
			for k := range each {
				c.send(pub(fmt.Sprint("load/", i), fmt.Sprint(k), 1, uint16(k+1)))
			}
			for k := range each {
				ack := want[*mqtt.Ack](c)
				if int(ack.PacketID) != k+1 { // in their order [MQTT-4.6.0-2]
					t.Errorf("PUBACK %d, want %d", ack.PacketID, k+1)
				}
			}
		})
	}
	wg.Wait()
	r = onDisk(t, d)
	away, _ = r.persistent("away", mqtt.V311, false)
	next := map[string]int{}
	for range clients * each {
		p := want[*mqtt.Publish](away)
		if string(p.Payload) != fmt.Sprint(next[string(p.Topic)]) {
			t.Fatalf("%s %s, want %d", p.Topic, p.Payload, next[string(p.Topic)])
		}
		next[string(p.Topic)]++
		away.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
	}
	away.quiet()
}
