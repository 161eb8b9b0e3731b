package broker

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

// Lifecycle and subscription events are AWS's, member for member.
func TestEvents(t *testing.T) {
	r := startRig(t, Standard())
	watch := r.client("watch", mqtt.V5)
	watch.subscribe("$aws/events/#", 1)
	event := func(topic string) map[string]any {
		t.Helper()
		for {
			m := want[*mqtt.Publish](watch)
			watch.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID})
			if strings.HasSuffix(string(m.Topic), "/watch") {
				continue // about itself
			}
			if string(m.Topic) != "$aws/events/"+topic {
				t.Fatalf("got %s %s, want %s", m.Topic, m.Payload, topic)
			}
			var ev map[string]any
			if err := json.Unmarshal(m.Payload, &ev); err != nil {
				t.Fatal(err)
			}
			if ms, _ := ev["timestamp"].(float64); ms < 1.6e12 {
				t.Errorf("timestamp of %s", m.Payload)
			}
			delete(ev, "timestamp")
			return ev
		}
	}
	equal := func(got, want map[string]any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
	var session any
	for i, tt := range []struct {
		end    func(c *peer)
		reason string
		self   bool
	}{
		{func(c *peer) { c.send(&mqtt.Disconnect{}) }, "CLIENT_INITIATED_DISCONNECT", true},
		{func(c *peer) { _ = c.nc.Close() }, "CONNECTION_LOST", false},
		{func(c *peer) { c.send(&mqtt.Auth{}) }, "CLIENT_ERROR", false},
		{func(*peer) { r.Disconnect("123456789012", "us-east-1", "p-u", ForbiddenAccess) }, "FORBIDDEN_ACCESS", false},
	} {
		c, _ := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c"), CleanStart: true, Username: []byte("u")})
		ev := event("presence/connected/c")
		if ev["sessionIdentifier"] == session || len(ev["sessionIdentifier"].(string)) != 36 {
			t.Errorf("sessionIdentifier %v", ev["sessionIdentifier"])
		}
		session = ev["sessionIdentifier"]
		equal(ev, map[string]any{
			"clientId": "c", "eventType": "connected", "sessionIdentifier": session, "principalIdentifier": "p-u",
			"ipAddress": "192.0.2.7", "versionNumber": float64(i),
		})
		c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("a/b")}, {Filter: []byte("c/#")}}})
		equal(event("subscriptions/subscribed/c"), map[string]any{
			"clientId": "c", "eventType": "subscribed", "sessionIdentifier": session, "principalIdentifier": "p-u", "topics": []any{"a/b", "c/#"},
		})
		c.send(&mqtt.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("c/#")}})
		equal(event("subscriptions/unsubscribed/c"), map[string]any{
			"clientId": "c", "eventType": "unsubscribed", "sessionIdentifier": session, "principalIdentifier": "p-u", "topics": []any{"c/#"},
		})
		want[*mqtt.Suback](c)
		want[*mqtt.Unsuback](c)
		tt.end(c)
		equal(event("presence/disconnected/c"), map[string]any{
			"clientId": "c", "eventType": "disconnected", "sessionIdentifier": session, "principalIdentifier": "p-u",
			"clientInitiatedDisconnect": tt.self, "disconnectReason": tt.reason, "versionNumber": float64(i),
		})
	}
	r.rules.deny("iot:Connect c")
	c, _ := r.connect(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("c"), CleanStart: true, Username: []byte("u")})
	c.closed()
	ev := event("presence/connect_failed/c")
	delete(ev, "sessionIdentifier")
	equal(ev, map[string]any{
		"clientId": "c", "eventType": "connect_failed", "connectFailureReason": "AUTHORIZATION_FAILED", "principalIdentifier": "p-u", "ipAddress": "192.0.2.7",
	})
	r.client("no+events", mqtt.V5)
	r.client("d", mqtt.V5)
	event("presence/connected/d")
}

// Reserved topics are somebody's business: in order, before the acknowledgement,
// and not the subscribers' where they are private.
func TestRoutes(t *testing.T) {
	l := AWS()
	l.ConnectRatePerClient = 0
	r := newRig(t, l)
	var fail bool
	r.Handle("$aws/things/+/shadow/#", Route{Publish: func(ctx context.Context, m *Message) error {
		if fail {
			return errors.New("the database is gone")
		}
		reply := &Message{Origin: Origin{Account: m.Account, Region: m.Region}, Topic: m.Topic + "/accepted", Payload: m.Payload, QoS: 1}
		return r.Publish(ctx, reply)
	}})
	r.Handle("$aws/things/+/jobs/#", Route{Private: true, Publish: func(ctx context.Context, m *Message) error {
		reply := &Message{Origin: Origin{Account: m.Account, Region: m.Region}, Topic: m.Topic + "/accepted", Payload: []byte(m.ClientID + " " + m.PrincipalID)}
		if !r.Send(ctx, m.ClientID, reply) {
			t.Error("nobody is connected")
		}
		if r.Send(ctx, "nobody", reply) {
			t.Error("somebody is connected")
		}
		return nil
	}})
	r.start()
	c, watch := r.client("c", mqtt.V5), r.client("watch", mqtt.V5)
	c.subscribe("$aws/things/t/shadow/update/accepted", 1)
	watch.subscribe("$aws/things/+/shadow/#", 0)
	watch.subscribe("$aws/things/+/jobs/#", 0)
	for _, payload := range []string{"1", "2", "3"} {
		c.send(pub("$aws/things/t/shadow/update", payload, 1, 5))
		c.message("$aws/things/t/shadow/update/accepted", payload, 1)
		want[*mqtt.Ack](c)
		watch.message("$aws/things/t/shadow/update/accepted", payload, 0)
		watch.message("$aws/things/t/shadow/update", payload, 0)
	}
	c.send(pub("$aws/things/t/jobs/get", "", 1, 6))
	c.message("$aws/things/t/jobs/get/accepted", "c p-", 0)
	want[*mqtt.Ack](c)
	watch.quiet()
	fail = true
	c.send(pub("$aws/things/t/shadow/update", "x", 1, 5))
	if got := want[*mqtt.Ack](c); got.Reason != mqtt.UnspecifiedError {
		t.Errorf("PUBACK %v", got.Reason)
	}
	kept := pub("$aws/things/t/shadow/update", "x", 1, 5)
	kept.Retain = true
	c.send(kept)
	if got := want[*mqtt.Ack](c); got.Reason != mqtt.TopicNameInvalid {
		t.Errorf("PUBACK %v", got.Reason)
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a/+/c", "a/b/+", true}, {"a/#", "a/b/c", true}, {"a/+", "a/b/c", false}, {"+/b", "a/+", true}, {"a", "b", false},
		{"a/b", "a/b/#", true}, {"#", "x/y", true}, {"a/b/c", "a/+/d", false},
	} {
		if overlap(tt.a, tt.b) != tt.want || overlap(tt.b, tt.a) != tt.want {
			t.Errorf("overlap(%s, %s) is not %v", tt.a, tt.b, tt.want)
		}
	}
}
