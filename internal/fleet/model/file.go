package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// Parsers recurse, and take a time that grows with the square of some chains.
const (
	maxNesting = 1000 // brackets in each other
	maxArrows  = 2000 // functions such as a => b
)

var labels = regexp.MustCompile(`(?:[\w$]+\s*:\s*){64}`)

// CheckNesting refuses JavaScript that would be costly to parse: brackets that
// stand too deep in each other (those in texts and comments count as well),
// very many arrow functions, chains of labels.
func CheckNesting(source string) error {
	depth := 0
	for i := range len(source) {
		switch source[i] {
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				before := source[:i]
				return &PlaceError{strings.Count(before, "\n") + 1, i - strings.LastIndexByte(before, '\n'), fmt.Sprintf("brackets stand more than %d deep", maxNesting)}
			}
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	if n := strings.Count(source, "=>"); n > maxArrows {
		return fmt.Errorf("there are %d arrow functions, at most %d can be", n, maxArrows)
	}
	if labels.MatchString(source) {
		return errors.New("a statement has more than 63 labels")
	}
	return nil
}

// parseFile reads the form of one file: a constant named model with all
// members but stages and script, functions named as stages, and the script,
// which is everything else.
func parseFile(name, text string) (*Model, error) {
	src := &source{document: name, code: map[string]Origin{}, members: map[string]Position{}}
	m := &Model{}
	if err := src.parse(text, m); err != nil {
		return nil, src.named(err)
	}
	m.source = src
	return m, nil
}

func (s *source) parse(text string, m *Model) error {
	if err := CheckNesting(text); err != nil {
		return err
	}
	// Without the option the parser reads files that sourceMappingURL names.
	program, err := parser.ParseFile(nil, s.document, text, 0, parser.WithDisableSourceMaps)
	if err != nil {
		if list, ok := errors.AsType[parser.ErrorList](err); ok && len(list) > 0 {
			return &PlaceError{list[0].Position.Line, list[0].Position.Column, "SyntaxError: " + list[0].Message}
		}
		return err
	}
	r := fileReader{to: s, source: text, file: program.File}
	document, err := r.document(program)
	if err != nil {
		return err
	}
	if err := strict(document, m); err != nil {
		if e, ok := errors.AsType[*PlaceError](err); ok { // of a document that nobody has seen
			return &fault{member: "", text: "model: " + e.Text, bare: true}
		}
		return err
	}
	if m.Stages != nil || m.Script != "" {
		return &fault{member: "", text: "model: stages and script are the functions and the rest of the file", bare: true}
	}
	if err := r.stages(program, m); err != nil {
		return err
	}
	if err := r.misspelt(program, m); err != nil {
		return err
	}
	script := Origin{File: s.document}
	m.Script, script.Line = r.rest()
	s.code[""] = script
	return m.Validate()
}

type fileReader struct {
	to     *source // gets the places
	source string
	file   *file.File
	cut    [][2]int // what does not belong to the script, in order
}

func (r *fileReader) text(n ast.Node) string { return r.source[n.Idx0()-1 : n.Idx1()-1] }

// fault is what is wrong with a node.
func (r *fileReader) fault(n ast.Node, format string, args ...any) error {
	at := r.file.Position(int(n.Idx0()) - 1)
	return &PlaceError{at.Line, at.Column, fmt.Sprintf(format, args...)}
}

// note remembers where a member stands.
func (r *fileReader) note(name string, n ast.Node) {
	at := r.file.Position(int(n.Idx0()) - 1)
	r.to.members[name] = Position{r.to.document, at.Line, at.Column}
}

// remove takes a node out of the script, with the semicolon behind it.
func (r *fileReader) remove(n ast.Node) {
	end := int(n.Idx1()) - 1
	if rest := strings.TrimLeft(r.source[end:], " \t"); strings.HasPrefix(rest, ";") {
		end = len(r.source) - len(rest) + 1
	}
	r.cut = append(r.cut, [2]int{int(n.Idx0()) - 1, end})
}

// document is the constant model as JSON.
func (r *fileReader) document(program *ast.Program) ([]byte, error) {
	var document []byte
	for _, s := range program.Body {
		var list []*ast.Binding
		switch s := s.(type) {
		case *ast.LexicalDeclaration:
			list = s.List
		case *ast.VariableStatement:
			list = s.List
		}
		for _, b := range list {
			if id, ok := b.Target.(*ast.Identifier); !ok || id.Name != "model" {
				continue
			}
			switch {
			case document != nil:
				return nil, r.fault(s, "model is there twice")
			case len(list) > 1:
				return nil, r.fault(s, "model must be declared by itself: const model = {…}")
			case b.Initializer == nil:
				return nil, r.fault(s, "model has no value: const model = {…}")
			}
			var out bytes.Buffer
			if err := r.value(&out, b.Initializer, ""); err != nil {
				return nil, err
			}
			document = out.Bytes()
			r.remove(s)
		}
	}
	if document == nil {
		return nil, errors.New("there is no model: const model = {name: …}")
	}
	return document, nil
}

// value writes an expression of plain values as JSON.
func (r *fileReader) value(out *bytes.Buffer, e ast.Expression, name string) error {
	if _, there := r.to.members[name]; !there { // else a property, which begins with its name
		r.note(name, e)
	}
	switch e := e.(type) {
	case *ast.ObjectLiteral:
		out.WriteByte('{')
		for i, p := range e.Value {
			keyed, ok := p.(*ast.PropertyKeyed)
			if !ok || keyed.Computed || keyed.Kind != ast.PropertyKindValue {
				return r.notPlain(p)
			}
			var key string
			switch k := keyed.Key.(type) {
			case *ast.StringLiteral:
				key = k.Value.String()
			case *ast.Identifier:
				key = k.Name.String()
			default:
				return r.notPlain(p)
			}
			if i > 0 {
				out.WriteByte(',')
			}
			quote(out, key)
			out.WriteByte(':')
			r.note(member(name, key), p)
			if err := r.value(out, keyed.Value, member(name, key)); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	case *ast.ArrayLiteral:
		out.WriteByte('[')
		for i, v := range e.Value {
			if v == nil {
				return r.notPlain(e)
			}
			if i > 0 {
				out.WriteByte(',')
			}
			if err := r.value(out, v, fmt.Sprintf("%s[%d]", name, i)); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case *ast.NumberLiteral:
		return r.number(out, e, e.Value)
	case *ast.BooleanLiteral:
		fmt.Fprint(out, e.Value)
	case *ast.NullLiteral:
		out.WriteString("null")
	case *ast.UnaryExpression:
		n, ok := e.Operand.(*ast.NumberLiteral)
		if !ok || e.Operator != token.MINUS {
			return r.notPlain(e)
		}
		out.WriteByte('-')
		return r.number(out, e, n.Value)
	default:
		text, ok := plainText(e)
		if !ok {
			return r.notPlain(e)
		}
		quote(out, text)
	}
	return nil
}

func (r *fileReader) number(out *bytes.Buffer, at ast.Node, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return r.notPlain(at)
	}
	out.Write(b)
	return nil
}

// plainText is a string, also one written as a template without expressions,
// or as several with + between.
func plainText(e ast.Expression) (string, bool) {
	switch e := e.(type) {
	case *ast.StringLiteral:
		return e.Value.String(), true
	case *ast.TemplateLiteral:
		if e.Tag == nil && len(e.Elements) == 1 && e.Elements[0].Valid {
			return e.Elements[0].Parsed.String(), true
		}
	case *ast.BinaryExpression:
		left, ok := plainText(e.Left)
		right, also := plainText(e.Right)
		return left + right, ok && also && e.Operator == token.PLUS
	}
	return "", false
}

func quote(out *bytes.Buffer, s string) {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can be marshalled
	}
	out.Write(b)
}

func (r *fileReader) notPlain(n ast.Node) error {
	return r.fault(n, "model may hold plain values alone, as JSON does: %s is none", quoted(r.text(n)))
}

// stages takes the functions that are named as stages.
func (r *fileReader) stages(program *ast.Program, m *Model) error {
	names := map[unistring.String]bool{StageInit: true, StageRunning: true, StageFinished: true, StageMessage: true}
	for _, n := range m.Sequence {
		names[unistring.NewFromString(n)] = true
	}
	m.Stages = map[string]string{}
	for _, s := range program.Body {
		d, ok := s.(*ast.FunctionDeclaration)
		if !ok || d.Function.Name == nil || !names[d.Function.Name.Name] {
			continue
		}
		fn, name := d.Function, d.Function.Name.Name.String()
		if _, ok := m.Stages[name]; ok {
			return r.fault(s, "function %s is there twice", name)
		}
		if fn.Generator {
			return r.fault(s, "function* %s: a stage is a plain or an async function", name)
		}
		parameter := ""
		if list := fn.ParameterList; len(list.List) > 0 || list.Rest != nil {
			id, ok := (*ast.Identifier)(nil), false
			if len(list.List) == 1 && list.Rest == nil && list.List[0].Initializer == nil {
				id, ok = list.List[0].Target.(*ast.Identifier)
			}
			if !ok || name != StageMessage {
				return r.fault(s, "function %s: stages have no parameters, but message, which may have one", name)
			}
			if parameter = id.Name.String(); parameter != "message" {
				parameter = "var " + parameter + " = message; "
			} else {
				parameter = ""
			}
		}
		body := r.source[fn.Body.LeftBrace : fn.Body.RightBrace-1]
		brace := r.file.Position(int(fn.Body.LeftBrace) - 1)
		from := Origin{File: r.to.document, Line: brace.Line, First: brace.Column - len(parameter)}
		// A body begins in the line below its brace, most often.
		if first, rest, ok := strings.Cut(body, "\n"); ok && strings.TrimSpace(first) == "" && parameter == "" {
			body, from.Line, from.First = rest, from.Line+1, 0
		}
		body, from.Indent = dedented(body)
		from.First += from.Indent
		m.Stages[name] = parameter + body
		r.to.code[name] = from
		r.remove(s)
	}
	return nil
}

// misspelt finds functions that nothing uses and that are named nearly as a stage that is not there.
func (r *fileReader) misspelt(program *ast.Program, m *Model) error {
	var missing []string
	for _, name := range append([]string{StageInit, StageRunning, StageFinished, StageMessage}, m.Sequence...) {
		if _, ok := m.Stages[name]; !ok {
			missing = append(missing, name)
		}
	}
	var all []error
	for _, s := range program.Body {
		d, ok := s.(*ast.FunctionDeclaration)
		if !ok || d.Function.Name == nil {
			continue
		}
		name := d.Function.Name.Name.String()
		if _, ok := m.Stages[name]; ok || strings.Count(r.source, name) > 1 {
			continue
		}
		if stage := Meant(name, missing); stage != "" {
			all = append(all, r.fault(s, "function %s is no stage, and nothing calls it%s", name, stage))
		}
	}
	return errors.Join(all...)
}

// dedented takes the indentation that all lines have, and white space at the
// end. Code with a template literal stays as it is: lines may be in one.
func dedented(body string) (string, int) {
	body = strings.TrimRight(body, " \t\r\n")
	if body == "" || strings.Contains(body, "`") {
		return body, 0
	}
	lines := strings.Split(body, "\n")
	common := -1
	for _, l := range lines {
		if rest := strings.TrimLeft(l, " \t"); rest != "" && rest != "\r" && (common < 0 || len(l)-len(rest) < common) {
			common = len(l) - len(rest)
		}
	}
	common = max(common, 0)
	for i, l := range lines {
		lines[i] = l[min(common, len(l)-len(strings.TrimLeft(l, " \t"))):]
	}
	return strings.Join(lines, "\n") + "\n", common
}

// rest is the script and its first line: what was not taken for something
// else, in its lines.
func (r *fileReader) rest() (string, int) {
	slices.SortFunc(r.cut, func(a, b [2]int) int { return a[0] - b[0] })
	var out strings.Builder
	from := 0
	for _, c := range r.cut {
		out.WriteString(r.source[from:c[0]])
		out.WriteString(strings.Repeat("\n", strings.Count(r.source[c[0]:c[1]], "\n")))
		from = c[1]
	}
	out.WriteString(r.source[from:])
	script := strings.TrimRight(out.String(), " \t\r\n")
	if script == "" {
		return "", 1
	}
	begin := len(script) - len(strings.TrimLeft(script, " \t\r\n"))
	begin = strings.LastIndexByte(script[:begin], '\n') + 1
	return script[begin:] + "\n", strings.Count(script[:begin], "\n") + 1
}

// file is the model in the form of one file.
func (m *Model) file() []byte {
	rest := *m
	rest.Script, rest.Stages = "", nil
	document, err := json.MarshalIndent(folderDocument{rest, nil}, "", "  ")
	if err != nil {
		panic(err) // strings, numbers and booleans alone
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "const model = %s;\n", document)
	if m.Script != "" {
		fmt.Fprintf(&out, "\n%s\n", strings.TrimRight(m.Script, " \t\r\n"))
	}
	for _, name := range m.stageNames() {
		async := ""
		if strings.Contains(m.Stages[name], "await") {
			async = "async "
		}
		body := strings.TrimRight(m.Stages[name], " \t\r\n")
		if !strings.Contains(body, "`") {
			body = strings.ReplaceAll("  "+strings.ReplaceAll(body, "\n", "\n  "), "\n  \n", "\n\n")
		}
		fmt.Fprintf(&out, "\n%sfunction %s() {\n%s\n}\n", async, name, body)
	}
	return out.Bytes()
}

// stageNames are the stages in the order in which they run.
func (m *Model) stageNames() []string {
	order := append(append([]string{StageInit}, m.Sequence...), StageRunning, StageMessage, StageFinished)
	names := slices.Sorted(maps.Keys(m.Stages))
	slices.SortStableFunc(names, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return names
}
