//go:build unix && !linux

package worker

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// confine puts this process under its limits: no core file with what it held,
// and a low priority. Its memory is held down by GOMEMLIMIT, and watched.
func confine(int64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, 10) // it may have been lower already
	return nil
}

// attributes do not end the process with its parent: the end of its standard
// input does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// resident is how much memory a process has; false if that cannot be told.
func resident(pid int) (int64, bool) {
	out, err := exec.Command("/bin/ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, false
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return kib << 10, err == nil
}
