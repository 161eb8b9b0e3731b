package shadow

import (
	"sync"
	"time"
)

// gate holds the clients of each thing to its account's limits.
type gate struct {
	mu     sync.Mutex
	things map[thing]*usage
	sweep  int // number of things at which those that are idle are forgotten
}

// thing is whose shadows; it need not be in the registry.
type thing struct{ account, region, name string }

// usage is what is going on with a thing's shadows.
type usage struct {
	rate    float64   // requests a second
	tokens  float64   // requests that may come now
	at      time.Time // of the tokens
	flights map[string]int
}

// enter counts a request that came on a connection, and says whether it is within the limits. If it is, leave has to
// be called when it is answered. Requests without a connection are not in flight.
func (g *gate) enter(t thing, connection string, l Limits, now time.Time) bool {
	if l.Rate == 0 && l.InFlight == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	u := g.things[t]
	if u == nil {
		u = &usage{tokens: float64(l.Rate), at: now}
		g.add(t, u, now)
	}
	u.rate = float64(l.Rate)
	u.fill(now)
	if l.Rate > 0 && u.tokens < 1 {
		return false
	}
	if connection != "" && l.InFlight > 0 {
		if u.flights[connection] >= l.InFlight {
			return false
		}
		if u.flights == nil {
			u.flights = map[string]int{}
		}
		u.flights[connection]++
	}
	u.tokens = max(0, u.tokens-1)
	return true
}

// fill adds the tokens of the time since; a clock that was set back adds none.
func (u *usage) fill(now time.Time) {
	if since := now.Sub(u.at); since > 0 {
		u.tokens = min(u.rate, u.tokens+u.rate*since.Seconds())
	}
	u.at = now
}

// leave is called when a request that entered is answered.
func (g *gate) leave(t thing, connection string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := g.things[t]
	if u == nil || u.flights[connection] == 0 {
		return
	}
	if u.flights[connection]--; u.flights[connection] == 0 {
		delete(u.flights, connection)
	}
}

// add remembers a thing. Now and then it forgets those with which nothing is going on, which a new start would treat
// the same.
func (g *gate) add(t thing, u *usage, now time.Time) {
	const least = 1024
	if g.things == nil {
		g.things, g.sweep = map[thing]*usage{}, least
	}
	if len(g.things) >= g.sweep {
		for k, u := range g.things {
			if u.fill(now); len(u.flights) == 0 && u.tokens >= u.rate {
				delete(g.things, k)
			}
		}
		g.sweep = max(least, 2*len(g.things))
	}
	g.things[t] = u
}
