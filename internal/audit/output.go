package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// File is the name of the file that is being written. Those before it have the
// time at which they ended in their names: audit-20060102T150405.000000000Z.jsonl.
const File = "audit.jsonl"

const (
	rotatedPrefix = "audit-"
	rotatedSuffix = ".jsonl"
	rotatedTime   = "20060102T150405.000000000Z"
)

// retryEvery is how long a failure is believed, and how often it is looked
// whether the file is still the one in the directory.
const retryEvery = time.Second

var errClosed = errors.New("the audit trail is closed")

// output is the file and those before it. Not safe for concurrent use.
type output struct {
	dir  string
	max  int64
	keep int

	f      *os.File
	n      int64 // bytes in it
	torn   bool  // it does not end with a whole line
	closed bool

	failed error     // why it could not be opened, or
	looked time.Time // when that was tried, or it was last seen in its place
	stuck  error     // why no new file could be begun
	tried  time.Time // when that was
}

// open opens the file to append to it.
func (o *output) open(now time.Time) error {
	o.looked = now
	o.failed = o.reopen()
	return o.failed
}

func (o *output) reopen() error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(o.dir, File), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	o.f, o.n, o.torn = f, info.Size(), false
	if o.n > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, o.n-1); err != nil || last[0] != '\n' {
			o.torn = true // by a power failure
		}
	}
	return nil
}

// ready says whether a write would be tried.
func (o *output) ready(now time.Time) bool {
	return !o.closed && (o.f != nil || o.failed == nil || now.Sub(o.looked).Abs() >= retryEvery)
}

// write appends one line with one write(2). A line that did not fit is taken
// back.
func (o *output) write(line []byte, now time.Time) error {
	if o.closed {
		return errClosed
	}
	if !o.ready(now) {
		return o.failed
	}
	if o.f != nil && now.Sub(o.looked).Abs() >= retryEvery {
		o.look(now)
	}
	if o.f != nil && o.n > 0 && o.n+int64(len(line)) > o.max && (o.stuck == nil || now.Sub(o.tried).Abs() >= retryEvery) {
		o.stuck = o.rotate(now) // if it fails, this one grows beyond its size
	}
	if o.f == nil {
		if err := o.open(now); err != nil {
			return err
		}
	}
	if o.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := o.f.Write(line)
	if err != nil {
		o.torn = o.torn || n > 0 && o.f.Truncate(o.n) != nil
		return err
	}
	o.n, o.torn = o.n+int64(n), false
	return nil
}

// look lets go of a file that somebody took out of the directory.
func (o *output) look(now time.Time) {
	o.looked = now
	mine, err := o.f.Stat()
	there, err2 := os.Stat(filepath.Join(o.dir, File))
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = o.f.Close() // each line was written whole
		o.f = nil
	}
}

// rotate ends the current file, unless it is empty, and removes the oldest
// beyond keep.
func (o *output) rotate(now time.Time) error {
	o.tried = now
	if o.closed || o.f == nil || o.n == 0 {
		return nil
	}
	old, err := rotatedFiles(o.dir)
	if err != nil {
		return err
	}
	if len(old) > 0 { // in order, though the clock went back
		if last, _ := rotatedAt(old[len(old)-1]); !now.After(last) {
			now = last.Add(1)
		}
	}
	name := rotatedPrefix + now.UTC().Format(rotatedTime) + rotatedSuffix
	if err := os.Rename(filepath.Join(o.dir, File), filepath.Join(o.dir, name)); err != nil {
		return fmt.Errorf("begin a new audit file: %w", err)
	}
	_ = o.f.Close() // each line was written whole
	o.f = nil
	old = append(old, name)
	for len(old) > o.keep {
		if err := os.Remove(filepath.Join(o.dir, old[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an old audit file: %w", err)
		}
		old = old[1:]
	}
	return nil
}

func (o *output) close() error {
	o.closed = true
	if o.f == nil {
		return nil
	}
	f := o.f
	o.f = nil
	return f.Close()
}

// rotatedFiles are the names of the files before the current one, oldest first.
func rotatedFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := rotatedAt(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// rotatedAt is when a file ended, by its name; ok is false for other files.
func rotatedAt(name string) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(name, rotatedPrefix)
	if ok {
		text, ok = strings.CutSuffix(text, rotatedSuffix)
	}
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(rotatedTime, text)
	return at, err == nil
}
