package script

import (
	"errors"
	"sort"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
)

// parse parses JavaScript. What does not parse is a parser.ErrorList, of which
// the first says what is wrong, and where.
func parse(place, source string) (*ast.Program, error) {
	// Without the option the parser reads files that sourceMappingURL names.
	tree, err := parser.ParseFile(nil, place, source, 0, parser.WithDisableSourceMaps)
	if list, ok := errors.AsType[parser.ErrorList](err); ok && len(list) > 0 {
		list[0].Position = tokenAt(list[0], source)
	}
	return tree, err
}

// tokenAt is where the token stands that an error calls unexpected. Of what
// cannot be a property's name the parser points at the token behind it, which
// may be lines away.
func tokenAt(e *parser.Error, source string) file.Position {
	token, ok := strings.CutPrefix(e.Message, "Unexpected token ")
	if !ok || token == "ILLEGAL" { // which is how the parser calls what is none
		return e.Position
	}
	f := file.NewFile(e.Position.Filename, source, 1)
	told := sort.Search(len(source), func(i int) bool {
		p := f.Position(i)
		return p.Line > e.Position.Line || p.Line == e.Position.Line && p.Column >= e.Position.Column
	})
	if strings.HasPrefix(source[told:], token) {
		return e.Position
	}
	if at := strings.LastIndex(source[:told], token); at >= 0 {
		return f.Position(at)
	}
	return e.Position
}
