package writeback_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/thingd/thingd/internal/writeback"
)

// TestBegin begins with a part of a file and with all of it, also where it was only opened to be read, and says when that cannot be.
func TestBegin(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	read, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	if err := errors.Join(writeback.Begin(f, 4096, 64<<10), writeback.Begin(read, 0, 0)); err != nil {
		t.Error(err)
	}
	if err := writeback.Begin(f, -1, 1); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("before the file's start: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := writeback.Begin(f, 0, 0); err == nil {
		t.Error("a closed file was begun with")
	}
}
