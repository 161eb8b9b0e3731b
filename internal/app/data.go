package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockData makes the data directory and takes it for this process: two servers
// on one directory would lose each other's writes.
func lockData(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dataError(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, dataError(dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another thingd runs on the data directory %s: stop it, or choose another with --data", dir)
		}
		return nil, dataError(dir, err)
	}
	return f.Close, nil
}

func dataError(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no right to write in the data directory %s: change its owner, or choose another with --data", dir)
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}
