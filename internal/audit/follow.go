package audit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// followEvery is how often it is looked for new records.
const followEvery = 200 * time.Millisecond

// Follow gives the latest records that q asks for, most at most, in the order
// of time, and then those that are written, until ctx ends or show fails.
func Follow(ctx context.Context, dir string, q Query, most int, show func(*Entry) error) error {
	s, err := snapshotOf(dir)
	if err != nil {
		return err
	}
	defer func() { s.close() }()
	if err := s.latest(ctx, &q, most, show); err != nil {
		return err
	}
	at := s.size
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		moved := s.moved()
		if at, err = s.forward(at, &q, show); err != nil {
			return err
		}
		if moved { // and read to its end
			old := s
			if s, err = snapshotOf(dir); err != nil {
				return err
			}
			err := s.between(old, &q, show)
			old.close()
			if err != nil {
				return err
			}
			at = 0
			if s.current != nil {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// latest shows what is there already.
func (s *snapshot) latest(ctx context.Context, q *Query, most int, show func(*Entry) error) error {
	var lines [][]byte
	var failed error
	if most > 0 {
		s.lookup(ctx, q, func(e *Entry, err error) bool {
			if err != nil {
				failed = err
				return false
			}
			lines = append(lines, slices.Clone(e.Line))
			return len(lines) < most
		})
	}
	if failed != nil {
		return failed
	}
	for _, line := range slices.Backward(lines) {
		var e Entry
		if parse(line, &e) {
			if err := show(&e); err != nil {
				return err
			}
		}
	}
	return nil
}

// moved says whether another file is in the current one's place.
func (s *snapshot) moved() bool {
	there, err := os.Stat(filepath.Join(s.dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return false // put aside, and nothing written since
	}
	if s.current == nil || err != nil {
		return err == nil
	}
	mine, err := s.current.Stat()
	return err != nil || !os.SameFile(mine, there)
}

// between shows the files that came and went since an older snapshot.
func (s *snapshot) between(old *snapshot, q *Query, show func(*Entry) error) error {
	for _, name := range s.old {
		if slices.Contains(old.old, name) {
			continue
		}
		f, err := os.Open(filepath.Join(s.dir, name))
		if err != nil {
			continue // gone already
		}
		in := &snapshot{dir: s.dir, current: f}
		if !old.holds(f) {
			_, err = in.forward(0, q, show)
		}
		in.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// holds says whether f is the current file.
func (s *snapshot) holds(f *os.File) bool {
	if s.current == nil {
		return false
	}
	mine, err := s.current.Stat()
	other, err2 := f.Stat()
	return err == nil && err2 == nil && os.SameFile(mine, other)
}

// forward shows the whole lines from an offset on, and answers where the next
// begins.
func (s *snapshot) forward(at int64, q *Query, show func(*Entry) error) (int64, error) {
	if s.current == nil {
		return 0, nil
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.current, at, 1<<62-at), block)
	var e Entry
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		at += int64(len(line))
		if parse(line[:len(line)-1], &e) && q.current(&e) {
			if err := show(&e); err != nil {
				return at, err
			}
		}
	}
}

// current is match with the times, which a lookup has seen to before.
func (q *Query) current(e *Entry) bool {
	if !q.Since.IsZero() && e.EventTime.Before(q.Since) || !q.Until.IsZero() && e.EventTime.After(q.Until) {
		return false
	}
	return q.match(e)
}
