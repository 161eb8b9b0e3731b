package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/fleet/samples"
	"github.com/thingd/thingd/internal/fleet/worker"
	"github.com/thingd/thingd/internal/server"
)

// This test's program is the worker of the servers that it makes.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"fleet", "worker"}) {
		if err := worker.Main(context.Background(), os.Stdin, os.Stdout, worker.Standard()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// call makes a signed request to the server and answers the status and the body.
func (g *deviceRig) call(who sigv4.Credentials, service, method, path, contentType string, body []byte) (int, []byte) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.server.Addr(server.API).String()+path, bytes.NewReader(body))
	g.must(err)
	r.Header.Set("Content-Type", contentType)
	g.must(sigv4.Sign(r, body, who, g.cfg.Region, service, time.Now()))
	resp, err := http.DefaultClient.Do(r)
	g.must(err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	g.must(err)
	return resp.StatusCode, b
}

// fleetCall makes a call of the fleet's API that succeeds.
func (g *deviceRig) fleetCall(who sigv4.Credentials, method, path string, body, into any) {
	g.t.Helper()
	b, err := json.Marshal(body)
	g.must(err)
	status, answer := g.call(who, "fleet", method, path, "application/json", b)
	if status != http.StatusOK {
		g.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		g.must(json.Unmarshal(answer, into))
	}
}

// fleetRun is what tests look at of a run.
type fleetRun struct {
	Run struct{ Status, StatusReason string }
}

// runFleet starts a run of a test and waits for its end.
func (g *deviceRig) runFleet(who sigv4.Credentials, test string, settings map[string]any) (id string, run fleetRun) {
	g.t.Helper()
	var started struct{ RunId string }
	g.fleetCall(who, "POST", "/fleet/tests/"+test+"/runs", map[string]any{"runSettings": settings}, &started)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		g.fleetCall(who, "GET", "/fleet/runs/"+started.RunId, nil, &run)
		if s := run.Run.Status; s != "QUEUED" && s != "RUNNING" {
			return started.RunId, run
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("run of %s: %+v", test, run)
		}
	}
}

// TestFleet walks the connector's tutorial by the API: one person who may use
// the fleet, one access key that may do what the connector's policy says, and
// devices that connect with the certificates that were made by it.
func TestFleet(t *testing.T) {
	g := newDeviceRig(t, nil)
	person := g.user("person", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"fleet:*","Resource":"*"}]}`)
	key := g.user("IoTIFY", string(samples.Policy("aws-iot-connector")))

	g.fleetCall(person, "POST", "/fleet/tests/aws-iot-connector", map[string]any{"sampleName": "aws-iot-connector", "settings": map[string]string{
		"accessKeyId": key.AccessKeyID, "secretAccessKey": key.SecretAccessKey, "region": g.cfg.Region,
	}}, nil)
	g.fleetCall(person, "PUT", "/fleet/run-settings/default", map[string]any{"runSettings": map[string]any{"clients": 5, "iterations": 5}}, nil)
	for range 2 { // it may run again
		id, run := g.runFleet(person, "aws-iot-connector", map[string]any{"clients": 5, "iterations": 5})
		if run.Run.Status != "SUCCEEDED" {
			_, logs := g.call(person, "fleet", "GET", "/fleet/runs/"+id+"/logs", "application/json", nil)
			t.Fatalf("%+v\n%s", run, logs)
		}
	}
	var globs struct{ Keys []struct{ GlobKey string } }
	g.fleetCall(person, "GET", "/fleet/glob?maxResults=100", nil, &globs)
	have := map[string]bool{}
	for _, k := range globs.Keys {
		have[k.GlobKey] = true
	}
	for _, want := range []string{"aws_iot_endpoint", "aws_iotify_0_key", "aws_iotify_0_cert", "aws_iotify_4_key", "aws_iotify_4_cert"} {
		if !have[want] {
			t.Errorf("no %s in %v", want, globs)
		}
	}
	var value struct{ Value string }
	g.fleetCall(person, "GET", "/fleet/glob-value?globKey=aws_iotify_0_key", nil, &value)
	if !strings.Contains(value.Value, "PRIVATE KEY") {
		t.Error("no key:", value.Value)
	}

	g.fleetCall(person, "POST", "/fleet/tests/device", map[string]any{"sampleName": "aws-iot-device"}, nil)
	id, run := g.runFleet(person, "device", map[string]any{"clients": 5, "iterations": 2, "interval": "10ms"})
	var result struct{ Result string }
	g.fleetCall(person, "GET", "/fleet/runs/"+id, nil, &result)
	var told struct {
		Metrics []struct {
			Name  string
			Count float64
		}
	}
	g.must(json.Unmarshal([]byte(result.Result), &told))
	published := 0.0
	for _, m := range told.Metrics {
		if m.Name == "publishes" {
			published = m.Count
		}
	}
	if run.Run.Status != "SUCCEEDED" || published != 10 {
		_, logs := g.call(person, "fleet", "GET", "/fleet/runs/"+id+"/logs", "application/json", nil)
		t.Fatalf("%+v\n%s\n%s", run, result, logs)
	}

	// The person's secret is in no answer, record, log or row.
	secret := key.SecretAccessKey
	for _, path := range []string{"/fleet/tests/aws-iot-connector", "/fleet/runs", "/fleet/runs/" + id, "/fleet/tests"} {
		if _, b := g.call(person, "fleet", "GET", path, "application/json", nil); strings.Contains(string(b), secret) {
			t.Error(path, "tells the secret")
		}
	}
	if files, err := os.ReadDir(g.cfg.DataFile(config.AuditDir)); err != nil || len(files) == 0 {
		t.Error(files, err)
	} else {
		for _, f := range files {
			b, err := os.ReadFile(g.cfg.DataFile(config.AuditDir + "/" + f.Name()))
			g.must(err)
			if strings.Contains(string(b), secret) || strings.Contains(string(b), "PRIVATE KEY") {
				t.Error("the audit trail has a secret")
			}
			if !strings.Contains(string(b), `"eventName":"StartRun"`) {
				t.Error("the audit trail has no StartRun")
			}
		}
	}
	// The access key may not use the fleet, nor the person IoT.
	if status, b := g.call(key, "fleet", "GET", "/fleet/tests", "application/json", nil); status != http.StatusForbidden {
		t.Errorf("%d %s", status, b)
	}
	// A reset leaves nothing of it, and new runs can be made.
	resp, err := http.Post("http://"+g.server.Addr(server.Ops).String()+"/reset", "", nil)
	g.must(err)
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatal(resp.Status)
	}
	root := sigv4.Credentials{AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey}
	g.fleetCall(root, "GET", "/fleet/glob", nil, &globs)
	if len(globs.Keys) != 0 {
		t.Error(globs)
	}
	g.fleetCall(root, "POST", "/fleet/tests/x", map[string]any{"modelDocument": `{"name":"m","stages":{"running":"log('x')"}}`}, nil)
	if _, run := g.runFleet(root, "x", map[string]any{}); run.Run.Status != "SUCCEEDED" {
		t.Error(run)
	}
}

// Runs reach what is for everybody: not the ops address, nor the one whose
// clients act as somebody without saying who they are.
func TestFleetEgress(t *testing.T) {
	g := newDeviceRig(t, func(c *config.Config) { c.PlainMQTT, c.PlainAs = "127.0.0.1:0", "somebody" })
	e := g.fleetEgress()
	d, err := worker.NewDialer(e)
	g.must(err)
	for _, name := range []string{server.API, server.Device, server.MQTT, server.Ops, server.PlainMQTT} {
		address := g.server.Addr(name).String()
		c, err := d.Dial(t.Context(), "tcp", address)
		if open := name != server.Ops && name != server.PlainMQTT; open != (err == nil) {
			t.Errorf("%s at %s: %v", name, address, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
	if at := e.Standard[1883]; at != "" {
		t.Error("1883 leads to", at)
	}
}
