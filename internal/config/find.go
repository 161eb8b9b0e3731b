package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning is in what FindServer answers when it found no server.
var ErrNotRunning = errors.New("no thingd server is running")

// SeveralError is what FindServer answers when it cannot tell which server is meant.
type SeveralError struct {
	Dirs []string // of the running servers
}

func (e *SeveralError) Error() string {
	return "several servers are running (" + strings.Join(e.Dirs, ", ") + "); choose one with --data DIR or --dev"
}

// Running is a server as its data directory describes it.
type Running struct {
	Dir         string // absolute
	Endpoints   Endpoints
	Credentials RootCredentials // by Find alone
}

// Find is FindServer with the root credentials, for commands that speak for the
// root user. That their file is missing is an error which says how to get
// another.
func Find(data string, dev bool, getenv func(string) string) (*Running, error) {
	r, err := FindServer(data, dev, getenv)
	if err != nil {
		return nil, err
	}
	r.Credentials, err = ReadRootCredentials(r.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.Endpoints.Dev:
		return nil, fmt.Errorf("the server runs, but the file %s is missing: start the server again, which writes it", filepath.Join(r.Dir, RootCredentialsFile))
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the server runs, but the file %s is missing: stop the server and run thingd reset-root --data %s, which makes a new root access key",
			filepath.Join(r.Dir, RootCredentialsFile), ShellQuote(r.Dir))
	case err != nil:
		return nil, err
	}
	return r, nil
}

// FindServer looks for the server that a client-side command is to speak of: the
// one on the given data directory; with dev, the --dev server; else the one that
// runs on the default directory or as --dev server. Two of them running is an
// error (SeveralError), since a guess could send a test suite's commands to
// real data.
func FindServer(data string, dev bool, getenv func(string) string) (*Running, error) {
	switch {
	case data != "":
		return find([]string{data}, "--data "+ShellQuote(data))
	case dev:
		dirs := DevDirs(getenv)
		for _, dir := range dirs { // this environment's own first
			r, err := find([]string{dir}, "")
			if !errors.Is(err, ErrNotRunning) {
				return r, err
			}
		}
		return find(dirs, "--dev")
	}
	return find(append(DevDirs(getenv), DefaultDataDir(getenv)), "")
}

// find looks into dirs; options are those by which serve would start there.
func find(dirs []string, options string) (*Running, error) {
	var found []*Running
	var asked []string
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		dir, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		asked = append(asked, dir)
		r, err := read(dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !alive(r.Endpoints.PID) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	if len(found) > 1 {
		if up := answering(found); len(up) > 0 {
			found = up
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w in %s; start one with: %s", ErrNotRunning, strings.Join(asked, " or "), strings.TrimSpace("thingd serve "+options))
	case 1:
		return found[0], nil
	}
	several := &SeveralError{}
	for _, r := range found {
		several.Dirs = append(several.Dirs, r.Dir)
	}
	return nil, several
}

// alive says whether the process may be there; a killed one cannot remove its
// file. A process of another user counts, and so does one that is not known.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if pid <= 0 || err != nil {
		return true
	}
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func read(dir string) (*Running, error) {
	e, err := ReadEndpoints(dir)
	if err != nil {
		return nil, err
	}
	return &Running{Dir: dir, Endpoints: e}, nil
}

// answering keeps the servers whose API port takes connections: another process
// may have a killed server's number by now.
func answering(all []*Running) []*Running {
	var up []*Running
	for _, r := range all {
		u, err := url.Parse(r.Endpoints.API)
		if err != nil {
			continue
		}
		c, err := net.DialTimeout("tcp", u.Host, 2*time.Second)
		if err != nil {
			continue
		}
		_ = c.Close()
		up = append(up, r)
	}
	return up
}
