package main

import (
	"os"
	"syscall"
)

// datasync makes what was written to a file durable, its data alone.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
