//go:build unix

package broker

import (
	"io"
	"syscall"
)

const canPoll = true

// tryRead reads what is there. It is false when the goroutine has to wait.
func (s *socket) tryRead(fd uintptr) bool {
	if s.in == nil {
		s.in = takeBuffer()
	}
	for {
		n, err := syscall.Read(int(fd), s.in.b[:bufferSize])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			s.release()
			if !s.waited {
				s.waited = true
				s.idle()
			}
			return false
		case err != nil:
			s.readErr = err
		case n == 0:
			s.readErr = io.EOF
		default:
			s.unread = s.in.b[:n]
		}
		return true
	}
}

// tryWrite writes of s.out what the kernel takes.
func (s *socket) tryWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := syscall.Write(int(fd), s.out)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			s.writeErr = err
			return true
		}
		s.out = s.out[n:]
	}
	return true
}
