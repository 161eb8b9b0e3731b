//go:build unix

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkOwned refuses a directory that another user owns or may write or read.
func checkOwned(fi fs.FileInfo) error {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("owner unknown")
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("belongs to user %d, not to user %d", st.Uid, os.Geteuid())
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("is open to other users (mode %04o, want 0700)", fi.Mode().Perm())
	}
	return nil
}
