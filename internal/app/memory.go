package app

import (
	"context"
	"runtime/debug"
	"time"
)

// releaseMemory gives memory back to the operating system when a storm of MQTT
// connections is over. Handshakes leave behind as much as connections keep, and a
// server to which nobody has anything to say collects its garbage only every two
// minutes.
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
			debug.FreeOSMemory()
			released = n
		}
	}
}

func apart(a, b int) int { return max(a-b, b-a) }
