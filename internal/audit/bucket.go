package audit

import "time"

// bucket limits a rate.
type bucket struct {
	perSecond, most, tokens float64
	at                      time.Time
}

// take says whether one more is within the rate.
func (b *bucket) take(now time.Time) bool {
	if passed := now.Sub(b.at); passed > 0 {
		if !b.at.IsZero() {
			b.tokens = min(b.most, b.tokens+passed.Seconds()*b.perSecond)
		}
		b.at = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
