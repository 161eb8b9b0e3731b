package app

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// spareMemory has garbage collected when the heap has grown by half, and not to double, unless the operator says
// otherwise (GOGC). Most of the heap are connections, which live for hours and make little garbage: what it may grow by is
// paid in memory for each of them, and saves next to nothing. In a storm of them what comes next fills the gaps.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// releaseMemory keeps a storm of MQTT connections from leaving more behind than
// the connections. Handshakes need more than what stays of them: afterwards
// memory goes back to the operating system, since a server to which nobody has
// anything to say collects its garbage only every two minutes.
func (a *App) releaseMemory(ctx context.Context) {
	const few = 100 // connections that have come or gone: fewer do not matter
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	last, released := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := a.broker.Load().Stats().Connections
		over := apart(n, last) <= max(few/10, n/200)
		last = n
		if over && apart(n, released) > max(few, n/20) {
			a.db.Shrink()
			debug.FreeOSMemory()
			released = n
		}
	}
}

func apart(a, b int) int { return max(a-b, b-a) }
