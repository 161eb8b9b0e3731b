package blob

import "syscall"

// freeSpace is how many bytes a directory's file system has left for us.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(min(s.Bavail, 1<<50)) * int64(s.Bsize), nil //nolint:unconvert // Bsize has another type on other processors
}

// totalSpace is the file system's size.
func totalSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(min(s.Blocks, 1<<50)) * int64(s.Bsize), nil //nolint:unconvert // as above
}
