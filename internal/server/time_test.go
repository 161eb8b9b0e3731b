package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// idleListener has no connections of its own: tests hand them over.
type idleListener struct{}

func (idleListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (idleListener) Close() error              { return nil }
func (idleListener) Addr() net.Addr            { return &net.TCPAddr{} }

// inBubble hands one connection to a listener whose clock is the bubble's.
func inBubble(t *testing.T, handler http.HandlerFunc, client func(t *testing.T, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := &listener{name: API, handler: handler, log: testLog(t), metrics: m, plain: plainAlways}
		l.prepare(idleListener{})
		served := make(chan error)
		go func() { served <- l.http.Serve((*readyListener)(l)) }()
		near, far := net.Pipe()
		l.slots <- struct{}{}
		go l.begin(&rawConn{Conn: far, released: func() { <-l.slots }})
		client(t, near)
		_ = near.Close()
		l.shutdown(t.Context())
		<-served
		if len(l.slots) != 0 {
			t.Error("the connection's slot was not given back")
		}
	})
}

// closedAfter says how long the server keeps a connection on which nothing
// more comes.
func closedAfter(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
	return time.Since(start)
}

func TestSilence(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		want       time.Duration
	}{
		{"nothing at all", "", handshakeTimeout},
		{"half a header", "GET / HTTP/1.1\r\nHost:", readHeaderTimeout},
		{"between requests", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", idleTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, echo, func(t *testing.T, c net.Conn) {
				if _, err := io.WriteString(c, tt.send); err != nil {
					t.Fatal(err)
				}
				if got := closedAfter(t, c).Round(time.Second); got != tt.want {
					t.Errorf("closed after %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// A body that stops coming fails the read, until its reader takes it over.
func TestPausedBody(t *testing.T) {
	for _, tt := range []struct {
		path string
		fail bool
	}{{"/createStream", true}, {"/putMedia", false}} {
		t.Run(tt.path, func(t *testing.T) {
			var read chan error
			inBubble(t, func(_ http.ResponseWriter, r *http.Request) {
				if !tt.fail {
					r.Body.(interface{ Patient() }).Patient()
				}
				_, err := io.ReadAll(r.Body)
				read <- err
			}, func(t *testing.T, c net.Conn) {
				read = make(chan error, 1) // the bubble's
				start := time.Now()
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", tt.path)
				go func() { _, _ = io.Copy(io.Discard, c) }()
				if tt.fail {
					if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start).Round(time.Second) != bodyTimeout {
						t.Errorf("read ended with %v after %v", err, time.Since(start))
					}
					return
				}
				time.Sleep(20 * bodyTimeout)
				_, _ = io.WriteString(c, "67890")
				if err := <-read; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A body that a handler does not read, and that does not come, holds nothing.
func TestUnreadBody(t *testing.T) {
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}, func(t *testing.T, c net.Conn) {
		start := time.Now()
		fmt.Fprint(c, "POST /putMedia HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the server closes
		if took := time.Since(start); took < bodyTimeout-time.Second || took > bodyTimeout+5*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// Who waits to be asked for his body is answered at once.
func TestRefusedExpect(t *testing.T) {
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}, func(t *testing.T, c net.Conn) {
		start := time.Now()
		fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); resp.StatusCode != http.StatusForbidden || took > time.Second {
			t.Errorf("%s after %v", resp.Status, took)
		}
	})
}

// An answer that nobody takes ends too.
func TestUnreadAnswer(t *testing.T) {
	ended := make(chan error, 1)
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 1<<20))
		ended <- err
	}, func(t *testing.T, c net.Conn) {
		ended = make(chan error, 1) // the bubble's
		start := time.Now()
		fmt.Fprint(c, "GET /things HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := <-ended; err == nil || time.Since(start).Round(time.Second) != writeTimeout {
			t.Errorf("the write ended with %v after %v", err, time.Since(start))
		}
	})
}

// A body that drips, pausing for less than is allowed, ends too.
func TestDrippingBody(t *testing.T) {
	var read chan error
	inBubble(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	}, func(t *testing.T, c net.Conn) {
		read = make(chan error, 1) // the bubble's
		start := time.Now()
		fmt.Fprintf(c, "POST /createStream HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for {
			select {
			case err := <-read:
				if took := time.Since(start).Round(time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || took != bodyLongest {
					t.Errorf("read ended with %v after %v", err, took)
				}
				return
			case <-time.After(bodyTimeout - time.Second):
				_, _ = io.WriteString(c, "1")
			}
		}
	})
}

// A slow body is no paused one, and after a body the answer may last.
func TestLongAnswer(t *testing.T) {
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v\n", b, err)
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF { // as decoders do
			t.Errorf("after the end: %d %v", n, err)
		}
		for range 10 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * bodyTimeout)) // as streams do
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-time.After(5 * bodyTimeout):
				_, _ = io.WriteString(w, ".")
			case <-r.Context().Done():
				_, _ = io.WriteString(w, "cut off")
				return
			}
		}
	}, func(t *testing.T, c net.Conn) {
		fmt.Fprintf(c, "POST /getMedia HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
		for _, b := range "12345" {
			time.Sleep(bodyLongest/5 - time.Second)
			_, _ = io.WriteString(c, string(b))
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if want := "12345 <nil>\n" + strings.Repeat(".", 10); err != nil || string(b) != want {
			t.Errorf("%q %v, want %q", b, err, want)
		}
	})
}
