package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A policy document is read by a JSON parser of its own, because faults are to
// be reported with line and column, duplicate keys are to be refused, and the
// places of statements are part of simulation results. encoding/json has none
// of the three.

// maxDepth bounds the nesting of a document. A policy needs six levels.
const maxDepth = 32

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeArray
	nodeObject
)

// String names the kind the way an error message needs it.
func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// node is a JSON value with the offsets of its first byte and of the byte
// after its last.
type node struct {
	kind    nodeKind
	pos     int
	end     int
	text    string // of a string: its value; of a number or boolean: its spelling
	items   []node
	members []member
}

// String shows a string as it would stand in a document, and says of other
// values what they are.
func (n *node) String() string {
	if n.kind == nodeString {
		return strconv.Quote(n.text)
	}
	return n.kind.String()
}

type member struct {
	name  string
	pos   int
	value node
}

// jsonFault is a fault at an offset of the document.
type jsonFault struct {
	pos    int
	detail string
}

func (f *jsonFault) Error() string { return f.detail }

type jsonParser struct {
	text  string
	pos   int
	depth int
}

// parseJSON reads one JSON value (RFC 8259) and nothing after it.
func parseJSON(text string) (node, *jsonFault) {
	p := &jsonParser{text: text}
	p.space()
	if p.pos == len(text) {
		return node{}, p.fault("The document is empty")
	}
	n, err := p.value()
	if err != nil {
		return node{}, err
	}
	p.space()
	if p.pos < len(p.text) {
		return node{}, p.fault("Unexpected %s after the end of the document", p.next())
	}
	return n, nil
}

func (p *jsonParser) fault(format string, args ...any) *jsonFault {
	return &jsonFault{pos: p.pos, detail: fmt.Sprintf(format, args...)}
}

// next describes what stands at the current place, with what is usually wrong
// about it.
func (p *jsonParser) next() string {
	rest := p.text[p.pos:]
	if rest == "" {
		return "end of document"
	}
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '\'':
		return `"'" (JSON has double quotes only)`
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), r == '#':
		return strconv.Quote(string(r)) + " (JSON has no comments)"
	case hint(r) != "":
		return hint(r)
	case isAlphanumeric(rest[0]):
		return "word " + strconv.Quote(p.wordAt())
	}
	return strconv.Quote(string(r))
}

// wordAt is the word at the current place.
func (p *jsonParser) wordAt() string {
	end := p.pos
	for end < len(p.text) && isAlphanumeric(p.text[end]) && end-p.pos < 40 {
		end++
	}
	return p.text[p.pos:end]
}

// hint describes characters that editors and word processors put into
// documents unasked, empty for others.
func hint(r rune) string {
	switch r {
	case '\uFEFF':
		return "byte order mark (save the document without one)"
	case '\u00A0':
		return "no-break space (use plain spaces)"
	case '\u2018', '\u2019', '\u201A', '\u201C', '\u201D', '\u201E', '\u00AB', '\u00BB':
		return "typographic quotation mark " + string(r) + ` (JSON has plain double quotes, ")`
	}
	return ""
}

func (p *jsonParser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// take consumes c if it comes next.
func (p *jsonParser) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *jsonParser) value() (node, *jsonFault) {
	if p.pos >= len(p.text) {
		return node{}, p.fault("Unexpected end of document, expected a value")
	}
	switch c := p.text[p.pos]; {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.array)
	case c == '"':
		pos := p.pos
		s, err := p.string()
		return node{kind: nodeString, pos: pos, end: p.pos, text: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

func (p *jsonParser) nested(parse func() (node, *jsonFault)) (node, *jsonFault) {
	if p.depth++; p.depth > maxDepth {
		return node{}, p.fault("Nested more than %d levels deep", maxDepth)
	}
	n, err := parse()
	p.depth--
	return n, err
}

func (p *jsonParser) object() (node, *jsonFault) {
	n := node{kind: nodeObject, pos: p.pos}
	p.pos++
	p.space()
	if p.take('}') {
		n.end = p.pos
		return n, nil
	}
	seen := map[string]bool{}
	for {
		p.space()
		if err := p.afterComma(n.members != nil, '}'); err != nil {
			return node{}, err
		}
		if p.pos >= len(p.text) || p.text[p.pos] != '"' {
			return node{}, p.fault("Unexpected %s, expected an element name in double quotes", p.next())
		}
		m := member{pos: p.pos}
		var err *jsonFault
		if m.name, err = p.string(); err != nil {
			return node{}, err
		}
		if seen[m.name] {
			return node{}, &jsonFault{pos: m.pos, detail: fmt.Sprintf("Duplicate element %q", m.name)}
		}
		seen[m.name] = true
		p.space()
		if !p.take(':') {
			return node{}, p.fault("Unexpected %s, expected a colon after %q", p.next(), m.name)
		}
		p.space()
		if m.value, err = p.value(); err != nil {
			return node{}, err
		}
		n.members = append(n.members, m)
		p.space()
		if p.take('}') {
			n.end = p.pos
			return n, nil
		}
		if err := p.comma(&n, fmt.Sprintf("the value of %q", m.name)); err != nil {
			return node{}, err
		}
	}
}

func (p *jsonParser) array() (node, *jsonFault) {
	n := node{kind: nodeArray, pos: p.pos}
	p.pos++
	p.space()
	if p.take(']') {
		n.end = p.pos
		return n, nil
	}
	for {
		p.space()
		if err := p.afterComma(n.items != nil, ']'); err != nil {
			return node{}, err
		}
		item, err := p.value()
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
		p.space()
		if p.take(']') {
			n.end = p.pos
			return n, nil
		}
		if err := p.comma(&n, "an item of the list"); err != nil {
			return node{}, err
		}
	}
}

// comma takes the comma between two members or items of n, the first of which
// is called what.
func (p *jsonParser) comma(n *node, what string) *jsonFault {
	kind, end := "object", "}"
	if n.kind == nodeArray {
		kind, end = "list", "]"
	}
	switch {
	case p.take(','):
		return nil
	case p.pos == len(p.text):
		line, column := place(p.text, n.pos)
		return p.fault("Missing %q: the %s that begins in line %d, column %d has no end", end, kind, line, column)
	case p.text[p.pos] == '"', p.text[p.pos] == '{', p.text[p.pos] == '[':
		return p.fault("Missing comma after %s", what)
	case p.text[p.pos] == '}', p.text[p.pos] == ']':
		line, column := place(p.text, n.pos)
		return p.fault("Unexpected %s, expected %q: the %s begins in line %d, column %d", p.next(), end, kind, line, column)
	}
	return p.fault("Unexpected %s after %s, expected a comma or %q", p.next(), what, end)
}

// afterComma refuses the end of an object or list behind a comma.
func (p *jsonParser) afterComma(comma bool, end byte) *jsonFault {
	if !comma || p.pos == len(p.text) || p.text[p.pos] != end {
		return nil
	}
	at := strings.LastIndexByte(p.text[:p.pos], ',')
	return &jsonFault{pos: at, detail: fmt.Sprintf("Comma before %q, where nothing follows", string(end))}
}

func (p *jsonParser) word() (node, *jsonFault) {
	for _, w := range [...]struct {
		text string
		kind nodeKind
	}{{"true", nodeBool}, {"false", nodeBool}, {"null", nodeNull}} {
		if strings.HasPrefix(p.text[p.pos:], w.text) {
			n := node{kind: w.kind, pos: p.pos, end: p.pos + len(w.text), text: w.text}
			p.pos = n.end
			return n, nil
		}
	}
	if isAlphanumeric(p.text[p.pos]) {
		return node{}, p.fault("Unexpected %s, expected a value; text stands in double quotes", p.next())
	}
	return node{}, p.fault("Unexpected %s, expected a value", p.next())
}

func (p *jsonParser) digits() bool {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

func (p *jsonParser) number() (node, *jsonFault) {
	start := p.pos
	p.take('-')
	if !p.take('0') && !p.digits() {
		return node{}, p.fault("Unexpected %s in a number", p.next())
	}
	if p.take('.') && !p.digits() {
		return node{}, p.fault("Unexpected %s in a number", p.next())
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return node{}, p.fault("Unexpected %s in a number", p.next())
		}
	}
	return node{kind: nodeNumber, pos: start, end: p.pos, text: p.text[start:p.pos]}, nil
}

func (p *jsonParser) string() (string, *jsonFault) {
	open := p.pos
	p.pos++
	start := p.pos
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			s := p.text[start:p.pos]
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(open, start)
		case c < 0x20:
			return "", p.control()
		default:
			p.pos++
		}
	}
	return "", &jsonFault{pos: open, detail: "String without a closing quote"}
}

// control is the fault of a control character inside a string.
func (p *jsonParser) control() *jsonFault {
	if c := p.text[p.pos]; c == '\n' || c == '\r' {
		return p.fault("Line break inside a string: is its closing quotation mark missing?")
	}
	return p.fault("Control character %s inside a string", p.next())
}

// escaped goes on with a string that has its first backslash at p.pos.
func (p *jsonParser) escaped(open, start int) (string, *jsonFault) {
	var b strings.Builder
	b.WriteString(p.text[start:p.pos])
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == '"':
			p.pos++
			return b.String(), nil
		case c < 0x20:
			return "", p.control()
		case c != '\\':
			b.WriteByte(c)
			p.pos++
			continue
		}
		r, ok := p.escape()
		if !ok {
			return "", p.fault("Invalid escape sequence in a string")
		}
		b.WriteRune(r)
	}
	return "", &jsonFault{pos: open, detail: "String without a closing quote"}
}

// escape reads one escape sequence. Lone surrogates become U+FFFD.
func (p *jsonParser) escape() (rune, bool) {
	if p.pos+1 >= len(p.text) {
		return 0, false
	}
	c := p.text[p.pos+1]
	if c != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return 0, false
		}
		p.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	r, ok := p.hex4(p.pos + 2)
	if !ok {
		return 0, false
	}
	p.pos += 6
	if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(p.text[p.pos:], `\u`) {
		if low, ok := p.hex4(p.pos + 2); ok && low >= 0xDC00 && low < 0xE000 {
			p.pos += 6
			return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), true
		}
	}
	if r >= 0xD800 && r < 0xE000 {
		return utf8.RuneError, true
	}
	return r, true
}

func (p *jsonParser) hex4(at int) (rune, bool) {
	if at+4 > len(p.text) {
		return 0, false
	}
	v, err := strconv.ParseUint(p.text[at:at+4], 16, 32)
	if err != nil {
		return 0, false
	}
	return rune(v), true
}
