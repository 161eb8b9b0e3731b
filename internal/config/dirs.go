package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// DefaultDataDir is where a server keeps its data when it is not told: the
// user's data directory (XDG Base Directory Specification), or /var/lib/thingd
// for root. Empty when the environment names neither.
func DefaultDataDir(getenv func(string) string) string {
	if d := getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "thingd")
	}
	if os.Geteuid() == 0 {
		return "/var/lib/thingd"
	}
	if h := getenv("HOME"); h != "" {
		return filepath.Join(h, ".local", "share", "thingd")
	}
	return ""
}

// DevDirs are the places of a --dev server's runtime directory. The first is
// where a server started from this environment puts it; the others are where
// one started from another environment of the same user may have.
func DevDirs(getenv func(string) string) []string {
	fixed := filepath.Join("/tmp", "thingd-dev-"+strconv.Itoa(os.Geteuid()))
	if d := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return []string{filepath.Join(d, "thingd-dev"), fixed}
	}
	return []string{fixed}
}

// Prepare makes the data directory (0700) if it is not there, and refuses one
// that this server must not use: of another user in the shared runtime place,
// not writable, or made by a server of the other kind (--dev or not), whose
// keys and whose reset must not meet real data.
func (c *Config) Prepare() error {
	err := os.MkdirAll(c.Data, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return dirError(c.Data, err)
	}
	fi, err := os.Lstat(c.Data)
	if err != nil {
		return dirError(c.Data, err)
	}
	if c.Dev && fi.Mode().Type() == fs.ModeSymlink && inTemp(c.Data) {
		return fmt.Errorf("data directory %s: is a symbolic link, which anybody may have laid there", c.Data)
	}
	if fi, err = os.Stat(c.Data); err != nil {
		return dirError(c.Data, err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("data directory %s: not a directory", c.Data)
	}
	if c.Dev && inTemp(c.Data) {
		if err := checkOwned(fi); err != nil {
			return fmt.Errorf("data directory %s: %w", c.Data, err)
		}
	}
	probe, err := os.CreateTemp(c.Data, ".writable-*")
	if err != nil {
		return dirError(c.Data, err)
	}
	_ = probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return dirError(c.Data, err)
	}
	root, err := ReadRootCredentials(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case c.Dev && root.AccessKeyID != DevAccessKeyID:
		return fmt.Errorf("data directory %s: belongs to a server without --dev, whose data a reset would wipe out", c.Data)
	case !c.Dev && root.AccessKeyID == DevAccessKeyID:
		return fmt.Errorf("data directory %s: belongs to a --dev server, whose keys are public", c.Data)
	}
	return nil
}

// inTemp says whether dir lies directly where every user may make files.
func inTemp(dir string) bool {
	parent := filepath.Dir(dir)
	return parent == "/tmp" || parent == filepath.Clean(os.TempDir())
}

func dirError(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no right to write in the data directory %s: change its owner, or choose another with --data", dir)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}
