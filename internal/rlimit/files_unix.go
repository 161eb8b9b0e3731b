//go:build unix

// Package rlimit tells what the operating system lets the process have.
package rlimit

import (
	"math"
	"syscall"
)

// Files is how many files and connections the process may have open; false if
// that cannot be told.
func Files() (n int64, ok bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return int64(min(limit.Cur, math.MaxInt64)), true //nolint:unconvert // Cur has another type on other systems
}
