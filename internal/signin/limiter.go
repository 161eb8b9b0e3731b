package signin

import (
	"net/netip"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fresh"
)

// An address that fails with many users is slowed down as one that fails with
// one is: it has burst failures at once, and one more every refill.
const (
	burst  = 60
	refill = 10 * time.Second
)

// limiter counts failed attempts by source address, in bounded memory: an
// address that is forgotten starts anew. The zero value is ready to use.
type limiter struct {
	mu      sync.Mutex
	buckets fresh.Cache[netip.Prefix, bucket]
}

// bucket is what an address has left at a time.
type bucket struct {
	left float64
	at   time.Time
}

// source is whom an address belongs to: of IPv6, where a client has a network.
func source(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// take uses up one attempt, or says how long to wait for one. Whoever succeeds
// gives it back.
func (l *limiter) take(from netip.Prefix, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(from, now)
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(refill)), false
	}
	b.left--
	l.buckets.Put(from, b)
	return 0, true
}

// giveBack returns what take took.
func (l *limiter) giveBack(from netip.Prefix, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(from, now)
	b.left = min(b.left+1, burst)
	l.buckets.Put(from, b)
}

func (l *limiter) bucket(from netip.Prefix, now time.Time) bucket {
	b, known := l.buckets.Get(from)
	if !known {
		return bucket{burst, now}
	}
	if since := now.Sub(b.at); since > 0 {
		b.left = min(b.left+float64(since)/float64(refill), burst)
		b.at = now
	}
	return b
}
