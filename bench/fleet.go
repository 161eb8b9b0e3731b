package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

// simulator measures thingd fleet: how fast it provisions devices, what a connected one costs in memory and processor time, and
// how many messages it sends. Server and fleet share the machine.
func simulator(n int) ([]row, error) {
	s, err := start("--mqtt", "127.0.0.1:0", "--limits", "mqtt")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	f := &fleetBench{server: s, n: n}
	var rows []row
	for _, measure := range []func() ([]row, error){f.provision, f.idle, f.load} {
		more, err := measure()
		if err != nil {
			return nil, err
		}
		for _, r := range more {
			fmt.Fprintf(os.Stderr, "%-56s %-18s %s\n", r.what, r.figure, r.beside)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

type fleetBench struct {
	*server
	n int
}

// command is thingd fleet run with a result in a file.
func (f *fleetBench) command(model string, clients int, args ...string) (cmd *exec.Cmd, result string) {
	result = filepath.Join(f.dir, "result.json")
	args = append([]string{"fleet", "run", model, "--data", f.dir, "--quiet", "--out", "json=" + result, "--clients", strconv.Itoa(clients)}, args...)
	cmd = exec.Command(f.binary, args...)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	return cmd, result
}

func readResult(file string) (*report.Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &report.Result{}
	return r, json.Unmarshal(b, r)
}

// provision registers the devices: keys of the server's for some, their own for all.
func (f *fleetBench) provision() ([]row, error) {
	var rows []row
	for _, p := range []struct {
		keys    string
		clients int
		offset  int
		goal    string
	}{{"aws", min(f.n, 1000), 1_000_000, "1,000 a minute"}, {"device", f.n, 0, "several times that"}} {
		cmd, result := f.command("aws-iot-connector", p.clients, "--set", "keys="+p.keys, "--offset", strconv.Itoa(p.offset))
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("provision: %w", err)
		}
		r, err := readResult(result)
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("%d devices provisioned, a minute, keys of the server's", p.clients)
		if p.keys == "device" {
			what = fmt.Sprintf("%d devices provisioned, a minute, own ECDSA keys", p.clients)
		}
		rows = append(rows, row{what, fmt.Sprintf("%.0f", float64(p.clients)/r.Elapsed().Minutes()), "", p.goal})
	}
	return rows, nil
}

// idle has devices connect, publish once, and stay.
func (f *fleetBench) idle() ([]row, error) {
	var rows []row
	base, _, err := f.connected(1)
	if err != nil {
		return nil, err
	}
	for _, n := range []int{100, f.n} {
		if n > f.n {
			continue
		}
		memory, cpu, err := f.connected(n)
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			row{fmt.Sprintf("memory of %d connected devices (RSS)", n), fmt.Sprintf("%.0f MiB", float64(memory)/(1<<20)), fmt.Sprintf("%.1f KiB each beyond the first", float64(memory-base)/1024/float64(max(n-1, 1))), "64 KiB"},
			row{fmt.Sprintf("processor time to connect and publish once, %d devices", n), fmt.Sprintf("%.1f ms each", cpu.Seconds()*1000/float64(n)), "", ""})
	}
	return rows, nil
}

func (f *fleetBench) connected(n int) (memory int, cpu time.Duration, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	address := l.Addr().String()
	_ = l.Close()
	cmd, _ := f.command("aws-iot-device", n, "--interval", "1h", "--duration", "30m", "--metrics", address)
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait() // stopped: 130
	}()
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if scraped(address, "fleet_publishes_total") == float64(n) {
			break
		}
		if time.Now().After(deadline) {
			return 0, 0, errors.New("the devices did not connect in ten minutes")
		}
	}
	if cpu, err = processorTime(cmd.Process.Pid); err != nil {
		return 0, 0, err
	}
	time.Sleep(*settle)
	memory, err = resident(cmd.Process.Pid)
	return memory, cpu, err
}

// scraped is a metric of a run; 0 if there is none.
func scraped(address, name string) float64 {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err == nil {
				return f
			}
		}
	}
	return 0
}

// load has some devices publish as fast as they can, with QoS 1: each waits for its acknowledgement.
func (f *fleetBench) load() ([]row, error) {
	n := min(f.n, 100)
	cmd, result := f.command("aws-iot-device", n, "--interval", "1ns", "--duration", (4 * *duration).String())
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r, err := readResult(result)
	if err != nil {
		return nil, err
	}
	m, _ := r.Metric("publishes")
	t, _ := r.Metric("publish_ms")
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	peer, err := f.mqttJS(n, 4**duration)
	if err != nil {
		return nil, err
	}
	paced, err := f.paced(n)
	if err != nil {
		return nil, err
	}
	return append([]row{
		{fmt.Sprintf("messages of QoS 1 a second, %d devices", n), fmt.Sprintf("%.0f, p99 %.1f ms", m.Rate, t.P99), "mqtt.js: " + peer.rate, ""},
		{"processor time of a message, connecting included", fmt.Sprintf("%.0f µs", spent.Seconds()*1e6/max(m.Count, 1)), "mqtt.js: " + peer.cost, ""},
	}, paced...), nil
}

// pace is between two messages of a device, where the load is given.
const pace = 20 * time.Millisecond

// paced has the devices publish at a fixed rate, for MQTTX's command line knows no other load: what a message costs.
func (f *fleetBench) paced(n int) ([]row, error) {
	total := n * int(4**duration/pace)
	cmd, result := f.command("aws-iot-device", n, "--interval", pace.String(), "--duration", (4 * *duration).String())
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("paced load: %w", err)
	}
	r, err := readResult(result)
	if err != nil {
		return nil, err
	}
	m, _ := r.Metric("publishes")
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	peer, err := f.mqttX(n, total)
	if err != nil {
		return nil, err
	}
	return []row{
		{fmt.Sprintf("%d devices that publish every %v: messages a second", n, pace), fmt.Sprintf("%.0f", m.Rate), "mqttx: " + peer.rate, ""},
		{"processor time of a message, connecting included", fmt.Sprintf("%.0f µs", spent.Seconds()*1e6/max(m.Count, 1)), "mqttx: " + peer.cost, ""},
	}, nil
}

// mqttX has so many clients publish so many messages by MQTTX's command line, all with the first device's certificate: it
// takes but one.
func (f *fleetBench) mqttX(n, total int) (peerLoad, error) {
	if *mqttx == "" {
		return peerLoad{"name it by -mqttx", "not measured"}, nil
	}
	files := map[string]string{"key": filepath.Join(f.dir, "mqttx.key"), "cert": filepath.Join(f.dir, "mqttx.crt")}
	for what, file := range files {
		out, err := f.credential(0, what)
		if err == nil {
			err = os.WriteFile(file, out, 0o600)
		}
		if err != nil {
			return peerLoad{}, err
		}
	}
	host, port, err := net.SplitHostPort(f.at.MQTT)
	if err != nil {
		return peerLoad{}, err
	}
	args := []string{*mqttx, "bench", "pub", "-c", strconv.Itoa(n), "-i", "1", "-im", strconv.FormatInt(pace.Milliseconds(), 10), "-L", strconv.Itoa(total),
		"-q", "1", "-V", "3.1.1", "-I", "iotify_%i", "-t", "iotify/%i/data", "-m", `{"client":1,"iteration":100,"temperature":20.5}`,
		"-l", "mqtts", "-h", host, "-p", port, "--ca", filepath.Join(f.dir, "server-root.pem"), "--cert", files["cert"], "--key", files["key"]}
	if strings.HasSuffix(*mqttx, ".js") {
		args = append([]string{"node"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	begin := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return peerLoad{}, fmt.Errorf("mqttx: %w: %s", err, out)
	}
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return peerLoad{fmt.Sprintf("%.0f, connecting included", float64(total)/time.Since(begin).Seconds()), fmt.Sprintf("%.0f µs", spent.Seconds()*1e6/float64(total))}, nil
}

// credential is a device's certificate or key as the connector keeps it.
func (f *fleetBench) credential(i int, what string) ([]byte, error) {
	out, err := exec.Command(f.binary, "fleet", "glob", "get", fmt.Sprintf("aws_iotify_%d_%s", i, what), "--data", f.dir).Output()
	if err != nil {
		return nil, fmt.Errorf("device %d: %w", i, err)
	}
	return out, nil
}

type peerLoad struct{ rate, cost string }

// mqttJS has the same devices do the same by mqtt.js, MQTTX's library. It needs what the tests' clients need.
func (f *fleetBench) mqttJS(n int, d time.Duration) (peerLoad, error) {
	modules, err := filepath.Abs("e2e/clients/node_modules")
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, "mqtt"))
	}
	if err != nil {
		const missing = "not there: scripts/test-deps.sh"
		return peerLoad{missing, missing}, nil
	}
	type device struct {
		Key  string `json:"key"`
		Cert string `json:"cert"`
	}
	devices := make([]device, n)
	for i := range devices {
		for into, what := range map[*string]string{&devices[i].Key: "key", &devices[i].Cert: "cert"} {
			out, err := f.credential(i, what)
			if err != nil {
				return peerLoad{}, err
			}
			*into = string(out)
		}
	}
	b, err := json.Marshal(devices)
	if err != nil {
		return peerLoad{}, err
	}
	file := filepath.Join(f.dir, "devices.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return peerLoad{}, err
	}
	cmd := exec.Command("node", "bench/mqttjs.js", "mqtts://"+f.at.MQTT, filepath.Join(f.dir, "server-root.pem"), file, strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	cmd.Env, cmd.Stderr = append(os.Environ(), "NODE_PATH="+modules), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return peerLoad{}, fmt.Errorf("mqtt.js: %w", err)
	}
	var did struct{ Count, P99 float64 }
	if err := json.Unmarshal(out, &did); err != nil {
		return peerLoad{}, fmt.Errorf("mqtt.js: %q: %w", out, err)
	}
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return peerLoad{fmt.Sprintf("%.0f, p99 %.1f ms", did.Count/d.Seconds(), did.P99), fmt.Sprintf("%.0f µs", spent.Seconds()*1e6/max(did.Count, 1))}, nil
}
