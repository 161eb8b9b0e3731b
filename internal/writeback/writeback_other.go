//go:build !linux

// Package writeback has the disk begin early with what a file was given, where the system can: not here.
package writeback

import "os"

// Begin does nothing.
func Begin(*os.File, int64, int64) error { return nil }
