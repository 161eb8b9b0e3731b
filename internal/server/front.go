package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
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
		if r.Body != nil && r.Body != http.NoBody && !longBody(r) {
			r.Body = &pausedBody{ReadCloser: r.Body, rc: http.NewResponseController(w)}
		}
		next.ServeHTTP(w, r)
	})
}

// longBody names the one request whose body may pause at will: a camera that
// has nothing to send (PutMedia). Its handler has its own limits.
func longBody(r *http.Request) bool {
	return strings.TrimLeft(r.URL.Path, "/") == "putMedia"
}

// pausedBody fails a read that gets nothing for bodyTimeout, and a body that is
// not whole after bodyLongest. At the body's end
// it takes its deadline away again, which would otherwise end a long answer:
// net/http reads ahead on the connection while a handler runs, and takes a
// deadline for the client's end.
type pausedBody struct {
	io.ReadCloser
	rc   *http.ResponseController
	last time.Time // when it must be whole
}

// Read reads with a deadline.
func (b *pausedBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(bodyTimeout)
	if b.last.IsZero() {
		b.last = deadline.Add(bodyLongest - bodyTimeout)
	} else if deadline.After(b.last) {
		deadline = b.last
	}
	if err := b.rc.SetReadDeadline(deadline); err != nil {
		return 0, fmt.Errorf("request body: %w", err)
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close ends the reading.
func (b *pausedBody) Close() error {
	_ = b.rc.SetReadDeadline(time.Time{})
	return b.ReadCloser.Close()
}
