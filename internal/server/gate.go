package server

import "runtime"

// gate bounds how many TLS handshakes compute at a time: a storm of them takes
// its share of the processors, and those who are connected theirs. A handshake
// that waits for its client is outside, so that slow clients keep nobody out. A
// nil gate lets all through.
type gate chan struct{}

func newGate() gate { return make(gate, runtime.GOMAXPROCS(0)) }

func (g gate) enter() {
	if g != nil {
		g <- struct{}{}
	}
}

func (g gate) leave() {
	if g != nil {
		<-g
	}
}
