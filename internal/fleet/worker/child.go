package worker

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Job is a run as its engine gets it.
type Job struct {
	Start
	Parsed *model.Model
	Pool   *x509.CertPool // the system's roots and Start.Roots
	Glob   *Glob
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Runner is a run under way.
type Runner interface {
	// Do does the run; when ctx ends or Stop is called, the devices finish.
	Do(ctx context.Context) (*report.Result, error)
	Stop()
	Snapshot() report.Snapshot
	Series() report.Series
	// Devices lists devices from a place in the run on, all or those in a phase;
	// Device is all of the one of a number, false if there is none.
	Devices(from, limit int, phase report.DevicePhase) []report.DeviceStatus
	Device(client int) (report.DeviceStatus, bool)
	Logs(after uint64, limit int) []report.LogEntry
}

// Engine is what a worker does runs with.
type Engine struct {
	New   func(*Job) (Runner, error)
	Check func(*model.Model) error
}

// Main is the worker: it does the one run that in tells and tells out of it.
// It returns when that is over, or with an error when in ends before.
func Main(ctx context.Context, in io.Reader, out io.Writer, e Engine) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &child{engine: e, out: out, started: make(chan *Start, 1), glob: &Glob{waiting: map[uint64]chan *GlobReply{}}}
	c.glob.child = c
	go func() { cancel(c.read(in)) }()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case start := <-c.started:
		done := make(chan error, 1)
		go func() { done <- c.do(ctx, start) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx) // the process ends, whatever still runs
		}
	}
}

// child is the worker's end.
type child struct {
	engine  Engine
	glob    *Glob
	started chan *Start

	writing sync.Mutex
	out     io.Writer
	lost    error // of a write

	mu      sync.Mutex
	run     Runner // nil before it is made
	stopped bool
}

// read takes the parent's lines until they end.
func (c *child) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxToWorker)
	first := true
	for lines.Scan() {
		var f toWorker
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("read a frame: %w", err)
		}
		switch {
		case f.Start != nil && first:
			first = false
			c.started <- f.Start
		case f.Glob != nil:
			c.glob.reply(f.Glob)
		case f.Ask != nil:
			go c.answer(f.Ask)
		case f.Stop:
			c.stop()
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the server is gone")
}

// tell writes a line.
func (c *child) tell(f *fromWorker) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.lost == nil {
		_, c.lost = c.out.Write(append(b, '\n'))
	}
	return c.lost
}

func (c *child) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.run != nil {
		c.run.Stop()
	}
}

func (c *child) do(ctx context.Context, start *Start) error {
	if err := confine(start.Memory); err != nil {
		return c.tell(&fromWorker{Failed: fmt.Sprintf("the worker cannot limit itself: %v", err)})
	}
	job, err := newJob(start, c.glob)
	if start.Check {
		return c.check(job, err)
	}
	if err == nil {
		err = c.make(job)
	}
	if err != nil {
		return c.tell(&fromWorker{Failed: err.Error()})
	}
	over := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { c.progress(over) })
	result, err := c.run.Do(ctx)
	close(over)
	telling.Wait()
	if err != nil {
		return c.tell(&fromWorker{Failed: err.Error()})
	}
	return c.end(start, result)
}

// make makes the run, which may have been stopped already.
func (c *child) make(job *Job) error {
	run, err := c.engine.New(job)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run = run
	if c.stopped {
		run.Stop()
	}
	return nil
}

func newJob(start *Start, glob *Glob) (*Job, error) {
	j := &Job{Start: *start, Glob: glob}
	var err error
	if j.Parsed, err = model.Parse(start.Model); err != nil {
		return nil, err
	}
	if start.Check {
		return j, nil
	}
	j.Parsed.AsFolder()
	dialer, err := NewDialer(start.Egress)
	if err != nil {
		return nil, err
	}
	j.Dial = dialer.Dial
	if j.Pool, err = x509.SystemCertPool(); err != nil {
		j.Pool = x509.NewCertPool() // a machine without roots
	}
	if start.Roots != "" && !j.Pool.AppendCertsFromPEM([]byte(start.Roots)) {
		return nil, errors.New("the roots are no certificates")
	}
	return j, nil
}

func (c *child) check(job *Job, err error) error {
	faults := []Fault{}
	if err == nil {
		err = c.engine.Check(job.Parsed)
	}
	for _, fault := range model.Faults(err) {
		f := Fault{Message: fault.Error()}
		if e, ok := errors.AsType[*script.Error](fault); ok {
			f.Place, f.Line, f.Column = e.Place, e.Line, e.Column
		}
		faults = append(faults, f)
	}
	b, err := json.Marshal(faults)
	if err != nil {
		return err
	}
	return c.tell(&fromWorker{Checked: b})
}

// progress tells of the run every second.
func (c *child) progress(over <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seq uint64
	for n := 0; ; n++ {
		ended := false
		select {
		case <-over:
			ended = true
		case <-tick.C:
		}
		seq = c.tellLogs(seq)
		if ended {
			for last := ^uint64(0); last != seq; { // all that is left
				last, seq = seq, c.tellLogs(seq)
			}
			return
		}
		f := &fromWorker{Snapshot: encode(c.run.Snapshot())}
		if n%2 == 1 {
			f.Series = encode(c.run.Series())
		}
		if c.tell(f) != nil {
			return
		}
	}
}

// encode is JSON of a report's values, which have nothing that JSON has not.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // a script's number that is none; the next one may be
	}
	return b
}

// tellLogs tells of the lines behind seq and answers the last one's number.
func (c *child) tellLogs(seq uint64) uint64 {
	lines := c.run.Logs(seq, logLines)
	if len(lines) == 0 {
		return seq
	}
	_ = c.tell(&fromWorker{Logs: encode(lines)})
	return lines[len(lines)-1].Seq
}

// answer answers a question about devices.
func (c *child) answer(a *ask) {
	c.mu.Lock()
	run := c.run
	c.mu.Unlock()
	list := []report.DeviceStatus{}
	switch {
	case run == nil:
	case a.Client != nil:
		if d, ok := run.Device(*a.Client); ok {
			list = append(list, d)
		}
	default:
		for _, d := range run.Devices(a.From, a.Limit, a.Phase) {
			list = append(list, slim(d))
		}
	}
	_ = c.tell(&fromWorker{Answer: &answer{a.ID, encode(list)}})
}

// Bounds of a frame that tells how devices ended, and of what the result says
// of those that failed.
const (
	endDevices = 500
	endBytes   = 4 << 20
)

// unkept is a line of a device's log, whose state is a text that says why there
// is none.
func unkept(d *report.DeviceStatus) report.LogEntry {
	why := string(d.State)
	_ = json.Unmarshal(d.State, &why) // of what it cannot read it shows all
	e := report.LogEntry{Time: time.Now(), Client: d.Client, Level: "warn", Text: "its state is not kept for the next run, the one before stays: " + why}
	if n := len(d.Logs); n > 0 {
		e.Seq = d.Logs[n-1].Seq
	}
	return e
}

// end tells how the devices ended, and the result last.
func (c *child) end(start *Start, result *report.Result) error {
	var devices []report.DeviceStatus
	var states []State
	size, budget := 0, start.DeviceBytes
	lost, first := 0, 0 // states that cannot be kept, and the first one's device
	flush := func() error {
		f := &fromWorker{States: states}
		if len(devices) > 0 {
			f.Devices = encode(devices)
		}
		devices, states, size = nil, nil, 0
		return c.tell(f)
	}
	for client := start.Run.Offset; ; client++ {
		d, ok := c.run.Device(client)
		if !ok {
			break
		}
		var warning []report.LogEntry
		if start.Run.KeepState && len(d.State) > 0 {
			state := d.State
			if state[0] != '{' { // it cannot be shown: the last good one stays
				warning = append(warning, unkept(&d))
				d.Logs = append(d.Logs, warning...)
				if state = start.States[client]; lost == 0 {
					first = d.Client
				}
				lost++
			}
			if len(state) > 0 {
				states = append(states, State{d.Client, state})
				size += len(state)
			}
		}
		// What does not fit is left out of what there is to read of each, not
		// devices out of the list.
		n := len(encode(d))
		if n <= budget {
			budget -= n
		} else {
			d = slim(d)
			d.Logs = warning
		}
		devices = append(devices, d)
		if size += n; size >= endBytes || len(devices) >= endDevices {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(devices) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	if lost > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("the states of %d devices cannot be kept for the next run, which begins with those that were kept before; the first is device %d: see its log", lost, first))
	}
	f := &fromWorker{Series: encode(result.Series)}
	result.Series = report.Series{StepSeconds: result.Series.StepSeconds}
	left := endBytes
	for i, d := range result.FailedDevices {
		if n := len(encode(d)); n <= left {
			left -= n
		} else { // all of it was told above
			result.FailedDevices[i] = slim(d)
		}
	}
	f.Result = encode(result)
	if f.Result == nil {
		f.Failed = "the result has numbers that JSON has not"
	}
	return c.tell(f)
}
