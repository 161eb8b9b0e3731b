package broker

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// socket is a TCP connection that the broker reads and writes without waiting
// once it is polled. Until then, during the TLS handshake, it is the connection
// that it is made of. It lies under crypto/tls, which takes a temporary error and
// goes on where it was. A connection that waits for its peer holds no buffer.
type socket struct {
	net.Conn
	raw    syscall.RawConn
	polled bool

	// Of the one goroutine that reads.
	in      *buffer // nil: nothing is there
	unread  []byte  // of in
	idle    func()  // called before waiting; it must not close the connection
	readErr error
	waited  bool
	reading func(fd uintptr) bool // made once

	mu       sync.Mutex // guards what follows: crypto/tls also writes when it reads
	pending  *buffer    // what the kernel has not taken yet; nil: nothing
	corked   bool       // writes gather in pending
	draining bool       // somebody waits for the kernel
	writeErr error
	out      []byte // what is being written
	writing  func(fd uintptr) bool
}

// again is the error of a read that would wait.
type again struct{}

func (again) Error() string   { return "nothing to read yet" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true } // crypto/tls forgets such errors

// Socket prepares a connection for Serve: give the server side of TLS what it
// returns. A connection that is not the operating system's own is returned as it
// is and costs a little more.
func Socket(conn net.Conn) net.Conn {
	sc, ok := conn.(syscall.Conn)
	if !ok || !canPoll {
		return conn
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return conn
	}
	s := &socket{Conn: conn, raw: raw}
	s.reading, s.writing = s.tryRead, s.tryWrite
	return s
}

// poll begins not to wait.
func (s *socket) poll() { s.polled = true }

// Read takes what fill has got; when that is used up, the error is again.
func (s *socket) Read(p []byte) (int, error) {
	if !s.polled {
		return s.Conn.Read(p)
	}
	if len(s.unread) == 0 {
		return 0, again{}
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// fill waits for bytes and reads some. Before it waits it gives its buffer back
// and calls idle.
func (s *socket) fill(idle func()) error {
	s.idle, s.waited, s.readErr = idle, false, nil
	if err := s.raw.Read(s.reading); err != nil {
		return err
	}
	return s.readErr
}

// release gives the buffer back. The connection is read no more.
func (s *socket) release() {
	if s.in != nil {
		s.in.give()
		s.in, s.unread = nil, nil
	}
}

// CloseWrite tells the peer that nothing more comes.
func (s *socket) CloseWrite() error {
	if w, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// discard reads, after release, until the peer has closed its side or it took
// too long.
func (s *socket) discard(most time.Duration) {
	if err := s.SetReadDeadline(time.Now().Add(most)); err == nil {
		_, _ = io.Copy(io.Discard, s.Conn) // the connection ends either way
	}
}

// Write writes what the kernel takes and keeps the rest, without waiting: see
// drain. It keeps nothing of p.
func (s *socket) Write(p []byte) (int, error) {
	if !s.polled {
		return s.Conn.Write(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writeErr != nil:
		return 0, s.writeErr
	case s.corked || s.pending != nil:
		if s.pending == nil {
			s.pending = takeBuffer()
		}
		s.pending.append(p)
		return len(p), nil
	}
	s.write(p)
	if s.writeErr == nil && len(s.out) > 0 {
		s.pending = takeBuffer()
		s.pending.append(s.out)
	}
	s.out = nil
	return len(p), s.writeErr
}

// write writes without waiting; what is left is in s.out.
func (s *socket) write(p []byte) {
	s.out = p
	if err := s.raw.Write(s.writing); err != nil && s.writeErr == nil {
		s.writeErr = err
	}
}

// cork has writes gather, uncork writes what has gathered, as far as the kernel
// takes it.
func (s *socket) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

func (s *socket) uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	return s.push()
}

// push writes what is pending, without waiting, unless drain is at it.
func (s *socket) push() error {
	if s.writeErr != nil || s.pending == nil || s.draining {
		return s.writeErr
	}
	s.write(s.pending.b)
	s.written()
	return s.writeErr
}

// written drops what has been written of pending. It reports whether that was
// all, or there will be no more.
func (s *socket) written() bool {
	left := s.out
	s.out = nil
	if len(left) > 0 && s.writeErr == nil {
		s.pending.b = s.pending.b[:copy(s.pending.b, left)]
		return false
	}
	s.pending.give()
	s.pending = nil
	return true
}

// blocked says that the kernel has not taken everything.
func (s *socket) blocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending != nil
}

// drain waits until the kernel has taken everything. Only one may do so at a
// time.
func (s *socket) drain() error {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	// The attempt and the waiting have to be in one call of Write: room that comes
	// in between would be forgotten.
	err := s.raw.Write(func(fd uintptr) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pending != nil {
			s.out = s.pending.b
			s.tryWrite(fd)
			if !s.written() {
				return false
			}
		}
		s.draining = false
		return true
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = false
	if s.writeErr == nil {
		s.writeErr = err
	}
	return s.writeErr
}

// past is a deadline that ends waiting now.
var past = time.Unix(1, 0)
