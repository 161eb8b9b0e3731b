package script

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// Bounds of a call.
const (
	maxComputing = 10 * time.Second // without the time in the host
	maxShowing   = time.Second      // of State
	maxCalls     = 4000             // functions in each other
)

// frame is one call of a device; a message that arrives in a call of the host
// is a frame in a frame.
type frame struct {
	ctx   context.Context
	left  time.Duration // of the time to compute
	cause error         // why it was interrupted
	ended bool
}

// clock is what ends calls. Its lock is held for moments only.
type clock struct {
	mu       sync.Mutex
	frame    *frame
	since    time.Time // when the script began to compute; zero while it does not
	timer    *time.Timer
	armed    bool
	due      time.Time // when it fires
	shutdown error     // Interrupt's reason: nothing runs any more
}

// enter runs f as a call of the script and explains its error.
func (d *Device) enter(ctx context.Context, place string, f func() (goja.Value, error)) (goja.Value, error) {
	return d.within(ctx, d.quota, place, f)
}

// within is enter with a time to compute.
func (d *Device) within(ctx context.Context, quota time.Duration, place string, f func() (goja.Value, error)) (goja.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Place: place, Name: "Stopped", Message: err.Error(), Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fr := &frame{ctx: ctx, left: quota}
	outer, err := d.begin(fr)
	if err != nil {
		return nil, &Error{Place: place, Name: "Stopped", Message: err.Error(), Err: err}
	}
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { d.halt(fr, context.Cause(ctx)) })
	}
	v, err := d.safely(f)
	if err == nil && len(d.rejected) > 0 && outer == nil {
		err = d.rejection()
	}
	explained := err
	if _, failed := d.safely(func() (goja.Value, error) {
		explained = d.explain(place, fr, err) // which may run code of the script
		return nil, nil
	}); failed != nil {
		explained = d.explain(place, fr, failed)
	}
	stop()
	d.end(fr, outer)
	return v, explained
}

// errInternal is a fault of ours or of the runtime's, not of the script.
var errInternal = errors.New("internal error")

// safely runs what may throw without having been called by the script. A
// panic that is no exception ends the device and nothing else.
func (d *Device) safely(f func() (goja.Value, error)) (v goja.Value, err error) {
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		if e, ok := x.(error); ok && uncatchable(e) {
			v, err = nil, e
			return
		}
		v, err = nil, fmt.Errorf("%w: %v", errInternal, x)
		d.Interrupt(err)
	}()
	var ex *goja.Exception
	inLane(d.Lane(), func() { ex = d.vm.Try(func() { v, err = f() }) })
	if ex != nil {
		return nil, ex
	}
	return v, err
}

// begin starts the clock of a call; the frame around it is given back.
func (d *Device) begin(fr *frame) (*frame, error) {
	c := &d.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shutdown != nil {
		return nil, c.shutdown
	}
	outer := c.frame
	if outer == nil || outer.cause == nil {
		d.vm.ClearInterrupt()
	}
	c.frame = fr
	d.resume(fr)
	return outer, nil
}

func (d *Device) end(fr, outer *frame) {
	c := &d.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	fr.ended, c.since, c.frame = true, time.Time{}, outer
	if fr.cause != nil && (outer == nil || outer.cause == nil) && c.shutdown == nil {
		d.vm.ClearInterrupt()
	}
}

// resume has the script's time run; clock.mu is held.
func (d *Device) resume(fr *frame) {
	c := &d.clock
	c.since = time.Now()
	if due := c.since.Add(fr.left); !c.armed || due.Before(c.due) {
		d.arm(fr.left)
	}
}

// arm sets the timer, which may fire too early but not too late: so most calls
// find it set. clock.mu is held.
func (d *Device) arm(in time.Duration) {
	c := &d.clock
	c.armed, c.due = true, time.Now().Add(in)
	if c.timer == nil {
		c.timer = time.AfterFunc(in, d.expire)
		return
	}
	c.timer.Reset(in)
}

// expire ends the call that computes if its time is over.
func (d *Device) expire() {
	c := &d.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if c.since.IsZero() || c.frame == nil {
		return
	}
	if left := c.frame.left - time.Since(c.since); left > 0 {
		d.arm(left)
		return
	}
	d.interrupt(c.frame, errTime)
}

// interrupt ends a frame; clock.mu is held.
func (d *Device) interrupt(fr *frame, cause error) {
	if fr.ended {
		return
	}
	if fr.cause == nil {
		fr.cause = cause
	}
	d.vm.Interrupt(cause)
}

func (d *Device) halt(fr *frame, cause error) {
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	d.interrupt(fr, cause)
}

// cause is why a frame was interrupted.
func (d *Device) cause(fr *frame) error {
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	switch {
	case d.clock.shutdown != nil:
		return d.clock.shutdown
	case fr.cause != nil:
		return fr.cause
	case d.clock.frame != nil && d.clock.frame.cause != nil:
		return d.clock.frame.cause
	}
	return ErrStopped
}

// outside is ask, and throws the error.
func (d *Device) outside(call func(ctx context.Context) error) {
	if err := d.ask(call); err != nil {
		d.throwHost(err)
	}
}

// ask runs a call of the host: the script's clock stands still, and others may
// look at the device.
func (d *Device) ask(call func(ctx context.Context) error) error {
	c := &d.clock
	c.mu.Lock()
	fr := c.frame
	fr.left -= time.Since(c.since)
	c.since = time.Time{}
	c.mu.Unlock()
	err := d.unlocked(fr.ctx, call)
	c.mu.Lock()
	c.frame = fr
	if ended := fr.ctx.Err(); ended != nil {
		d.interrupt(fr, context.Cause(fr.ctx)) // whatever the script would catch
	}
	d.resume(fr)
	c.mu.Unlock()
	return err
}

func (d *Device) unlocked(ctx context.Context, call func(ctx context.Context) error) error {
	d.mu.Unlock()
	defer d.mu.Lock()
	return call(ctx)
}

// Running is how long the script has been computing without a call of the
// host, 0 when it is not.
func (d *Device) Running() time.Duration {
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	if d.clock.since.IsZero() {
		return 0
	}
	return max(time.Since(d.clock.since), 1)
}

// Interrupt ends the call that is computing with an error around reason
// (ErrStopped if it is nil), and every later one: a script cannot catch it.
// Calls of the host are not ended: their context does that.
func (d *Device) Interrupt(reason error) {
	if reason == nil {
		reason = ErrStopped
	}
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	if d.clock.shutdown == nil {
		d.clock.shutdown = reason
	}
	d.vm.Interrupt(reason)
}
