package script

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dop251/goja"
)

// ErrStopped is the reason of errors of calls that Interrupt stopped without
// one of its own.
var ErrStopped = errors.New("it was stopped")

// Device is one virtual device. Run, Message and Expand are for one goroutine
// at a time; the other methods may be called from any.
type Device struct {
	program *Program
	info    Info
	host    Host
	vm      *goja.Runtime
	stages  map[string]goja.Callable
}

// NewDevice makes a device and runs the model's script once.
func (p *Program) NewDevice(i Info, h Host) (*Device, error) {
	d := &Device{program: p, info: i, host: h, vm: goja.New(), stages: map[string]goja.Callable{}}
	d.vm.Set("state", d.vm.NewObject())
	d.vm.Set("settings", i.Settings)
	d.vm.Set("client", func() int { return i.Client })
	if _, err := d.vm.RunProgram(p.script); err != nil {
		return nil, err
	}
	return d, nil
}

// Run runs a stage. What it returns is to be published when published is true:
// bytes of a string or Buffer, or an object's JSON. A model without the stage
// is no error. An error is the device's end unless the engine thinks otherwise;
// it names stage and line.
func (d *Device) Run(ctx context.Context, stage string, iteration int) (payload []byte, published bool, err error) {
	fn, ok := d.stages[stage]
	if !ok {
		program, ok := d.program.stages[stage]
		if !ok {
			return nil, false, nil
		}
		v, err := d.vm.RunProgram(program)
		if err != nil {
			return nil, false, err
		}
		fn, _ = goja.AssertFunction(v)
		d.stages[stage] = fn
	}
	v, err := fn(goja.Undefined())
	if err != nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil, false, err
	}
	if s, ok := v.Export().(string); ok {
		return []byte(s), true, nil
	}
	payload, err = json.Marshal(v)
	return payload, true, err
}

// Message hands a received message to the functions given to subscribe() for
// its topic, and else to stage message, if there is one. The payload is the
// device's from then on.
func (d *Device) Message(ctx context.Context, m Message) error { return nil }

// Handles tells whether anything would come of a message: when not, the
// engine need not keep it.
func (d *Device) Handles(topic string) bool { return true }

// Expand evaluates a template: text with expressions between {{ and }}.
func (d *Device) Expand(template string) (string, error) { return template, nil }

// State is the variable state as JSON without names that begin with __$.
func (d *Device) State() json.RawMessage { return json.RawMessage("{}") }

// SetState replaces the variable state, such as by what State gave in an
// earlier run.
func (d *Device) SetState(state json.RawMessage) error { return nil }

// Running is how long the script has been computing without a call of the
// host, 0 when it is not.
func (d *Device) Running() time.Duration { return 0 }

// Interrupt ends the call that is computing with an error around reason, and
// every later one: a script cannot catch it.
func (d *Device) Interrupt(reason error) { d.vm.Interrupt(reason) }

// Size is about how many bytes the device's values hold, up to limit, at which
// it stops counting. It is false while the script is computing.
func (d *Device) Size(limit int64) (int64, bool) { return 0, true }

// Close gives back what the device holds. It must not be called during a call.
func (d *Device) Close() {}
