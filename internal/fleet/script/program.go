// Package script runs the JavaScript of device models: a Program is a model
// compiled once, a Device one virtual device that runs it, bounded in time and
// in memory. What a device does to the world goes through its Host; nothing of
// the process is within a script's reach.
package script

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Program is a compiled model. It is safe for concurrent use.
type Program struct {
	model    *model.Model
	script   *goja.Program
	stages   map[string]*goja.Program
	settings []model.Setting
	buffers  members
	guarded  bool // its code may reach what guardMethods bounds

	mu sync.Mutex
	// places are all codes by the names that errors call them.
	places    map[string]code
	templates map[string]*template
}

// code is where a piece of JavaScript stands in what is compiled, and what it is
// of for those who wrote it.
type code struct {
	first  int // the line at which it begins
	last   int // the line at which it ends
	prefix int // columns in front of it in that line
	from   model.Origin
	member model.Position // of a template in a file: its member
}

// where is the place in the person's own text.
func (c code) where(line, column int) (int, int) {
	if line > c.last {
		return c.last, 1 // what is missing at its end is missed in our own text
	}
	if line == c.first {
		column += c.from.First - c.prefix
	} else {
		column += c.from.Indent
	}
	return line, max(column, 1)
}

// at puts an error at a line and a column of the code; line 0: nobody knows where.
func (c code) at(e *Error, line, column int) {
	switch {
	case c.member.File != "":
		e.File, e.Line, e.Column = c.member.File, c.member.Line, c.member.Column
		e.Message = e.Place + ": " + e.Message
	case line > 0:
		e.File = c.from.File
		e.Line, e.Column = c.where(line, column)
	case c.from.File != "":
		e.File = c.from.File
		e.Line, e.Column = c.where(c.first, c.prefix+1)
	}
}

// regexpBounds has matches that backtrack for ever end when a call's time is
// over: a match cannot be interrupted. What Go's own engine takes, which is
// most, does not backtrack.
var regexpBounds = sync.OnceFunc(func() { regexp2.DefaultMatchTimeout = maxComputing })

// Compile compiles a valid model: its script, stages and the templates of its
// protocol. An error is an *Error: it names place, line and column. What is
// written to be costly may take minutes to compile: code of strangers is to be
// compiled where it can be killed.
func Compile(m *model.Model) (*Program, error) {
	regexpBounds()
	p := &Program{
		model: m, stages: map[string]*goja.Program{}, places: map[string]code{},
		settings: m.Settings, buffers: bufferMethods(), templates: map[string]*template{},
	}
	var err error
	if m.Script != "" {
		from := m.Origin("")
		c := code{first: from.Line, from: from}
		if p.script, err = p.compile("script", c, m.Script, "", ""); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Stages)) {
		if p.stages[name], err = p.stage(name, m.Stages[name]); err != nil {
			return nil, err
		}
	}
	if m.Protocol != nil {
		for _, t := range texts(m.Protocol) {
			p.guarded = p.guarded || !unguarded(t.text)
			if _, err := p.template(t.member, t.text); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// stage compiles the body of a stage's function; one that awaits is the body
// of an async function.
func (p *Program) stage(name, body string) (*goja.Program, error) {
	place, from := "stage "+name, p.model.Origin(name)
	program, err := p.function(place, from, "(function(message){", body)
	if err != nil && strings.Contains(body, "await") {
		if async, err := p.function(place, from, "(async function(message){", body); err == nil {
			return async, nil
		}
	}
	return program, err
}

func (p *Program) function(place string, from model.Origin, head, body string) (*goja.Program, error) {
	return p.compile(place, code{first: from.Line, prefix: len(head), from: from}, body, head, "\n})")
}

// compile compiles code between head and tail, which are not the person's.
func (p *Program) compile(place string, c code, source, head, tail string) (*goja.Program, error) {
	c.last = c.first + strings.Count(source, "\n")
	if err := model.CheckNesting(source); err != nil {
		return nil, tooCostly(place, c, err)
	}
	full := strings.Repeat("\n", c.first-1) + head + source + tail
	tree, err := parse(place, full)
	if err != nil {
		return nil, syntaxError(place, c, err)
	}
	if head != "" && len(tree.Body) != 1 {
		e := &Error{Place: place, Name: "SyntaxError", Message: "SyntaxError: a brace closes more than was opened"}
		c.at(e, 0, 0)
		return nil, e
	}
	program, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, syntaxError(place, c, err)
	}
	p.guarded = p.guarded || !unguarded(source)
	p.places[place] = c
	return program, nil
}

// Model is what the program was compiled from.
func (p *Program) Model() *model.Model { return p.model }
