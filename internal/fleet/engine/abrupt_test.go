package engine_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/mqtt"
)

const hint = ": does a policy allow it? (protocol version 5 tells the reason)"

// logged is how often a text is in the run's log.
func logged(run *engine.Run, text string) (n int) {
	for _, e := range run.Logs(0, 1000) {
		n += strings.Count(e.Text, text)
	}
	return n
}

// A message that no policy allows costs a connection of 3.1.1: the report says what it looks like, the log once.
func TestPublishDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.AWS(), "iot:Publish bad/x")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	m.Protocol.Topic = "bad/x"
	for qos, failed := range []int{0, 1} {
		m.Protocol.QoS = qos
		run := prepare(t, engine.Options{Model: m, Run: model.RunSettings{Iterations: 3, Interval: model.Duration(300 * time.Millisecond)}})
		res := finish(t, run)
		if res.Devices.Failed != failed {
			t.Errorf("QoS %d: %+v", qos, res.Devices)
		}
		if n := logged(run, "right after a publish to bad/x"+hint); n != 1+failed { // and why it ended
			t.Errorf("QoS %d: the log says so %d times", qos, n)
		}
		if !slices.ContainsFunc(res.Errors, func(e report.ErrorCount) bool { return e.Reason == "closed by the server right after a publish"+hint }) {
			t.Errorf("QoS %d: %+v", qos, res.Errors)
		}
		if failed > 0 && (len(res.FailedDevices) != 1 || res.FailedDevices[0].LastError != "none of its 3 messages was acknowledged: closed by the server right after a publish to bad/x"+hint) {
			t.Errorf("%+v", res.FailedDevices)
		}
	}
	// One message that arrives is enough to go on; the other is in the report.
	m.Protocol.QoS, m.Protocol.Topic = 1, "{{state.topic}}"
	m.Stages["running"] = "state.topic = iteration() > 0 ? 'good' : 'bad/x'; return 'x'"
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Iterations: 2}})
	want(t, res, map[string]float64{"lost": 1, "publishes": 1, "devices_failed": 0})
}

// A subscription of the protocol's that is refused is the device's end, which names it.
func TestSubscribeDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Standard(), "iot:Subscribe bad/#")
	m := &model.Model{Protocol: r.plain(), Stages: map[string]string{"running": "return 'x'"}}
	m.Protocol.Subscribe = []model.Subscription{{Filter: "good/#"}, {Filter: "bad/#"}}
	for version, reason := range map[string]string{"3.1.1": "Unspecified error", "5": "Not authorized"} {
		m.Protocol.Version = version
		run := prepare(t, engine.Options{Model: m})
		res := finish(t, run)
		want(t, res, map[string]float64{"devices_failed": 1, "connects": 1, "publishes": 0})
		if len(res.FailedDevices) != 1 || !strings.HasPrefix(res.FailedDevices[0].LastError, "subscribe bad/#: "+reason) || logged(run, "ended: subscribe bad/#: "+reason) != 1 {
			t.Errorf("%s: %+v", version, res.FailedDevices)
		}
		if len(res.Errors) != 1 || res.Errors[0].Count != 1 {
			t.Errorf("%s: %+v", version, res.Errors)
		}
	}
}

// curt is a server that lets clients in and answers a SUBSCRIBE with a SUBACK if it has one to give, else by closing.
func curt(t *testing.T, v mqtt.Version, suback *mqtt.Suback) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				buf := make([]byte, 4096)
				if _, err := conn.Read(buf); err != nil {
					return
				}
				_, _ = conn.Write((&mqtt.Connack{}).Append(nil, v))
				n, err := conn.Read(buf)
				if err != nil || suback == nil {
					return
				}
				_, at, err := mqtt.Frame(buf[:n], 0)
				if err != nil {
					return
				}
				s := *suback
				s.PacketID = uint16(buf[at])<<8 | uint16(buf[at+1])
				_, _ = conn.Write(s.Append(nil, v))
				_, _ = conn.Read(buf)
			}()
		}
	}()
	return l.Addr().String()
}

func TestSubscribeAtACurtServer(t *testing.T) {
	t.Parallel()
	m := &model.Model{Protocol: &model.Protocol{
		Type: "mqtt", Security: "none", ClientID: "d", Topic: "t", QoS: 1, Subscribe: []model.Subscription{{Filter: "bad/#"}},
	}, Stages: map[string]string{"running": "return 'x'"}}
	m.Protocol.Endpoint = curt(t, mqtt.V311, nil)
	res := do(t, engine.Options{Model: m})
	want(t, res, map[string]float64{"devices_failed": 1, "connects": 3, "publishes": 0})
	if len(res.FailedDevices) != 1 || res.FailedDevices[0].LastError != "closed by the server right after a subscription to bad/#"+hint {
		t.Errorf("%+v", res.FailedDevices)
	}
	m.Protocol.Version = "5"
	m.Protocol.Endpoint = curt(t, mqtt.V5, &mqtt.Suback{Reasons: []mqtt.Reason{mqtt.NotAuthorized}, Props: mqtt.AckProperties{ReasonString: []byte("no policy")}})
	res = do(t, engine.Options{Model: m})
	want(t, res, map[string]float64{"devices_failed": 1, "connects": 1})
	if len(res.FailedDevices) != 1 || res.FailedDevices[0].LastError != "subscribe bad/#: Not authorized (no policy)" {
		t.Errorf("%+v", res.FailedDevices)
	}
}
