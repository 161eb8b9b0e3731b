package samples_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

// provisioned is a rig with devices that the connector made.
func provisioned(t *testing.T, clients int) *rig {
	t.Helper()
	r := newRig(t)
	r.succeed("aws-iot-connector", model.RunSettings{Clients: clients, Iterations: 5}, map[string]string{"keys": "device"})
	return r
}

func TestSensor(t *testing.T) {
	r := provisioned(t, 2)
	run, result := r.succeed("sensor", model.RunSettings{Clients: 2, Iterations: 3}, map[string]string{"place": "cellar"})
	if n := metric(result, "publishes"); n != 10 { // online, three values, offline
		t.Errorf("%v messages", n)
	}
	answer := r.call("iot-data", "GetRetainedMessage", map[string]any{"topic": "sensors/cellar/iotify_1/status"})
	if text, _ := base64.StdEncoding.DecodeString(answer["payload"].(string)); string(text) != "offline" {
		t.Errorf("retained %s", text)
	}
	status, _ := run.Device(1)
	if !strings.HasPrefix(string(status.State), `{"thingName":"iotify_1","battery":`) || !strings.Contains(string(status.State), `"temperature":`) {
		t.Errorf("state %s", status.State)
	}
	for _, secret := range []string{"PRIVATE KEY", "CERTIFICATE"} {
		if strings.Contains(string(status.State), secret) {
			t.Errorf("the state shows %s: %s", secret, status.State)
		}
	}
}

// TestSensorRepeats: the same seed, the same values.
func TestSensorRepeats(t *testing.T) {
	r := provisioned(t, 1)
	last := func(seed uint64) string {
		run, _ := r.succeed("sensor", model.RunSettings{Clients: 1, Iterations: 5, Seed: seed}, nil)
		status, _ := run.Device(0)
		return string(status.State)
	}
	if a, b := last(7), last(7); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := last(7), last(8); a == b {
		t.Errorf("twice %s", a)
	}
}

func TestThermostat(t *testing.T) {
	r := provisioned(t, 1)
	reported := func() map[string]any {
		answer, err := r.Call(t.Context(), "iot-data", "GetThingShadow", map[string]any{"thingName": "iotify_0"})
		if err != nil {
			return nil
		}
		var got struct{ Payload []byte }
		var document struct {
			State struct{ Reported map[string]any }
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got.Payload, &document); err != nil {
			t.Fatal(err)
		}
		return document.State.Reported
	}
	desire := func(target float64) {
		r.call("iot-data", "UpdateThingShadow", map[string]any{"thingName": "iotify_0", "payload": map[string]any{"state": map[string]any{"desired": map[string]any{"target": target}}}})
	}
	// What was desired before holds from the start, what is desired meanwhile at once.
	desire(22)
	go func() {
		for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
			if now := reported(); now != nil && now["target"] == 22.0 {
				desire(25.5)
				return
			}
		}
		t.Error("the shadow never had the target that was desired before")
	}()
	r.succeed("thermostat", model.RunSettings{Clients: 1, Interval: model.Duration(200 * time.Millisecond), Duration: model.Duration(4 * time.Second)}, nil)
	now := reported()
	if now["target"] != 25.5 || now["heating"] != true {
		t.Errorf("reported %v", now)
	}
	if temperature, ok := now["temperature"].(float64); !ok || temperature < 10 || temperature > 30 {
		t.Errorf("reported %v", now)
	}
}

func TestKuraGateway(t *testing.T) {
	r := provisioned(t, 1)
	run, result := r.succeed("kura-gateway", model.RunSettings{Clients: 1, Iterations: 3}, nil)
	if n := metric(result, "publishes"); n != 5 { // birth, three values, disconnect
		t.Errorf("%v messages", n)
	}
	status, _ := run.Device(0)
	// gzip's first bytes.
	if status.LastTopic != "aws-control/aws-test/iotify_0/MQTT/DC" || !status.LastPayloadHex || !strings.HasPrefix(status.LastPayload, "1f8b") {
		t.Errorf("last: %s %s", status.LastTopic, status.LastPayload)
	}
}

func TestCamera(t *testing.T) {
	r := provisioned(t, 1)
	_, result := r.succeed("camera", model.RunSettings{Clients: 1, Iterations: 1}, map[string]string{"seconds": "3"})
	if metric(result, "fragments") < 1 {
		t.Errorf("%+v", result.Metrics)
	}
	fragments := func() int {
		return len(r.call("kinesis-video-archived-media", "ListFragments", map[string]any{"StreamName": "iotify_0"})["Fragments"].([]any))
	}
	before := fragments()
	if before < 1 {
		t.Error("the stream is empty")
	}
	// With its certificate: a role that trusts the credentials provider, and its alias.
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kinesisvideo:PutMedia","kinesisvideo:GetDataEndpoint","kinesisvideo:DescribeStream","kinesisvideo:CreateStream"],"Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/*"}]}`
	role := r.call("iam", "CreateRole", map[string]any{"RoleName": "camera", "AssumeRolePolicyDocument": trust})["Role"].(map[string]any)
	r.call("iam", "PutRolePolicy", map[string]any{"RoleName": "camera", "PolicyName": "p", "PolicyDocument": allow})
	r.call("iot", "CreateRoleAlias", map[string]any{"roleAlias": "camera", "roleArn": role["Arn"]})
	r.keys.AccessKeyID, r.keys.SecretAccessKey = "", ""
	r.succeed("camera", model.RunSettings{Clients: 1, Iterations: 1}, map[string]string{"seconds": "3", "roleAlias": "camera", "credentialsEndpoint": r.at.Device})
	if after := fragments(); after <= before {
		t.Errorf("%d fragments became %d", before, after)
	}
}
