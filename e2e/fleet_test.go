package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

// TestFleetOutlivesTheServer kills the server amid a fleet's run and starts it again: the devices come back, and every message is
// counted once, as acknowledged or as lost: lost only where the session ended with its connection.
func TestFleetOutlivesTheServer(t *testing.T) {
	for _, clean := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0") // the same port for both of the server's lives
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		s := start(t, "--mqtt", address, "--limits", "mqtt")
		dir := t.TempDir()
		fleet := func(model string, args ...string) (*exec.Cmd, string) {
			result := filepath.Join(dir, "result.json")
			args = append([]string{"fleet", "run", model, "--data", s.dir, "--out", "json=" + result, "--log", "error"}, args...)
			cmd := exec.Command(binary, args...)
			cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
			return cmd, result
		}
		const devices, iterations = 10, 300
		if cmd, _ := fleet("aws-iot-connector", "--clients", fmt.Sprint(devices), "--set", "keys=device"); cmd.Run() != nil {
			t.Fatal("the connector failed")
		}
		model := filepath.Join(dir, "model.js")
		write(t, model, fmt.Sprintf(`const model = {
			name: "outlives",
			protocol: {
				type: "mqtt", endpoint: "{{glob.get('aws_iot_endpoint')}}", key: "{{state.__$key}}", certificate: "{{state.__$cert}}",
				clientId: "iotify_{{client()}}", cleanSession: %v, topic: "iotify/{{client()}}/data", qos: 1
			}
		}
		function init() {
			state.__$key = glob.get('aws_iotify_' + client() + '_key')
			state.__$cert = glob.get('aws_iotify_' + client() + '_cert')
		}
		function running() { return String(iteration()) }`, clean))
		cmd, result := fleet(model, "--clients", fmt.Sprint(devices), "--iterations", fmt.Sprint(iterations), "--interval", "10ms")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // somewhere amid the run, wherever it is
		s.kill()
		s.start()
		err = cmd.Wait()
		b, readErr := os.ReadFile(result)
		var r report.Result
		if err != nil || readErr != nil || json.Unmarshal(b, &r) != nil {
			t.Fatalf("%v %v\n%s", err, readErr, b)
		}
		count := func(name string) float64 { m, _ := r.Metric(name); return m.Count }
		if r.Devices.Finished != devices || count("iterations") != devices*iterations || count("publishes")+count("lost") != devices*iterations {
			t.Errorf("clean %v: %+v: %v iterations, %v published, %v lost: %v", clean, r.Devices, count("iterations"), count("publishes"), count("lost"), r.Errors)
		}
		if count("reconnects") < devices || count("disconnects") < devices {
			t.Errorf("clean %v: %v reconnects, %v disconnects", clean, count("reconnects"), count("disconnects"))
		}
		if !clean && count("lost") > 0 {
			t.Errorf("%v messages were lost though sessions last", count("lost"))
		}
		text := make([]string, 0, len(r.Errors))
		for _, e := range r.Errors {
			text = append(text, e.Reason)
		}
		t.Logf("clean %v: %v lost, %v reconnects, %s", clean, count("lost"), count("reconnects"), strings.Join(text, "; "))
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
