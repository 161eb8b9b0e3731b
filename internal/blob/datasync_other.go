//go:build !linux

package blob

import "os"

// datasync puts a file's bytes and its length on disk.
func datasync(f *os.File) error { return f.Sync() }
