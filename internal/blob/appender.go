package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"

	"github.com/thingd/thingd/internal/writeback"
)

// Appender writes a blob. Write, Begin and Truncate are for one goroutine, Len,
// Sync and Close for any. Nothing is buffered: what Write has returned for, readers
// see. After the first error of writing or syncing it stays unusable, because
// nobody can tell any more what is on disk.
type Appender struct {
	files *Files
	name  string
	file  *os.File
	begun int64 // up to where the disk has been asked to begin; of the goroutine that writes

	mu      sync.Mutex
	size    int64
	synced  int64 // what the last sync covers, at least; -1 when there was none since the blob was cut
	broken  error
	closed  bool
	unnamed bool   // its directory entry may not be on disk
	waiting *round // what the next sync will answer
	running *round // what the sync under way will answer
}

// beginBytes is how much Begin is worth it for.
const beginBytes = 64 << 10

// round is one sync and those who wait for it.
type round struct {
	done chan struct{}
	err  error
	size int64 // what it covers, once it runs; -1 when the blob was cut since
}

// Write appends p.
func (a *Appender) Write(p []byte) (int, error) {
	if err := a.usable(); err != nil {
		return 0, err
	}
	if err := a.files.space.take(int64(len(p))); err != nil {
		return 0, fmt.Errorf("append to blob: %w", err)
	}
	a.files.writing <- struct{}{}
	n, err := a.file.Write(p)
	<-a.files.writing
	a.mu.Lock()
	defer a.mu.Unlock()
	a.size += int64(n)
	if err != nil {
		return n, a.fail(fmt.Errorf("append to blob: %w", err))
	}
	return n, nil
}

// Begin has the disk begin with what was written, once that is enough to be worth it, and does not wait. A Sync of what came
// slowly finds it done mostly, and takes half the time; of what comes fast it makes smaller pieces, which takes longer.
func (a *Appender) Begin() {
	size := a.Len()
	if begun := min(a.begun, size); a.files.sync && size-begun >= beginBytes {
		a.begun = size
		_ = writeback.Begin(a.file, begun, size-begun) // Sync tells what fails
	}
}

// Truncate cuts the blob to its first size bytes.
func (a *Appender) Truncate(size int64) error {
	if err := a.usable(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if size < 0 || size > a.size {
		return fmt.Errorf("truncate blob %s: it has %d bytes, not %d", a.name, a.size, size)
	}
	if err := a.file.Truncate(size); err != nil {
		return a.fail(fmt.Errorf("truncate blob: %w", err))
	}
	a.size, a.synced = size, -1
	if a.running != nil {
		a.running.size = -1
	}
	return nil
}

// Len is how many bytes the blob has.
func (a *Appender) Len() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.size
}

// Sync returns when all that was written before the call is on disk, together
// with the blob's name. Calls that come while a sync of the same blob is under
// way share the next one, or that one if nothing was written since it began.
// When ctx ends first, the sync goes on without the caller.
func (a *Appender) Sync(ctx context.Context) error {
	if !a.files.sync {
		return a.usable()
	}
	r, err := a.next()
	if err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SyncSoon begins a Sync that nobody waits for, or does so later; what fails then fails the next.
func (a *Appender) SyncSoon() {
	if a.files.sync {
		_, _ = a.next()
	}
}

// next is the round that covers all that was written so far.
func (a *Appender) next() (*round, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.state(); err != nil {
		return nil, err
	}
	switch {
	case a.waiting != nil:
		return a.waiting, nil
	case a.running != nil && a.running.size == a.size:
		return a.running, nil
	case a.synced == a.size && !a.unnamed:
		return allSynced, nil
	}
	a.waiting = &round{done: make(chan struct{})}
	if a.running == nil {
		a.files.queue <- a // has room for every appender
	}
	return a.waiting, nil
}

// allSynced is the round of those who need none.
var allSynced = func() *round {
	r := &round{done: make(chan struct{})}
	close(r.done)
	return r
}()

// Close waits for syncs under way and closes the file; it does not sync.
// It may be called more than once.
func (a *Appender) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	for {
		r := a.waiting
		if r == nil {
			r = a.running
		}
		if r == nil {
			break
		}
		a.mu.Unlock()
		<-r.done
		a.mu.Lock()
	}
	a.mu.Unlock()
	err := a.file.Close()
	<-a.files.appenders
	if err != nil {
		return fmt.Errorf("close blob: %w", err)
	}
	return nil
}

func (a *Appender) usable() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state()
}

func (a *Appender) state() error {
	if a.closed {
		return fmt.Errorf("blob %s: %w", a.name, ErrClosed)
	}
	return a.broken
}

func (a *Appender) fail(err error) error {
	if a.broken == nil {
		a.broken = err
	}
	return err
}

// work syncs the appenders in the queue.
func (f *Files) work() {
	for a := range f.queue {
		a.round()
	}
}

// round runs one sync and queues the next if somebody waits for one.
func (a *Appender) round() {
	a.mu.Lock()
	r := a.waiting
	a.waiting, a.running = nil, r
	r.size = a.size
	err, unnamed, empty := a.broken, a.unnamed, a.size == 0
	a.mu.Unlock()
	if err == nil && !(unnamed && empty) { // a new file's name is all there is
		err = datasync(a.file)
	}
	if err == nil && unnamed {
		err = a.files.dirs.sync(path.Dir(a.name))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && a.broken == nil {
		// After a failed sync the kernel may have dropped the bytes and would
		// let the next one succeed.
		a.broken = fmt.Errorf("sync blob %s: %w", a.name, err)
	}
	r.err = a.broken
	if err == nil {
		a.unnamed, a.synced = false, r.size
	}
	a.running = nil
	close(r.done)
	if a.waiting != nil {
		a.files.queue <- a
	}
}

// dirs knows which directories have entries that may not be on disk.
type dirs struct {
	root   *os.Root
	mu     sync.Mutex
	states map[string]*dirState
}

type dirState struct {
	mu    sync.Mutex
	dirty bool
}

// state returns a directory's state. One that is new to this process counts as
// dirty: the process before may have died between making and syncing it.
func (d *dirs) state(dir string) *dirState {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.states[dir]
	if s == nil {
		s = &dirState{dirty: true}
		d.states[dir] = s
	}
	return s
}

// make creates a directory and those above it.
func (d *dirs) make(dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := d.root.Stat(dir); err == nil {
		return nil
	}
	if err := d.make(path.Dir(dir)); err != nil {
		return err
	}
	err := d.root.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	d.touch(path.Dir(dir))
	return nil
}

// touch notes that a directory has a new entry.
func (d *dirs) touch(dir string) {
	s := d.state(dir)
	s.mu.Lock()
	s.dirty = true
	s.mu.Unlock()
}

// sync puts the entries of a directory and of those above it on disk. Whoever
// comes while one is being synced waits for that.
func (d *dirs) sync(dir string) error {
	for {
		if err := d.syncOne(dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

func (d *dirs) syncOne(dir string) error {
	s := d.state(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty {
		return nil
	}
	f, err := d.root.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil // removed, with the blob
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

// forget drops what is known of a removed directory.
func (d *dirs) forget(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.states {
		if name == dir || len(name) > len(dir) && name[:len(dir)] == dir && name[len(dir)] == '/' {
			delete(d.states, name)
		}
	}
}
