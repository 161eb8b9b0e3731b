package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// once are the things that one device of a run does for all.
type once struct {
	mu    sync.Mutex
	tasks map[string]*task
	waits map[int]*task // what devices wait for, by their numbers
}

type task struct {
	doer    int // the device that does it
	done    chan struct{}
	over    bool
	waiting int // devices, which take no part in the clock meanwhile
	result  json.RawMessage
	err     error
}

const maxTasks = 1000

// do has f called by the first who asks for the name, and gives all its result. Those who wait let virtual time pass: f may
// sleep. Who would wait for himself, by way of others or not, gets an error.
func (o *once) do(ctx context.Context, c clock, device int, name string, f func() (json.RawMessage, error)) (json.RawMessage, error) {
	o.mu.Lock()
	if o.tasks == nil {
		o.tasks, o.waits = map[string]*task{}, map[int]*task{}
	}
	t := o.tasks[name]
	if t == nil {
		if len(o.tasks) >= maxTasks {
			o.mu.Unlock()
			return nil, fmt.Errorf("there are more than %d names given to once", maxTasks)
		}
		t = &task{doer: device, done: make(chan struct{})}
		o.tasks[name] = t
		o.mu.Unlock()
		finished := false
		defer func() { // a script that is interrupted does not return
			if !finished {
				o.finish(t, c, nil, fmt.Errorf("who did %q for all was stopped", cut(name, 100)))
			}
		}()
		result, err := f()
		finished = true
		o.finish(t, c, result, err)
		return result, err
	}
	if t.over {
		o.mu.Unlock()
		return t.result, t.err
	}
	if o.circular(device, t) {
		o.mu.Unlock()
		return nil, fmt.Errorf("once %q is called inside itself: it would wait for its own end", cut(name, 100))
	}
	t.waiting++
	o.waits[device] = t
	o.mu.Unlock()
	defer o.arrived(device)
	c.Leave()
	select {
	case <-t.done:
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		if !t.over {
			t.waiting--
			c.Enter()
		}
		return nil, context.Cause(ctx)
	}
	return t.result, t.err
}

// circular says whether what a device would wait for waits for the device. o.mu is held.
func (o *once) circular(device int, t *task) bool {
	for ; t != nil && !t.over; t = o.waits[t.doer] {
		if t.doer == device {
			return true
		}
	}
	return false
}

func (o *once) arrived(device int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waits, device)
}

func (o *once) finish(t *task, c clock, result json.RawMessage, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.result, t.err, t.over = result, err, true
	for range t.waiting {
		c.Enter() // for them: time must not pass before they run
	}
	close(t.done)
}
