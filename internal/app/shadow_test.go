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
	"github.com/thingd/thingd/internal/mqtt/mqtttest"
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
	g.shadows = &shadow.Service{DB: d, Bus: bus{func() *broker.Broker { return b }}, Log: log, Now: time.Now}
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

// mqttClient acknowledges what it gets.
type mqttClient struct {
	*mqtttest.Client
	t testing.TB
}

func (g *shadowRig) connect(id string, clean bool) *mqttClient {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	g.work.Go(func() {
		if conn, err := l.Accept(); err == nil {
			g.broker.Serve(broker.Socket(conn), &broker.Credentials{})
		}
	})
	c := &mqttClient{mqtttest.Dial(g.t, l.Addr().String(), nil), g.t}
	c.Name = id
	c.Send(&mqtt.Connect{Version: mqtt.V311, ClientID: []byte(id), CleanStart: clean, KeepAlive: 60})
	if ack, ok := c.next().(*mqtt.Connack); !ok || ack.Reason != mqtt.Success {
		g.t.Fatalf("connect: %+v", ack)
	}
	return c
}

func (c *mqttClient) next() mqtt.Packet {
	c.t.Helper()
	e := c.Next()
	if e.Err != nil {
		c.t.Fatalf("%s: %v", c.Name, e.Err)
	}
	if m, ok := e.Packet.(*mqtt.Publish); ok && m.QoS == 1 {
		c.Send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
	}
	return e.Packet
}

func (c *mqttClient) subscribe(filters ...string) {
	c.t.Helper()
	s := &mqtt.Subscribe{PacketID: 1}
	for _, f := range filters {
		s.Filters = append(s.Filters, mqtt.Subscription{Filter: []byte(f), QoS: 1})
	}
	c.Send(s)
	ack, ok := c.next().(*mqtt.Suback)
	if !ok || len(ack.Reasons) != len(filters) || ack.Reasons[0] != mqtt.GrantedQoS1 {
		c.t.Fatalf("subscribe %v: %+v", filters, ack)
	}
}

// publish does not wait to hear that the message has come.
func (c *mqttClient) publish(topic, payload string) {
	c.t.Helper()
	c.Send(&mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload)})
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
	app.publish(p+"/update", update)
	app.hears("t/shadow/update/accepted " + accepted)
	device.hears("t/shadow/update/delta " + delta)
	other.hears("t/shadow/update "+update, "t/shadow/update/delta "+delta,
		`t/shadow/update/documents {"previous":null,"current":{"state":{"desired":{"led":"on"}},"metadata":{"desired":{"led":{T}}},"version":1},T,"clientToken":"a"}`,
		"t/shadow/update/accepted "+accepted)
	device.publish(p+"/get", "")
	device.hears(`t/shadow/get/accepted {"state":{"desired":{"led":"on"},"delta":{"led":"on"}},"metadata":{"desired":{"led":{T}}},"version":1,T}`)
	app.publish(p+"/update", `{"state":{},"version":7}`)
	app.hears(`t/shadow/update/rejected {"code":409,"message":"Version conflict",T}`)

	// A device that is away hears what was desired meanwhile when it is back, after a start of the server too.
	device.Close()
	app.publish(p+"/update", `{"state":{"desired":{"led":"off"}}}`)
	app.hears(`t/shadow/update/accepted {"state":{"desired":{"led":"off"}},"metadata":{"desired":{"led":{T}}},"version":2,T}`)
	g.close()
	g = newShadowRig(t, file)
	device = g.connect("device", false)
	device.hears(`t/shadow/update/delta {"version":2,T,"state":{"led":"off"},"metadata":{"led":{T}}}`)
	app = g.connect("app", true)
	app.subscribe(p + "/delete/+")
	app.publish(p+"/delete", `{"clientToken":"d"}`)
	app.hears(`t/shadow/delete/accepted {"version":2,T,"clientToken":"d"}`)
	device.publish(p+"/get", `{"clientToken":"g"}`)
	device.hears(`t/shadow/get/rejected {"code":404,"message":"No shadow exists with name: 't'","clientToken":"g"}`)
}

// One connection may ask for as many shadows as it likes: the requests are done at once, and each answered.
func TestManyShadowsOverOneConnection(t *testing.T) {
	g := newShadowRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := g.connect("app", true)
	c.subscribe("$aws/things/+/shadow/update/accepted")
	const n = 80 // AWS takes a hundred messages a second of a connection
	var all []mqtt.Packet
	for i := range n {
		all = append(all, &mqtt.Publish{Topic: []byte(fmt.Sprintf("$aws/things/t%d/shadow/update", i)), Payload: []byte(`{"state":{"desired":{"a":1}}}`)})
	}
	c.Send(all...)
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
