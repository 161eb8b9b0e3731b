package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// PlaceError is what is wrong at a place of a text: of a document, of a piece
// of JavaScript.
type PlaceError struct {
	Line, Column int // from 1; column 0: the line as a whole
	Text         string
}

func (e *PlaceError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Text)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// fault is what is wrong with a member of a model.
type fault struct {
	member, text string
	bare         bool // the text names the member itself
}

func (f *fault) Error() string {
	if f.bare {
		return f.text
	}
	return f.member + ": " + f.text
}

// Position is a place in a file of a model; the zero value is none.
type Position struct {
	File         string // as its person calls it
	Line, Column int    // from 1
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, max(p.Column, 1)) }

// Origin is where the code of a stage, or the script, comes from.
type Origin struct {
	File string // "": from no file
	Line int    // of its first line
	// First and Indent are what stands in the file before a column of the first
	// line, and of the others.
	First, Indent int
}

// source is the files that a model was loaded from.
type source struct {
	document string // the file that has the members
	folder   string // of a model in a folder
	code     map[string]Origin
	members  map[string]Position
}

// Origin says where a stage ("" is the script) comes from: errors name files
// and lines of theirs.
func (m *Model) Origin(stage string) Origin {
	switch {
	case m.source == nil:
	case m.source.folder != "":
		return Origin{File: m.source.file(stage), Line: 1}
	case m.source.code != nil:
		return m.source.code[stage]
	}
	return Origin{Line: 1}
}

// Member says where a member, such as protocol.topic, stands in a file.
func (m *Model) Member(name string) (Position, bool) {
	if m.source == nil {
		return Position{}, false
	}
	p, ok := m.source.members[name]
	return p, ok
}

// AsFolder has errors of a model that came as a document name its stages as the
// files that they would be in a folder called as the model is.
func (m *Model) AsFolder() { m.source = &source{folder: m.Name} }

// file is the file of a stage, or of the script, in a folder.
func (s *source) file(stage string) string {
	if stage == "" {
		return path.Join(s.folder, scriptFile)
	}
	return path.Join(s.folder, stage+".js")
}

// named are the faults of a model with the places at which they are.
func (s *source) named(err error) error {
	var all []error
	for _, one := range Faults(err) {
		all = append(all, s.name(one))
	}
	return errors.Join(all...)
}

func (s *source) name(err error) error {
	if e, ok := errors.AsType[*PlaceError](err); ok {
		return fmt.Errorf("%s: %s", Position{s.document, e.Line, e.Column}, e.Text)
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return fmt.Errorf("%s: %w", s.document, err)
	}
	if stage, ok := strings.CutPrefix(f.member, "stages."); ok && s.folder != "" {
		return fmt.Errorf("%s: %w", Position{s.file(stage), 1, 1}, err)
	}
	if f.member == "script" && s.folder != "" {
		return fmt.Errorf("%s: %w", Position{s.file(""), 1, 1}, err)
	}
	for member := f.member; ; member = parent(member) {
		if at, ok := s.members[member]; ok {
			return fmt.Errorf("%s: %w", at, err)
		}
		if member == "" {
			return fmt.Errorf("%s: %w", s.document, err)
		}
	}
}

// parent is the member that a member is in.
func parent(member string) string { return member[:max(strings.LastIndexAny(member, ".["), 0)] }

// membersOf finds where each member of a document stands: its name does, or the
// item of an array.
func membersOf(file string, document []byte) map[string]Position {
	const deepest = 50
	d := json.NewDecoder(bytes.NewReader(document))
	out := map[string]Position{}
	line, lineBegins, seen := 1, 0, 0
	note := func(at int, name string) {
		at += len(document[at:]) - len(bytes.TrimLeft(document[at:], " \t\r\n,:"))
		if n := bytes.Count(document[seen:at], []byte("\n")); n > 0 {
			line += n
			lineBegins = bytes.LastIndexByte(document[:at], '\n') + 1
		}
		seen = at
		out[name] = Position{file, line, at - lineBegins + 1}
	}
	var value func(name string, depth int) bool
	value = func(name string, depth int) bool {
		t, err := d.Token()
		if err != nil || depth > deepest {
			return false
		}
		switch t {
		case json.Delim('{'):
			for d.More() {
				begins := int(d.InputOffset())
				key, err := d.Token()
				text, ok := key.(string)
				if err != nil || !ok {
					return false
				}
				note(begins, member(name, text))
				if !value(member(name, text), depth+1) {
					return false
				}
			}
		case json.Delim('['):
			for i := 0; d.More(); i++ {
				item := fmt.Sprintf("%s[%d]", name, i)
				note(int(d.InputOffset()), item)
				if !value(item, depth+1) {
					return false
				}
			}
		default:
			return true
		}
		_, err = d.Token()
		return err == nil
	}
	note(0, "")
	value("", 0)
	return out
}

// called is what a file or folder is called in errors: as its person did,
// unless that is so long that it would leave no room for what is wrong.
func called(name string) string {
	const most = 80
	name = filepath.ToSlash(filepath.Clean(name))
	if len(name) > most {
		return path.Base(name)
	}
	return name
}
