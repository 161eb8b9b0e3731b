package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

// Config says how workers are started and held.
type Config struct {
	Path string   // of the program
	Args []string // its arguments, its own name first

	Memory int64         // bytes that the process may have
	Time   time.Duration // longest run; 0: no limit
	Procs  int           // processors; 0: all
	Grace  time.Duration // from being stopped to being killed; 0 is 15 seconds
	Poll   time.Duration // between looks at the memory; 0 is 100 milliseconds
}

// Told is what a worker tells: some of its members are set. Secrets of the run
// are replaced by Hidden in all of it but States.
type Told struct {
	Snapshot json.RawMessage
	Series   json.RawMessage
	Result   json.RawMessage
	Logs     []report.LogEntry
	Devices  []report.DeviceStatus // how they ended, in the order of their numbers
	States   []State
	Checked  []Fault // what a check has found, not nil
}

// Handler takes what a worker tells, in its order and on one goroutine, and
// serves it glob storage: Glob may return before it has replied.
type Handler interface {
	Told(*Told)
	Glob(op *GlobOp, reply func(*GlobReply))
}

// Failure is why a run did not come to its end, in a sentence.
type Failure struct{ Reason string }

func (f *Failure) Error() string { return f.Reason }

// Process is a worker, from the server's side.
type Process struct {
	cfg     Config
	handler Handler
	hide    *hider
	cmd     *exec.Cmd
	stderr  head

	send    chan *toWorker
	dead    chan struct{} // closed when the process is over and all was told
	reading chan struct{} // closed when it tells nothing any more

	mu      sync.Mutex
	failure string // the first reason
	result  bool
	stopped bool
	last    uint64 // ask
	asked   map[uint64]chan []report.DeviceStatus
}

// Begin starts a worker on a run. Secrets are hidden from all that it tells.
func Begin(cfg Config, start *Start, secrets []string, h Handler) (*Process, error) {
	if cfg.Grace == 0 {
		cfg.Grace = 15 * time.Second
	}
	if cfg.Poll == 0 {
		cfg.Poll = 100 * time.Millisecond
	}
	start.Memory = cfg.Memory
	p := &Process{
		cfg: cfg, handler: h, hide: newHider(secrets), send: make(chan *toWorker, 16),
		dead: make(chan struct{}), reading: make(chan struct{}), asked: map[uint64]chan []report.DeviceStatus{},
	}
	p.cmd = &exec.Cmd{Path: cfg.Path, Args: cfg.Args, Dir: "/", SysProcAttr: attributes(), Env: []string{"GOTRACEBACK=single", "TZ=UTC"}}
	if cfg.Memory > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(cfg.Memory/10*9, 10))
	}
	if cfg.Procs > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMAXPROCS="+strconv.Itoa(cfg.Procs))
	}
	p.cmd.Stderr = &p.stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go p.own(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	go p.write(in)
	go p.read(out)
	go p.watch()
	p.send <- &toWorker{Start: start}
	return p, nil
}

// own starts the process and waits for it, on one thread: the kernel ends the
// child when the thread that began it ends, not when the server does.
func (p *Process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	<-p.reading
	err = p.cmd.Wait()
	p.mu.Lock()
	if p.failure == "" && !p.result {
		p.failure = p.hide.text(p.why(err))
	}
	p.mu.Unlock()
	close(p.dead)
}

// why says in a sentence how the process ended by itself.
func (p *Process) why(err error) string {
	said := p.stderr.String()
	switch {
	case bytes.Contains([]byte(said), []byte("out of memory")), bytes.Contains([]byte(said), []byte("cannot allocate memory")):
		return p.tooLarge()
	case said != "":
		return fmt.Sprintf("the worker process ended (%s): %s", ending(err), firstLine(said))
	}
	return fmt.Sprintf("the worker process ended (%s)", ending(err))
}

func ending(err error) string {
	if err == nil {
		return "without a result"
	}
	return err.Error()
}

func (p *Process) tooLarge() string {
	return fmt.Sprintf("the run used more than %d MiB of memory, the most that this server allows (--fleet-memory)", p.cfg.Memory>>20)
}

// fail kills the process for a reason, the first of which counts, if it has not
// come to a result.
func (p *Process) fail(reason string) {
	p.mu.Lock()
	if p.failure == "" && !p.result {
		p.failure = p.hide.text(reason)
	}
	p.mu.Unlock()
	_ = p.cmd.Process.Kill() // it may be over
}

// Stop has the run end as soon as its devices have finished, and kills it when
// that takes longer than the grace.
func (p *Process) Stop() {
	p.mu.Lock()
	again := p.stopped
	p.stopped = true
	p.mu.Unlock()
	if again {
		return
	}
	go p.post(&toWorker{Stop: true}) // a process that hangs takes nothing
	time.AfterFunc(p.cfg.Grace, func() {
		select {
		case <-p.dead:
		default:
			p.fail(fmt.Sprintf("the run did not end within %v of being stopped", p.cfg.Grace))
		}
	})
}

// Kill ends the process at once; reason is what Wait answers.
func (p *Process) Kill(reason string) { p.fail(reason) }

// Wait waits for the process's end. It answers nil when the run came to a
// result, or a *Failure; a result may have been told all the same.
func (p *Process) Wait() error {
	<-p.dead
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != "" {
		return &Failure{p.failure}
	}
	return nil
}

// post sends a line, unless the process ends before.
func (p *Process) post(f *toWorker) {
	select {
	case p.send <- f:
	case <-p.reading:
	}
}

// write writes lines until the process ends.
func (p *Process) write(in io.WriteCloser) {
	defer func() { _ = in.Close() }()
	for {
		select {
		case <-p.reading:
			return
		case f := <-p.send:
			b, err := json.Marshal(f)
			if err != nil {
				p.fail("the run cannot be told to a worker: " + err.Error())
				return
			}
			if _, err := in.Write(append(b, '\n')); err != nil {
				return // why is told by how the process ended
			}
		}
	}
}

// read takes the worker's lines until they end.
func (p *Process) read(out io.Reader) {
	defer close(p.reading)
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 0, 64<<10), maxFromWorker)
	for lines.Scan() {
		if err := p.take(lines.Bytes()); err != nil {
			p.fail("the worker process told what is not understood: " + err.Error())
			return
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		p.fail("the worker process told too much at once")
	}
}

func (p *Process) take(line []byte) error {
	var f fromWorker
	if err := json.Unmarshal(line, &f); err != nil {
		return err
	}
	told := &Told{
		Snapshot: p.hide.json(f.Snapshot), Series: p.hide.json(f.Series), Result: p.hide.json(f.Result), States: f.States,
	}
	for _, part := range []struct {
		raw  json.RawMessage
		into any
	}{{f.Logs, &told.Logs}, {f.Devices, &told.Devices}, {f.Checked, &told.Checked}} {
		if part.raw != nil {
			if err := json.Unmarshal(p.hide.json(part.raw), part.into); err != nil {
				return err
			}
		}
	}
	switch {
	case f.Glob != nil:
		p.handler.Glob(f.Glob, func(r *GlobReply) {
			r.ID = f.Glob.ID
			p.post(&toWorker{Glob: r})
		})
		return nil
	case f.Answer != nil:
		return p.answered(f.Answer)
	case f.Failed != "":
		p.mu.Lock()
		if p.failure == "" {
			p.failure = p.hide.text(f.Failed)
		}
		p.mu.Unlock()
	}
	if told.Result != nil || told.Checked != nil {
		p.mu.Lock()
		p.result = true
		p.mu.Unlock()
		time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() }) // it has nothing more to do
	}
	p.handler.Told(told)
	return nil
}

func (p *Process) answered(a *answer) error {
	var list []report.DeviceStatus
	if err := json.Unmarshal(p.hide.json(a.Devices), &list); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if waits := p.asked[a.ID]; waits != nil {
		waits <- list
		delete(p.asked, a.ID)
	}
	return nil
}

// Devices lists devices of the run from a place in it on, all or those in a phase,
// without what Device tells of one alone. It answers nil when the process ends
// before it has told.
func (p *Process) Devices(ctx context.Context, from, limit int, phase report.DevicePhase) ([]report.DeviceStatus, error) {
	return p.ask(ctx, &ask{From: from, Limit: limit, Phase: phase})
}

// Device is all of the device of a number: a list of it, empty if there is none.
// It answers nil when the process ends before it has told.
func (p *Process) Device(ctx context.Context, client int) ([]report.DeviceStatus, error) {
	return p.ask(ctx, &ask{Client: &client})
}

// askTime is how long a worker has to answer: a device may compute for 10 s.
const askTime = 15 * time.Second

var errSilent = errors.New("the worker does not answer")

func (p *Process) ask(ctx context.Context, a *ask) ([]report.DeviceStatus, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, errSilent)
	defer cancel()
	waits := make(chan []report.DeviceStatus, 1)
	p.mu.Lock()
	p.last++
	a.ID = p.last
	p.asked[a.ID] = waits
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.asked, a.ID)
		p.mu.Unlock()
	}()
	select {
	case p.send <- &toWorker{Ask: a}:
	case <-p.reading:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case list := <-waits:
		return list, nil
	case <-p.reading:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// watch holds the process to its limits.
func (p *Process) watch() {
	tick := time.NewTicker(p.cfg.Poll)
	defer tick.Stop()
	var over <-chan time.Time
	if p.cfg.Time > 0 {
		timer := time.NewTimer(p.cfg.Time)
		defer timer.Stop()
		over = timer.C
	}
	for {
		select {
		case <-p.dead:
			return
		case <-tick.C:
			if n, ok := resident(p.cmd.Process.Pid); ok && p.cfg.Memory > 0 && n > p.cfg.Memory {
				p.fail(p.tooLarge())
			}
		case <-over:
			p.mu.Lock()
			if p.failure == "" {
				p.failure = fmt.Sprintf("the run was ended after %v, the longest that this server allows (--fleet-time)", p.cfg.Time)
			}
			p.mu.Unlock()
			p.Stop()
		}
	}
}

// head keeps the first bytes that are written to it.
type head struct {
	mu sync.Mutex
	b  []byte
}

func (h *head) Write(b []byte) (int, error) {
	const most = 4 << 10
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, b[:min(len(b), most-len(h.b))]...)
	return len(b), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.b)
}

func firstLine(s string) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace([]byte(s)), []byte("\n"))
	return string(line)
}
