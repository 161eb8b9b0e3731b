// Package script runs the JavaScript of device models: a Program is a model
// compiled once, a Device one virtual device that runs it, bounded in time and
// in memory. What a device does to the world goes through its Host.
package script

import (
	"fmt"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Program is a compiled model. It is safe for concurrent use.
type Program struct {
	model  *model.Model
	script *goja.Program
	stages map[string]*goja.Program
}

// Compile compiles a valid model. An error names stage, line and column.
func Compile(m *model.Model) (*Program, error) {
	p := &Program{model: m, stages: map[string]*goja.Program{}}
	var err error
	if p.script, err = compile("script", m.Script); err != nil {
		return nil, err
	}
	for name, body := range m.Stages {
		if p.stages[name], err = compile("stage "+name, "(function(message){"+body+"\n})"); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func compile(name, source string) (*goja.Program, error) {
	// Without this the parser reads the files that sourceMappingURL names.
	tree, err := goja.Parse(name, source, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	program, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return program, nil
}

// Model is what the program was compiled from.
func (p *Program) Model() *model.Model { return p.model }
