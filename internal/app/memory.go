package app

import (
	"context"
	"runtime/debug"
	"time"
)

// releaseMemory keeps a storm of MQTT connections from leaving more behind than
// the connections. Handshakes need more than what stays of them: while many come,
// the garbage among it is collected sooner, so that what comes next fills the
// gaps, and afterwards memory goes back to the operating system, since a server to
// which nobody has anything to say collects its garbage only every two minutes.
func (a *App) releaseMemory(ctx context.Context) {
	const few = 100 // connections that have come or gone: fewer do not matter
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	last, released := 0, 0
	calm := func() {}
	defer func() { calm() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := a.broker.Load().Stats().Connections
		over := apart(n, last) <= max(few/10, n/200)
		if n > last+few && n > released {
			calm()
			calm = collectSooner()
		}
		last = n
		if over && apart(n, released) > max(few, n/20) {
			a.db.Shrink()
			debug.FreeOSMemory()
			released = n
		}
		if over {
			calm()
			calm = func() {}
		}
	}
}

// soonerPercent is GOGC in a storm.
const soonerPercent = 50

// collectSooner has the garbage collected sooner until calm is called, unless the
// operator has said when.
func collectSooner() (calm func()) {
	before := debug.SetGCPercent(soonerPercent)
	if before != 100 {
		debug.SetGCPercent(before)
		return func() {}
	}
	return func() { debug.SetGCPercent(before) }
}

func apart(a, b int) int { return max(a-b, b-a) }
