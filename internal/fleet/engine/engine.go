// Package engine runs a model: it starts virtual devices, gives each its script, its connection and its time, counts what
// happens, and stops them. It knows AWS's interfaces alone, whoever serves them. What a run tells is package report's; where
// its settings come from and where results go is its caller's.
package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Grace is how long devices have for stage finished, and for what they are about, when a run is stopped or its time is up.
const Grace = 10 * time.Second

// Run is one run of a model. Do may be called once; the other methods at any time, from any goroutine.
type Run struct {
	o           Options
	program     *script.Program
	thresholds  []report.Threshold
	environment map[string]string
	metrics     *measures
	logs        logs
	once        once
	configs     configs
	requests    requests
	connects    *semaphore.Weighted
	clock       clock
	phases      phases
	online      atomic.Int64
	sparing     bool // the process is the run's alone

	soft, hard context.Context // soft ends when devices are to end, hard when they must have
	end        context.CancelCauseFunc
	kill       context.CancelFunc
	stopped    atomic.Bool // by a person
	timeUp     atomic.Bool
	fatal      atomic.Pointer[error]
	begun      atomic.Bool

	started  time.Time // by the run's clock
	realTime time.Time
	ended    atomic.Int64           // real nanoseconds that the run took, once it is over
	startedN atomic.Int64           // devices that were started
	vain     atomic.Int64           // devices that tried in vain to connect
	reached  atomic.Bool            // a device was connected
	address  atomic.Pointer[string] // where the first device connects
	various  atomic.Bool            // others connect elsewhere
	hinted   atomic.Pointer[string]

	mu      sync.Mutex
	devices []*device // nil: not started yet
	failed  []*device // the first that failed
	series  report.Series
	done    bool
}

// New prepares a run. Its error tells all that is wrong with the options, or where the model's JavaScript is at fault.
func New(o Options) (*Run, error) {
	thresholds, err := o.complete()
	if err != nil {
		return nil, err
	}
	program, err := script.Compile(o.Model)
	if err != nil {
		return nil, err
	}
	r := &Run{
		o: o, program: program, thresholds: thresholds, metrics: newMeasures(), logs: logs{tell: o.Log},
		connects: semaphore.NewWeighted(int64(o.Run.ConnectLimit)), clock: realClock{}, devices: make([]*device, o.Run.Clients),
	}
	if o.Run.Time == "virtual" {
		r.clock = newVirtualClock(time.Now())
	}
	r.requests.init(r)
	r.environment = map[string]string{"region": r.requests.aws.Region, "endpoint": o.Endpoint}
	r.phases.add(report.DeviceWaiting, o.Run.Clients)
	hard, kill := context.WithCancel(context.Background())
	r.hard, r.kill = hard, kill
	r.soft, r.end = context.WithCancelCause(hard)
	return r, nil
}

// Do runs until all devices are over. When ctx ends, or Stop is called, devices run stage finished and have Grace for it. The
// error is that of a run that could not be; what happened in it is in the result.
func (r *Run) Do(ctx context.Context) (*report.Result, error) {
	if !r.begun.CompareAndSwap(false, true) {
		return nil, errors.New("a run runs once")
	}
	defer r.kill()
	r.mu.Lock()
	r.started, r.realTime = r.clock.Now(), time.Now()
	r.mu.Unlock()
	defer context.AfterFunc(ctx, r.Stop)()
	watching, unwatch := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	watchers.Go(func() { r.sampleEverySecond(watching) })
	watchers.Go(func() { r.watchMemory(watching) })
	if r.sparing {
		watchers.Go(func() { r.releaseMemory(watching) })
	}

	var devices sync.WaitGroup
	timing, untime := context.WithCancel(context.Background())
	var timer sync.WaitGroup
	r.clock.Enter() // for the timer
	r.clock.Enter() // for start: before the timer sleeps, or time would pass
	timer.Go(func() {
		defer r.clock.Leave()
		if end := r.endsAt(); !end.IsZero() && r.clock.Sleep(timing, newSleeper(), end) == nil {
			r.timeUp.Store(true)
			r.finish()
			r.clock.WakeAll() // time must not pass before they know
		}
	})
	r.start(&devices)
	r.clock.Leave()
	devices.Wait()
	untime()
	timer.Wait()
	unwatch()
	watchers.Wait()
	r.requests.close()
	return r.result(), nil
}

// start starts the devices, each in its time.
func (r *Run) start(devices *sync.WaitGroup) {
	me := newSleeper()
	for i := range r.o.Run.Clients {
		at := r.started
		switch {
		case r.o.Run.RampUp > 0:
			at = at.Add(time.Duration(float64(r.o.Run.RampUp) * float64(i) / float64(r.o.Run.Clients)))
		case r.o.Run.Gap > 0:
			at = at.Add(time.Duration(r.o.Run.Gap) * time.Duration(i))
		}
		for r.clock.Now().Before(at) && r.soft.Err() == nil {
			_ = r.clock.Sleep(r.soft, me, at)
		}
		if r.soft.Err() != nil {
			return
		}
		d := newDevice(r, i)
		r.mu.Lock()
		r.devices[i] = d
		r.mu.Unlock()
		r.startedN.Add(1)
		r.clock.Enter()
		devices.Go(func() {
			defer r.clock.Leave()
			d.exist()
		})
	}
}

// Stop ends the run early. It does not wait.
func (r *Run) Stop() {
	if r.timeUp.Load() {
		return // it ends already
	}
	r.stopped.Store(true)
	r.finish()
}

// finish has devices end, and ends them when their time is up.
func (r *Run) finish() {
	if r.soft.Err() != nil {
		return
	}
	r.end(errStopping)
	time.AfterFunc(Grace, r.kill)
}

// abort ends the run because it cannot go on.
func (r *Run) abort(err error) {
	if r.fatal.CompareAndSwap(nil, &err) {
		r.logs.write(r.clock.Now(), -1, "error", err.Error())
	}
	r.finish()
}

// endsAt is when the run's time is up, by its clock; zero for one without a duration.
func (r *Run) endsAt() time.Time {
	if r.o.Run.Duration == 0 {
		return time.Time{}
	}
	return r.started.Add(time.Duration(r.o.Run.Duration))
}

func (r *Run) timeIsUp() bool { return r.timeUp.Load() && !r.stopped.Load() && r.fatal.Load() == nil }

// noteFailed remembers a device that failed, of the first of them.
func (r *Run) noteFailed(d *device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) < report.MaxFailedDevices {
		r.failed = append(r.failed, d)
	}
}

// elapsed is the real time that the run has taken.
func (r *Run) elapsed() time.Duration {
	if n := r.ended.Load(); n > 0 {
		return time.Duration(n)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.realTime.IsZero() {
		return 0
	}
	return time.Since(r.realTime)
}

// Devices are up to limit devices from a place in the run on, without state and log: all, or those in a phase.
func (r *Run) Devices(from, limit int, phase report.DevicePhase) []report.DeviceStatus {
	var out []report.DeviceStatus
	for i := max(from, 0); i < r.o.Run.Clients && len(out) < limit; i++ {
		s, _ := r.device(r.o.Run.Offset+i, false)
		if phase == "" || s.Phase == phase {
			out = append(out, s)
		}
	}
	return out
}

// Device is one device, with its state and its log, by its number; false if there is none. It waits while the device's script
// computes, 10 s at most.
func (r *Run) Device(client int) (report.DeviceStatus, bool) { return r.device(client, true) }

func (r *Run) device(client int, whole bool) (report.DeviceStatus, bool) {
	index := client - r.o.Run.Offset
	if index < 0 || index >= r.o.Run.Clients {
		return report.DeviceStatus{}, false
	}
	r.mu.Lock()
	d := r.devices[index]
	r.mu.Unlock()
	if d == nil {
		return report.DeviceStatus{Client: client, Phase: report.DeviceWaiting}, true
	}
	return d.status(whole), true
}

// Logs are up to limit lines of the run's log with a number over after, the oldest first. The latest 2,048 are kept.
func (r *Run) Logs(after uint64, limit int) []report.LogEntry { return r.logs.after(after, limit) }

// phases counts devices by phase.
type phases struct {
	mu sync.Mutex
	n  map[report.DevicePhase]int
}

func (p *phases) add(phase report.DevicePhase, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == nil {
		p.n = map[report.DevicePhase]int{}
	}
	p.n[phase] += n
}

func (p *phases) move(from, to report.DevicePhase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n[from]--
	p.n[to]++
}

func (p *phases) count() report.Devices {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := report.Devices{
		Waiting: p.n[report.DeviceWaiting], Starting: p.n[report.DeviceStarting], Connecting: p.n[report.DeviceConnecting],
		Running: p.n[report.DeviceRunning], Finishing: p.n[report.DeviceFinishing], Finished: p.n[report.DeviceFinished],
		Failed: p.n[report.DeviceFailed], Stopped: p.n[report.DeviceStopped],
	}
	for _, n := range p.n {
		d.Total += n
	}
	return d
}

// heapBytes is what the process holds in its heap, live or not yet collected.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

// Snapshot is the run now. It is cheap: what it takes does not grow with the devices.
func (r *Run) Snapshot() report.Snapshot {
	elapsed := r.elapsed()
	s := report.Snapshot{
		RunID: r.o.RunID, Model: r.o.Model.Name, Seed: r.o.Run.Seed, ElapsedMs: elapsed.Milliseconds(),
		Devices: r.phases.count(), Metrics: r.metrics.all(elapsed), Errors: r.metrics.errors(),
		Thresholds: r.metrics.judge(r.thresholds, elapsed), MemoryBytes: heapBytes(),
	}
	s.Devices.Connected = int(r.online.Load())
	r.mu.Lock()
	s.Started = r.realTime
	began, done := r.started, r.done
	r.mu.Unlock()
	switch {
	case done:
		s.Phase = report.Done
	case r.soft.Err() != nil:
		s.Phase = report.Finishing
	case int(r.startedN.Load()) < r.o.Run.Clients:
		s.Phase = report.Starting
	default:
		s.Phase = report.Running
	}
	var virtual time.Duration
	if !began.IsZero() {
		virtual = r.clock.Now().Sub(began)
	}
	if r.o.Run.Time == "virtual" {
		s.Virtual, s.VirtualMs = true, virtual.Milliseconds()
	}
	s.Progress = r.progress(virtual, s.Devices)
	if done {
		s.Progress = 1
	}
	return s
}

// progress is the share of the run that is done, by iterations or by time.
func (r *Run) progress(passed time.Duration, d report.Devices) float64 {
	p := 0.0
	if n := r.o.Run.Iterations; n > 0 {
		p = float64(r.metrics.iterations.Load()) / (float64(n) * float64(r.o.Run.Clients))
	}
	if n := time.Duration(r.o.Run.Duration); n > 0 {
		p = max(p, float64(passed)/float64(n))
	}
	return min(max(p, float64(d.Finished+d.Failed+d.Stopped)/float64(max(d.Total, 1))), 1)
}

// Series is the run over time so far.
func (r *Run) Series() report.Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.series.All()
}

func (r *Run) sampleEverySecond(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := time.Now()
	sample := func() {
		now := time.Now()
		p := r.metrics.sample(max(now.Sub(last), time.Millisecond))
		last = now
		d := r.phases.count()
		p.T, p.Connected, p.MemoryBytes = r.elapsed().Seconds(), int(r.online.Load()), heapBytes()
		p.Running = d.Starting + d.Connecting + d.Running + d.Finishing
		r.mu.Lock()
		defer r.mu.Unlock()
		r.series.Add(p)
	}
	for {
		select {
		case <-ticker.C:
			sample()
		case <-ctx.Done():
			if time.Since(last) > 50*time.Millisecond || len(r.series.Points) == 0 {
				sample() // what the last second left over
			}
			return
		}
	}
}

// result is the run once it is over.
func (r *Run) result() *report.Result {
	r.ended.Store(int64(r.elapsed()))
	r.mu.Lock()
	r.done = true
	failed := slices.Clone(r.failed)
	r.mu.Unlock()
	res := &report.Result{Snapshot: r.Snapshot(), Ended: time.Now(), Series: r.Series()}
	slices.SortFunc(failed, func(a, b *device) int { return a.number - b.number })
	for _, d := range failed {
		res.FailedDevices = append(res.FailedDevices, d.status(true))
	}
	res.Outcome, res.Reason = r.outcome(res)
	if hint := r.hinted.Load(); hint != nil {
		res.Notes = append(res.Notes, *hint)
	}
	for i := range res.Thresholds {
		if !res.Thresholds[i].Known {
			res.Thresholds[i].OK = false
		}
	}
	return res
}

func (r *Run) outcome(res *report.Result) (report.Outcome, string) {
	if fatal := r.fatal.Load(); fatal != nil {
		return report.Failed, (*fatal).Error()
	}
	if r.stopped.Load() && res.Devices.Finished+res.Devices.Failed < res.Devices.Total {
		return report.Stopped, fmt.Sprintf("stopped after %s", r.elapsed().Round(time.Millisecond))
	}
	missed := 0
	for _, t := range res.Thresholds {
		if !t.OK {
			missed++
		}
	}
	if missed > 0 {
		return report.Thresholds, fmt.Sprintf("%d of %d thresholds are not met", missed, len(res.Thresholds))
	}
	aboutDevices := slices.ContainsFunc(r.thresholds, func(t report.Threshold) bool { return t.Metric == mFailed })
	if n := res.Devices.Failed; n > 0 && !aboutDevices {
		return report.Failed, fmt.Sprintf("%d of %d devices failed; device %d: %s", n, res.Devices.Total, res.FailedDevices[0].Client, res.FailedDevices[0].LastError)
	}
	return report.Succeeded, ""
}
