package audit

import (
	"bytes"
	"io"
)

// block is how much is read at once; maxLine is the longest line that is taken
// for a record.
const (
	block   = 64 << 10
	maxLine = 1 << 20
)

// backward reads the lines of a file from its end. What follows the last newline
// is not a line yet.
type backward struct {
	f    io.ReaderAt
	pos  int64  // of what is in buf
	buf  []byte // what was read and not given away; it ends where a line ends
	room []byte // that buf is in, at its end
}

func newBackward(f io.ReaderAt, size int64) *backward {
	return &backward{f: f, pos: size}
}

// next answers the line before the last one, without its newline; nil before
// the first. It is good until the next call.
func (r *backward) next() ([]byte, error) {
	for {
		if i := bytes.LastIndexByte(r.buf, '\n'); i >= 0 {
			line := r.buf[i+1:]
			r.buf = r.buf[:i]
			if len(line) > 0 {
				return line, nil
			}
			continue
		}
		if r.pos == 0 {
			line := r.buf
			r.buf = nil
			if len(line) == 0 {
				return nil, nil
			}
			return line, nil
		}
		if len(r.buf) > maxLine { // not ours: only its end is kept
			r.buf = r.buf[:0]
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads the block before what is in buf.
func (r *backward) fill() error {
	n := int(min(r.pos, block))
	if n+len(r.buf) > len(r.room) {
		r.room = make([]byte, 2*(n+len(r.buf)))
	}
	moved := r.room[len(r.room)-len(r.buf):]
	copy(moved, r.buf)
	start := len(r.room) - len(r.buf) - n
	r.pos -= int64(n)
	got, err := r.f.ReadAt(r.room[start:start+n], r.pos)
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF // cut off while it is read
		}
		return err
	}
	r.buf = r.room[start : start+n+len(moved)]
	return nil
}
