package blob

import (
	"errors"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/rlimit"
)

// ErrFull is what Create and Write return when what is left of the file system
// is Options.Reserve. An appender is not broken by it.
var ErrFull = errors.New("file system is full but for its reserve")

// spaceFor is how long a look at the file system's free space holds.
const spaceFor = 500 * time.Millisecond

// space knows how much of a file system is free, without asking it at every
// write.
type space struct {
	dir     string
	reserve int64

	mu     sync.Mutex
	free   int64 // at the last look, less what was written since
	looked time.Time
}

// take accounts for n bytes that are about to be written: ErrFull if they would
// go into the reserve. Where free space cannot be told there is no reserve.
func (s *space) take(n int64) error {
	if s.reserve <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.looked) > spaceFor {
		free, err := freeSpace(s.dir)
		if err != nil {
			return nil
		}
		s.free, s.looked = free, now
	}
	if s.free-n < s.reserve {
		return ErrFull
	}
	s.free -= n
	return nil
}

// defaultOpen is how many files of each kind may be open, so that listeners and
// database keep their share of the process's descriptors.
func defaultOpen() int {
	const most, unknown = 16384, 2048
	limit, ok := rlimit.Files()
	if !ok {
		return unknown
	}
	n := min(limit, 1<<30)
	return int(min(most, max((n-4096)/4, n/8)))
}
