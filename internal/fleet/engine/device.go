package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
)

const (
	maxPayloadShown = 1 << 10
	maxStateKept    = 4 << 10 // of a device that is over, unless the run keeps states
	maxNested       = 8       // messages that are handled while messages are handled
)

// device is one virtual device of a run. Its own goroutine runs its script, or waits for one that does;
// its link's runs its connection.
type device struct {
	run    *Run
	number int // client()
	index  int
	clock  *sleeper
	inbox  inbox
	jitter *rand.Rand
	loss   *rand.Rand

	script *script.Device
	link   *link // nil until the protocol's templates are expanded
	web    *web  // in its place with https
	nested int   // how deep messages are being handled
	early  []mqtt.Subscription
	sentOn uint64 // link.breaks when it last sent a message

	acknowledged, lost int   // its messages of QoS 1 and 2
	lastLoss           error // why the last of those was lost

	told string // the link's: the last hint in the log

	published, received, faults atomic.Uint64
	iteration                   atomic.Int64 // how many it has begun
	online                      atomic.Bool

	mu          sync.Mutex
	phase       report.DevicePhase
	live        *script.Device // nil when it is over
	lastError   string
	lastTopic   string
	lastPayload string
	payloadHex  bool
	state       json.RawMessage // of a device that is over
	lines       []report.LogEntry
	condemned   error // why it is being stopped
}

func newDevice(r *Run, index int) *device {
	return &device{run: r, index: index, number: r.o.Run.Offset + index, clock: newSleeper(), phase: report.DeviceWaiting}
}

// setPhase moves the device, and the run's count of its like.
func (d *device) setPhase(p report.DevicePhase) {
	d.mu.Lock()
	was := d.phase
	d.phase = p
	d.mu.Unlock()
	if was != p {
		d.run.phases.move(was, p)
	}
}

// exist runs the device from its start to its end, as a goroutine of the run's.
func (d *device) exist() {
	err := d.lead()
	if d.link != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.run.hard), goodbye)
		d.link.stop(ctx)
		d.link.client.Close()
		cancel()
	}
	if d.web != nil {
		d.web.close()
	}
	d.over(d.verdict(d.measured(err)))
}

const goodbye = 3 * time.Second

// over notes how the device ended and gives back what it holds.
func (d *device) over(err error) {
	phase := report.DeviceFinished
	switch {
	case errors.Is(err, errStopping):
		phase = report.DeviceStopped
	case err != nil:
		phase = report.DeviceFailed
		d.run.metrics.failed.Add(1)
		d.fault(err)
		d.log("error", "ended: "+err.Error())
	}
	var state json.RawMessage
	if d.script != nil {
		state = d.script.State()
		if len(state) > maxStateKept && !d.run.o.Run.KeepState {
			state = nil
		}
		d.script.Close()
	}
	d.mu.Lock()
	d.live, d.state = nil, state
	d.mu.Unlock()
	d.script, d.link, d.web, d.jitter, d.loss = nil, nil, nil, nil, nil
	d.inbox.close()
	d.setPhase(phase)
	if phase == report.DeviceFailed {
		d.run.noteFailed(d)
	}
}

// begin makes the device's script, runs its stage init and connects it.
func (d *device) begin() error {
	r := d.run
	d.setPhase(report.DeviceStarting)
	d.jitter, d.loss = random(r.o.Run.Seed, d.number, forJitter), random(r.o.Run.Seed, d.number, forLoss)
	vm, err := r.program.NewDevice(script.Info{
		Client: d.number, Clients: r.o.Run.Clients, Index: d.index, RunID: r.o.RunID, Seed: r.o.Run.Seed,
		Settings: r.o.Settings, Run: &r.o.Run, Environment: r.environment,
	}, (*host)(d))
	if err != nil {
		return err
	}
	d.script = vm
	d.mu.Lock()
	d.live = vm
	d.mu.Unlock()
	if r.o.States != nil {
		if state := r.o.States(d.number); len(state) > 0 {
			if err := vm.SetState(state); err != nil {
				return fmt.Errorf("kept state: %w", err)
			}
		}
	}
	payload, publish, err := vm.Run(r.soft, model.StageInit, 0)
	if err != nil {
		return d.stopped(err)
	}
	if r.o.Model.Protocol != nil {
		d.setPhase(report.DeviceConnecting)
		if err := d.connect(r.soft); err != nil {
			return d.stopped(err)
		}
	}
	d.setPhase(report.DeviceRunning)
	if publish {
		if err := d.emit(r.soft, payload); err != nil {
			return d.stopped(err)
		}
	}
	return nil
}

// lead is the device's life. An error is its end.
func (d *device) lead() error {
	if err := aside(d.begin); err != nil {
		return err
	}
	r := d.run
	err := d.iterate(r.soft)
	if err != nil && !errors.Is(d.stopped(err), errStopping) {
		return err
	}
	ended := err
	d.setPhase(report.DeviceFinishing)
	if err := d.handleRest(r.hard); err != nil {
		return d.stopped(err)
	}
	payload, publish, err := d.script.Run(r.hard, model.StageFinished, int(d.iteration.Load()))
	if err == nil && publish {
		err = d.emit(r.hard, payload)
	}
	if err != nil {
		return d.stopped(err)
	}
	if ended != nil && !r.timeIsUp() {
		return errStopping
	}
	return nil
}

// stopped tells an end of the run from an error of the device's own.
func (d *device) stopped(err error) error {
	if d.run.soft.Err() != nil && (errors.Is(err, errStopping) || errors.Is(err, context.Canceled)) {
		return errStopping
	}
	return err
}

// iterate runs the iterations.
func (d *device) iterate(ctx context.Context) error {
	r := d.run
	s, m := &r.o.Run, r.o.Model
	if len(m.Sequence) == 0 && m.Stages[model.StageRunning] == "" {
		return d.listen(ctx)
	}
	once := d.once
	if s.Interval >= model.Duration(longWait) && s.Time != "virtual" {
		once = func(ctx context.Context, stage string, n int) error {
			return aside(func() error { return d.once(ctx, stage, n) })
		}
	}
	next := r.clock.Now()
	for n := 0; s.Iterations == 0 || n < s.Iterations; n++ {
		if n > 0 {
			next = next.Add(time.Duration(s.Interval) + upTo(d.jitter, time.Duration(s.Jitter)))
			if now := r.clock.Now(); next.Before(now) {
				next = now // late: it does not catch up
			}
			if s.Interval == 0 && s.Iterations == 0 && r.o.Run.Time == "virtual" {
				next = next.Add(time.Millisecond) // or virtual time would never pass
			}
		}
		if err := d.sleep(ctx, next); err != nil {
			return err
		}
		if end := r.endsAt(); !end.IsZero() && !r.clock.Now().Before(end) {
			return nil // the timer wakes in the same moment
		}
		stage := model.StageRunning
		if len(m.Sequence) > 0 {
			stage = m.Sequence[min(n, len(m.Sequence)-1)]
		}
		if err := once(ctx, stage, n); err != nil {
			return err
		}
	}
	return nil
}

// once runs one iteration.
func (d *device) once(ctx context.Context, stage string, n int) error {
	r := d.run
	d.iteration.Store(int64(n + 1))
	begin := r.clock.Now()
	payload, publish, err := d.script.Run(ctx, stage, n)
	if err == nil && publish {
		err = d.emit(ctx, payload)
	}
	if err != nil {
		return err
	}
	r.metrics.attempts.Add(1)
	r.metrics.iterations.Add(1)
	r.metrics.iterationMs.add(ms(r.clock.Now().Sub(begin)))
	return nil
}

// listen is what a device does that has no stage for iterations: it takes messages until the run's time is up.
func (d *device) listen(ctx context.Context) error {
	end := d.run.endsAt()
	if end.IsZero() {
		end = d.run.clock.Now()
	}
	return d.sleep(ctx, end)
}

// emit publishes what a stage returned.
func (d *device) emit(ctx context.Context, payload []byte) error {
	p := d.run.o.Model.Protocol
	if p == nil || p.Topic == "" {
		d.note("", payload)
		return nil
	}
	topic, err := d.script.Expand(p.Topic)
	if err != nil {
		return ofMember("topic", err)
	}
	return d.publish(ctx, script.Message{Topic: topic, Payload: payload, QoS: byte(p.QoS), Retain: p.Retain})
}

// sleep waits on the run's clock; messages that come meanwhile are handled.
func (d *device) sleep(ctx context.Context, until time.Time) error {
	for {
		if err := d.handleMessages(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := d.doomed(); err != nil {
			return err
		}
		if !d.run.clock.Now().Before(until) {
			return nil
		}
		if err := d.run.clock.Sleep(ctx, d.clock, until); err != nil {
			return err
		}
	}
}

// doomed is why the device has to end though the run goes on: it is being stopped, or no connection will come any more.
func (d *device) doomed() error {
	d.mu.Lock()
	why := d.condemned
	d.mu.Unlock()
	if why == nil && d.link != nil {
		why = d.link.gaveUp()
	}
	return why
}

var errBrokeUnanswered = errors.New("the connection broke before the answer came")

// receiveUntil handles messages until ctx ends, in real time, or until the connection has broken on which the last message was
// sent: what answers it is lost then, unless a session keeps it.
func (d *device) receiveUntil(ctx context.Context) error {
	sentOn := d.sentOn
	for {
		if err := d.handleMessages(ctx); err != nil {
			return err
		}
		if d.link == nil {
			return errors.New("not connected: no message can come")
		}
		if err := d.doomed(); err != nil {
			return err
		}
		broken, changed := d.link.breaks()
		if broken != sentOn && d.link.clean && ctx.Err() == nil {
			return errBrokeUnanswered
		}
		select {
		case <-d.clock.wake:
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// handleMessages hands what was received to the script, unless it is handling too many already.
func (d *device) handleMessages(ctx context.Context) error {
	if d.nested >= maxNested {
		return nil
	}
	d.nested++
	defer func() { d.nested-- }()
	for ctx.Err() == nil {
		if ok, err := d.handleMessage(ctx); !ok || err != nil {
			return err
		}
	}
	return nil
}

// handleRest hands the script what was received so far; not what comes meanwhile, or devices that answer each other would never
// end.
func (d *device) handleRest(ctx context.Context) error {
	for range d.inbox.len() {
		if ok, err := d.handleMessage(ctx); !ok || err != nil {
			return err
		}
	}
	return nil
}

// handleMessage hands the script one message, if there is one.
func (d *device) handleMessage(ctx context.Context) (ok bool, err error) {
	m, ok := d.inbox.take()
	if ok {
		err = d.script.Message(ctx, m)
	}
	return ok, err
}

func (d *device) wake() { d.run.clock.Wake(d.clock) }

// receive takes a message from the link's goroutine.
func (d *device) receive(p *mqtt.Publish) {
	d.received.Add(1)
	d.run.metrics.received.Add(1)
	topic := string(p.Topic)
	d.mu.Lock()
	live := d.live
	d.mu.Unlock()
	if live == nil || !live.Handles(topic) {
		return
	}
	m := script.Message{Topic: topic, Payload: append([]byte(nil), p.Payload...), QoS: p.QoS, Retain: p.Retain, Properties: properties(p)}
	if !d.inbox.put(m) {
		d.run.metrics.dropped.Add(1)
		d.fault(errInboxFull)
		return
	}
	d.wake()
}

// properties are those of a message of MQTT 5, by name; the user's own come before the protocol's.
func properties(p *mqtt.Publish) map[string]string {
	q := &p.Props
	if len(q.User) == 0 && q.ContentType == nil && q.ResponseTopic == nil && q.Correlation == nil {
		return nil
	}
	out := map[string]string{}
	for _, u := range q.User {
		out[string(u.Name)] = string(u.Value)
	}
	for name, v := range map[string][]byte{"contentType": q.ContentType, "responseTopic": q.ResponseTopic, "correlationData": q.Correlation} {
		if v != nil {
			out[name] = string(v)
		}
	}
	return out
}

// connection is told by the link that the connection is there, or no longer.
func (d *device) connection(up bool) {
	d.online.Store(up)
	if up {
		d.run.online.Add(1)
	} else {
		d.run.online.Add(-1)
	}
}

func (d *device) disconnected(err error) {
	d.run.metrics.disconnects.Add(1)
	d.fault(err)
	text := err.Error()
	if _, abrupt := errors.AsType[*abruptEnd](err); abrupt {
		if text == d.told {
			text = "connection lost: " + client.ErrServerClosed.Error() // once is enough
		} else {
			d.told = text
		}
	}
	d.log("warn", text)
}

// verdict is how the device ended, its error being err so far: who ended as planned and did nothing but fail has failed.
func (d *device) verdict(err error) error {
	if err != nil && (!errors.Is(err, errStopping) || !d.run.timeIsUp()) {
		return err // of its own, or a person's doing
	}
	if d.link != nil {
		if why := d.link.inVain(); why != nil {
			return &counted{why}
		}
	}
	if d.lost > 0 && d.acknowledged == 0 {
		why := d.lastLoss
		if d.link != nil && d.link.abrupt != nil {
			why = d.link.abrupt
		}
		return &counted{fmt.Errorf("none of its %d messages was acknowledged: %w", d.lost, why)}
	}
	return err
}

func (d *device) connectFailed(err error) {
	d.fault(err)
	d.log("warn", "connect: "+err.Error())
}

// fault counts an error, unless it is counted already, and remembers it as the device's last.
func (d *device) fault(err error) {
	if _, known := errors.AsType[*counted](err); !known {
		d.faults.Add(1)
		d.run.metrics.fault(d.number, reasonOf(err))
		d.run.hint(throttledBy(err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastError = cut(err.Error(), maxText)
}

// log writes a line of the run's log and of the device's.
func (d *device) log(level, text string) {
	e := d.run.logs.write(d.run.clock.Now(), d.number, level, text)
	most := deviceLines
	if d.run.o.Run.Clients > bigFleet {
		most = deviceLinesBig
		e.Text = cut(e.Text, deviceLineCut)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.lines) >= most {
		copy(d.lines, d.lines[1:])
		d.lines = d.lines[:most-1]
	}
	d.lines = append(d.lines, e)
}

// note remembers what was published last.
func (d *device) note(topic string, payload []byte) {
	shown, isHex := payload, !utf8.Valid(payload)
	if isHex {
		shown = payload[:min(len(payload), maxPayloadShown/2)]
	}
	text := ""
	if isHex {
		text = hex.EncodeToString(shown)
	} else {
		text = cut(string(shown), maxPayloadShown)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastTopic, d.lastPayload, d.payloadHex = topic, text, isHex
}

// status is the device as a report has it; whole adds its state and its log.
func (d *device) status(whole bool) report.DeviceStatus {
	d.mu.Lock()
	live := d.live
	s := report.DeviceStatus{
		Client: d.number, Phase: d.phase, Iteration: int(d.iteration.Load()), Connected: d.online.Load(),
		Published: d.published.Load(), Received: d.received.Load(), Errors: d.faults.Load(), LastError: d.lastError,
		LastTopic: d.lastTopic, LastPayload: d.lastPayload, LastPayloadHex: d.payloadHex,
	}
	if whole {
		s.State = d.state
		s.Logs = append(s.Logs, d.lines...)
	}
	d.mu.Unlock()
	if whole && live != nil {
		s.State = live.State()
	}
	return s
}
