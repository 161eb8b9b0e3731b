// Package samples has the device models that thingd comes with, each as a
// folder that a person can read, edit and keep: the connector of AWS IoT with
// the IAM policy that it needs, its clean-up, and devices that use what it
// made. They know AWS's interfaces alone.
package samples

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/fleet/model"
)

//go:embed aws-iot-connector aws-iot-connector-cleanup aws-iot-device sensor thermostat kura-gateway camera
var files embed.FS

// names are the samples in the order in which people are to see them.
var names = [...]string{"aws-iot-connector", "aws-iot-connector-cleanup", "aws-iot-device", "sensor", "thermostat", "kura-gateway", "camera"}

// Names are the names of all samples, the connector first.
func Names() []string { return names[:] }

// Model is a sample's model, the caller's own.
func Model(name string) (*model.Model, error) {
	if err := known(name); err != nil {
		return nil, err
	}
	m, err := model.LoadFS(files, name)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", name, err)
	}
	return m, nil
}

// Policy is the IAM policy document that the access key of a sample needs, nil
// where the sample has none of its own.
func Policy(name string) []byte {
	document, err := files.ReadFile(path.Join(name, "policy.json"))
	if err != nil {
		return nil
	}
	return document
}

// Write writes a sample's folder to dir, which it makes, and answers the names
// of the files. It overwrites none: if one is there already, it writes nothing.
func Write(name, dir string) ([]string, error) {
	if err := known(name); err != nil {
		return nil, err
	}
	entries, err := files.ReadDir(name)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(dir, e.Name())); err == nil {
			return nil, fmt.Errorf("%s is there already", filepath.Join(dir, e.Name()))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var written []string
	for _, e := range entries {
		content, err := files.ReadFile(path.Join(name, e.Name()))
		if err != nil {
			return nil, err
		}
		if err := create(filepath.Join(dir, e.Name()), content); err != nil {
			return nil, err
		}
		written = append(written, e.Name())
	}
	return written, nil
}

func create(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func known(name string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return fmt.Errorf("there is no sample %.128q; there are %s", name, strings.Join(names[:], ", "))
}
