package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/fleet/samples"
)

type fleetSamplesCmd struct {
	JSON bool `name:"json" help:"Print JSON: the models whole."`
}

// Run lists the samples.
func (f *fleetSamplesCmd) Run(c *CLI) error {
	var all []json.RawMessage
	for _, name := range samples.Names() {
		m, err := samples.Model(name)
		if err != nil {
			return err
		}
		if f.JSON {
			all = append(all, m.JSON())
			continue
		}
		if _, err := fmt.Fprintf(c.Stdout, "%s\n%s\n", name, wrapped(m.Description, "    ", 100)); err != nil {
			return err
		}
	}
	if !f.JSON {
		return nil
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return c.printJSON(text)
}

// wrapped breaks a text into lines that begin with indent.
func wrapped(text, indent string, width int) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line
}

type fleetInitCmd struct {
	Sample string `arg:"" help:"Name of the sample: thingd fleet samples lists them."`
	Dir    string `arg:"" optional:"" help:"Directory to write it to (one named after the sample)."`
}

// Run writes a sample where nothing of its name is.
func (f *fleetInitCmd) Run(c *CLI) error {
	dir := f.Dir
	if dir == "" {
		dir = f.Sample
	}
	written, err := samples.Write(f.Sample, dir)
	if err != nil {
		return err
	}
	for _, name := range written {
		if _, err := fmt.Fprintln(c.Stdout, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
