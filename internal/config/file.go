package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// File reads a configuration file for kong: one JSON object whose keys are the
// long options' names. A key that is no option is an error, and a variable
// that is set wins over the file.
func File(r io.Reader) (kong.Resolver, error) {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	values := map[string]any{}
	if err := dec.Decode(&values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("configuration file: more than one JSON value")
	}
	return &fileValues{values}, nil
}

type fileValues struct{ values map[string]any }

// Validate refuses keys that no command's option has.
func (f *fileValues) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, flag := range n.Flags {
			known[flag.Name] = true
		}
		for _, c := range n.Children {
			visit(c)
		}
	}
	visit(app.Node)
	var faults []error
	for k := range f.values {
		if !known[k] || k == "config" {
			faults = append(faults, fmt.Errorf("configuration file: no option is called %q", k))
		}
	}
	slices.SortFunc(faults, func(a, b error) int {
		if a.Error() < b.Error() {
			return -1
		}
		return 1
	})
	return errors.Join(faults...)
}

// Resolve answers the file's value for a flag.
func (f *fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.values[flag.Name]
	if !ok || flag.Name == "config" {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return v, nil
}
