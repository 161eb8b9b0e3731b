package kvs

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/thingd/thingd/internal/mkv"
)

const (
	// spoolLimit is how much is held that is not persisted yet: then the source has to wait.
	spoolLimit = 128 << 20
	// maxFragment is AWS's limit.
	maxFragment = 50 << 20
	// Limits of metadata: tags of a fragment.
	maxFragmentTags, maxTagName, maxTagValue = 10, 128, 256
)

// tagEnd is the command that ends a fragment.
const tagEnd = "AWS_KINESISVIDEO_END_OF_FRAGMENT"

// fragment is one cluster on its way, with the tags behind it.
type fragment struct {
	header   *mkv.Header
	timecode int64 // milliseconds, as the source has it
	data     []byte
	over     bool  // its cluster has ended; tags may follow
	done     bool  // all of it is here
	broken   bool  // the source broke off within it
	part     int   // counts the times that the source's timecodes began anew
	refused  int   // how often the service has refused it
	number   int64 // of all that the source gave, from 1 on
}

// spool holds what a source gave until it is persisted.
type spool struct {
	mu      sync.Mutex
	changed *sync.Cond // anything below
	list    []*fragment
	held    int64
	came    int64 // bytes that the source gave
	count   int64
	end     bool  // no more comes
	err     error // of the source
	stopped bool  // nobody takes any more

	header  *mkv.Header
	untimed bool   // a cluster has begun, and its timecode is to come
	early   []byte // what came of it
	inside  bool   // it is open
	last    int64  // timecode of the last fragment
	part    int
	dropped int // tags that PutMedia does not take
	limit   int64
}

func newSpool() *spool {
	s := &spool{last: -1, limit: spoolLimit}
	s.changed = sync.NewCond(&s.mu)
	return s
}

var errStopped = errors.New("stopped")

// fill reads a source to its end.
func (s *spool) fill(r io.Reader) {
	p := mkv.NewParser(s.event)
	_, err := io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{r}, make([]byte, 32<<10))
	if err == nil {
		err = p.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside && len(s.list) > 0 && !s.list[len(s.list)-1].done {
		// What is there of a fragment that breaks off is of no use.
		last := s.list[len(s.list)-1]
		last.broken = true
		s.held -= int64(len(last.data))
		s.list = s.list[:len(s.list)-1]
		s.count--
	}
	s.complete()
	if !errors.Is(err, errStopped) {
		s.err = err
	}
	s.end = true
	s.changed.Broadcast()
}

// stop lets fill end at the next byte.
func (s *spool) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.changed.Broadcast()
}

func (s *spool) event(e *mkv.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	defer s.changed.Broadcast()
	switch e.Kind {
	case mkv.KindHeader:
		s.complete()
		s.header = e.Header
	case mkv.KindCluster:
		s.early, s.untimed = nil, true
	case mkv.KindTimecode:
		return s.begin(int64(float64(e.Timecode) * (float64(s.header.TimecodeScale) / 1e6)))
	case mkv.KindClusterEnd:
		s.inside = false
		if len(s.list) > 0 {
			s.list[len(s.list)-1].over = true
		}
	case mkv.KindTags:
		if len(e.Tags) == 1 && e.Tags[0].Name == tagEnd {
			return nil // of one who sent it before: we say ourselves where it ends
		}
		if !metadata(e.Tags) {
			s.dropped += len(e.Tags)
			return nil
		}
		return s.add(e.Raw)
	case mkv.KindData:
		if s.untimed {
			s.early = append(s.early, e.Raw...)
		}
		if s.inside { // Cues and Void of a file say nothing in a stream
			return s.add(e.Raw)
		}
	}
	return nil
}

// begin begins a fragment, when its timecode is known.
func (s *spool) begin(timecode int64) error {
	s.complete()
	for s.held >= s.limit && !s.stopped {
		s.changed.Wait()
	}
	if s.stopped {
		return errStopped
	}
	if timecode < s.last {
		s.part++
	}
	s.last = timecode
	s.count++
	s.list = append(s.list, &fragment{header: s.header, timecode: timecode, number: s.count, part: s.part})
	s.inside, s.untimed = true, false
	return s.add(s.early)
}

// metadata says whether PutMedia takes tags.
func metadata(tags []mkv.Tag) bool {
	for _, t := range tags {
		if len(t.Name) > maxTagName || len(t.Value) > maxTagValue {
			return false
		}
	}
	return len(tags) <= maxFragmentTags
}

// add appends to the fragment that is coming in, if that has not been given up.
func (s *spool) add(p []byte) error {
	if len(s.list) == 0 || s.list[len(s.list)-1].done {
		return nil
	}
	f := s.list[len(s.list)-1]
	if len(f.data)+len(p) > maxFragment {
		return fmt.Errorf("fragment %d is longer than %d MB: more key frames make shorter ones", f.number, maxFragment>>20)
	}
	f.data = append(f.data, p...)
	s.held += int64(len(p))
	s.came += int64(len(p))
	return nil
}

// complete ends the fragment that is coming in.
func (s *spool) complete() {
	if len(s.list) > 0 {
		s.list[len(s.list)-1].done = true
	}
	s.inside = false
}

// await waits until the source has given more than came bytes, or ends.
func (s *spool) await(came int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.came <= came && !s.end && !s.stopped {
		s.changed.Wait()
	}
}

// ready waits for the first fragment's begin; nil when there is none and none comes.
func (s *spool) ready() *fragment {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.stopped:
			return nil
		case len(s.list) > 0:
			return s.list[0]
		case s.end:
			return nil
		}
		s.changed.Wait()
	}
}

// take removes the oldest fragments up to f, and answers how many and how many bytes.
func (s *spool) take(f *fragment) (n int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.list) > 0 && s.list[0].number <= f.number {
		bytes += int64(len(s.list[0].data))
		s.list = s.list[1:]
		n++
	}
	s.held -= bytes
	s.changed.Broadcast()
	return n, bytes
}

// at is the oldest fragment with a timecode, or the oldest of all when there is none; nil when all are gone.
func (s *spool) at(timecode *int64) *fragment {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if timecode != nil && f.timecode == *timecode {
			return f
		}
	}
	if len(s.list) > 0 && timecode == nil {
		return s.list[0]
	}
	return nil
}

// ErrNotMatroska is in what Run answers when the source is something else, or damaged.
var ErrNotMatroska = mkv.ErrInvalid
