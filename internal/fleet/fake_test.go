package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// testEngine does models whose stage running begins with "fake:" as the word
// behind that says, which no real model could do, and all others really.
func testEngine() worker.Engine {
	real := worker.Standard()
	return worker.Engine{Check: real.Check, New: func(j *worker.Job) (worker.Runner, error) {
		if do, ok := strings.CutPrefix(j.Parsed.Stages["running"], "fake:"); ok {
			return &fake{job: j, do: strings.TrimSpace(do), stop: make(chan struct{})}, nil
		}
		return real.New(j)
	}}
}

type fake struct {
	job  *worker.Job
	do   string
	stop chan struct{}
	once sync.Once

	mu   sync.Mutex
	logs []report.LogEntry
}

func (f *fake) log(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = append(f.logs, report.LogEntry{Seq: uint64(len(f.logs) + 1), Time: time.Now(), Client: -1, Level: "info", Text: fmt.Sprintf(format, args...)})
}

func (f *fake) Stop() { f.once.Do(func() { close(f.stop) }) }

func (f *fake) Snapshot() report.Snapshot {
	return report.Snapshot{RunID: f.job.RunID, Model: f.job.Parsed.Name, Phase: report.Running, Devices: report.Devices{Total: f.job.Run.Clients}}
}

func (f *fake) Series() report.Series {
	return report.Series{StepSeconds: 1, Points: []report.Point{{T: 1, Connected: f.job.Run.Clients}}}
}

func (f *fake) Devices(from, limit int, phase report.DevicePhase) []report.DeviceStatus {
	var out []report.DeviceStatus
	for i := from; i < f.job.Run.Clients && len(out) < limit; i++ {
		d, _ := f.Device(f.job.Run.Offset + i)
		d.State = nil
		if phase == "" || d.Phase == phase {
			out = append(out, d)
		}
	}
	return out
}

func (f *fake) Device(client int) (report.DeviceStatus, bool) {
	if place := client - f.job.Run.Offset; place < 0 || place >= f.job.Run.Clients {
		return report.DeviceStatus{}, false
	}
	n := struct {
		N      int
		Secret string
	}{}
	_ = json.Unmarshal(f.job.States[client], &n)
	n.N++
	n.Secret = f.job.Settings["token"]
	state, _ := json.Marshal(n)
	phase := report.DeviceFinished
	if client%3 == 0 {
		phase = report.DeviceFailed
	}
	return report.DeviceStatus{
		Client: client, Phase: phase, Iteration: 3, State: state, LastTopic: "t", LastPayload: "with " + f.job.Settings["token"],
		Logs: []report.LogEntry{{Seq: 1, Client: client, Level: "info", Text: "token " + f.job.Settings["token"]}},
	}, true
}

func (f *fake) Logs(after uint64, limit int) []report.LogEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.logs[min(int(after), len(f.logs)):]
	return slices.Clone(rest[:min(limit, len(rest))])
}

func (f *fake) Do(ctx context.Context) (*report.Result, error) {
	r := &report.Result{Snapshot: f.Snapshot(), Outcome: report.Succeeded, Series: f.Series()}
	switch f.do {
	case "done":
		f.log("token %s", f.job.Settings["token"])
	case "standard":
		f.log("%s|%s", f.job.Settings["open"], f.job.Settings["standard"])
	case "wait":
		f.log("pid %d", os.Getpid())
		<-f.stop
		r.Outcome, r.Reason = report.Stopped, "stopped"
	case "deaf":
		f.log("pid %d", os.Getpid())
		select {}
	case "threshold":
		r.Outcome, r.Reason = report.Thresholds, "errors rate is 1, with "+f.job.Settings["token"]
	case "panic":
		panic("with " + f.job.Settings["token"])
	case "eat":
		var all [][]byte
		for {
			all = append(all, slices.Repeat([]byte("x"), 1<<20))
			if len(all)%100 == 0 {
				f.log("%d MiB", len(all))
			}
		}
	case "glob":
		if err := f.globs(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// globs sets, reads, lists and deletes by many at once.
func (f *fake) globs(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 100 {
		all.Go(func() {
			key := fmt.Sprintf("run/%02d", i)
			if err := f.job.Glob.Set(ctx, key, json.RawMessage(fmt.Sprint(i))); err != nil {
				errs <- err
				return
			}
			if v, ok, err := f.job.Glob.Get(ctx, key); err != nil || !ok || string(v) != fmt.Sprint(i) {
				errs <- fmt.Errorf("%s: %s %v %w", key, v, ok, err)
			}
			if i%2 == 1 {
				if err := f.job.Glob.Delete(ctx, key); err != nil {
					errs <- err
				}
			}
		})
	}
	all.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	keys, err := f.job.Glob.List(ctx, "run/", "run/90", 3)
	f.log("%q %v", keys, err)
	_, ok, err := f.job.Glob.Get(ctx, "run/91")
	f.log("%v %v", ok, err)
	f.log("%v", f.job.Glob.Set(ctx, "", json.RawMessage(`1`)))
	f.log("%v", f.job.Glob.Set(ctx, "big", json.RawMessage(`"`+strings.Repeat("x", 300_000)+`"`)))
	f.log("%v", f.job.Glob.Set(ctx, "full", json.RawMessage(`"`+strings.Repeat("x", 200_000)+`"`)))
	return nil
}
