//go:build !unix

package broker

// Elsewhere connections are read and written as Go does it.
const canPoll = false

func (s *socket) tryRead(uintptr) bool  { return true }
func (s *socket) tryWrite(uintptr) bool { return true }
