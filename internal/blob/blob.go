// Package blob keeps large byte sequences in files: chunks of video that one
// writer appends to while others read. It knows names, bytes and when they are
// on disk. What the bytes are, which of them count and when they may go is
// written in the database by the domain that owns them.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrName refuses a name that is not made of slash-separated segments of
// letters, digits, '.', '_' and '-', or has one that begins with a dot.
var ErrName = errors.New("bad blob name")

// ErrTooManyOpen is returned by OpenAt when Options.MaxReaders are open.
var ErrTooManyOpen = errors.New("too many blobs are open")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("blob is closed")

// Options says how files are kept.
type Options struct {
	// Sync makes Appender.Sync wait for the disk. False is for --dev and tests.
	Sync bool
	// MaxAppenders and MaxReaders bound the open files of each kind; the
	// default is a quarter of the process's descriptors each, 16,384 at most.
	// Readers cannot take away what producers need.
	MaxAppenders, MaxReaders int
	// Reserve is what blobs leave free of the file system, for what else is on
	// it, such as the database: 256 MiB or a tenth of it, whichever is less, if
	// it is 0; nothing if it is negative. Only Linux tells what is free.
	Reserve int64
	// Syncers bounds the files that are synced at the same time; the default
	// is 16. File systems commit what is synced at once together.
	Syncers int
}

// maxWriting is how many writes are under way at once. Each takes a thread of the
// process for as long as it lasts: when the disk stalls, all producers would.
const maxWriting = 32

// Files is a directory of blobs. It is safe for concurrent use. Nothing below
// its directory can lead out of it, symbolic links included.
type Files struct {
	root      *os.Root
	sync      bool
	appenders chan struct{} // a token for each that is open
	readers   chan struct{}
	queue     chan *Appender // those with waiting Syncs; each once
	writing   chan struct{}  // a token for each write under way
	workers   sync.WaitGroup
	dirs      dirs
	space     space

	mu     sync.Mutex
	closed bool
}

// Open opens the directory, creating it if need be.
func Open(dir string, o Options) (*Files, error) {
	if o.MaxAppenders <= 0 {
		o.MaxAppenders = defaultOpen()
	}
	if o.MaxReaders <= 0 {
		o.MaxReaders = defaultOpen()
	}
	if o.Syncers <= 0 {
		o.Syncers = 16
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	if o.Reserve == 0 {
		if total, err := totalSpace(dir); err == nil {
			o.Reserve = min(256<<20, total/10)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	f := &Files{
		root: root, sync: o.Sync,
		appenders: make(chan struct{}, o.MaxAppenders),
		readers:   make(chan struct{}, o.MaxReaders),
		queue:     make(chan *Appender, o.MaxAppenders),
		writing:   make(chan struct{}, maxWriting),
		dirs:      dirs{root: root, states: make(map[string]*dirState)},
		space:     space{dir: dir, reserve: o.Reserve},
	}
	for range o.Syncers {
		f.workers.Go(f.work)
	}
	return f, nil
}

// Close ends the directory's use. All appenders must be closed before, else it
// is an error and they go on; open readers go on in any case.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	// With every token taken, no appender is left that could queue.
	for taken := range cap(f.appenders) {
		select {
		case f.appenders <- struct{}{}:
		default:
			for range taken {
				<-f.appenders
			}
			return fmt.Errorf("close blobs: %d are being appended to", cap(f.appenders)-taken)
		}
	}
	f.closed = true
	close(f.queue)
	f.workers.Wait()
	return f.root.Close()
}

// Create makes a new, empty blob and returns it for appending. Like every
// blob it is only as durable as its last Sync. It waits while
// Options.MaxAppenders are open. An existing name is an error (fs.ErrExist), and
// so is a full file system (ErrFull).
func (f *Files) Create(ctx context.Context, name string) (*Appender, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := f.space.take(0); err != nil {
		return nil, fmt.Errorf("create blob %s: %w", name, err)
	}
	select {
	case f.appenders <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("create blob %s: %w", name, ctx.Err())
	}
	file, err := f.create(name)
	if err != nil {
		<-f.appenders
		return nil, fmt.Errorf("create blob: %w", err)
	}
	f.dirs.touch(path.Dir(name))
	return &Appender{files: f, name: name, file: file, unnamed: true}, nil
}

func (f *Files) create(name string) (*os.File, error) {
	for attempt := 0; ; attempt++ {
		if err := f.dirs.make(path.Dir(name)); err != nil {
			return nil, err
		}
		file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		if errors.Is(err, fs.ErrNotExist) && attempt < 100 {
			continue // RemoveAll came between
		}
		return file, err
	}
}

// OpenAt opens a blob for reading. It sees what appenders have written, synced
// or not, and goes on seeing it when the blob is removed. A missing blob is an
// error (fs.ErrNotExist).
func (f *Files) OpenAt(name string) (*Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	select {
	case f.readers <- struct{}{}:
	default:
		return nil, fmt.Errorf("open blob %s: %w", name, ErrTooManyOpen)
	}
	file, size, err := f.open(name)
	if err != nil {
		<-f.readers
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return &Reader{files: f, file: file, size: size}, nil
}

func (f *Files) open(name string) (*os.File, int64, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	fi, err := file.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, fi.Size(), nil
}

// Remove removes a blob; one that does not exist is no error. After a crash of
// the machine a removed blob may be there again.
func (f *Files) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// Truncate cuts off what a blob has beyond size, for blobs that nobody appends
// to any more. A blob that is missing or no longer than that is left as it is.
func (f *Files) Truncate(name string, size int64) error {
	if err := checkName(name); err != nil {
		return err
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("truncate blob: %w", err)
	}
	fi, err := file.Stat()
	if err == nil && fi.Size() > size {
		err = file.Truncate(size)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("truncate blob %s: %w", name, err)
	}
	return nil
}

// Sync returns when a blob that nobody appends to any more is on disk, with its name: bytes that a process before this one
// has written, and that can be read, may not be.
func (f *Files) Sync(name string) error {
	if err := checkName(name); err != nil || !f.sync {
		return err
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("sync blob: %w", err)
	}
	err = errors.Join(datasync(file), file.Close())
	if err == nil {
		err = f.dirs.sync(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("sync blob %s: %w", name, err)
	}
	return nil
}

// RemoveAll removes all blobs whose names begin with the segments of prefix,
// "video/abc" for video/abc/1 but not video/abcd; "" removes everything.
func (f *Files) RemoveAll(prefix string) error {
	if prefix != "" {
		if err := checkName(prefix); err != nil {
			return err
		}
		return f.removeTree(prefix)
	}
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("remove blobs: %w", err)
	}
	for _, entry := range entries {
		if err := f.removeTree(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (f *Files) removeTree(name string) error {
	for attempt := 0; ; attempt++ {
		err := f.root.RemoveAll(name)
		if err == nil {
			f.dirs.forget(name)
			return nil
		}
		// A Create that comes between fills a directory anew.
		if !errors.Is(err, syscall.ENOTEMPTY) || attempt == 100 {
			return fmt.Errorf("remove blobs: %w", err)
		}
	}
}

// Info is what List tells about a blob.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time
}

// List yields the blobs whose names begin with the segments of prefix, in the
// order of their names; "" yields all. Blobs that come or go meanwhile may or
// may not be among them. It ends with the first error.
func (f *Files) List(prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		start := "."
		if prefix != "" {
			if err := checkName(prefix); err != nil {
				yield(Info{}, err)
				return
			}
			start = prefix
		}
		err := fs.WalkDir(f.root.FS(), start, func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !entry.Type().IsRegular() || checkName(name) != nil {
				return err
			}
			fi, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Info{Name: name, Size: fi.Size(), Modified: fi.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Info{}, fmt.Errorf("list blobs: %w", err))
		}
	}
}

const (
	maxName    = 512
	maxSegment = 200
)

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w %.100q", ErrName, name)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || len(segment) > maxSegment || segment[0] == '.' {
			return fmt.Errorf("%w %.100q", ErrName, name)
		}
		for i := 0; i < len(segment); i++ {
			c := segment[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
				return fmt.Errorf("%w %.100q", ErrName, name)
			}
		}
	}
	return nil
}

// Reader reads a blob. It is safe for concurrent use.
type Reader struct {
	files *Files
	file  *os.File
	size  int64
	once  sync.Once
	err   error
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// Size is the length of the blob when it was opened.
func (r *Reader) Size() int64 { return r.size }

// Close lets go of the blob. It may be called more than once.
func (r *Reader) Close() error {
	r.once.Do(func() {
		r.err = r.file.Close()
		<-r.files.readers
	})
	return r.err
}
