package awsapi

import (
	"context"
	"net/http"
	"time"
)

// streamWriteTimeout is how long a client may refuse bytes of a stream.
const streamWriteTimeout = 30 * time.Second

// StreamWriter writes the payload of a streaming answer. A client that takes
// nothing for 30 seconds, or up to one less, fails the write. Not safe for
// concurrent use.
type StreamWriter struct {
	ctx      context.Context
	w        http.ResponseWriter
	rc       *http.ResponseController
	extended time.Time
}

// Context ends when the client has gone, or may not go on.
func (w *StreamWriter) Context() context.Context { return w.ctx }

// Write buffers or sends p.
func (w *StreamWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.w.Write(p)
}

// Flush sends what was written, as one chunk.
func (w *StreamWriter) Flush() error {
	w.extend()
	return w.rc.Flush()
}

// extend gives the client its time anew, once a second: answers of many small
// parts would spend it on timers. Errors of a deadline show in the write.
func (w *StreamWriter) extend() {
	if now := time.Now(); now.Sub(w.extended) > time.Second {
		w.extended = now
		_ = w.rc.SetWriteDeadline(now.Add(streamWriteTimeout))
	}
}
