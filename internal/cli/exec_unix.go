//go:build unix

package cli

import (
	"fmt"
	"syscall"
)

// execute replaces this process, so that signals and the exit code are the
// program's own.
func execute(path string, argv, env []string, _ *CLI) error {
	if err := syscall.Exec(path, argv, env); err != nil {
		return fmt.Errorf("run %s: %w", path, err)
	}
	return nil
}
