package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// This test's program is the worker as well, and a server that is to be killed.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"fleet", "worker"}) {
		if err := Main(context.Background(), os.Stdin, os.Stdout, Engine{New: newFake, Check: checkFake}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 2 && os.Args[1] == "server" {
		serveAndWait(os.Args[2])
	}
	os.Exit(m.Run())
}

// fake is an engine whose run does what the setting "do" says.
type fake struct {
	job  *Job
	stop chan struct{}
	once sync.Once

	mu   sync.Mutex
	logs []report.LogEntry
}

func newFake(j *Job) (Runner, error) {
	if j.Settings["do"] == "refuse" {
		return nil, errors.New("stage running, line 1: SyntaxError: " + j.Settings["secret"])
	}
	return &fake{job: j, stop: make(chan struct{})}, nil
}

func checkFake(m *model.Model) error {
	if strings.Contains(m.Stages["running"], "deep") {
		var deeper func(int) int
		deeper = func(n int) int { return deeper(n+1) + 1 }
		deeper(0)
	}
	if strings.Contains(m.Stages["running"], "fault") {
		return errors.Join(errors.New("one"), errors.New("two"))
	}
	return nil
}

func (f *fake) log(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = append(f.logs, report.LogEntry{Seq: uint64(len(f.logs) + 1), Level: "info", Text: fmt.Sprintf(format, args...)})
}

func (f *fake) Stop() { f.once.Do(func() { close(f.stop) }) }

func (f *fake) Snapshot() report.Snapshot { return report.Snapshot{Model: f.job.Settings["secret"]} }

func (f *fake) Series() report.Series { return report.Series{StepSeconds: 1} }

func (f *fake) Devices(from, limit int, phase report.DevicePhase) []report.DeviceStatus {
	var out []report.DeviceStatus
	for i := from; i < f.job.Run.Clients && len(out) < limit; i++ {
		d, _ := f.Device(f.job.Run.Offset + i)
		if phase == "" || d.Phase == phase {
			out = append(out, d)
		}
	}
	return out
}

// Every third device has failed.
func (f *fake) phase(place int) report.DevicePhase {
	if place%3 == 0 {
		return report.DeviceFailed
	}
	return report.DeviceRunning
}

func (f *fake) Device(client int) (report.DeviceStatus, bool) {
	if place := client - f.job.Run.Offset; place < 0 || place >= f.job.Run.Clients {
		return report.DeviceStatus{}, false
	}
	state := f.job.States[client]
	if state == nil {
		state, _ = json.Marshal(map[string]string{"key": f.job.Settings["secret"]})
	}
	if client == 249 && f.job.Run.KeepState {
		state = json.RawMessage(`"the state cannot be shown: it is too long"`)
	}
	return report.DeviceStatus{Client: client, Phase: f.phase(client), State: state, LastPayload: strings.Repeat("x", 1000)}, true
}

func (f *fake) Logs(after uint64, limit int) []report.LogEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.logs[min(int(after), len(f.logs)):]
	return slices.Clone(rest[:min(limit, len(rest))])
}

func (f *fake) Do(ctx context.Context) (*report.Result, error) {
	r := &report.Result{Outcome: report.Succeeded}
	switch do := f.job.Settings["do"]; do {
	case "environment":
		f.log("environment %q", os.Environ())
		group, _ := syscall.Getpgid(0)
		f.log("leads its group: %v, under %d", group == os.Getpid(), os.Getppid())
		priority, _ := syscall.Getpriority(syscall.PRIO_PGRP, 0)
		var data, core syscall.Rlimit
		_, _ = syscall.Getrlimit(syscall.RLIMIT_DATA, &data), syscall.Getrlimit(syscall.RLIMIT_CORE, &core)
		f.log("priority %d, data %d, core %d", 20-priority, data.Max>>20, core.Max)
		f.log("secret %s", f.job.Settings["secret"])
	case "wait":
		select {
		case <-f.stop:
		case <-ctx.Done():
		}
		r.Outcome = report.Stopped
	case "hang":
		for { // deaf to everything
			time.Sleep(time.Hour)
		}
	case "spin":
		for n := uint(1); n != 0; n |= 1 { // for ever
		}
	case "eat":
		var all [][]byte
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = byte(i)
			}
			all = append(all, b)
			f.log("%d MiB", len(all))
		}
	case "eat at once":
		b := make([]byte, 8<<30)
		for i := range b {
			b[i] = byte(i)
		}
	case "panic":
		panic("a fault of the engine's with " + f.job.Settings["secret"])
	case "exit":
		os.Exit(0)
	case "babble":
		fmt.Println("this is no frame")
		<-f.stop
	case "failures":
		for i := range report.MaxFailedDevices {
			d := report.DeviceStatus{Client: i, LastError: "it failed", State: json.RawMessage(`{}`)}
			for range 50 {
				d.Logs = append(d.Logs, report.LogEntry{Client: i, Text: strings.Repeat(`"`, 2<<10)})
			}
			r.FailedDevices = append(r.FailedDevices, d)
		}
	case "fail":
		return nil, errors.New("it cannot be done with " + f.job.Settings["secret"])
	case "glob":
		if err := f.globs(ctx); err != nil {
			return nil, err
		}
	case "dial":
		for _, address := range strings.Fields(f.job.Settings["addresses"]) {
			c, err := f.job.Dial(ctx, "tcp", address)
			if err == nil {
				_ = c.Close()
			}
			f.log("%s: %v", address, err)
		}
	default:
		return nil, fmt.Errorf("do %q?", do)
	}
	return r, nil
}

func (f *fake) globs(ctx context.Context) error {
	g := f.job.Glob
	value, err := json.Marshal(map[string]string{"x": f.job.Settings["secret"]})
	if err != nil {
		return err
	}
	if err := g.Set(ctx, "a/1", value); err != nil {
		return err
	}
	v, ok, err := g.Get(ctx, "a/1")
	f.log("%d %v %v", len(v), ok, err)
	keys, err := g.List(ctx, "a/", "", 10)
	f.log("%q %v", keys, err)
	if err := g.Delete(ctx, "a/1"); err != nil {
		return err
	}
	_, ok, err = g.Get(ctx, "a/1")
	f.log("%v %v", ok, err)
	f.log("%v", g.Set(ctx, "full", json.RawMessage(`1`)))
	return nil
}

// listener is a Handler that keeps what it is told.
type listener struct {
	mu      sync.Mutex
	said    []string // logs
	all     []*Told
	glob    map[string]json.RawMessage
	changed chan struct{}
}

func newListener() *listener {
	return &listener{glob: map[string]json.RawMessage{}, changed: make(chan struct{}, 1)}
}

func (l *listener) Told(t *Told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, t)
	for _, e := range t.Logs {
		l.said = append(l.said, e.Text)
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *listener) Glob(op *GlobOp, reply func(*GlobReply)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &GlobReply{}
	switch op.Op {
	case GlobSet:
		if op.Key == "full" {
			r.Error = "it is full"
			break
		}
		l.glob[op.Key] = op.Value
		l.said = append(l.said, "set "+string(op.Value))
	case GlobGet:
		r.Value, r.Found = l.glob[op.Key]
	case GlobDelete:
		delete(l.glob, op.Key)
	case GlobList:
		for k := range l.glob {
			r.Keys = append(r.Keys, k)
		}
	}
	go reply(r)
}

// result is the last result that was told.
func (l *listener) result() *report.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.all {
		if t.Result != nil {
			var r report.Result
			if json.Unmarshal(t.Result, &r) == nil {
				return &r
			}
		}
	}
	return nil
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

const secret = `wJalr"XUtnF<EMI>/K7`

func config(t *testing.T) Config {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{Path: exe, Args: []string{exe, "fleet", "worker"}, Memory: 256 << 20, Grace: time.Second}
}

func begin(t *testing.T, cfg Config, do string, change func(*Start)) (*Process, *listener) {
	t.Helper()
	m := &model.Model{Name: "m", Stages: map[string]string{"running": "1"}}
	start := &Start{Model: m.JSON(), Settings: map[string]string{"do": do, "secret": secret}, Run: model.RunSettings{Clients: 3}, DeviceBytes: 1 << 20}
	if change != nil {
		change(start)
	}
	l := newListener()
	p, err := Begin(cfg, start, []string{secret}, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill("the test is over")
		_ = p.Wait()
	})
	return p, l
}

func (l *listener) wait(t *testing.T, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-l.changed:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("it did not come to that in 20 s")
		}
	}
}

// A worker knows nothing but what it was told, and its secrets are not told back.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the server")
	cfg := config(t)
	cfg.Procs = 2
	p, l := begin(t, cfg, "environment", nil)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	limits := "priority 10, data 576, core 0"
	if runtime.GOOS != "linux" {
		limits = "core 0"
	}
	for _, want := range []string{
		limits, `environment ["GOTRACEBACK=single" "TZ=UTC" "GOMEMLIMIT=241591905" "GOMAXPROCS=2"]`, fmt.Sprintf("leads its group: true, under %d", os.Getpid()), "secret " + Hidden,
	} {
		if !strings.Contains(l.text(), want) {
			t.Errorf("no %s in\n%s", want, l.text())
		}
	}
	devices := 0
	for _, told := range l.all {
		b, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "EMI") {
			t.Errorf("told %s", b)
		}
		for _, d := range told.Devices {
			devices++
			if string(d.State) != `{"key":"`+Hidden+`"}` {
				t.Errorf("%s", d.State)
			}
		}
	}
	if r := l.result(); r == nil || r.Outcome != report.Succeeded || devices != 3 {
		t.Errorf("%+v, %d devices", r, devices)
	}
}

// Each way in which a worker can end other than with a result is told.
func TestFailures(t *testing.T) {
	for do, want := range map[string]string{
		"refuse":      "stage running, line 1: SyntaxError: " + Hidden,
		"fail":        "it cannot be done with " + Hidden,
		"panic":       "the worker process ended (exit status 2): panic: a fault of the engine's with " + Hidden,
		"exit":        "the worker process ended (without a result)",
		"babble":      "the worker process told what is not understood",
		"eat":         "the run used more than 256 MiB of memory, the most that this server allows (--fleet-memory)",
		"eat at once": "the run used more than 256 MiB of memory, the most that this server allows (--fleet-memory)",
		"what?":       `do "what?"?`,
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			if raceDetector && strings.Contains(want, "--fleet-memory") {
				t.Skip("the race detector needs more memory than a worker has")
			}
			p, _ := begin(t, config(t), do, nil)
			err := p.Wait()
			if f, ok := errors.AsType[*Failure](err); !ok || !strings.HasPrefix(f.Reason, want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

func TestKilled(t *testing.T) {
	p, l := begin(t, config(t), "wait", nil)
	l.wait(t, func() bool { return len(told(l)) > 0 })
	if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil || err.Error() != "the worker process ended (signal: killed)" {
		t.Error(err)
	}
	if list, err := p.Devices(t.Context(), 0, 10, ""); list != nil || err != nil {
		t.Error(list, err)
	}
}

func told(l *listener) []*Told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// Stop has a run finish; one that is deaf to it is killed, as is one that takes
// longer than any may.
func TestStop(t *testing.T) {
	patient := config(t)
	patient.Grace = 20 * time.Second
	p, l := begin(t, patient, "wait", nil)
	p.Stop()
	p.Stop()
	if err := p.Wait(); err != nil || l.result().Outcome != report.Stopped {
		t.Error(err, l.result())
	}
	for _, do := range []string{"hang", "spin"} {
		p, _ = begin(t, config(t), do, nil)
		p.Stop()
		if err := p.Wait(); err == nil || err.Error() != "the run did not end within 1s of being stopped" {
			t.Error(do, err)
		}
	}
	cfg := config(t)
	cfg.Time, cfg.Grace = 100*time.Millisecond, 20*time.Second
	const late = "the run was ended after 100ms, the longest that this server allows (--fleet-time)"
	p, l = begin(t, cfg, "wait", nil)
	if err := p.Wait(); err == nil || err.Error() != late || l.result() == nil {
		t.Error(err, l.result())
	}
	cfg.Grace = time.Second
	p, _ = begin(t, cfg, "spin", nil)
	if err := p.Wait(); err == nil || err.Error() != late {
		t.Error(err)
	}
}

// A process that takes nothing in is ended like every other, and whoever stops
// it does not wait.
func TestStopOfDeaf(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Path, cfg.Args = sleep, []string{"sleep", "60"}
	p, _ := begin(t, cfg, "wait", func(s *Start) { s.Settings["much"] = strings.Repeat("x", 1<<20) })
	for range cap(p.send) + 1 { // what waits fills up
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := p.Devices(ctx, 0, 1, ""); err == nil {
			t.Error("it answered")
		}
		cancel()
	}
	stopped := make(chan struct{})
	go func() { p.Stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Error("Stop waits")
	}
	if err := p.Wait(); err == nil || err.Error() != "the run did not end within 1s of being stopped" {
		t.Error(err)
	}
}

func TestGlobOfWorker(t *testing.T) {
	p, l := begin(t, config(t), "glob", nil)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	// What is kept is what the script said, secret or not; what is told is not.
	kept := quoted(secret, true)
	if got, want := l.text(), "set {\"x\":\""+kept+"\"}\n38 true <nil>\n[\"a/1\"] <nil>\nfalse <nil>\nit is full"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// What a worker dials goes by its Egress: a real listener of the installation
// under another name, and one that is none of it.
func TestDialOfWorker(t *testing.T) {
	ours, theirs := listen(t), listen(t)
	_, port, _ := strings.Cut(ours, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	p, l := begin(t, config(t), "dial", func(s *Start) {
		s.Settings["addresses"] = "thingd.test:" + port + " 127.0.0.1:" + port + " thingd.test:8883 " + theirs
		s.Egress = Egress{Names: []string{"thingd.test", "127.0.0.1"}, Listeners: map[int]string{n: ours}, Standard: map[int]string{8883: ours}}
	})
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	want := "thingd.test:" + port + ": <nil>\n127.0.0.1:" + port + ": <nil>\nthingd.test:8883: <nil>\n" + theirs + ": connect to " + theirs +
		": runs reach this server and the hosts that its operator allows (--fleet-allow " + theirs + ")"
	if l.text() != want {
		t.Errorf("%s\nwant\n%s", l.text(), want)
	}
}

func TestDevicesUnderWay(t *testing.T) {
	p, l := begin(t, config(t), "wait", func(s *Start) { s.Run.Clients = 250 })
	l.wait(t, func() bool { return len(told(l)) > 0 })
	list, err := p.Devices(t.Context(), 240, 100, "")
	if err != nil || len(list) != 10 || list[0].Client != 240 || list[0].State != nil || list[0].LastPayload != "" {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = p.Devices(t.Context(), 240, 2, report.DeviceFailed)
	if err != nil || len(list) != 2 || list[0].Client != 240 || list[1].Client != 243 {
		t.Errorf("%+v, %v", list, err)
	}
	one, err := p.Device(t.Context(), 7)
	if err != nil || len(one) != 1 || one[0].Client != 7 || string(one[0].State) != `{"key":"`+Hidden+`"}` {
		t.Errorf("%+v, %v", one, err)
	}
	if none, err := p.Device(t.Context(), 250); err != nil || none == nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Devices(ended, 0, 1, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is told of the devices at the end is bounded; states are kept whole.
func TestDeviceBytes(t *testing.T) {
	p, l := begin(t, config(t), "environment", func(s *Start) {
		s.Run.Clients, s.Run.KeepState, s.DeviceBytes = 250, true, 20_000
		s.States = map[int]json.RawMessage{249: json.RawMessage(`{"kept":"` + strings.Repeat("k", 10) + `"}`)}
	})
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if notes := l.result().Notes; len(notes) != 1 || !strings.Contains(notes[0], "the states of 1 devices cannot be kept") || !strings.Contains(notes[0], "device 249") {
		t.Errorf("notes: %q", notes)
	}
	whole, clients, states := 0, 0, map[int]string{}
	for _, told := range l.all {
		for _, d := range told.Devices {
			if d.Client != clients {
				t.Fatalf("device %d in the place of %d", d.Client, clients)
			}
			clients++
			if d.Client == 249 && (len(d.Logs) != 1 || !strings.Contains(d.Logs[0].Text, "its state is not kept for the next run, the one before stays: ")) {
				t.Errorf("its log: %+v", d.Logs)
			}
			if d.State != nil {
				whole++
			}
		}
		for _, s := range told.States {
			states[s.Client] = string(s.State)
		}
	}
	if clients != 250 || whole < 10 || whole > 20 || len(states) != 250 || states[249] != `{"kept":"kkkkkkkkkk"}` {
		t.Errorf("%d devices, %d whole, %d states, %s", clients, whole, len(states), states[249])
	}
}

// However much devices that failed have to say, a result is told that names all.
func TestFailedDevicesAreBounded(t *testing.T) {
	p, l := begin(t, config(t), "failures", nil)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	r := l.result()
	if r == nil || len(r.FailedDevices) != report.MaxFailedDevices {
		t.Fatalf("%+v", r)
	}
	first, last := r.FailedDevices[0], r.FailedDevices[report.MaxFailedDevices-1]
	if len(first.Logs) != 50 || first.State == nil || len(last.Logs) != 0 || last.LastError != "it failed" || last.Client != 99 {
		t.Errorf("%d lines, %d lines, %+v", len(first.Logs), len(last.Logs), last)
	}
}

func TestCheck(t *testing.T) {
	for stage, want := range map[string]string{"fine": "[] <nil>", "fault": "[{one  0 0} {two  0 0}] <nil>", "deep": "[] the run used more than 256 MiB of memory"} {
		if raceDetector && stage == "deep" {
			continue // it needs more memory than a worker has
		}
		p, l := begin(t, config(t), "", func(s *Start) {
			s.Check = true
			s.Model = (&model.Model{Name: "m", Stages: map[string]string{"running": stage}}).JSON()
		})
		err := p.Wait()
		var faults []Fault
		for _, told := range l.all {
			faults = append(faults, told.Checked...)
		}
		if got := fmt.Sprint(faults, " ", err); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", stage, got, want)
		}
	}
}

// serveAndWait is a server with a worker: it leaves the worker's id in a file
// and then waits to be killed.
func serveAndWait(file string) {
	exe, err := os.Executable()
	if err == nil {
		m := &model.Model{Name: "m", Stages: map[string]string{"running": "1"}}
		var p *Process
		p, err = Begin(Config{Path: exe, Args: []string{exe, "fleet", "worker"}}, &Start{Model: m.JSON(), Settings: map[string]string{"do": "spin"}}, nil, newListener())
		if err == nil {
			err = os.WriteFile(file, []byte(strconv.Itoa(p.cmd.Process.Pid)), 0o600)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(time.Minute)
	os.Exit(0)
}

// A worker does not outlive a server that was killed.
func TestServerKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	server := exec.Command(exe, "server", file)
	server.Stderr = t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	l := newListener()
	pid := 0
	l.wait(t, func() bool {
		b, err := os.ReadFile(file)
		if err == nil {
			pid, _ = strconv.Atoi(string(b))
		}
		return pid != 0
	})
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatal("there is no worker:", err)
	}
	_ = server.Process.Kill()
	_ = server.Wait()
	l.wait(t, func() bool { return gone(pid) })
}

// gone says whether a process is over, even if nobody has asked how it ended.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	if runtime.GOOS != "linux" {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
