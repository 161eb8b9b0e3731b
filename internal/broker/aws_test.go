package broker

import (
	"strings"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

// Denials are told as DESIGN settles: by closing to AWS's MQTT 3, by codes else.
func TestDenials(t *testing.T) {
	for _, tt := range []struct {
		limits *Limits
		v      mqtt.Version
		closes bool
	}{
		{AWS(), mqtt.V311, true}, {AWS(), mqtt.V5, false}, {Standard(), mqtt.V31, false}, {Standard(), mqtt.V311, false}, {Standard(), mqtt.V5, false},
	} {
		tt.limits.ConnectRatePerClient = 0
		r := startRig(t, tt.limits)
		r.rules.deny("iot:Publish secret")
		r.rules.deny("iot:Subscribe secret/+")
		r.rules.deny("iot:RetainPublish kept")
		r.rules.deny("iot:Connect nobody")
		r.rules.deny("mute: iot:Receive a/b")

		_, ack := r.connect(&mqtt.Connect{Version: tt.v, ClientID: []byte("nobody"), CleanStart: true})
		if ack.Reason != mqtt.NotAuthorized && ack.Reason != 5 {
			t.Errorf("%s %v: CONNACK %v", tt.limits.Name, tt.v, ack.Reason)
		}
		if tt.v == mqtt.V5 && string(ack.Props.ReasonString) != "denied: iot:Connect nobody" {
			t.Errorf("reason string %q", ack.Props.ReasonString)
		}

		c := r.client("c", tt.v)
		c.send(pub("secret", "x", 1, 3))
		if tt.closes {
			c.closed()
		} else {
			got := want[*mqtt.Ack](c)
			if tt.v == mqtt.V5 && (got.Reason != mqtt.NotAuthorized || string(got.Props.ReasonString) != "denied: iot:Publish secret") {
				t.Errorf("PUBACK %+v", got)
			}
			c.send(pub("secret", "x", 0, 0))
			c.quiet()
		}
		c = r.client("c", tt.v)
		if tt.closes {
			c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("secret/+")}}})
			c.closed()
		} else if got, denied := c.subscribe("secret/+", 0), map[mqtt.Version]mqtt.Reason{
			mqtt.V31: mqtt.GrantedQoS0, mqtt.V311: mqtt.UnspecifiedError, mqtt.V5: mqtt.NotAuthorized,
		}[tt.v]; got != denied {
			t.Errorf("SUBACK %v, want %v", got, denied)
		}
		c = r.client("c", tt.v)
		kept := pub("kept", "x", 1, 3)
		kept.Retain = true
		c.send(kept)
		if tt.closes {
			c.closed()
		} else if got := want[*mqtt.Ack](c); tt.v == mqtt.V5 && got.Reason != mqtt.NotAuthorized {
			t.Errorf("PUBACK %v", got.Reason)
		}

		// What a client may not receive is not delivered, and nobody is told; a
		// changed policy counts from the next message on.
		mute, other, from := r.client("mute", tt.v), r.client("other", tt.v), r.client("from", tt.v)
		mute.subscribe("a/+", 1)
		other.subscribe("a/+", 1)
		from.send(pub("a/b", "1", 1, 1))
		want[*mqtt.Ack](from)
		other.message("a/b", "1", 1)
		mute.quiet()
		r.rules.allow("mute: iot:Receive a/b")
		from.send(pub("a/b", "2", 1, 1))
		want[*mqtt.Ack](from)
		other.message("a/b", "2", 1)
		mute.message("a/b", "2", 1)
	}
}

// TestDeniedWhileJoining has a principal lose its permission between the decision
// on its CONNECT and its connection being among those that are ended for that.
func TestDeniedWhileJoining(t *testing.T) {
	for _, v := range versions {
		r := newRig(t, Standard())
		var once sync.Once
		r.rules.decided = func(what string) {
			if what == "iot:Connect late" {
				once.Do(func() {
					r.rules.deny(what)
					r.Disconnect("123456789012", "us-east-1", "p-late", ForbiddenAccess)
				})
			}
		}
		r.start()
		watch := r.client("watch", v)
		watch.subscribe("$aws/events/presence/+/late", 0)
		c, ack := r.connect(&mqtt.Connect{
			Version: v, ClientID: []byte("late"), CleanStart: true, Username: []byte("late"),
		})
		if ack.Reason != mqtt.Success {
			t.Errorf("%v: CONNACK %v", v, ack.Reason)
		}
		if v == mqtt.V5 {
			if d := want[*mqtt.Disconnect](c); d.Reason != mqtt.NotAuthorized {
				t.Errorf("DISCONNECT %v", d.Reason)
			}
		}
		c.closed()
		for _, topic := range []string{"$aws/events/presence/connected/late", "$aws/events/presence/disconnected/late"} {
			if got := want[*mqtt.Publish](watch); string(got.Topic) != topic {
				t.Errorf("%v: %s %s", v, got.Topic, got.Payload)
			}
		}
		watch.quiet()
		if p, ok := r.space("123456789012", "us-east-1").presenceOf("late"); ok && p.connected {
			t.Errorf("%v: it counts as connected", v)
		}
	}
}

// AWS's limits, packet by packet: what is refused, and how.
func TestAWSLimits(t *testing.T) {
	limits := AWS()
	limits.ConnectRatePerClient = 0
	r := startRig(t, limits)
	long := strings.Repeat("x", 257)
	deep := "1/2/3/4/5/6/7/8/9"
	five := func(f func(*mqtt.Connect)) *mqtt.Connect {
		p := &mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c"), CleanStart: true}
		f(p)
		return p
	}
	for name, tt := range map[string]struct {
		p    *mqtt.Connect
		code mqtt.Reason
	}{
		"client id":        {five(func(p *mqtt.Connect) { p.ClientID = []byte(long[:129]) }), mqtt.ClientIdentifierNotValid},
		"reserved id":      {five(func(p *mqtt.Connect) { p.ClientID = []byte("$x") }), mqtt.ClientIdentifierNotValid},
		"will QoS":         {five(func(p *mqtt.Connect) { p.HasWill = true; p.Will = mqtt.Will{Topic: []byte("w"), QoS: 2} }), mqtt.QoSNotSupported},
		"will topic":       {five(func(p *mqtt.Connect) { p.HasWill = true; p.Will = mqtt.Will{Topic: []byte("$EDC/w")} }), mqtt.TopicNameInvalid},
		"will length":      {five(func(p *mqtt.Connect) { p.HasWill = true; p.Will = mqtt.Will{Topic: []byte(long)} }), mqtt.TopicNameInvalid},
		"auth method":      {five(func(p *mqtt.Connect) { p.Props.AuthMethod = []byte("x") }), mqtt.BadAuthenticationMethod},
		"stranger":         {five(func(p *mqtt.Connect) { p.Username = []byte("stranger") }), mqtt.NotAuthorized},
		"server's failure": {five(func(p *mqtt.Connect) { p.Username = []byte("broken") }), mqtt.ServerUnavailable},
		"3.1.1, id":        {&mqtt.Connect{Version: mqtt.V311, CleanStart: false}, mqtt.ClientIdentifierNotValid},
		"3.1":              {&mqtt.Connect{Version: mqtt.V31, ClientID: []byte("c"), CleanStart: true}, mqtt.UnsupportedProtocolVersion},
	} {
		c, ack := r.connect(tt.p)
		if ack.Reason != tt.code {
			t.Errorf("%s: CONNACK %v, want %v", name, ack.Reason, tt.code)
		}
		c.closed()
	}

	// The CONNACK of MQTT 5 says what there is.
	_, ack := r.connect(&mqtt.Connect{
		Version: mqtt.V5, CleanStart: true, KeepAlive: 5, Props: mqtt.ConnectProperties{SessionExpiry: mqtt.Some[uint32](1e6)},
	})
	p := ack.Props
	if p.ServerKeepAlive.Value != 30 || p.SessionExpiry.Value != 3600 || len(p.AssignedClientID) == 0 || p.ReceiveMaximum.Value != 100 ||
		p.TopicAliasMax.Value != 8 || p.MaximumQoS.Or(9) != 1 || p.MaximumPacket.Value != 149504 || p.SubscriptionIDs.Or(true) {
		t.Errorf("CONNACK %+v", p)
	}
	for in, out := range map[uint16]uint16{0: 1200, 1: 30, 30: 30, 1200: 1200, 1201: 1200} {
		if got := limits.keepAlive(in, mqtt.V5); got != out {
			t.Errorf("keep alive %d becomes %d, want %d", in, got, out)
		}
	}

	sub := func(filter string, qos byte) mqtt.Packet {
		return &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte(filter), QoS: qos}}}
	}
	nine := &mqtt.Subscribe{PacketID: 1}
	for range 9 {
		nine.Filters = append(nine.Filters, mqtt.Subscription{Filter: []byte("x")})
	}
	alias := pub("", "x", 0, 0)
	alias.Props.TopicAlias = mqtt.Some[uint16](9)
	withID := &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("x")}}}
	withID.Props.SubscriptionID = mqtt.Some[uint32](1)
	for name, tt := range map[string]struct {
		p    mqtt.Packet
		code mqtt.Reason // of the DISCONNECT
	}{
		"payload":           {pub("a", strings.Repeat("x", 128<<10+1), 0, 0), mqtt.QuotaExceeded},
		"packet":            {pub("a", strings.Repeat("x", 150_000), 0, 0), mqtt.PacketTooLarge},
		"QoS 2":             {pub("a", "x", 2, 1), mqtt.QoSNotSupported},
		"subscribe QoS 2":   {sub("a", 2), mqtt.QoSNotSupported},
		"topic length":      {pub(long, "x", 0, 0), mqtt.TopicNameInvalid},
		"topic depth":       {pub(deep, "x", 0, 0), mqtt.TopicNameInvalid},
		"$SYS":              {pub("$SYS/x", "x", 0, 0), mqtt.TopicNameInvalid},
		"$aws":              {pub("$aws/things/t/shadow/update/accepted", "x", 0, 0), mqtt.TopicNameInvalid},
		"events":            {pub("$aws/events/presence/connected/c", "x", 0, 0), mqtt.TopicNameInvalid},
		"subscribe $SYS":    {sub("$SYS/#", 0), mqtt.TopicFilterInvalid},
		"subscribe rules":   {sub("$aws/rules/#", 0), mqtt.TopicFilterInvalid},
		"commands":          {sub("$aws/commands/things/t/executions/+/request/+", 0), mqtt.TopicFilterInvalid},
		"filters":           {nine, mqtt.QuotaExceeded},
		"alias":             {alias, mqtt.TopicAliasInvalid},
		"identifier":        {withID, mqtt.SubscriptionIdentifiersNotSupported},
		"AUTH":              {&mqtt.Auth{}, mqtt.ProtocolError},
		"a second CONNECT":  {&mqtt.Connect{Version: mqtt.V5, CleanStart: true}, mqtt.ProtocolError},
		"a server's packet": {&mqtt.Pingresp{}, mqtt.ProtocolError},
	} {
		c := r.client("c", mqtt.V5)
		c.send(tt.p)
		if got := want[*mqtt.Disconnect](c); got.Reason != tt.code || len(got.Props.ReasonString) == 0 {
			t.Errorf("%s: DISCONNECT %v %q, want %v", name, got.Reason, got.Props.ReasonString, tt.code)
		}
		c.closed()
	}

	// What is allowed, and what MQTT 3 is told.
	c := r.client("c", mqtt.V311)
	for _, f := range []string{
		"$aws/things/t/shadow/#", "$aws/things/t/shadow/name/s/update/delta", "$aws/events/presence/+/c", "$aws/things/t/jobs/notify-next",
		"$aws/commands/things/t/executions/+/request/json", "$aws/things/t/streams/s/data/cbor", "$aws/certificates/create/json/accepted",
		"$share/g/1/2/3/4/5/6/7/8", "#",
	} {
		if got := c.subscribe(f, 1); got != mqtt.GrantedQoS1 {
			t.Errorf("subscribe %s: %v", f, got)
		}
	}
	c.send(pub("a", "x", 2, 1), sub("q", 2)) // which AWS does not answer
	c.quiet()
	c.send(pub("$aws/rules/r/a/b", "x", 1, 1), pub("$aws/things/t/shadow/get", "", 1, 2))
	want[*mqtt.Ack](c)
	c.message("$aws/things/t/shadow/get", "", 1)
	// 50 subscriptions a connection; the 51st closes.
	c = r.client("many", mqtt.V311)
	for i := range 50 {
		if got := c.subscribe("f"+string(rune('0'+i)), 0); got != 0 {
			t.Fatalf("subscription %d: %v", i, got)
		}
	}
	c.send(sub("one more", 0))
	c.closed()
}
