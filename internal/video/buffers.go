package video

import (
	"sync"
	"time"
)

const (
	// bufferSize is how much is read and written at once of producers that send faster than cameras do.
	bufferSize = 32 << 10
	// smallBuffer is the same of cameras: what net/http has read of the body at most.
	smallBuffer = 4 << 10
	// firstBytes is what a connection waits with: more than the tag that ends a fragment, which is what mostly comes before
	// a wait.
	firstBytes = 96

	// A producer is faster than a camera when so many reads in a row did not have to wait: more than a key frame, or
	// what a camera has sent while the disk stalled.
	fastStreak = 12
	waited     = time.Millisecond
)

// buffers lends buffers to connections while they have something to read or to write: few do at any moment, but all
// may when the disk stalls, so they get small ones as long as they read little. The zero value is ready; safe for
// concurrent use.
type buffers struct{ small, large sync.Pool }

// get is an empty buffer: with a capacity of bufferSize, or of smallBuffer.
func (p *buffers) get(large bool) *[]byte {
	pool, size := &p.small, smallBuffer
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

// bodyReader reads a session's body.
type bodyReader struct {
	x      *session
	first  [firstBytes]byte
	lent   *[]byte
	streak int  // reads that did not have to wait
	full   bool // the last one filled what it had
}

// next answers what comes next of the body, which is good until the following call. It waits with a few bytes, and takes
// a buffer once they were full: there are more then, mostly.
func (r *bodyReader) next() ([]byte, error) {
	if !r.fast() {
		r.done()
		if r.full {
			r.lent = r.x.s.buffers.get(false)
		}
	} else if r.lent == nil {
		r.lent = r.x.s.buffers.get(true)
	}
	b := r.first[:]
	if r.lent != nil {
		b = (*r.lent)[:cap(*r.lent)]
	}
	began := r.x.now()
	n, err := r.x.receive(b)
	if r.streak++; time.Duration(r.x.now()-began) > waited {
		r.streak = 0
	}
	r.full = n == len(b)
	return b[:n], err
}

// fast says that the producer is faster than cameras are.
func (r *bodyReader) fast() bool { return r.streak >= fastStreak }

// done gives back what is lent.
func (r *bodyReader) done() {
	if r.lent != nil {
		r.x.s.buffers.put(r.lent)
		r.lent = nil
	}
}

// receive is one Read of the body. It is known meanwhile since when it waits.
func (x *session) receive(b []byte) (int, error) {
	x.reading.Store(x.now())
	n, err := x.body.Read(b)
	x.reading.Store(0)
	if n > 0 {
		x.arrives.CompareAndSwap(0, x.now())
	}
	return n, err
}
