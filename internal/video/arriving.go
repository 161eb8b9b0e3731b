package video

import (
	"slices"
	"sync"
	"time"
)

// arriving knows which fragments have got their number and are not in the index yet. Those who read a stream while it is
// written go by numbers: what one producer is slow with must not be passed because another was quick. Safe for
// concurrent use; the zero value is ready.
type arriving struct {
	mu      sync.Mutex
	streams map[string][]arrival // by stream: one or two mostly
}

// arrival is one fragment on its way.
type arrival struct {
	number string
	from   any // the connection
	began  time.Time
	// stuck says that the connection brings nothing, for now at least.
	stuck func() bool
}

// holdArrival is how long others wait for a fragment from its begin on: a little more than fragments may last.
const holdArrival = 25 * time.Second

// begin gives one of n's numbers to a fragment that came at a server time and is on its way from a connection.
func (a *arriving) begin(n *numbers, stream string, server int64, from any, stuck func() bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	number := n.next(server)
	if a.streams == nil {
		a.streams = map[string][]arrival{}
	}
	a.streams[stream] = append(a.streams[stream], arrival{number, from, time.Now(), stuck})
	return number
}

// end says that a fragment is in the index.
func (a *arriving) end(stream, number string) {
	a.forget(stream, func(on arrival) bool { return on.number == number })
}

// leave says that nothing more comes from a connection, and whether something was on its way.
func (a *arriving) leave(stream string, from any) bool {
	return a.forget(stream, func(on arrival) bool { return on.from == from })
}

// forget takes fragments away from those on their way, and says whether there were any.
func (a *arriving) forget(stream string, which func(arrival) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.streams[stream]
	left := slices.DeleteFunc(before, which)
	if len(left) == 0 {
		delete(a.streams, stream)
	} else {
		a.streams[stream] = left
	}
	return len(left) < len(before)
}

// settled is a number below which the index has all of a stream's fragments that are to come, but for late ones: what
// is stuck, or takes too long, is not waited for. held says that it is a fragment on its way that holds the others up.
// Ask before looking into the index.
func (a *arriving) settled(n *numbers, stream string, now int64) (number string, held bool, late []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	number = n.next(now)
	for _, on := range a.streams[stream] {
		switch {
		case time.Since(on.began) > holdArrival || on.stuck():
			late = append(late, on.number)
		case on.number < number:
			number, held = on.number, true
		}
	}
	return number, held, late
}

// has says whether a fragment is on its way.
func (a *arriving) has(stream, number string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.streams[stream], func(on arrival) bool { return on.number == number })
}

// stuckAfter is how long a connection may be silent within a fragment before others stop to wait for it.
const stuckAfter = 3 * time.Second

// stuck says that the connection has been silent for long.
func (x *session) stuck() bool {
	since := x.reading.Load()
	return since != 0 && time.Since(x.began)-time.Duration(since) > stuckAfter
}
