package broker

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

var updateDialogues = flag.Bool("update-dialogues", false, "rewrite testdata/*.txtar with what came")

// Dialogues are in testdata: aws-*.txtar under --limits aws, mqtt-*.txtar under --limits mqtt,
// options-*.txtar under that with --mqtt-max-keep-alive 60 and --mqtt-reasons off; see mqtttest.Dialogues.
// Further steps:
//
//	deny iot:Publish a/b       from now on; with a client first, as in `deny c1: iot:Publish a/b`, for that one
//	allow iot:Publish a/b      takes it back
//	publish TOPIC PAYLOAD      by the operation of iot-data, QoS 1
func TestDialogues(t *testing.T) {
	options := func() *Limits {
		l := Standard()
		l.KeepAliveMax, l.KeepAliveTold, l.Unexplained = 60, true, true
		return l
	}
	for pattern, limits := range map[string]func() *Limits{
		"testdata/aws-*.txtar": AWS, "testdata/mqtt-*.txtar": Standard, "testdata/options-*.txtar": options,
	} {
		mqtttest.Dialogues(t, pattern, *updateDialogues, func(t *testing.T) *mqtttest.Broker {
			r := startRig(t, limits())
			return &mqtttest.Broker{
				Dial: func(string, []string) (net.Conn, error) {
					here, there := net.Pipe()
					go r.Serve(there, &Credentials{Source: netip.MustParseAddrPort("192.0.2.7:1234")})
					return here, nil
				},
				Commands: map[string]func([]string) (string, error){
					"deny":  func(args []string) (string, error) { r.rules.deny(strings.Join(args, " ")); return "", nil },
					"allow": func(args []string) (string, error) { r.rules.allow(strings.Join(args, " ")); return "", nil },
					"publish": func(args []string) (string, error) {
						if len(args) != 2 {
							return "", fmt.Errorf("publish TOPIC PAYLOAD")
						}
						return "", r.Publish(context.Background(), &Message{
							Origin: Origin{Account: "123456789012", Region: "us-east-1"}, Topic: args[0], Payload: []byte(args[1]), QoS: 1,
						})
					},
				},
				Close: func() { _ = r.Close() },
			}
		})
	}
}
