package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
// not writable, full of something else, or made by a server of the other kind
// (--dev or not), whose keys and whose reset must not meet real data.
func (c *Config) Prepare() error {
	err := os.MkdirAll(c.Data, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return makeError(c.Data, err)
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
	if err := checkContent(c.Data); err != nil {
		return err
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
		return fmt.Errorf("data directory %s: belongs to a server without --dev, whose data a reset would wipe out%s", c.Data, c.hint())
	case !c.Dev && root.AccessKeyID == DevAccessKeyID:
		return fmt.Errorf("data directory %s: belongs to a --dev server, whose keys are public%s", c.Data, c.hint())
	}
	return nil
}

// hint tells a user who named no directory what did: thingd env exports
// THINGD_DATA.
func (c *Config) hint() string {
	if !c.dataByVariable {
		return ""
	}
	return "; THINGD_DATA names it: unset THINGD_DATA, or choose another with --data"
}

// serverFiles are in a data directory from its server's first start on; a copy
// may lack one or the other.
var serverFiles = []string{"lock", RootCredentialsFile, "thingd.db", filepath.Join("keys", "master.key")}

// checkContent refuses a directory that holds something, but none of a server's
// files. What every new file system or home directory has does not count:
// lost+found, and files (not directories, such as .git) whose names begin with
// a dot.
func checkContent(dir string) error {
	for _, name := range serverFiles {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return dirError(dir, err)
	}
	defer func() { _ = d.Close() }()
	for {
		entries, err := d.ReadDir(100)
		for _, e := range entries {
			if e.Name() != "lost+found" && (e.IsDir() || !strings.HasPrefix(e.Name(), ".")) {
				return fmt.Errorf("data directory %s: is not empty and not thingd's: choose an empty or new one with --data", dir)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return dirError(dir, err)
		}
	}
}

// inTemp says whether dir lies directly where every user may make files.
func inTemp(dir string) bool {
	parent := filepath.Dir(dir)
	return parent == "/tmp" || parent == filepath.Clean(os.TempDir())
}

// makeError says which of the directories on the way to dir could not be made.
func makeError(dir string, err error) error {
	pe, ok := errors.AsType[*fs.PathError](err)
	switch {
	case !ok:
		return dirError(dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data directory %s: no right to make %s: make it and give it to this user, or choose another with --data", dir, pe.Path)
	case pe.Path != dir:
		return fmt.Errorf("data directory %s: %s: %w", dir, pe.Path, pe.Err)
	}
	return dirError(dir, err)
}

func dirError(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no right to read and write in the data directory %s: change its owner, or choose another with --data", dir)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}
