package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files in the data directory that a server writes and thingd's own commands
// read.
const (
	RootCredentialsFile = "root-credentials"
	ServerRootFile      = "server-root.pem"
	EndpointsFile       = "endpoints.json"
)

// RootCredentials is what the root user of an account has: its access key, and
// what it signs in to the console with, which files of former versions lack.
// They are made at the first start.
type RootCredentials struct {
	AccountID       string `json:"accountId"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	Region          string `json:"region"`
	Email           string `json:"email,omitempty"`
	Password        string `json:"password,omitempty"`
}

// Write puts r into the data directory, whole or not at all, readable by its
// owner alone.
func (r RootCredentials) Write(dir string) error {
	return writeJSON(filepath.Join(dir, RootCredentialsFile), r)
}

// WriteOther is Write for an account that is not the deployment's first. It
// returns the file's path.
func (r RootCredentials) WriteOther(dir string) (string, error) {
	path := filepath.Join(dir, RootCredentialsFile+"-"+r.AccountID)
	return path, writeJSON(path, r)
}

// ReadRootCredentials reads what Write wrote; fs.ErrNotExist if there is none.
func ReadRootCredentials(dir string) (RootCredentials, error) {
	var r RootCredentials
	err := readJSON(filepath.Join(dir, RootCredentialsFile), &r)
	if err == nil && (r.AccessKeyID == "" || r.SecretAccessKey == "") {
		err = fmt.Errorf("read %s: no access key in it", filepath.Join(dir, RootCredentialsFile))
	}
	return r, err
}

// Endpoints is where a running server is to be reached. A server writes it
// when it listens and removes it when it ends.
type Endpoints struct {
	API    string   `json:"api"`            // base URL of the AWS APIs, for clients on this machine
	Device string   `json:"device"`         // host:port of device HTTPS, as advertised
	MQTT   string   `json:"mqtt,omitempty"` // host:port of MQTT over TLS, as advertised
	Ops    string   `json:"ops"`            // host:port of health and metrics
	Region string   `json:"region"`         //
	Names  []string `json:"names"`          // advertised names
	Dev    bool     `json:"dev,omitempty"`  // a --dev server
	PID    int      `json:"pid"`            // its process
}

// Write puts e into the data directory, whole or not at all.
func (e Endpoints) Write(dir string) error {
	return writeJSON(filepath.Join(dir, EndpointsFile), e)
}

// Remove takes e away when its server ends, unless another server
// has put its own there since.
func (e Endpoints) Remove(dir string) error {
	now, err := ReadEndpoints(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now.PID != e.PID {
		return nil
	}
	return os.Remove(filepath.Join(dir, EndpointsFile))
}

// ReadEndpoints reads what Write wrote; fs.ErrNotExist if no server runs.
func ReadEndpoints(dir string) (Endpoints, error) {
	var e Endpoints
	err := readJSON(filepath.Join(dir, EndpointsFile), &e)
	if err == nil && e.API == "" {
		err = fmt.Errorf("read %s: no API address in it", filepath.Join(dir, EndpointsFile))
	}
	return e, err
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteFile(path, append(b, '\n'), 0o600)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no right to read %s: run it as the server's user", path)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// WriteFile writes a file whole or not at all: into a temporary file beside
// it, to the disk, and then renamed over it.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	_ = d.Sync() // not every system can; the file itself is safe
	return nil
}
