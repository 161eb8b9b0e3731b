package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
	"github.com/thingd/thingd/internal/shadow"
)

// shadowRig is a broker and shadows on a database, and everybody may do everything.
type shadowRig struct {
	t       testing.TB
	broker  *broker.Broker
	shadows *shadow.Service
	close   func()
	work    sync.WaitGroup
}

// anybody is a client that may do everything.
type anybody struct{}

func (anybody) Admit(context.Context, *broker.Credentials, *mqtt.Connect) (broker.Client, error) {
	return anybody{}, nil
}
func (anybody) Account() string       { return config.DevAccountID }
func (anybody) Region() string        { return "us-east-1" }
func (anybody) PrincipalID() string   { return "anybody" }
func (anybody) Thing() (string, bool) { return "", false }
func (anybody) Version() uint64       { return 1 }
func (anybody) Decide(context.Context, broker.Action, string, *broker.ConnectInfo) broker.Decision {
	return broker.Decision{Allowed: true, Cacheable: true}
}

// newShadowRig starts on a database file, which may have been there before.
func newShadowRig(t testing.TB, file string) *shadowRig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := db.Open(t.Context(), "sqlite:"+file, db.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	store, err := msglog.Open(t.Context(), d, msglog.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	b := &broker.Broker{Authority: anybody{}, Limits: func(string) *broker.Limits { return broker.AWS() }, Store: store, Log: log, Now: time.Now}
	g := &shadowRig{t: t, broker: b}
	g.shadows = &shadow.Service{DB: d, Bus: bus{b}, Log: log, Now: time.Now}
	routeShadows(b, g.shadows)
	if err := errors.Join(g.shadows.Start(t.Context()), b.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	g.close = sync.OnceFunc(func() {
		err := errors.Join(b.Close(), g.shadows.Close(), store.Close(), d.Close())
		g.work.Wait()
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(g.close)
	return g
}

// mqttClient is one that does what it is told, in version 3.1.1.
type mqttClient struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
	id   uint16
}

func (g *shadowRig) connect(id string, clean bool) *mqttClient {
	g.t.Helper()
	client, server := net.Pipe()
	g.work.Go(func() { g.broker.Serve(server, &broker.Credentials{}) })
	c := &mqttClient{t: g.t, conn: client}
	g.t.Cleanup(func() { _ = client.Close() })
	c.send(&mqtt.Connect{Version: mqtt.V311, ClientID: []byte(id), CleanStart: clean, KeepAlive: 60})
	if ack, ok := c.next().(*mqtt.Connack); !ok || ack.Reason != mqtt.Success {
		g.t.Fatalf("connect: %+v", ack)
	}
	return c
}

func (c *mqttClient) send(p mqtt.Packet) {
	c.t.Helper()
	if _, err := c.conn.Write(p.Append(nil, mqtt.V311)); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next packet. A publish is acknowledged.
func (c *mqttClient) next() mqtt.Packet {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	for {
		h, n, err := mqtt.Frame(c.buf, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		if n > 0 && len(c.buf) >= n+h.Remaining {
			p, err := mqtt.Decode(mqtt.V311, h, append([]byte(nil), c.buf[n:n+h.Remaining]...))
			if err != nil {
				c.t.Fatal(err)
			}
			c.buf = c.buf[n+h.Remaining:]
			if m, ok := p.(*mqtt.Publish); ok && m.QoS == 1 {
				c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
			}
			return p
		}
		b := make([]byte, 4096)
		read, err := c.conn.Read(b)
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		c.buf = append(c.buf, b[:read]...)
	}
}

func (c *mqttClient) subscribe(filters ...string) {
	c.t.Helper()
	c.id++
	s := &mqtt.Subscribe{PacketID: c.id}
	for _, f := range filters {
		s.Filters = append(s.Filters, mqtt.Subscription{Filter: []byte(f), QoS: 1})
	}
	c.send(s)
	ack, ok := c.next().(*mqtt.Suback)
	if !ok || len(ack.Reasons) != len(filters) || ack.Reasons[0] != mqtt.GrantedQoS1 {
		c.t.Fatalf("subscribe %v: %+v", filters, ack)
	}
}

// publish publishes, and waits for the acknowledgement; messages that come before it are lost.
func (c *mqttClient) publish(topic, payload string) {
	c.t.Helper()
	c.id++
	c.send(&mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: 1, PacketID: c.id})
	for {
		if ack, ok := c.next().(*mqtt.Ack); ok && ack.Kind == mqtt.PUBACK && ack.PacketID == c.id {
			return
		}
	}
}

var anyTime = regexp.MustCompile(`"timestamp":[0-9]+`)

// hears is the next messages, without the times in them.
func (c *mqttClient) hears(want ...string) {
	c.t.Helper()
	for _, w := range want {
		var got string
		for got == "" {
			if m, ok := c.next().(*mqtt.Publish); ok {
				got = strings.TrimPrefix(string(m.Topic), "$aws/things/") + " " + anyTime.ReplaceAllString(string(m.Payload), "T")
			}
		}
		if got != w {
			c.t.Errorf("heard\n%s\nwant\n%s", got, w)
		}
	}
}

// Shadows by MQTT as clients see them: answers on their topics, requests too, with the wildcards of the SDKs, and for
// a device that was away.
func TestShadowsByMQTT(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	g := newShadowRig(t, file)
	const p = "$aws/things/t/shadow"
	device, app, other := g.connect("device", false), g.connect("app", true), g.connect("other", true)
	device.subscribe(p+"/update/delta", p+"/get/+")
	app.subscribe(p+"/update/accepted", p+"/update/rejected", p+"/delete/+")
	other.subscribe("$aws/things/+/shadow/#")

	const accepted = `{"state":{"desired":{"led":"on"}},"metadata":{"desired":{"led":{T}}},"version":1,T,"clientToken":"a"}`
	const delta = `{"version":1,T,"state":{"led":"on"},"metadata":{"led":{T}},"clientToken":"a"}`
	const update = `{"state":{"desired":{"led":"on"}},"clientToken":"a"}`
	app.id++
	app.send(&mqtt.Publish{Topic: []byte(p + "/update"), Payload: []byte(update), QoS: 1, PacketID: app.id})
	app.hears("t/shadow/update/accepted " + accepted)
	device.hears("t/shadow/update/delta " + delta)
	other.hears("t/shadow/update "+update, "t/shadow/update/delta "+delta,
		`t/shadow/update/documents {"previous":null,"current":{"state":{"desired":{"led":"on"}},"metadata":{"desired":{"led":{T}}},"version":1},T,"clientToken":"a"}`,
		"t/shadow/update/accepted "+accepted)
	device.send(&mqtt.Publish{Topic: []byte(p + "/get")})
	device.hears(`t/shadow/get/accepted {"state":{"desired":{"led":"on"},"delta":{"led":"on"}},"metadata":{"desired":{"led":{T}}},"version":1,T}`)
	app.send(&mqtt.Publish{Topic: []byte(p + "/update"), Payload: []byte(`{"state":{},"version":7}`)})
	app.hears(`t/shadow/update/rejected {"code":409,"message":"Version conflict",T}`)

	// A device that is away hears what was desired meanwhile when it is back, after a start of the server too.
	_ = device.conn.Close()
	app.send(&mqtt.Publish{Topic: []byte(p + "/update"), Payload: []byte(`{"state":{"desired":{"led":"off"}}}`)})
	app.hears(`t/shadow/update/accepted {"state":{"desired":{"led":"off"}},"metadata":{"desired":{"led":{T}}},"version":2,T}`)
	g.close()
	g = newShadowRig(t, file)
	device = g.connect("device", false)
	device.hears(`t/shadow/update/delta {"version":2,T,"state":{"led":"off"},"metadata":{"led":{T}}}`)
	app = g.connect("app", true)
	app.subscribe(p + "/delete/+")
	app.send(&mqtt.Publish{Topic: []byte(p + "/delete"), Payload: []byte(`{"clientToken":"d"}`)})
	app.hears(`t/shadow/delete/accepted {"version":2,T,"clientToken":"d"}`)
	device.send(&mqtt.Publish{Topic: []byte(p + "/get"), Payload: []byte(`{"clientToken":"g"}`)})
	device.hears(`t/shadow/get/rejected {"code":404,"message":"No shadow exists with name: 't'","clientToken":"g"}`)
}

// One connection may ask for as many shadows as it likes: the requests are done at once, and each answered.
func TestManyShadowsOverOneConnection(t *testing.T) {
	g := newShadowRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := g.connect("app", true)
	c.subscribe("$aws/things/+/shadow/update/accepted")
	const n = 80 // AWS takes a hundred messages a second of a connection
	go func() {
		var b []byte
		for i := range n {
			b = (&mqtt.Publish{Topic: []byte(fmt.Sprintf("$aws/things/t%d/shadow/update", i)), Payload: []byte(`{"state":{"desired":{"a":1}}}`)}).Append(b, mqtt.V311)
		}
		_, _ = c.conn.Write(b)
	}()
	seen := map[string]bool{}
	for len(seen) < n {
		if m, ok := c.next().(*mqtt.Publish); ok {
			if seen[string(m.Topic)] || !strings.Contains(string(m.Payload), `"version":1`) {
				t.Fatalf("%s %s", m.Topic, m.Payload)
			}
			seen[string(m.Topic)] = true
		}
	}
}
