package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// sharingViolation is how Windows answers who opens what another has for itself.
const sharingViolation = syscall.Errno(32)

// openAlone opens a file that nobody else may have open meanwhile.
func openAlone(name string, access, how uint32) (syscall.Handle, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	return syscall.CreateFile(path, access, 0, nil, how, syscall.FILE_ATTRIBUTE_NORMAL, 0)
}

// lockData takes the data directory for this process: two servers on one
// directory would lose each other's writes.
func lockData(dir string) (unlock func() error, err error) {
	h, err := openAlone(filepath.Join(dir, "lock"), syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.OPEN_ALWAYS)
	if errors.Is(err, sharingViolation) {
		return nil, fmt.Errorf("another thingd runs on the data directory %s: stop it, or choose another with --data", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}

// dataLocked says whether a thingd runs on the data directory. It makes nothing.
func dataLocked(dir string) bool {
	h, err := openAlone(filepath.Join(dir, "lock"), syscall.GENERIC_READ, syscall.OPEN_EXISTING)
	if err == nil {
		_ = syscall.CloseHandle(h)
	}
	return errors.Is(err, sharingViolation)
}
