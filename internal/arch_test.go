// Package internal holds no code: its test holds the picture of the packages
// (docs/ARCHITECTURE.md).
package internal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/thingd/thingd/"

// The layers, from the top. A package may import packages of lower layers; of
// its own layer only where layer.free says so.
var layers = []layer{
	{"wiring", true, []string{"cmd/thingd", "internal/app", "internal/cli"}},
	{"edge", true, []string{"internal/server", "internal/console"}},
	// Domains never import each other. They meet in app.
	{"domains", false, []string{
		"internal/identity", "internal/registry", "internal/credentials", "internal/signin", "internal/audit", "internal/broker", "internal/shadow", "internal/jobs",
		"internal/rules", "internal/provisioning", "internal/video", "internal/fleet",
	}},
	{"wire and seams", true, []string{"internal/api", "internal/awsapi", "internal/db", "internal/bus", "internal/blob", "internal/rlimit", "internal/pause", "internal/seal", "internal/fresh", "internal/explain", "internal/journal", "internal/iotlog", "internal/msglog", "internal/config", "internal/kvs", "internal/mqtt/mqtttest", "internal/mqtt/client"}},
	// Values in, values out.
	{"pure", true, pure},
}

var pure = []string{
	"internal/mqtt", "internal/topic", "internal/policy", "internal/rulesql", "internal/mkv", "internal/fmp4", "internal/arn", "internal/kit", "internal/shadow/document",
}

// io are the packages by which a package would do I/O.
var ioPackages = []string{"net", "net/http", "os", "os/exec", "database/sql", "syscall", "io/ioutil", "log", "log/slog", "plugin"}

type layer struct {
	name string
	free bool // packages of this layer may import each other
	dirs []string
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

// layerOf finds the layer and the directory in it that a package belongs to:
// itself or the nearest of its parents that is named.
func layerOf(path string) (int, string) {
	for rel := strings.TrimPrefix(path, module); rel != ""; {
		for i, l := range layers {
			if slices.Contains(l.dirs, rel) {
				return i, rel
			}
		}
		cut := strings.LastIndexByte(rel, '/')
		if cut < 0 {
			break
		}
		rel = rel[:cut]
	}
	return -1, ""
}

// violations are all the ways in which packages differ from the picture.
func violations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		rel := strings.TrimPrefix(p.ImportPath, module)
		if rel == "internal" {
			continue
		}
		from, fromDir := layerOf(p.ImportPath)
		if from < 0 {
			out = append(out, fmt.Sprintf("%s is in no layer: add it to layers in internal/arch_test.go and to docs/ARCHITECTURE.md", rel))
			continue
		}
		for _, imp := range p.Imports {
			if layers[from].name == "pure" && slices.Contains(ioPackages, imp) {
				out = append(out, fmt.Sprintf("%s is pure and imports %s", rel, imp))
			}
			if !strings.HasPrefix(imp, module) {
				continue
			}
			to, toDir := layerOf(imp)
			switch impRel := strings.TrimPrefix(imp, module); {
			case to < 0: // told once, where it is listed itself
			case to < from:
				out = append(out, fmt.Sprintf("%s (%s) imports %s (%s): imports point down", rel, layers[from].name, impRel, layers[to].name))
			case to == from && fromDir != toDir && !layers[from].free:
				out = append(out, fmt.Sprintf("%s imports %s: %s never import each other", rel, impRel, layers[from].name))
			}
		}
	}
	return out
}

func TestArchitecture(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"cmd/...", module+"internal/...")
	out, err := cmd.Output()
	if err != nil {
		if ee, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list knows only %d packages", len(pkgs))
	}
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
}

// The checker itself sees what it is there for.
func TestCheckerCatches(t *testing.T) {
	in := func(path string, imports ...string) []pkg {
		for i, imp := range imports {
			if strings.HasPrefix(imp, "internal/") {
				imports[i] = module + imp
			}
		}
		return []pkg{{ImportPath: module + path, Imports: imports}}
	}
	for _, tt := range []struct {
		pkgs []pkg
		want string // part of the only violation; empty: none
	}{
		{in("internal/app", "internal/server", "internal/registry", "internal/db", "internal/policy", "net/http"), ""},
		{in("internal/registry", "internal/api/iot", "internal/db", "internal/policy", "os"), ""},
		{in("internal/registry/csr", "internal/registry"), ""},
		{in("internal/db/dbtest", "internal/db"), ""},
		{in("internal/policy", "internal/topic", "strings", "encoding/json"), ""},

		{in("internal/registry", "internal/identity"), "internal/registry imports internal/identity: domains never"},
		{in("internal/registry", "internal/video/index"), "domains never"},
		{in("internal/registry", "internal/app"), "imports point down"},
		{in("internal/db", "internal/registry"), "internal/db (wire and seams) imports internal/registry (domains): imports point down"},
		{in("internal/policy", "internal/awsapi"), "imports point down"},
		{in("internal/video", "internal/server"), "imports point down"},
		{in("internal/policy", "net"), "internal/policy is pure and imports net"},
		{in("internal/mkv", "os"), "internal/mkv is pure and imports os"},
		{in("internal/mkv/ebml", "database/sql"), "is pure"},
		{in("internal/utils", "strings"), "internal/utils is in no layer"},
	} {
		got := violations(tt.pkgs)
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%+v:\n%q\nwant %q", tt.pkgs, got, tt.want)
		}
	}
}
