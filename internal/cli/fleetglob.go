package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/thingd/thingd/internal/fleet/globfile"
)

type fleetGlobCmd struct {
	List   globListCmd   `cmd:"" help:"List keys."`
	Get    globGetCmd    `cmd:"" help:"Print a value: JSON, or what a text says."`
	Set    globSetCmd    `cmd:"" help:"Set a value."`
	Delete globDeleteCmd `cmd:"" help:"Delete keys."`
}

// globFile is the file that runs with the same options use.
func (a *fleetAccess) globFile() (*globfile.File, error) {
	if a.GlobFile != "" {
		return globfile.Open(a.GlobFile)
	}
	t, err := a.resolve(os.Getenv, false)
	if err != nil {
		return nil, err
	}
	return t.openGlob()
}

type globListCmd struct {
	fleetAccess
	Prefix string `arg:"" optional:"" help:"Only keys that begin with this."`
}

// Run prints a key a line.
func (g *globListCmd) Run(ctx context.Context, c *CLI) error {
	f, err := g.globFile()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	const page = 1000
	for after := ""; ; {
		keys, err := f.List(ctx, g.Prefix, after, page)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := fmt.Fprintln(c.Stdout, clean(key)); err != nil {
				return err
			}
		}
		if len(keys) < page {
			return nil
		}
		after = keys[len(keys)-1]
	}
}

type globGetCmd struct {
	fleetAccess
	Key  string `arg:"" help:"The key."`
	JSON bool   `name:"json" help:"Print a text as JSON too."`
}

// Run prints a value; a text, such as a certificate, as it is.
func (g *globGetCmd) Run(ctx context.Context, c *CLI) error {
	f, err := g.globFile()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	value, ok, err := f.Get(ctx, g.Key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is no key %s", clean(g.Key))
	}
	var text string
	if !g.JSON && json.Unmarshal(value, &text) == nil {
		_, err = fmt.Fprintln(c.Stdout, text)
		return err
	}
	return c.printJSON(value)
}

type globSetCmd struct {
	fleetAccess
	Key   string `arg:"" help:"The key."`
	Value string `arg:"" help:"JSON; what is none is taken as text; - reads it from standard input."`
}

var errGlobSet = errors.New(`thingd fleet glob set takes KEY and one VALUE, which stands in quotes: set key "$(cat key.pem)", or set key - < key.pem for standard input (options: --help)`)

func isGlobSet(args []string) bool {
	return len(args) > 3 && slices.Equal(args[:3], []string{"fleet", "glob", "set"})
}

// globSetArgs puts a value such as a PEM block or a negative number, which the parser would take for options, behind --.
func globSetArgs(args []string) []string {
	if !isGlobSet(args) || slices.Contains(args, "--") {
		return args
	}
	for i := len(args) - 1; i > 3; i-- {
		if valueForm.MatchString(args[i]) {
			return append(slices.Delete(slices.Clone(args), i, i+1), "--", args[i])
		}
	}
	return args
}

// valueForm is what begins with - and is no option.
var valueForm = regexp.MustCompile(`^-(-?-[^a-z]|[0-9.])|^--?[^=\s]*\s`)

// Run sets a value.
func (g *globSetCmd) Run(ctx context.Context) error {
	value := []byte(g.Value)
	if g.Value == "-" {
		var err error
		if value, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20)); err != nil {
			return err
		}
	}
	if !json.Valid(value) {
		var err error
		if value, err = json.Marshal(string(value)); err != nil {
			return err
		}
	}
	f, err := g.globFile()
	if err != nil {
		return err
	}
	return errors.Join(f.Set(ctx, g.Key, value), f.Close())
}

type globDeleteCmd struct {
	fleetAccess
	Keys []string `arg:"" help:"The keys."`
}

// Run deletes keys; those that are not there are no error.
func (g *globDeleteCmd) Run(ctx context.Context) error {
	f, err := g.globFile()
	if err != nil {
		return err
	}
	for _, key := range g.Keys {
		err = errors.Join(err, f.Delete(ctx, key))
	}
	return errors.Join(err, f.Close())
}
