package broker

import "sync"

// bufferSize is what a read takes at once, and a TLS record at most.
const bufferSize = 16 << 10

// keptBuffer is the largest buffer that goes back to the pool: bursts do not
// stay in memory.
const keptBuffer = 64 << 10

// buffer is bytes that belong to nobody for long: connections borrow one while
// there is something in it.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, bufferSize)} }}

// takeBuffer borrows an empty buffer with room for bufferSize bytes.
func takeBuffer() *buffer { return buffers.Get().(*buffer) }

// give gives a buffer back. Nothing may be kept of its bytes.
func (x *buffer) give() {
	if cap(x.b) <= keptBuffer {
		x.b = x.b[:0]
		buffers.Put(x)
	}
}
