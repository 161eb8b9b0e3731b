package broker

import (
	"sync"
	"time"
)

// bucket lets so many through a second, and at once a second's worth. The zero
// bucket is full. It is for one goroutine, or under a lock.
type bucket struct {
	used float64
	at   int64 // monotonic nanoseconds
}

// take takes one out if there is one; a rate of 0 is none.
func (b *bucket) take(rate int, now int64) bool { return b.takeOf(rate, rate, now) }

// takeOf is take of a bucket that holds so many at once.
func (b *bucket) takeOf(most, rate int, now int64) bool {
	if rate == 0 {
		return true
	}
	b.leak(rate, now)
	if b.used+1 > float64(most) {
		return false
	}
	b.used++
	return true
}

// owe takes n out in any case and says how long to wait until that is made good.
func (b *bucket) owe(n, rate int, now int64) time.Duration {
	if rate == 0 {
		return 0
	}
	b.leak(rate, now)
	b.used += float64(n)
	if b.used <= float64(rate) {
		return 0
	}
	return time.Duration((b.used - float64(rate)) / float64(rate) * float64(time.Second))
}

func (b *bucket) leak(rate int, now int64) {
	b.used = max(0, b.used-float64(now-b.at)/float64(time.Second)*float64(rate))
	b.at = now
}

// sharedBucket is a bucket for many.
type sharedBucket struct {
	mu   sync.Mutex
	rate int
	b    bucket
}

func (s *sharedBucket) take(now int64) bool {
	if s.rate == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.take(s.rate, now)
}

// accountRates are an account's.
type accountRates struct {
	connect, subscribe, in, out, queue, retain sharedBucket
}

func (r *accountRates) init(l *Limits) {
	r.connect.rate, r.subscribe.rate, r.in.rate = l.ConnectRate, l.SubscribeRate, l.PublishInRate
	r.out.rate, r.queue.rate, r.retain.rate = l.PublishOutRate, l.QueueRate, l.RetainRate
}
