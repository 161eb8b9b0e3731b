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

// releaseMemory gives memory back when devices have come, and no more do: not in the run of a few moments.
func (r *Run) releaseMemory(ctx context.Context) {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	var c comings
	for {
		select {
		case now := <-tick.C:
			if c.over(r.online.Load(), now) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}

// comings tells from the number of connections when many have come, or gone.
type comings struct {
	last, released int64
	at             time.Time
}

// over says whether it is time to give memory back: the number has changed by more than a twentieth since the last time, and
// changes no more.
func (c *comings) over(n int64, now time.Time) bool {
	settled := max(n-c.last, c.last-n) <= n/200
	c.last = n
	if !settled || max(n-c.released, c.released-n) <= n/20 || now.Sub(c.at) < releasePause {
		return false
	}
	c.released, c.at = n, now
	return true
}

// aside calls f on a goroutine of its own and waits for it. A script needs a stack of many kilobytes, and goroutines keep what
// they have had: this is how a device that goes on to wait for long gets rid of it.
func aside(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}

// longWait is an interval beside which a goroutine costs nothing.
const longWait = 5 * time.Second
