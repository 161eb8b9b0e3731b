package video

import (
	"sync"
	"time"
)

const (
	// bufferSize is how much is read and written at once of producers that send faster than cameras do.
	bufferSize = 32 << 10
	// idleBuffer is what a connection keeps while it waits for bytes.
	idleBuffer = 4 << 10

	// A producer is faster than a camera when so many reads in a row did not have to wait: more than a key frame, or
	// what a camera has sent while the disk stalled.
	fastStreak = 12
	waited     = time.Millisecond
)

// buffers lends buffers to connections while they have something to read or to write: few do at any moment, but all
// may when the disk stalls, so they get small ones as long as they read little. The zero value is ready; safe for
// concurrent use.
type buffers struct{ small, large sync.Pool }

// get is an empty buffer: with a capacity of bufferSize, or of 2*idleBuffer.
func (p *buffers) get(large bool) *[]byte {
	pool, size := &p.small, 2*idleBuffer
	if large {
		pool, size = &p.large, bufferSize
	}
	if b, ok := pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, size)
	return &b
}

func (p *buffers) put(b *[]byte) {
	*b = (*b)[:0]
	if cap(*b) == bufferSize {
		p.large.Put(b)
	} else {
		p.small.Put(b)
	}
}
