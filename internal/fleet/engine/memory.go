package engine

import (
	"context"
	"runtime/debug"
	"time"
)

// manyDevices is from how many on memory counts more than the collector's time.
const manyDevices = 500

// SpareMemory has the process hold little more than its devices do. With many of them, whose runtimes and connections are much
// and who drop little, the garbage collector works sooner; with any number, memory goes back to the operating system once they
// are connected, for connecting takes more than staying. It is about the whole process: for those that do the run and nothing
// else, and before Do.
func (r *Run) SpareMemory() {
	if r.o.Run.Clients >= manyDevices {
		debug.SetGCPercent(50)
	}
	r.sparing = true
}

const (
	releaseEvery = 2 * time.Second  // it is seen whether devices still come
	releasePause = 10 * time.Second // between two releases, at least
)

// releaseMemory gives memory back when devices have come, and no more do: not in the run of a few moments, and not again
// before a twentieth of them has changed.
func (r *Run) releaseMemory(ctx context.Context) {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	last, released := int64(0), int64(0)
	var at time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := r.online.Load()
		settled := max(n-last, last-n) <= n/200
		last = n
		if settled && max(n-released, released-n) > n/20 && time.Since(at) > releasePause {
			debug.FreeOSMemory()
			released, at = n, time.Now()
		}
	}
}

// atRest calls f on a goroutine of its own and waits for it. A script needs a stack of many kilobytes, and goroutines keep what
// they have had: this is how a device that goes on to wait for long gets rid of it.
func atRest(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}

// longWait is an interval beside which a goroutine costs nothing.
const longWait = 5 * time.Second
