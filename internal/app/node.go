package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
)

// node names this server among those that share its database, the same after a
// restart. The host is part of it, for directories are copied when a second
// server is made.
func node(dir string) (string, error) {
	id, err := nodeID(dir)
	if err != nil {
		return "", err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // the rest tells most of them apart
	}
	return host + "/" + id, nil
}

// nodeID names a data directory and what is in it, whatever the host is called.
func nodeID(dir string) (string, error) {
	file := filepath.Join(dir, "node")
	b, err := os.ReadFile(file)
	id, invalid := uuid.ParseBytes([]byte(strings.TrimSpace(string(b))))
	if errors.Is(err, fs.ErrNotExist) || err == nil && invalid != nil { // a crash may have left it empty
		if id, err = uuid.NewRandom(); err == nil {
			err = os.WriteFile(file, []byte(id.String()+"\n"), 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("name of this server: %w", err)
	}
	return id.String(), nil
}

// shared says that other servers may use the same database; a file is one's own.
func (a *App) shared() bool { return !strings.HasPrefix(a.cfg.Database, "sqlite:") }
