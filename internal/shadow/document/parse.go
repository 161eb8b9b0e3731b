package document

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds what is read at all, wherever it stands in a request; what a state may have is less.
const maxNesting = 64

var (
	errSyntax  = errors.New("invalid JSON")
	errNesting = errors.New("nested too deeply")
)

// parser reads JSON (RFC 8259) into values, whose scalars it gives the time at. Of members of one name the last
// counts, at the place of the first. Texts share the document's memory.
type parser struct {
	s     string
	i     int
	at    int64
	depth int
}

// document reads the whole of s.
func (p *parser) document() (value, error) {
	v, err := p.value()
	if err != nil {
		return value{}, err
	}
	if p.peek() != 0 || p.i < len(p.s) {
		return value{}, errSyntax
	}
	return v, nil
}

// peek is the first byte of the next token, 0 at the end (and of a NUL, which begins none).
func (p *parser) peek() byte {
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (p *parser) value() (value, error) {
	switch c := p.peek(); c {
	case '{':
		return p.nested(kindObject, '}')
	case '[':
		return p.nested(kindArray, ']')
	case '"':
		text, err := p.quoted()
		return value{kind: kindString, at: p.at, text: text}, err
	case 't':
		return p.word("true", kindBool)
	case 'f':
		return p.word("false", kindBool)
	case 'n':
		return p.word("null", kindNull)
	}
	return p.number()
}

func (p *parser) word(w string, k kind) (value, error) {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return value{}, errSyntax
	}
	p.i += len(w)
	return value{kind: k, at: p.at, text: w}, nil
}

// nested reads an object or array.
func (p *parser) nested(k kind, end byte) (value, error) {
	if p.depth++; p.depth > maxNesting {
		return value{}, errNesting
	}
	defer func() { p.depth-- }()
	p.i++
	if p.peek() == end {
		p.i++
		return value{kind: k}, nil
	}
	var out names
	for {
		m, err := p.member(k)
		if err != nil {
			return value{}, err
		}
		if at := twice(k, &out, m.name); at >= 0 {
			out.items[at].value = m.value
		} else {
			out.add(m)
		}
		switch p.peek() {
		case ',':
			p.i++
		case end:
			p.i++
			return value{kind: k, items: out.items}, nil
		default:
			return value{}, errSyntax
		}
	}
}

// twice is where an object has a member of that name already, else -1.
func twice(k kind, have *names, name string) int {
	if k != kindObject {
		return -1
	}
	return have.find(name)
}

func (p *parser) member(k kind) (m member, err error) {
	if k == kindObject {
		if p.peek() != '"' {
			return m, errSyntax
		}
		name, err := p.quoted()
		if err != nil {
			return m, err
		}
		m.name = name[1 : len(name)-1]
		if p.peek() != ':' {
			return m, errSyntax
		}
		p.i++
	}
	m.value, err = p.value()
	return m, err
}

// quoted reads a string and gives it in its one form, quotes and all: as it stands, unless it has escapes.
func (p *parser) quoted() (string, error) {
	start := p.i
	for i := start + 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.i = i + 1
			return p.s[start:p.i], nil
		case c == '\\':
			return p.escaped(start+1, i)
		case c < ' ':
			return "", errSyntax
		}
	}
	return "", errSyntax
}

// escaped reads on where quoted met the first backslash, at i.
func (p *parser) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, 2*(i-start)+16), p.s[start:i]...)
	for i < len(p.s) {
		c := p.s[i]
		switch {
		case c == '"':
			p.i = i + 1
			return string(appendQuoted(nil, string(out))), nil
		case c < ' ':
			return "", errSyntax
		case c != '\\':
			out = append(out, c)
			i++
			continue
		case i+1 == len(p.s):
			return "", errSyntax
		}
		e := p.s[i+1]
		i += 2
		if plain := strings.IndexByte(`"\/bfnrt`, e); plain >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[plain])
			continue
		}
		r, ok := p.hex(i)
		if e != 'u' || !ok {
			return "", errSyntax
		}
		i += 4
		if utf16.IsSurrogate(r) {
			// Half a pair is no character: nothing that could be given back.
			if !strings.HasPrefix(p.s[i:], `\u`) {
				return "", errSyntax
			}
			low, ok := p.hex(i + 2)
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return "", errSyntax
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return "", errSyntax
}

// hex reads four hexadecimal digits.
func (p *parser) hex(i int) (rune, bool) {
	if i+4 > len(p.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[i:i+4], 16, 16)
	return rune(n), err == nil
}

// number reads a number's text.
func (p *parser) number() (value, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	one := func(set string) bool {
		ok := p.i < len(p.s) && strings.IndexByte(set, p.s[p.i]) >= 0
		if ok {
			p.i++
		}
		return ok
	}
	one("-")
	if !one("0") && !digits() || one(".") && !digits() {
		return value{}, errSyntax
	}
	if one("eE") {
		one("+-")
		if !digits() {
			return value{}, errSyntax
		}
	}
	return value{kind: kindNumber, at: p.at, text: p.s[start:p.i]}, nil
}

// appendQuoted appends a string as JSON, escaping only what has to be.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		default:
			if short := strings.IndexByte("\b\f\n\r\t", c); short >= 0 {
				b = append(b, '\\', "bfnrt"[short])
			} else {
				b = append(b, `\u00`...)
				b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			}
		}
	}
	return append(b, '"')
}

// unquoted is what a string in its one form means.
func unquoted(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	s, err := strconv.Unquote(text) // of JSON's escapes, Go has those that appendQuoted makes
	if err != nil {
		return text[1 : len(text)-1]
	}
	return s
}
