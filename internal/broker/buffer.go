package broker

import (
	"slices"
	"sync"
	"sync/atomic"
)

// bufferSize is what a read takes at once, and a TLS record at most.
const bufferSize = 16 << 10

// keptBuffer is the largest buffer that goes back to a pool: bursts do not stay in
// memory.
const keptBuffer = 16 * bufferSize

// buffer is bytes that belong to nobody for long: connections borrow one while
// there is something in it.
type buffer struct{ b []byte }

// buffers are by size: of bufferSize, four times as much, and keptBuffer.
var buffers = [...]sync.Pool{bufferPool(bufferSize), bufferPool(4 * bufferSize), bufferPool(keptBuffer)}

func bufferPool(size int) sync.Pool {
	return sync.Pool{New: func() any { return &buffer{make([]byte, 0, size)} }}
}

// takeBuffer borrows an empty buffer with room for bufferSize bytes.
func takeBuffer() *buffer { return buffers[0].Get().(*buffer) }

// append adds bytes.
func (x *buffer) append(p []byte) {
	x.room(len(p))
	x.b = append(x.b, p...)
}

// room sees to it that n more bytes can be added. What is too small is exchanged
// for a buffer of the next size.
func (x *buffer) room(n int) {
	need := len(x.b) + n
	if need <= cap(x.b) {
		return
	}
	if need > keptBuffer {
		x.b = slices.Grow(x.b, n)
		return
	}
	i := 1
	if need > 4*bufferSize {
		i = 2
	}
	larger := buffers[i].Get().(*buffer)
	larger.b = append(larger.b, x.b...)
	x.b, larger.b = larger.b, x.b
	larger.give()
}

// give gives a buffer back. Nothing may be kept of its bytes.
func (x *buffer) give() {
	x.b = x.b[:0]
	switch cap(x.b) {
	case bufferSize:
		buffers[0].Put(x)
	case 4 * bufferSize:
		buffers[1].Put(x)
	case keptBuffer:
		buffers[2].Put(x)
	}
}

// mostMemory is how many bytes all connections together may hold beyond
// keptBuffer each: what waits for slow readers, and packets that are still to
// come whole. Whoever asks for more then is dropped.
const mostMemory = 256 << 20

// budget is what is used of it.
type budget struct{ used atomic.Int64 }

func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > mostMemory {
		b.give(n)
		return false
	}
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }
