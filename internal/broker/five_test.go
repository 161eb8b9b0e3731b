package broker

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// What MQTT 5 passes through comes out as it went in.
func TestProperties(t *testing.T) {
	r := startRig(t, Standard())
	sub, old, from := r.client("sub", mqtt.V5), r.client("old", mqtt.V311), r.client("from", mqtt.V5)
	old.subscribe("#", 0)
	sub.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("a/+"), QoS: 1}}, Props: mqtt.SubscribeProperties{SubscriptionID: mqtt.Some[uint32](7)}})
	want[*mqtt.Suback](sub)
	sub.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("a/b"), QoS: 0}}, Props: mqtt.SubscribeProperties{SubscriptionID: mqtt.Some[uint32](300)}})
	want[*mqtt.Suback](sub)
	p := pub("a/b", "x", 1, 1)
	p.Props = mqtt.PublishProperties{
		PayloadFormat: mqtt.Some[byte](1), MessageExpiry: mqtt.Some[uint32](100), ResponseTopic: []byte("re"), Correlation: []byte{1, 0, 2},
		ContentType: []byte("text/plain"), TopicAlias: mqtt.Some[uint16](3),
		User: []mqtt.UserProperty{{Name: []byte("k"), Value: []byte("1")}, {Name: []byte("a"), Value: []byte("2")}, {Name: []byte("k"), Value: []byte("1")}},
	}
	from.send(p)
	want[*mqtt.Ack](from)
	got := sub.message("a/b", "x", 1).Props
	if got.PayloadFormat != p.Props.PayloadFormat || got.MessageExpiry.Value < 99 || string(got.ResponseTopic) != "re" || !bytes.Equal(got.Correlation, p.Props.Correlation) ||
		string(got.ContentType) != "text/plain" || got.TopicAlias.Set || len(got.User) != 3 || string(got.User[1].Name) != "a" {
		t.Errorf("%+v", got)
	}
	if len(got.SubscriptionIDs) != 2 || got.SubscriptionIDs[0]+got.SubscriptionIDs[1] != 307 {
		t.Errorf("identifiers %v", got.SubscriptionIDs)
	}
	old.message("a/b", "x", 0)
	alias := pub("", "by alias", 0, 0)
	alias.Props.TopicAlias = mqtt.Some[uint16](3)
	from.send(alias)
	sub.message("a/b", "by alias", 0)
	alias.Props.TopicAlias = mqtt.Some[uint16](4)
	from.send(alias)
	if got := want[*mqtt.Disconnect](from); got.Reason != mqtt.ProtocolError {
		t.Errorf("DISCONNECT %v", got.Reason)
	}
	from.closed()
}

// A client gets no more at once than it said, and no packet larger.
func TestWindowAndPacketSize(t *testing.T) {
	r := startRig(t, Standard())
	c, _ := r.connect(&mqtt.Connect{
		Version: mqtt.V5, ClientID: []byte("c"), CleanStart: true,
		Props: mqtt.ConnectProperties{ReceiveMaximum: mqtt.Some[uint16](3), MaximumPacket: mqtt.Some[uint32](100)},
	})
	c.subscribe("a", 2)
	from := r.client("from", mqtt.V5)
	for i := range 20 {
		from.send(pub("a", fmt.Sprint(i), 1, uint16(i+1)))
		want[*mqtt.Ack](from)
		if i == 10 {
			from.send(pub("a", strings.Repeat("x", 200), 1, 100), pub("a", strings.Repeat("x", 200), 0, 0))
			want[*mqtt.Ack](from)
		}
	}
	var flying []*mqtt.Publish
	for i := range 20 {
		if i >= 3 {
			c.quiet()
			c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: flying[0].PacketID})
			flying = flying[1:]
		}
		m := want[*mqtt.Publish](c)
		if string(m.Payload) != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", m.Payload, i)
		}
		flying = append(flying, m)
	}
	for _, m := range flying {
		c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
	}
	c.quiet()
}

func TestMessageExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Standard())
		r.pipes = true
		r.start()
		c, _ := r.persistent("c", mqtt.V5, true)
		c.subscribe("#", 1)
		c.send(&mqtt.Disconnect{Props: mqtt.DisconnectProperties{SessionExpiry: mqtt.Some[uint32](3000)}})
		c.closed()
		from := r.client("from", mqtt.V5)
		for i, expiry := range []uint32{10, 100, 0} {
			p := pub("a", fmt.Sprint(i), 1, 1)
			p.Retain = i == 0
			p.Props.MessageExpiry = mqtt.Optional[uint32]{Value: expiry, Set: expiry > 0}
			from.send(p)
			want[*mqtt.Ack](from)
		}
		time.Sleep(30 * time.Second)
		c, _ = r.persistent("c", mqtt.V5, false)
		if m := c.message("a", "1", 1); m.Props.MessageExpiry.Value != 70 {
			t.Errorf("%v s are left", m.Props.MessageExpiry.Value)
		}
		c.message("a", "2", 1)
		c.subscribe("a", 0) // the retained message has expired
		c.quiet()
	})
}

// A message that is on its way into the queue of a group without anybody, when somebody comes, is theirs; so is one for a
// member that has gone meanwhile.
func TestSharedComesAndGoes(t *testing.T) {
	r := startRig(t, Standard())
	away, _ := r.persistent("away", mqtt.V5, true)
	away.subscribe("$share/g/s", 1)
	_ = away.nc.Close()
	r.settle(func(sp *space) bool { return sp.sessions["away"].conn.Load() == nil })
	var g *group
	r.settle(func(sp *space) bool { g = sp.groups["g/s"]; return true })
	pick := func(payload string) (p pick, deliver func()) {
		m := &Message{Topic: "s", Payload: []byte(payload), QoS: 1}
		p, ok := g.pick(m)
		if !ok {
			t.Fatal("nobody gets it")
		}
		return p, func() {
			f := r.fanout()
			defer f.end()
			f.begin(m)
			p.deliver(f, 0)
		}
	}
	p, deliver := pick("1")
	if p.to.session != nil {
		t.Fatal("it is for somebody")
	}
	here := r.client("here", mqtt.V5)
	here.subscribe("$share/g/s", 1)
	here.send(&mqtt.Pingreq{})
	want[*mqtt.Pingresp](here)
	deliver()
	here.message("s", "1", 1)

	p, deliver = pick("2")
	if p.to.session.id != "here" {
		t.Fatal("it is for", p.to.session.id)
	}
	_ = here.nc.Close()
	r.settle(func(sp *space) bool { return sp.sessions["here"] == nil })
	deliver()
	away, _ = r.persistent("away", mqtt.V5, false)
	away.message("s", "2", 1)
	away.quiet()
}

func TestSharedSubscriptions(t *testing.T) {
	r := startRig(t, Standard())
	for _, v := range versions[1:] {
		a, b, other := r.client("a", v), r.client("b", v), r.client("other", v)
		a.subscribe("$share/g/s/+", 1)
		b.subscribe("$share/g/s/+", 1)
		other.subscribe("$share/h/s/+", 1)
		from := r.client("from", v)
		const n = 200
		got := make(chan string, 2*n)
		read := func(c *peer) {
			for {
				p, err := c.read(patience)
				if err != nil {
					return
				}
				m, ok := p.(*mqtt.Publish)
				if !ok {
					continue
				}
				c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
				got <- string(m.Payload)
			}
		}
		go read(a)
		go read(b)
		for i := range n {
			from.send(pub("s/t", fmt.Sprint(i), 1, 1))
			want[*mqtt.Ack](from)
			other.message("s/t", fmt.Sprint(i), 1)
		}
		seen := map[string]bool{}
		for range n {
			select {
			case m := <-got:
				if seen[m] {
					t.Fatalf("%s came twice", m)
				}
				seen[m] = true
			case <-time.After(patience):
				t.Fatalf("%d of %d came", len(seen), n)
			}
		}
		_, _ = a.nc.Close(), b.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["a"] == nil && sp.sessions["b"] == nil && len(sp.groups) == 1 })

		// With a lasting member away, messages wait for whoever comes.
		c, _ := r.persistent("c", v, true)
		c.subscribe("$share/g/s/+", 1)
		_ = c.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["c"].conn.Load() == nil })
		for i := range 5 {
			from.send(pub("s/t", fmt.Sprint(i), 1, 1))
			want[*mqtt.Ack](from)
			other.message("s/t", fmt.Sprint(i), 1)
		}
		d := r.client("d", v)
		d.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("$share/g/s/+"), QoS: 1}}})
		for i := 0; i < 5; {
			if m, ok := d.next().(*mqtt.Publish); ok {
				if string(m.Payload) != fmt.Sprint(i) {
					t.Fatalf("got %s, want %d", m.Payload, i)
				}
				i++
			}
		}
		// What it has not acknowledged goes to others when it is gone.
		_ = d.nc.Close()
		r.settle(func(sp *space) bool { return sp.sessions["d"] == nil })
		c, _ = r.persistent("c", v, false)
		seen = map[string]bool{}
		for range 5 {
			m := want[*mqtt.Publish](c)
			c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
			seen[string(m.Payload)] = true
		}
		if len(seen) != 5 {
			t.Errorf("%v came", seen)
		}
		c.quiet()
		bad := &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("$share/g/x"), NoLocal: true}}}
		if v == mqtt.V5 {
			c.send(bad)
			if got := want[*mqtt.Disconnect](c); got.Reason != mqtt.ProtocolError {
				t.Errorf("DISCONNECT %v", got.Reason)
			}
		}
		clean := r.client("c", v)
		clean.send(&mqtt.Disconnect{})
		clean.closed()
	}
}

func TestNoLocal(t *testing.T) {
	r := startRig(t, Standard())
	c, other := r.client("c", mqtt.V5), r.client("other", mqtt.V5)
	c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("a"), NoLocal: true}}})
	want[*mqtt.Suback](c)
	c.send(pub("a", "own", 0, 0))
	c.quiet()
	other.send(pub("a", "other's", 0, 0))
	c.message("a", "other's", 0)
}

// A consumer that does not read is dropped and told, and nobody waits for it.
func TestSlowConsumer(t *testing.T) {
	l := Standard()
	l.OutBuffer = 1 << 20
	r := startRig(t, l)
	slow, quick, from := r.client("slow", mqtt.V5), r.client("quick", mqtt.V5), r.client("from", mqtt.V5)
	slow.subscribe("a", 0)
	quick.subscribe("a", 0)
	payload := strings.Repeat("x", 64<<10)
	gone := func() bool {
		sp := r.space("123456789012", "us-east-1")
		sp.mu.RLock()
		defer sp.mu.RUnlock()
		return sp.sessions["slow"] == nil
	}
	for i := 0; i < 1000 && !(gone() && i%4 == 0); i++ {
		from.send(pub("a", payload, 0, 0))
		if i%4 == 3 {
			for range 4 {
				quick.message("a", payload, 0)
			}
		}
	}
	r.settle(func(sp *space) bool { return sp.sessions["slow"] == nil })
	for {
		p, err := slow.read(patience)
		if err != nil {
			t.Fatalf("the slow one is not told: %v", err)
		}
		if d, ok := p.(*mqtt.Disconnect); ok {
			if d.Reason != mqtt.QuotaExceeded {
				t.Errorf("DISCONNECT %v", d.Reason)
			}
			break
		}
	}
	from.quiet()
	quick.quiet()
}

// A rate that is exceeded discards, delays or refuses, as AWS has it.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, AWS())
		r.pipes = true
		r.start()
		sub, from := r.client("sub", mqtt.V5), r.client("from", mqtt.V5)
		sub.subscribe("a", 1)
		taken := 0
		for i := range 150 {
			from.send(pub("a", fmt.Sprint(i), 1, 1))
			switch got := want[*mqtt.Ack](from); got.Reason {
			case mqtt.Success:
				taken++
				sub.message("a", fmt.Sprint(i), 1)
			case mqtt.QuotaExceeded:
			default:
				t.Fatalf("PUBACK %v", got.Reason)
			}
		}
		if taken != 100 {
			t.Errorf("%d of 150 were taken", taken)
		}
		refused := 0
		for range 10 {
			c, ack := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("often"), CleanStart: true})
			if ack.Reason == mqtt.QuotaExceeded {
				refused++
				c.closed()
			} else {
				c.send(&mqtt.Disconnect{})
				c.closed()
			}
		}
		if refused == 0 {
			t.Error("ten CONNECTs of one client at once are taken")
		}
		// Stored messages are replayed ten a second.
		time.Sleep(time.Minute)
		c, _ := r.persistent("c", mqtt.V5, true)
		c.subscribe("b", 1)
		_ = c.nc.Close()
		time.Sleep(time.Second)
		for i := range 50 {
			from.send(pub("b", fmt.Sprint(i), 1, 1))
			want[*mqtt.Ack](from)
		}
		c, _ = r.persistent("c", mqtt.V5, false)
		began := time.Now()
		for i := range 50 {
			c.message("b", fmt.Sprint(i), 1)
		}
		if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("50 stored messages came in %v", took)
		}
	})
}

// A consumer that does not acknowledge keeps a bounded amount of memory busy.
func TestUnacknowledged(t *testing.T) {
	l := Standard()
	l.OutBuffer = 1 << 20
	r := startRig(t, l)
	slow, _ := r.connect(&mqtt.Connect{
		Version: mqtt.V5, ClientID: []byte("slow"), CleanStart: true, Props: mqtt.ConnectProperties{ReceiveMaximum: mqtt.Some[uint16](1)},
	})
	slow.subscribe("a", 1)
	from := r.client("from", mqtt.V5)
	payload := strings.Repeat("x", 64<<10)
	for range 20 {
		from.send(pub("a", payload, 1, 1))
		want[*mqtt.Ack](from)
	}
	want[*mqtt.Publish](slow)
	if d := want[*mqtt.Disconnect](slow); d.Reason != mqtt.QuotaExceeded {
		t.Errorf("DISCONNECT %v", d.Reason)
	}
	slow.closed()
	r.settle(func(sp *space) bool { return sp.sessions["slow"] == nil })
}
