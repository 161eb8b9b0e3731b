package engine

import (
	"math"
	"slices"
	"sync"
)

// histogram counts values in buckets that are one part in 64 wide, from 2^-20 to 2^44 and the same below zero; what is
// nearer to zero counts as zero, what is beyond as the last. It holds what has been seen: some dozens of buckets as a rule,
// 8,193 at most.
type histogram struct {
	mu       sync.Mutex
	buckets  map[int32]uint64
	count    uint64
	sum      float64
	min, max float64
}

const (
	subBuckets  = 64
	lowExponent = -20
	maxExponent = 44
)

// bucketOf is the number of a value's bucket: 0 for zero, negative for negative values.
func bucketOf(v float64) int32 {
	if v < 0 {
		return -bucketOf(-v)
	}
	fraction, exponent := math.Frexp(v) // v = fraction × 2^exponent, fraction from 0.5 to 1
	switch exponent--; {
	case v == 0 || exponent < lowExponent:
		return 0
	case exponent >= maxExponent:
		exponent, fraction = maxExponent-1, math.Nextafter(1, 0)
	}
	return int32((exponent-lowExponent)*subBuckets+int((fraction-0.5)*2*subBuckets)) + 1
}

// middle is the value that stands for a bucket.
func middle(bucket int32) float64 {
	if bucket < 0 {
		return -middle(-bucket)
	}
	if bucket == 0 {
		return 0
	}
	exponent, sub := (bucket-1)/subBuckets, (bucket-1)%subBuckets
	return math.Ldexp(1+(float64(sub)+0.5)/subBuckets, int(exponent)+lowExponent)
}

// add counts a value; what is no number is passed over.
func (h *histogram) add(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.buckets == nil {
		h.buckets = map[int32]uint64{}
	}
	if h.count == 0 || v < h.min {
		h.min = v
	}
	if h.count == 0 || v > h.max {
		h.max = v
	}
	h.buckets[bucketOf(v)]++
	h.count++
	h.sum += v
}

// reset forgets everything.
func (h *histogram) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.buckets)
	h.count, h.sum, h.min, h.max = 0, 0, 0, 0
}

// distribution is what a histogram says.
type distribution struct {
	count         uint64
	min, avg, max float64
	at            []float64 // the percentiles that were asked for
}

// read tells percentiles (0 to 100, in any order): each the value that so many percent of the values do not exceed.
func (h *histogram) read(percentiles ...float64) distribution {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := distribution{count: h.count, min: h.min, max: h.max, at: make([]float64, len(percentiles))}
	if h.count == 0 {
		return d
	}
	d.avg = h.sum / float64(h.count)
	keys := make([]int32, 0, len(h.buckets))
	for k := range h.buckets {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, p := range percentiles {
		want := max(uint64(math.Ceil(p/100*float64(h.count))), 1)
		var seen uint64
		for _, k := range keys {
			if seen += h.buckets[k]; seen >= want {
				d.at[i] = min(max(middle(k), h.min), h.max)
				break
			}
		}
	}
	return d
}
