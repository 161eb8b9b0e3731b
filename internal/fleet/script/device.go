package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/topic"
)

// What a device gives out is bounded.
const (
	MaxPayload = 128 << 10 // bytes of a message, as AWS IoT takes them
	MaxState   = 256 << 10 // bytes of a state's JSON
)

// ErrStopped is the reason of errors of calls that were interrupted without
// one of their own.
var ErrStopped = errors.New("it was stopped")

// Device is one virtual device. Run, Message, Expand and Close are for one
// goroutine at a time; the other methods may be called from any.
type Device struct {
	program *Program
	info    Info
	host    Host
	run     *model.RunSettings

	mu       sync.Mutex // held while the script computes; State and Size take it too
	vm       *goja.Runtime
	builtins *goja.Object // the runtime's own global object
	stages   map[string]goja.Callable
	clock    clock
	quota    time.Duration // of computing, for each call

	iteration int
	random    *rand.Rand // of the call that runs: messages must not disturb the rest
	own       *rand.Rand
	others    *rand.Rand
	walks     map[string]float64

	handlers  []handler
	waiting   []*request
	requests  int      // for client tokens
	answers   []string // topics of answers that it has subscribed to
	rejected  []*goja.Promise
	thrown    *goja.Object // the last exception that the host caused
	thrownErr error
	buffers   *goja.Object // the prototype of buffers
	joining   int          // calls of Array.prototype.join in each other
}

// handler is a function given to subscribe().
type handler struct {
	filter string
	call   goja.Callable
}

// standard are MQTT's own rules: what a broker sends, a filter asked for.
var standard = topic.Rules{HashMatchesParent: true}

var promiseType = reflect.TypeFor[*goja.Promise]()

// parsing keeps the parser from reading files that a source map names.
var parsing = []parser.Option{parser.WithDisableSourceMaps}

// NewDevice makes a device and runs the model's script once.
func (p *Program) NewDevice(i Info, h Host) (*Device, error) {
	d := &Device{program: p, info: i, host: h, run: i.Run, vm: goja.New(), quota: maxComputing}
	if d.run == nil {
		d.run = p.model.Run
	}
	if d.run == nil {
		d.run = &model.RunSettings{}
	}
	d.own = rand.New(rand.NewPCG(i.Seed, uint64(i.Client)))
	d.random = d.own
	d.vm.SetMaxCallStackSize(maxCalls)
	d.vm.SetRandSource(func() float64 { return d.random.Float64() })
	d.vm.SetTimeSource(h.Now)
	d.vm.SetParserOptions(parsing...)
	d.vm.SetPromiseRejectionTracker(d.track)
	d.guard()
	d.furnish()
	if p.script != nil {
		if _, err := d.enter(context.Background(), "script", func() (goja.Value, error) { return d.vm.RunProgram(p.script) }); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Run runs a stage. What it returns is to be published when published is true:
// the bytes of a string, Buffer or other view of bytes, or the JSON of anything
// else but undefined and null; at most MaxPayload bytes. A model without the
// stage is no error. Errors are *Error: they name stage and line.
func (d *Device) Run(ctx context.Context, stage string, iteration int) (payload []byte, published bool, err error) {
	if d.program.stages[stage] == nil {
		return nil, false, nil
	}
	place := "stage " + stage
	_, err = d.enter(ctx, place, func() (goja.Value, error) {
		d.iteration = iteration
		v, err := d.call(stage, goja.Undefined())
		if err == nil {
			err = d.checkState(place)
		}
		if err != nil || goja.IsUndefined(v) || goja.IsNull(v) {
			return nil, err
		}
		if payload, err = d.bytes(v, MaxPayload); err != nil {
			return nil, unlessThrown(err, &Error{Place: place, Name: "PayloadError", Message: "what it returns: " + err.Error(), Err: err})
		}
		published = true
		return nil, nil
	})
	return payload, published, err
}

// unlessThrown is err itself if the script threw it, else what it is called.
func unlessThrown(err error, called *Error) error {
	if uncatchable(err) || errors.As(err, new(*goja.Exception)) {
		return err
	}
	return called
}

// call calls a stage's function, and waits for an asynchronous one: when it
// returns, everything has run that could run.
func (d *Device) call(stage string, arg goja.Value) (goja.Value, error) {
	fn, ok := d.stages[stage]
	if !ok {
		v, err := d.vm.RunProgram(d.program.stages[stage])
		if err != nil {
			return nil, err
		}
		fn, _ = goja.AssertFunction(v)
		if d.stages == nil {
			d.stages = make(map[string]goja.Callable, len(d.program.stages))
		}
		d.stages[stage] = fn
	}
	v, err := fn(goja.Undefined(), arg)
	if err != nil {
		return nil, err
	}
	return d.settled(v)
}

// settled is what a promise was kept with.
func (d *Device) settled(v goja.Value) (goja.Value, error) {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != promiseType {
		return v, nil
	}
	p, ok := o.Export().(*goja.Promise)
	if !ok {
		return v, nil
	}
	switch p.State() {
	case goja.PromiseStateFulfilled:
		return p.Result(), nil
	case goja.PromiseStateRejected:
		d.handled(p)
		return nil, d.rejectedWith(p)
	}
	return nil, errors.New("it waits for a promise that nothing keeps")
}

// track remembers promises that were rejected and that nobody asks.
func (d *Device) track(p *goja.Promise, op goja.PromiseRejectionOperation) {
	const most = 10
	if op == goja.PromiseRejectionHandle {
		d.handled(p)
	} else if len(d.rejected) < most {
		d.rejected = append(d.rejected, p)
	}
}

func (d *Device) handled(p *goja.Promise) {
	d.rejected = slices.DeleteFunc(d.rejected, func(q *goja.Promise) bool { return p == q })
}

// rejection is the exception of the first promise that nobody asked.
func (d *Device) rejection() error {
	p := d.rejected[0]
	d.rejected = nil
	return d.rejectedWith(p)
}

func (d *Device) rejectedWith(p *goja.Promise) error {
	v := p.Result()
	if ex := d.vm.Try(func() { panic(v) }); ex != nil {
		return ex
	}
	return errors.New("a promise was rejected")
}

// Message hands a received message to whoever waits for it (shadow and job
// helpers), to the functions given to subscribe() for its topic, and if there
// are none to stage message. The payload is the device's from then on.
func (d *Device) Message(ctx context.Context, m Message) error {
	place := "stage " + model.StageMessage
	_, err := d.enter(ctx, place, func() (goja.Value, error) {
		if d.answered(m) {
			return nil, nil
		}
		outer := d.random
		if d.others == nil {
			d.others = rand.New(rand.NewPCG(d.info.Seed, ^uint64(d.info.Client)))
		}
		d.random = d.others
		defer func() { d.random = outer }()
		message := d.message(m)
		taken := false
		for _, h := range slices.Clone(d.handlers) {
			if !topic.Match(h.filter, m.Topic, standard) {
				continue
			}
			taken = true
			v, err := h.call(goja.Undefined(), message)
			if err == nil {
				_, err = d.settled(v)
			}
			if err != nil {
				return nil, err
			}
		}
		if taken || d.program.stages[model.StageMessage] == nil {
			return nil, nil
		}
		return d.call(model.StageMessage, message)
	})
	return err
}

// Handles tells whether anything would come of a message: if not, it need not
// be kept for the device. It waits while the script computes.
func (d *Device) Handles(name string) bool {
	if d.program.stages[model.StageMessage] != nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.handlers, func(h handler) bool { return topic.Match(h.filter, name, standard) }) ||
		slices.ContainsFunc(d.waiting, func(r *request) bool { return r.wants(name) })
}

// State is the variable state as JSON, without names that begin with __$
// however deep they stand. A state that is too large or no plain value is a
// JSON string that says so. It waits while the script computes.
func (d *Device) State() json.RawMessage {
	var state []byte
	_, err := d.within(context.Background(), maxShowing, "state", func() (goja.Value, error) {
		v := d.variable("state")
		if v == nil || goja.IsUndefined(v) {
			state = []byte("null")
			return nil, nil
		}
		e := encoder{d: d, limit: MaxState, hide: true}
		err := e.value(v, "", 0)
		if err == nil && len(e.out) > MaxState {
			err = tooLong(MaxState)
		}
		if err == nil && e.out == nil {
			e.out = []byte("null")
		}
		state = e.out
		return nil, err
	})
	if err != nil {
		state = quoted("the state cannot be shown: " + strings.TrimPrefix(err.Error(), "state: "))
	}
	return state
}

// variable is a global variable.
func (d *Device) variable(name string) (v goja.Value) {
	if ex := d.vm.Try(func() { v = d.vm.Get(name) }); ex != nil {
		return nil
	}
	return v
}

// SetState replaces the variable state, such as by what State gave in an
// earlier run: a JSON object of at most MaxState bytes.
func (d *Device) SetState(state json.RawMessage) error {
	if len(state) > MaxState {
		return fmt.Errorf("state: %w", tooLong(MaxState))
	}
	_, err := d.enter(context.Background(), "state", func() (goja.Value, error) {
		v, err := d.parse(string(state))
		if err != nil {
			return nil, err
		}
		if o, ok := v.(*goja.Object); !ok || o.ClassName() == "Array" {
			return nil, errors.New("state: it must be a JSON object")
		}
		return nil, d.vm.Set("state", v)
	})
	return err
}

// Close gives back what the device holds. It must not be called in a call.
func (d *Device) Close() {
	d.Interrupt(errors.New("the device is closed"))
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	if d.clock.timer != nil {
		d.clock.timer.Stop()
	}
}
