// Package journal keeps lines in a file of a directory: each is written whole,
// with one write(2), to the end; a file that is full is put aside under the time
// at which it ended, and the oldest of those are removed. What the lines say, and
// reading them back, is its users' business.
package journal

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

const (
	suffix = ".jsonl"
	ended  = "20060102T150405.000000000Z"
)

// retryEvery is how long a failure is believed, and how often it is looked
// whether the file is still the one in the directory.
const retryEvery = time.Second

var errClosed = errors.New("the journal is closed")

// File is the file that is being written and those before it: NAME.jsonl, and
// NAME-20060102T150405.000000000Z.jsonl with the time at which it ended. Set the
// exported fields, then Open it. Not safe for concurrent use.
type File struct {
	Dir  string // is made (0700) if it is missing
	Name string
	Max  int64 // bytes after which a new file is begun
	Keep int   // files besides the current one

	f      *os.File
	n      int64 // bytes in it
	torn   bool  // it does not end with a whole line
	closed bool

	failed error     // why it could not be opened, or
	looked time.Time // when that was tried, or it was last seen in its place
	stuck  error     // why no new file could be begun
	tried  time.Time // when that was
}

// Open opens the file to append to it.
func (o *File) Open(now time.Time) error {
	o.looked = now
	o.failed = o.reopen()
	return o.failed
}

func (o *File) reopen() error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(o.path(), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
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

// Ready says whether a write would be tried.
func (o *File) Ready(now time.Time) bool {
	return !o.closed && (o.f != nil || o.failed == nil || now.Sub(o.looked).Abs() >= retryEvery)
}

// Write appends one line with one write(2). A line that did not fit is taken
// back.
func (o *File) Write(line []byte, now time.Time) error {
	if o.closed {
		return errClosed
	}
	if !o.Ready(now) {
		return o.failed
	}
	if o.f != nil && now.Sub(o.looked).Abs() >= retryEvery {
		o.look(now)
	}
	if o.f != nil && o.n > 0 && o.n+int64(len(line)) > o.Max && (o.stuck == nil || now.Sub(o.tried).Abs() >= retryEvery) {
		o.stuck = o.begin(now) // if it fails, this one grows beyond its size
	}
	if o.f == nil {
		if err := o.Open(now); err != nil {
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
func (o *File) look(now time.Time) {
	o.looked = now
	mine, err := o.f.Stat()
	there, err2 := os.Stat(o.path())
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = o.f.Close() // each line was written whole
		o.f = nil
	}
}

// Rotate ends the current file, unless it is empty, and removes the oldest
// beyond keep.
func (o *File) Rotate(now time.Time) { o.stuck = o.begin(now) }

// Stuck is why no new file could be begun, or nil: the current one grows beyond
// its size.
func (o *File) Stuck() error { return o.stuck }

func (o *File) path() string { return filepath.Join(o.Dir, o.Name+suffix) }

func (o *File) begin(now time.Time) error {
	o.tried = now
	if o.closed || o.f == nil || o.n == 0 {
		return nil
	}
	old, err := Ended(o.Dir, o.Name)
	if err != nil {
		return err
	}
	if len(old) > 0 { // in order, though the clock went back
		if last, _ := EndedAt(o.Name, old[len(old)-1]); !now.After(last) {
			now = last.Add(1)
		}
	}
	name := o.Name + "-" + now.UTC().Format(ended) + suffix
	if err := os.Rename(o.path(), filepath.Join(o.Dir, name)); err != nil {
		return fmt.Errorf("begin a new file of %s: %w", o.Name, err)
	}
	_ = o.f.Close() // each line was written whole
	o.f = nil
	old = append(old, name)
	for len(old) > o.Keep {
		if err := os.Remove(filepath.Join(o.Dir, old[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an old file of %s: %w", o.Name, err)
		}
		old = old[1:]
	}
	return nil
}

// Close closes the file. What is written later is lost.
func (o *File) Close() error {
	o.closed = true
	if o.f == nil {
		return nil
	}
	f := o.f
	o.f = nil
	return f.Close()
}

// Ended are the names of the files of a directory before the current one, oldest
// first.
func Ended(dir, name string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := EndedAt(name, e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// EndedAt is when a file ended, by its name; ok is false for other files.
func EndedAt(name, file string) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(file, name+"-")
	if ok {
		text, ok = strings.CutSuffix(text, suffix)
	}
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(ended, text)
	return at, err == nil
}
