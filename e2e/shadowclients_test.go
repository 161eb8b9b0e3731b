package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// kuraPolicy is that of the seed's gateway: whatever MQTT allows, and of shadows exactly the three actions.
const kuraPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*",
	"Action":["iot:Connect","iot:Publish","iot:Subscribe","iot:Receive","iot:UpdateThingShadow","iot:GetThingShadow","iot:DeleteThingShadow"]}]}`

// TestShadowClients is one shadow by AWS's device SDK, mosquitto's commands and, over HTTP, by the device's certificate.
func TestShadowClients(t *testing.T) {
	s := mqttServer(t)
	d := s.newDevice(t, "lamp", kuraPolicy)
	t.Run("device SDK", func(t *testing.T) {
		out, err := d.run(t, s.at.MQTT, nil, "node", "clients/shadow.js")
		wantLines(t, out, err,
			"rejected 404 No shadow exists with name: 'lamp' first",
			`accepted 1 {"desired":{"color":"red"},"reported":{"color":"green"}} a`,
			`delta 1 {"color":"red"}`,
			`updated null 1 {"desired":{"color":"red"},"reported":{"color":"green"}}`,
			"rejected 409 Version conflict b",
			`got 1 {"desired":{"color":"red"},"reported":{"color":"green"},"delta":{"color":"red"}} c`,
			"deleted 1 d",
			"named rejected 404 No shadow exists with name: 'lamp~cfg'",
			`named accepted 1 {"desired":{"rate":1.5}}`, `named delta {"rate":1.5}`, "named updated 1",
			`named got 1 {"desired":{"rate":1.5},"delta":{"rate":1.5}}`,
			"named rejected 409 Version conflict", "named deleted 1",
		)
	})
	t.Run("mosquitto", func(t *testing.T) {
		host, port, err := net.SplitHostPort(s.at.MQTT)
		if err != nil {
			t.Fatal(err)
		}
		common := []string{"--cafile", d.ca, "--cert", d.cert, "--key", d.key, "-h", host, "-p", port, "-q", "1"}
		listen := func(id, topic string) (wait func() string) {
			cmd := exec.Command("stdbuf", append(append([]string{"-oL", "mosquitto_sub"}, common...), "-i", id, "-t", topic, "-C", "1", "-W", "20", "-d", "-F", "heard %p")...)
			var out logBuffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the subscription", func() bool { return strings.Contains(out.String(), "Subscribed (mid: 1): 1") })
			return func() string {
				t.Helper()
				if err := cmd.Wait(); err != nil {
					t.Fatalf("mosquitto_sub: %v\n%s", err, out.String())
				}
				_, heard, _ := strings.Cut(out.String(), "heard ")
				heard, _, _ = strings.Cut(heard, "\n")
				return heard
			}
		}
		delta, accepted := listen("delta", "$aws/things/lamp/shadow/update/delta"), listen("accepted", "$aws/things/+/shadow/update/+")
		// What the CLI would send, over HTTP by SigV4: the device hears the delta.
		if _, err := s.shadow(t.Context(), http.MethodPost, "lamp", `{"state":{"desired":{"led":"on"}}}`); err != nil {
			t.Fatal(err)
		}
		if got := delta(); !strings.HasPrefix(got, `{"version":2,`) || !strings.Contains(got, `"state":{"led":"on"}`) {
			t.Errorf("delta: %s", got)
		}
		if got := accepted(); !strings.Contains(got, `"led":"on"`) {
			t.Errorf("update/+: %s", got)
		}
		accepted = listen("accepted", "$aws/things/lamp/shadow/update/accepted")
		if out, err := exec.Command("mosquitto_pub", append(common, "-i", "lamp", "-t", "$aws/things/lamp/shadow/update", "-m", `{"state":{"reported":{"led":"on"}}}`)...).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_pub: %v\n%s", err, out)
		}
		if got := accepted(); !strings.Contains(got, `"version":3`) {
			t.Errorf("accepted: %s", got)
		}
	})
	t.Run("by certificate over HTTP", func(t *testing.T) {
		pair, err := tls.LoadX509KeyPair(d.cert, d.key)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots(t), Certificates: []tls.Certificate{pair}}}}
		t.Cleanup(client.CloseIdleConnections)
		for _, tt := range []struct{ method, path, body, want string }{
			{"GET", "/things/lamp/shadow", "", `200 {"state":{"desired":{"led":"on"},"reported":{"led":"on"}}`},
			{"POST", "/things/lamp/shadow?name=cfg", `{"state":{"reported":{"a":1}}}`, `200 {"state":{"reported":{"a":1}}`},
			{"DELETE", "/things/lamp/shadow?name=cfg", "", `200 {"version":2,`},
			{"GET", "/things/lamp/shadow?name=cfg", "", `404 {"message":"No shadow exists with name: 'lamp~cfg'"`},
			{"GET", "/api/things/shadow/ListNamedShadowsForThing/lamp", "", `403 `}, // a fourth action
		} {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, "https://"+s.at.Device+tt.path, bytes.NewReader([]byte(tt.body)))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if got := resp.Status[:4] + string(body); err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
			}
		}
	})
}
