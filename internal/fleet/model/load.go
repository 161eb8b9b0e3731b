package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Names in the folder of a model; the stages are NAME.js beside them.
const (
	documentFile = "model.json"
	scriptFile   = "lib.js"
)

// Load reads a model from a folder, from one file of JavaScript (.js), or from
// its JSON document (.json).
func Load(path string) (*Model, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		dir, name = path, "."
	}
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return load(root.FS(), filepath.ToSlash(name), called(path))
}

// LoadFS is Load in a file system.
func LoadFS(fsys fs.FS, name string) (*Model, error) { return load(fsys, name, called(name)) }

// load loads a model; its errors, and those of its scripts, name its files by
// what the file or folder is called.
func load(fsys fs.FS, name, called string) (*Model, error) {
	folder := path.Ext(name) != ".js" && path.Ext(name) != ".json"
	document := name
	if folder {
		document = path.Join(name, documentFile)
	}
	content, err := readFile(fsys, document)
	switch {
	case folder && errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no %s: a model is a folder with one, or a file of JavaScript", called, documentFile)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", called, err)
	case folder:
		return loadFolder(fsys, name, called, content)
	case path.Ext(name) == ".js":
		return parseFile(called, string(content))
	}
	src := &source{document: called, members: membersOf(called, content)}
	m, err := Parse(content)
	if err != nil {
		return nil, src.named(err)
	}
	m.source = src
	return m, nil
}

func loadFolder(fsys fs.FS, dir, called string, document []byte) (*Model, error) {
	src := &source{folder: called, document: path.Join(called, documentFile)}
	src.members = membersOf(src.document, document)
	var m Model
	if err := strict(document, &m); err != nil {
		return nil, src.named(err)
	}
	files, err := fs.Glob(fsys, path.Join(dir, "*.js"))
	if err != nil {
		return nil, err
	}
	if len(files) > maxStages+1 {
		return nil, fmt.Errorf("%s: there are %d files of JavaScript, at most %d can be", called, len(files), maxStages+1)
	}
	for _, file := range files {
		code, err := readFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", called, err)
		}
		name := strings.TrimSuffix(path.Base(file), ".js")
		_, there := m.Stages[name]
		if path.Base(file) == scriptFile {
			there = m.Script != ""
		}
		if there {
			return nil, fmt.Errorf("%s has what %s has too: leave one of them", src.document, path.Base(file))
		}
		if path.Base(file) == scriptFile {
			m.Script = string(code)
			continue
		}
		if m.Stages == nil {
			m.Stages = map[string]string{}
		}
		m.Stages[name] = string(code)
	}
	if err := m.Validate(); err != nil {
		return nil, src.named(err)
	}
	m.source = src
	return &m, nil
}

// readFile reads a file of at most the size of a document.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxDocument {
		return nil, fmt.Errorf("%s has more than %d bytes", path.Base(name), maxDocument)
	}
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), nil
}

// Write writes the model as a folder, which it makes, or as one file when path
// ends in .js. It overwrites no file that is there.
func (m *Model) Write(path string) error {
	if filepath.Ext(path) == ".js" {
		return create(path, m.file())
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	rest := *m
	rest.Script, rest.Stages = "", nil
	document, err := json.MarshalIndent(folderDocument{rest, nil}, "", "  ")
	if err != nil {
		return err
	}
	if err := create(filepath.Join(path, documentFile), append(document, '\n')); err != nil {
		return err
	}
	if m.Script != "" {
		if err := create(filepath.Join(path, scriptFile), []byte(m.Script)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Stages)) {
		if err := create(filepath.Join(path, name+".js"), []byte(m.Stages[name])); err != nil {
			return err
		}
	}
	return nil
}

// folderDocument is a model's document without stages, which are files.
type folderDocument struct {
	Model
	Stages map[string]string `json:"stages,omitempty"`
}

func create(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
