package video

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readSize and writeSize are how much is read and written at once of producers that send faster than cameras do. Whole
	// pages that lie at multiples of their size cost half of what others do.
	readSize, writeSize = 32 << 10, 128 << 10
	// smallSize is the same of cameras: more than most frames.
	smallSize = 8 << 10
	// firstBytes is what a connection waits with: more than the tag that ends a fragment, which is what mostly comes before
	// a wait.
	firstBytes = 96
	// maxLarge bounds the buffers for writing that are lent: a producer that stops in the middle of a fragment keeps one.
	maxLarge = 256

	// A producer is faster than a camera when so many reads in a row did not have to wait: more than a key frame, or
	// what a camera has sent while the disk stalled. It is so until it lets us wait for longer.
	fastStreak = 12
	waited     = time.Millisecond
	waitedLong = 10 * time.Millisecond
)

// buffers lends buffers to connections while they have something to read or to write: few do at any moment, but all
// may when the disk stalls, so they get small ones as long as they read little. The zero value is ready; safe for
// concurrent use.
type buffers struct {
	small, read, write sync.Pool
	large              atomic.Int32 // of those for writing, lent
}

// forReading is an empty buffer with a capacity of readSize, or of smallSize.
func (p *buffers) forReading(large bool) *[]byte {
	if large {
		return lend(&p.read, readSize)
	}
	return lend(&p.small, smallSize)
}

// forWriting is an empty buffer with a capacity of writeSize, of readSize when too many of those are lent, or of smallSize.
func (p *buffers) forWriting(large bool) *[]byte {
	if !large {
		return lend(&p.small, smallSize)
	}
	if p.large.Add(1) > maxLarge {
		p.large.Add(-1)
		return lend(&p.read, readSize)
	}
	return lend(&p.write, writeSize)
}

func lend(pool *sync.Pool, size int) *[]byte {
	if b, ok := pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, size)
	return &b
}

func (p *buffers) put(b *[]byte) {
	*b = (*b)[:0]
	switch cap(*b) {
	case writeSize:
		p.large.Add(-1)
		p.write.Put(b)
	case readSize:
		p.read.Put(b)
	default:
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
			r.lent = r.x.s.buffers.forReading(false)
		}
	} else if r.lent == nil {
		r.lent = r.x.s.buffers.forReading(true)
	}
	b := r.first[:]
	if r.lent != nil {
		b = (*r.lent)[:cap(*r.lent)]
	}
	began := r.x.now()
	n, err := r.x.receive(b)
	patience := waited
	if r.fast() {
		patience = waitedLong
	}
	if r.streak++; time.Duration(r.x.now()-began) > patience {
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
