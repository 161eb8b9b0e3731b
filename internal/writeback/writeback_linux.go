// Package writeback has the disk begin early with what a file was given, so that a sync behind it finds less to do.
package writeback

import (
	"os"
	"syscall"
)

// syncFileRangeWrite is SYNC_FILE_RANGE_WRITE: begin, and do not wait.
const syncFileRangeWrite = 2

// Begin has the disk begin with n of a file's bytes, or all behind offset if n is 0, and does not wait. It promises
// nothing: a caller who syncs later may leave its error to that.
func Begin(f *os.File, offset, n int64) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) { failed = syscall.SyncFileRange(int(fd), offset, n, syncFileRangeWrite) })
	if err != nil {
		return err
	}
	return failed
}
