package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/thingd/thingd/internal/fleet/script"
)

const (
	watchEvery = 50 * time.Millisecond
	// What a device held that was just stopped is not given back at once.
	surelyInnocent = 2 * time.Second
	smallDevice    = 8 << 20 // bytes: stopping one that holds less would not help
)

// watchMemory stops the device that holds most when the process holds more than it may, one after the other. When no device
// holds much, there are too many of them: the run ends.
func (r *Run) watchMemory(ctx context.Context) {
	limit := r.o.MemoryLimit
	if limit <= 0 {
		return
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var innocent time.Time // since when nobody is to blame; zero: somebody is, or there is no need
	var stopped time.Time  // the last one
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if heapBytes() < uint64(limit) {
			innocent = time.Time{}
			continue
		}
		if r.isStopping() && time.Since(stopped) < surelyInnocent {
			continue // what it holds is not another's fault
		}
		runtime.GC() // garbage does not count
		if heapBytes() < uint64(limit)/10*9 {
			innocent = time.Time{}
			continue
		}
		live, found := r.stopCulprit(limit, !innocent.IsZero() && time.Since(innocent) > surelyInnocent)
		switch {
		case found:
			innocent, stopped = time.Time{}, time.Now()
		case innocent.IsZero():
			innocent = time.Now()
		case time.Since(innocent) > surelyInnocent:
			r.abort(fmt.Errorf("%d devices together hold more than the %s that the run may; give it more memory, or run fewer devices", live, bytesText(limit)))
		}
	}
}

// isStopping says whether a device that was stopped is still there.
func (r *Run) isStopping() bool {
	return slices.ContainsFunc(r.all(), func(d *device) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.condemned != nil && d.live != nil
	})
}

// stopCulprit finds the device to blame and stops it: the one that holds most. One that computes cannot be measured; of it is
// known what its lane has allocated, less what the others there hold; in despair the one that computes longest is to blame.
// It answers how many devices there are, and false if none of them is to blame.
func (r *Run) stopCulprit(limit int64, desperate bool) (live int, found bool) {
	var biggest *device
	var size int64
	var measured [script.Lanes]int64
	type busy struct {
		d         *device
		lane      int
		computing time.Duration
	}
	var computing []busy
	for _, d := range r.all() {
		d.mu.Lock()
		vm := d.live
		d.mu.Unlock()
		if vm == nil {
			continue
		}
		live++
		if n, ok := vm.Size(limit); ok {
			measured[vm.Lane()] += n
			if n > size {
				biggest, size = d, n
			}
		} else {
			computing = append(computing, busy{d, vm.Lane(), vm.Running()})
		}
	}
	var suspect, longest busy
	if len(computing) > 0 {
		held := script.Held()
		for _, b := range computing {
			n := held[b.lane] - 2*measured[b.lane] // which is an estimate
			if n >= smallDevice && (n > size || n == size && b.computing > suspect.computing) {
				suspect, size = b, n
			}
			if b.computing > longest.computing {
				longest = b
			}
		}
	}
	switch {
	case suspect.d != nil:
		r.stopDevice(suspect.d, &suspicion{suspect.computing, limit})
	case biggest != nil && size >= smallDevice:
		r.stopDevice(biggest, fmt.Errorf("it was stopped: it holds %s, and the run may hold %s", bytesText(size), bytesText(limit)))
	case desperate && longest.d != nil:
		r.stopDevice(longest.d, &suspicion{longest.computing, limit})
	case live == 0: // devices are being closed
	default:
		return live, false
	}
	return live, true
}

// suspicion is why a device was stopped that could not be measured before.
type suspicion struct {
	computing time.Duration
	limit     int64
}

func (e *suspicion) Error() string {
	return fmt.Sprintf("it was stopped: it computed for %s while the run held more than the %s that it may", e.computing.Round(10*time.Millisecond), bytesText(e.limit))
}

// measured is a suspicion with what the device turned out to hold.
func (d *device) measured(err error) error {
	s, ok := errors.AsType[*suspicion](err)
	if !ok || d.script == nil {
		return err
	}
	if n, ok := d.script.Size(s.limit); ok {
		err = fmt.Errorf("%w; it held %s itself", err, bytesText(n))
	}
	return err
}

func (r *Run) stopDevice(d *device, why error) {
	d.mu.Lock()
	vm := d.live
	told := d.condemned != nil
	if !told {
		d.condemned = why
	}
	d.mu.Unlock()
	if vm == nil || told {
		return
	}
	d.log("error", fmt.Sprintf("device %d: %v", d.number, why))
	vm.Interrupt(why)
	d.wake()
}

// all are the devices that were started.
func (r *Run) all() []*device {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*device, 0, len(r.devices))
	for _, d := range r.devices {
		if d != nil {
			out = append(out, d)
		}
	}
	return out
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
