package worker

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// overhead is how much more memory than its limit a worker may map: a program's
// own, and what the garbage collector is late with. Whatever is mapped beyond
// ends the process, however fast it was asked for.
const overhead = 256 << 20

// confine puts this process under its limits: memory, no core file with what
// it held, and a low priority.
func confine(memory int64) error {
	if memory > 0 {
		most := uint64(memory + memory/4 + overhead)
		if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	// Of the group, which it leads: on Linux a process is its first thread alone.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, 10) // it may have been lower already
	return nil
}

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// resident is how much memory a process has; false if that cannot be told.
func resident(pid int) (int64, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
