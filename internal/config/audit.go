package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// AuditDir is the directory of the audit trail, in the data directory, and
// DeviceLogDir that of the log of what happens to devices, whose files are as
// large and as many.
const (
	AuditDir     = "audit"
	DeviceLogDir = "iot-logs"
)

// The bounds of what AuditSize and AuditKeep may say.
const (
	minAuditSize = 64 << 10
	maxAuditSize = 1 << 40
	maxAuditKeep = 10000
)

// AuditLimits are the bytes after which a new audit file is begun, and how many
// are kept besides it. They are of a Config that Check found nothing wrong with.
func (c *Config) AuditLimits() (size int64, keep int) {
	size, _ = c.auditSize()
	keep, _ = c.auditKeep()
	return size, keep
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"", 1}}

// auditSize reads AuditSize; empty is the default.
func (c *Config) auditSize() (int64, error) {
	if c.AuditSize == "" {
		return 64 << 20, nil
	}
	return parseSize(c.AuditSize, minAuditSize, maxAuditSize)
}

// parseSize reads a number of bytes with its unit.
func parseSize(text string, least, most int64) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > most/u.bytes || n*u.bytes < least {
			break
		}
		return n * u.bytes, nil
	}
	return 0, errors.New("not a size")
}

// auditKeep reads AuditKeep; empty is the default.
func (c *Config) auditKeep() (int, error) {
	if c.AuditKeep == "" {
		return 10, nil
	}
	n, err := strconv.Atoi(c.AuditKeep)
	if err != nil || n < 0 || n > maxAuditKeep {
		return 0, errors.New("not a number of files")
	}
	return n, nil
}

// FindAudit finds the audit trail that a command is to read: of the server that
// FindServer finds, or, when none runs, the one that was left in the directory that is
// meant. Two of those are a SeveralError.
func FindAudit(data string, dev bool, getenv func(string) string) (dir string, err error) {
	candidates := []string{data}
	if data == "" {
		r, err := FindServer(data, dev, getenv)
		if err == nil {
			return filepath.Join(r.Dir, AuditDir), nil
		}
		if !errors.Is(err, ErrNotRunning) {
			return "", err
		}
		candidates = DevDirs(getenv)
		if !dev {
			candidates = append(candidates, DefaultDataDir(getenv))
		}
	}
	candidates = slices.DeleteFunc(candidates, func(d string) bool { return d == "" })
	var found []string
	for _, c := range candidates {
		if fi, err := os.Stat(filepath.Join(c, AuditDir)); err == nil && fi.IsDir() {
			found = append(found, c)
		} else if errors.Is(err, os.ErrPermission) {
			return "", fmt.Errorf("no right to read %s: run it as the server's user", c)
		}
	}
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("no audit trail in %s", strings.Join(candidates, " or "))
	case len(found) > 1:
		return "", fmt.Errorf("several servers left an audit trail (%s); choose one with --data DIR or --dev", strings.Join(found, ", "))
	}
	return filepath.Join(found[0], AuditDir), nil
}
