package blob

import (
	"os"
	"syscall"
)

// syncFileRangeWrite is SYNC_FILE_RANGE_WRITE: begin, and do not wait.
const syncFileRangeWrite = 2

// beginWriteback has the disk begin with n of a file's bytes. It promises nothing, so its errors do not matter: a sync
// behind it finds less to do.
func beginWriteback(f *os.File, offset, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) {
		_ = syscall.SyncFileRange(int(fd), offset, n, syncFileRangeWrite)
	})
}
