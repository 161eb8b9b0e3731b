package video

import "sync"

// live wakes those who wait for a stream's next fragment. The zero value is ready.
type live struct {
	mu      sync.Mutex
	streams map[string]chan struct{}
}

// next returns a channel that is closed when the stream has a new fragment. Take it before looking for
// fragments, so that none slips in between.
func (l *live) next(stream string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.streams[stream]
	if c == nil {
		if l.streams == nil {
			l.streams = map[string]chan struct{}{}
		}
		c = make(chan struct{})
		l.streams[stream] = c
	}
	return c
}

// changed wakes all who wait for the stream.
func (l *live) changed(stream string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.streams[stream]; c != nil {
		close(c)
		delete(l.streams, stream)
	}
}
