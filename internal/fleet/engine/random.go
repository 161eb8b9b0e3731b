package engine

import (
	"math/rand/v2"
	"time"
)

// What a device's random numbers are for: each purpose has a stream of its own, so that none disturbs another. All come of
// the run's seed and the device's number, but for the times of reconnection.
const (
	forJitter  = 1 // of its intervals
	forLoss    = 2 // of its messages
	forNetwork = 3 // of its connections
)

func random(seed uint64, client, purpose int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(client)<<8|uint64(purpose)))
}

// upTo is a duration from 0 to d.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(d) + 1))
}
