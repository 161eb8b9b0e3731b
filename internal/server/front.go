package server

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// bodyTimeout is how long a client may pause within a request's body.
	bodyTimeout = 30 * time.Second
	// bodyLongest is how long all of a body may take.
	bodyLongest = 2 * time.Minute
)

// front is what every request of a listener passes first: it learns of its
// TLS connection, is refused if it came without where that is not allowed, and
// has its body's pauses limited.
func (l *listener) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c != nil {
			r.TLS = c.tls
			if c.refused && rootPath(r) == "" {
				w.Header().Set("Connection", "close")
				why := "thingd: this address takes TLS only: use https://"
				if l.plain != plainNever {
					why += " (or start the server with --insecure-http)"
				}
				http.Error(w, why, http.StatusBadRequest)
				return
			}
		}
		if r.Body != nil && r.Body != http.NoBody {
			b := &pausedBody{ReadCloser: r.Body, rc: http.NewResponseController(w), last: time.Now().Add(bodyLongest), request: r}
			// From the start: net/http itself reads what a handler leaves.
			_ = b.rc.SetReadDeadline(time.Now().Add(bodyTimeout))
			// In a request of its own: net/http goes by what it finds in its.
			own := *r
			own.Body = b
			r = &own
		}
		next.ServeHTTP(w, r)
	})
}

// pausedBody fails a read that gets nothing for bodyTimeout, and a body that is
// not whole after bodyLongest; the connection ends with it. At the body's end
// it takes its deadline away again, which would otherwise end a long answer:
// net/http reads ahead on the connection while a handler runs, and takes a
// deadline for the client's end.
type pausedBody struct {
	io.ReadCloser
	rc      *http.ResponseController
	last    time.Time // when it must be whole
	patient bool
	request *http.Request // net/http's own
}

// Patient lifts the limits: from here on the reader sets its own. It is for
// callers that are known, such as a camera that may have nothing to send. A
// connection that expects 100 Continue may be used again after its answer, as
// others may: net/http would close it for its body not being read by the time
// of the answer's header. The caller sees to its end if the body is not read
// to its own.
func (b *pausedBody) Patient() {
	b.patient = true
	b.request.Body = b
	_ = b.rc.SetReadDeadline(time.Time{})
}

// Read reads with a deadline.
func (b *pausedBody) Read(p []byte) (int, error) {
	if b.patient {
		return b.ReadCloser.Read(p)
	}
	deadline := time.Now().Add(bodyTimeout)
	if deadline.After(b.last) {
		deadline = b.last
	}
	if err := b.rc.SetReadDeadline(deadline); err != nil {
		return 0, fmt.Errorf("request body: %w", err)
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
