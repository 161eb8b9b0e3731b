package app

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	iotsdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/server"
)

var explainID = regexp.MustCompile(` \(thingd explain ([0-9a-f-]{36})\)$`)

// told is the report on the refusal whose ID a reason ends with.
func (g *deviceRig) told(why string) explain.Report {
	g.t.Helper()
	m := explainID.FindStringSubmatch(why)
	if m == nil {
		g.t.Fatalf("no ID to ask by: %q", why)
	}
	r, ok := g.identity.Refusals.Find(config.DevAccountID, m[1])
	if !ok {
		g.t.Fatalf("nothing is known of %s", m[1])
	}
	return r.Report()
}

// latest is the report on the account's latest refusal, once there is one of the
// action.
func (g *deviceRig) latest(action string) explain.Report {
	g.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if list := g.identity.Refusals.Latest(config.DevAccountID, 1); len(list) == 1 && list[0].Action == action {
			return list[0].Report()
		}
	}
	g.t.Fatal("no refusal of ", action)
	return explain.Report{}
}

// What the broker refuses by policies can be asked about, of every action and
// for both kinds of clients.
func TestMQTTRefusals(t *testing.T) {
	const some = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Subscribe"],"Resource":["arn:aws:iot:*:*:client/*-cam","arn:aws:iot:*:*:topicfilter/in/*"]},
		{"Sid":"Out","Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/out/${iot:ClientId}"}]}`
	g := newDeviceRig(t, nil)
	g.policy("some", some)
	g.policy("all", statement("Allow", allOfIt, "*"))
	cert, other := g.register(nil, "some"), g.register(nil, "all")
	g.must(second(g.iot.CreateThing(t.Context(), &iotsdk.CreateThingInput{ThingName: new("d-cam")})))
	g.must(second(g.iot.AttachThingPrincipal(t.Context(), &iotsdk.AttachThingPrincipalInput{ThingName: new("d-cam"), Principal: &cert.arn})))
	cred := g.user("person", some)
	sender := g.dial(server.MQTT, &other)
	if code, why := sender.connect("sender"); code != 0 {
		t.Fatal(code, why)
	}
	for kind, tt := range map[string]struct {
		id, thing, principal, policy string
		dial                         func() *client
	}{
		"certificate": {"d-cam", "d-cam", cert.arn, "IoT policy", func() *client { return g.dial(server.MQTT, &cert) }},
		"user":        {"u-cam", "", "arn:aws:iam::123456789012:user/person", "identity-based policy", func() *client { return g.webSocket(cred) }},
	} {
		is := func(r explain.Report, action, resource string) {
			t.Helper()
			if r.Principal != tt.principal || r.Action != action || r.Resource != "arn:aws:iot:us-east-1:123456789012:"+resource || r.PolicyType != tt.policy ||
				r.Outcome != "implicitDeny" || len(r.Statements) != 2 || !strings.Contains(r.Suggestion, `"`+action+`"`) || r.ClientID == "" || r.PrincipalID == "" ||
				time.Since(r.Time) > time.Minute || !strings.Contains(fmt.Sprint(r.Keys), "{iot:ClientId true ["+r.ClientID+"]}") {
				t.Errorf("%s: %+v", kind, r)
			}
		}
		stranger := tt.dial()
		code, why := stranger.connect("stranger" + kind)
		if code != mqtt.NotAuthorized {
			t.Fatal(code, why)
		}
		is(g.told(why), "iot:Connect", "client/stranger"+kind)

		c := tt.dial()
		if code, why := c.connect(tt.id); code != 0 {
			t.Fatal(code, why)
		}
		_, why = c.publish("elsewhere", "x")
		r := g.told(why)
		is(r, "iot:Publish", "topic/elsewhere")
		if r.ClientID != tt.id || r.ThingName != tt.thing || r.Statements[1].Mismatch != "Resource" || r.Statements[1].Resources[0] != "arn:aws:iot:*:*:topic/out/"+tt.id {
			t.Errorf("%s: %+v", kind, r)
		}
		if _, again := c.publish("elsewhere", "x"); again != why {
			t.Errorf("%s: again %q, first %q", kind, again, why)
		}
		if code, why := c.publish("out/"+tt.id, "x"); code != 0 {
			t.Error(code, why)
		}
		c.send(&mqtt.Publish{Topic: []byte("out/" + tt.id), Payload: []byte("x"), QoS: 1, PacketID: 8, Retain: true})
		ack, _ := c.receive().(*mqtt.Ack)
		if ack == nil || ack.Reason != mqtt.NotAuthorized {
			t.Fatalf("%s: retained: %+v", kind, ack)
		}
		is(g.told(string(ack.Props.ReasonString)), "iot:RetainPublish", "topic/out/"+tt.id)
		for filter, resource := range map[string]string{"other/#": "other/#", "$share/g/other": "$share/g/other"} {
			if code := c.subscribe(filter); code != mqtt.NotAuthorized {
				t.Error(code)
			}
			if r := g.latest("iot:Subscribe"); kind == "certificate" || filter == "other/#" {
				is(r, "iot:Subscribe", "topicfilter/"+resource)
			}
		}
		if code := c.subscribe("in/" + tt.id); code.Failed() {
			t.Fatal(code)
		}
		if code, why := sender.publish("in/"+tt.id, "x"); code != 0 {
			t.Fatal(code, why)
		}
		is(g.latest("iot:Receive"), "iot:Receive", "topic/in/"+tt.id)
	}

	// A certificate that is not ACTIVE.
	g.status(cert, types.CertificateStatusInactive)
	_, why := g.dial(server.MQTT, &cert).connect("d-cam")
	if r := g.told(why); r.Reason != "because the certificate is INACTIVE" || r.Action != "iot:Connect" || r.Resource != "arn:aws:iot:us-east-1:123456789012:client/d-cam" || r.Principal != cert.arn {
		t.Errorf("%+v", r)
	}
	if _, ok := g.identity.Refusals.Find("222222222222", explainID.FindStringSubmatch(why)[1]); ok {
		t.Error("told to another account")
	}
}

// What a client is refused over and over on one connection is told with the
// time of the latest, under the ID that the client was told first.
func TestMQTTRefusalIsOfNow(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("connect", statement("Allow", `"iot:Connect"`, "*"))
	cert := g.register(nil, "connect")
	c := g.dial(server.MQTT, &cert)
	if code, why := c.connect("c"); code != 0 {
		t.Fatal(code, why)
	}
	_, why := c.publish("t", "x")
	first := g.told(why)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, again := c.publish("t", "x"); again != why {
			t.Fatalf("%q, then %q", why, again)
		}
		if r := g.told(why); r.Time.After(first.Time) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what the client is refused still is of ", first.Time)
		}
	}
	if r := g.latest("iot:Publish"); r.RequestID != first.RequestID || !r.Time.After(first.Time) {
		t.Errorf("%+v", r)
	}
}

// Who is refused in a loop leaves others' refusals alone, on one connection and
// over many.
func TestMQTTRefusalsAreBounded(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("connect", statement("Allow", `"iot:Connect"`, "arn:aws:iot:us-east-1:123456789012:client/c*"))
	cert, quiet := g.register(nil, "connect"), g.register(nil)
	_, before := g.dial(server.MQTT, &quiet).connect("quiet")
	g.told(before)
	c := g.dial(server.MQTT, &cert)
	if code, why := c.connect("c"); code != 0 {
		t.Fatal(code, why)
	}
	count := func() int { return len(g.identity.Refusals.Latest(config.DevAccountID, 10000)) }
	for range 300 {
		c.publish("t", "x")
	}
	if n := count(); n != 2 {
		t.Errorf("of one topic %d are kept", n)
	}
	for i := range 300 {
		if code, _ := c.publish(fmt.Sprint("t/", i), "x"); code != mqtt.NotAuthorized {
			t.Fatal(code)
		}
	}
	if n := count(); n > 51 {
		t.Errorf("of many topics %d are kept", n)
	}
	g.told(before)
	for range 5 {
		_, why := g.dial(server.MQTT, &quiet).connect("quiet")
		g.told(why)
	}
	if n := count(); n > 51 {
		t.Errorf("of many connections %d are kept", n)
	}
}

// The ID is told whole, however long the rest is.
func TestReasonWithID(t *testing.T) {
	const id = "0d5f0e8c-7a0a-4f6a-9c51-0d6f3b2a1c4d"
	if got := withID("no", id); got != "no (thingd explain "+id+")" {
		t.Error(got)
	}
	for n := range 8 {
		got := "the will: " + withID(strings.Repeat("x", n)+strings.Repeat("é", 300), id)
		if len(got) > broker.MostReason || len(got) < broker.MostReason-2 || !strings.HasSuffix(got, "é… (thingd explain "+id+")") {
			t.Errorf("%d bytes: %s", len(got), got)
		}
	}
}
