package engine

import (
	"errors"
	"sync"

	"github.com/thingd/thingd/internal/fleet/script"
)

const (
	maxInbox      = 256
	maxInboxBytes = 1 << 20
)

var errInboxFull = errors.New("messages were dropped: too many waited for the script")

// inbox is what a device received and its script has not seen. The zero value is empty.
type inbox struct {
	mu     sync.Mutex
	queue  []script.Message
	bytes  int
	closed bool
}

// put appends a message; false if there is no room.
func (b *inbox) put(m script.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := len(m.Topic) + len(m.Payload)
	if b.closed || len(b.queue) >= maxInbox || len(b.queue) > 0 && b.bytes+size > maxInboxBytes {
		return b.closed
	}
	b.queue = append(b.queue, m)
	b.bytes += size
	return true
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// take takes the first message.
func (b *inbox) take() (script.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return script.Message{}, false
	}
	m := b.queue[0]
	b.bytes -= len(m.Topic) + len(m.Payload)
	b.queue[0] = script.Message{}
	if b.queue = b.queue[1:]; len(b.queue) == 0 {
		b.queue = nil
	}
	return m, true
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue, b.bytes, b.closed = nil, 0, true
}
