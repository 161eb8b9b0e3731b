package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"
)

// ErrNotRunning says that no server was found.
var ErrNotRunning = errors.New("no thingd server is running here; start one with: thingd serve")

// Running is a server as its data directory describes it.
type Running struct {
	Dir         string
	Endpoints   Endpoints
	Credentials RootCredentials
}

// Find looks for the server that a client-side command is to speak of: the one
// on the given data directory; with dev, the --dev server; else the one that
// runs on the default directory or as --dev server. Two of them running is an
// error, since a guess could send a test suite's commands to real data.
func Find(data string, dev bool, getenv func(string) string) (*Running, error) {
	switch {
	case data != "":
		return find([]string{data})
	case dev:
		for _, dir := range DevDirs(getenv) { // this environment's own first
			if r, err := find([]string{dir}); err == nil {
				return r, nil
			}
		}
		return nil, ErrNotRunning
	}
	return find(append(DevDirs(getenv), DefaultDataDir(getenv)))
}

func find(dirs []string) (*Running, error) {
	var found []*Running
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		r, err := read(dir)
		if errors.Is(err, fs.ErrNotExist) {
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
		return nil, ErrNotRunning
	case 1:
		return found[0], nil
	}
	var names []string
	for _, r := range found {
		names = append(names, r.Dir)
	}
	return nil, fmt.Errorf("several servers are running (%s); choose one with --data DIR or --dev", strings.Join(names, ", "))
}

func read(dir string) (*Running, error) {
	e, err := ReadEndpoints(dir)
	if err != nil {
		return nil, err
	}
	c, err := ReadRootCredentials(dir)
	if err != nil {
		return nil, err
	}
	return &Running{Dir: dir, Endpoints: e, Credentials: c}, nil
}

// answering keeps the servers whose API port takes connections: a file that a
// killed server left behind says nothing.
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
