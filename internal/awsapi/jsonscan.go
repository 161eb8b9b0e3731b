package awsapi

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what a body may unfold into, whatever its size.
const (
	maxDepth = 64
	// maxUnfolded is how many bytes of Go values a body may make beyond its own
	// text: one of "{}," three bytes long can be a structure of hundreds.
	maxUnfolded = 2 << 20
	absenceCost = 128 // of remembering an absent member
	mapEntry    = 64  // of a map's entry beside its key and value
)

// invalidf is a fault of the client's request, before validation.
func invalidf(format string, args ...any) error {
	return &commonError{kind: invalid, msg: fmt.Sprintf(format, args...)}
}

// jsonReader decodes JSON into planned values without building a tree.
// Unknown members are skipped, null is absence, the last of equal keys wins.
type jsonReader struct {
	b        []byte
	i        int
	depth    int
	unfolded int
	absent   absences
}

func (r *jsonReader) syntax(msg string) error {
	line := 1 + bytes.Count(r.b[:min(r.i, len(r.b))], []byte{'\n'})
	col := r.i - bytes.LastIndexByte(r.b[:min(r.i, len(r.b))], '\n')
	return invalidf("Could not parse request body into json: %s (line %d, column %d)", msg, line, col)
}

func (r *jsonReader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token, 0 at the end.
func (r *jsonReader) peek() byte {
	r.space()
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

func (r *jsonReader) enter() error {
	if r.depth++; r.depth > maxDepth {
		return r.syntax("nested too deeply")
	}
	return nil
}

// charge counts what the next item makes.
func (r *jsonReader) charge(size int) error {
	if r.unfolded += size; r.unfolded > maxUnfolded {
		return r.syntax("too many values")
	}
	return nil
}

// null consumes a null, if that is next.
func (r *jsonReader) null() (bool, error) {
	if r.peek() != 'n' {
		return false, nil
	}
	return true, r.word("null")
}

func (r *jsonReader) word(w string) error {
	if !bytes.HasPrefix(r.b[r.i:], []byte(w)) {
		return r.syntax("unexpected character")
	}
	r.i += len(w)
	return nil
}

// object calls each with every key; each must consume the value.
func (r *jsonReader) object(each func(key []byte) error) error {
	if r.peek() != '{' {
		return r.syntax("expected an object")
	}
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	r.i++
	if r.peek() == '}' {
		r.i++
		return nil
	}
	for {
		if r.peek() != '"' {
			return r.syntax("expected a member name")
		}
		key, err := r.text()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.syntax("expected ':'")
		}
		r.i++
		if err := each(key); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.i++
		case '}':
			r.i++
			return nil
		default:
			return r.syntax("expected ',' or '}'")
		}
	}
}

// array calls each at the start of every item; each must consume it.
func (r *jsonReader) array(each func() error) error {
	if r.peek() != '[' {
		return r.syntax("expected a list")
	}
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	r.i++
	if r.peek() == ']' {
		r.i++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.i++
		case ']':
			r.i++
			return nil
		default:
			return r.syntax("expected ',' or ']'")
		}
	}
}

// text reads a string. The result may share the document's memory.
func (r *jsonReader) text() ([]byte, error) {
	start := r.i + 1
	for i := start; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			s := r.b[start:i]
			if !utf8.Valid(s) {
				return nil, r.syntax("a string is not valid UTF-8")
			}
			r.i = i + 1
			return s, nil
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			r.i = i
			return nil, r.syntax("a control character in a string")
		}
	}
	return nil, r.syntax("a string does not end")
}

// escaped reads on where text met the first backslash, at i.
func (r *jsonReader) escaped(start, i int) ([]byte, error) {
	out := append(make([]byte, 0, 2*(i-start)+16), r.b[start:i]...)
	for i < len(r.b) {
		c := r.b[i]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, r.syntax("a string is not valid UTF-8")
			}
			r.i = i + 1
			return out, nil
		case c < ' ':
			r.i = i
			return nil, r.syntax("a control character in a string")
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(r.b) {
			break
		}
		i += 2
		switch e := r.b[i-1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			u, ok := r.hex4(i)
			if !ok {
				r.i = i
				return nil, r.syntax("a bad \\u escape")
			}
			i += 4
			if utf16.IsSurrogate(u) {
				low, ok := rune(0), false
				if i+1 < len(r.b) && r.b[i] == '\\' && r.b[i+1] == 'u' {
					low, ok = r.hex4(i + 2)
				}
				if u = utf16.DecodeRune(u, low); ok && u != utf8.RuneError {
					i += 6
				} else {
					u = utf8.RuneError
				}
			}
			out = utf8.AppendRune(out, u)
		default:
			r.i = i
			return nil, r.syntax("a bad escape")
		}
	}
	return nil, r.syntax("a string does not end")
}

func (r *jsonReader) hex4(i int) (rune, bool) {
	if i+4 > len(r.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.b[i:i+4]), 16, 16)
	return rune(n), err == nil
}

// number reads a number's text by JSON's grammar.
func (r *jsonReader) number() (string, error) {
	start := r.i
	digits := func() bool {
		s := r.i
		for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
			r.i++
		}
		return r.i > s
	}
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	if r.i < len(r.b) && r.b[r.i] == '0' {
		r.i++
	} else if !digits() {
		return "", r.syntax("unexpected character")
	}
	if r.i < len(r.b) && r.b[r.i] == '.' {
		r.i++
		if !digits() {
			return "", r.syntax("a number does not end")
		}
	}
	if r.i < len(r.b) && (r.b[r.i] == 'e' || r.b[r.i] == 'E') {
		r.i++
		if r.i < len(r.b) && (r.b[r.i] == '+' || r.b[r.i] == '-') {
			r.i++
		}
		if !digits() {
			return "", r.syntax("a number does not end")
		}
	}
	return string(r.b[start:r.i]), nil
}

// skip consumes any value.
func (r *jsonReader) skip() error {
	switch c := r.peek(); c {
	case '{':
		return r.object(func([]byte) error { return r.skip() })
	case '[':
		return r.array(r.skip)
	case '"':
		_, err := r.text()
		return err
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	_, err := r.number()
	return err
}

func (r *jsonReader) mismatch(want string) error {
	got := "a Number"
	switch r.peek() {
	case '{':
		got = "START_OBJECT"
	case '[':
		got = "START_LIST"
	case '"':
		got = "STRING_VALUE"
	case 't':
		got = "TRUE_VALUE"
	case 'f':
		got = "FALSE_VALUE"
	case 0:
		return r.syntax("the document ends early")
	}
	return r.syntax(fmt.Sprintf("%s can not be converted to %s", got, want))
}
