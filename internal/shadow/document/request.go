package document

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fault is why a request is refused, in AWS's words.
type Fault struct {
	Code    int // HTTP's
	Message string
	Token   string // of the request, as JSON; empty: it had none that could be read
}

func (f *Fault) Error() string { return strconv.Itoa(f.Code) + " " + f.Message }

// What a request may have.
const (
	MaxToken = 64      // bytes of a clientToken
	MaxLevel = 6       // of objects and arrays in one another, desired or reported being the first
	MaxBytes = 1 << 17 // of a request, as of any message (AWS IoT quotas)
)

// Request is a request document. Immutable.
type Request struct {
	// Token is the clientToken as JSON, empty for none.
	Token string

	at       int64
	version  int64 // -1: none
	cleared  bool  // its state is null
	sections []member
}

// At is when the request was made, as told to ParseUpdate.
func (r *Request) At() int64 { return r.at }

func (r *Request) fault(code int, message string) *Fault { return &Fault{code, message, r.Token} }

// ParseUpdate reads the document of an update made at a time in epoch seconds. Its errors are *Fault.
func ParseUpdate(payload []byte, at int64) (*Request, error) {
	if len(payload) == 0 {
		return nil, &Fault{Code: 400, Message: "Missing update payload"}
	}
	r := &Request{at: at, version: -1}
	doc, err := r.read(payload)
	if err != nil {
		return nil, err
	}
	state := find(doc.items, "state")
	if state < 0 {
		return nil, r.fault(400, "Missing required node: state")
	}
	if err := r.readState(&doc.items[state].value); err != nil {
		return nil, err
	}
	if i := find(doc.items, "version"); i >= 0 && doc.items[i].kind != kindNull {
		if r.version, err = version(&doc.items[i].value); err != nil {
			return nil, r.fault(400, "Invalid version")
		}
	}
	return r, nil
}

// ParseGet reads what a get carries: nothing, or a document of which the clientToken counts. Its errors are *Fault.
func ParseGet(payload []byte) (*Request, error) {
	r := &Request{version: -1}
	if len(payload) == 0 {
		return r, nil
	}
	_, err := r.read(payload)
	return r, err
}

// ParseDelete reads what a delete carries. Nothing in it is refused but a bad clientToken.
func ParseDelete(payload []byte) (*Request, error) {
	r, err := ParseGet(payload)
	if f, ok := errors.AsType[*Fault](err); ok && f.Message != badToken {
		return &Request{version: -1}, nil
	}
	return r, err
}

const badToken = "Invalid clientToken"

// read parses a payload, and the token in it.
func (r *Request) read(payload []byte) (value, error) {
	if len(payload) > MaxBytes {
		return value{}, r.fault(413, "The payload exceeds the maximum size allowed")
	}
	if len(payload) > 1 && (payload[0] == 0 || payload[1] == 0) || !utf8.Valid(payload) { // UTF-16 or -32 (RFC 4627, section 3)
		return value{}, r.fault(415, "Unsupported documented encoding; supported encoding is UTF-8")
	}
	p := parser{s: string(payload), at: r.at}
	doc, err := p.document()
	switch {
	case errors.Is(err, errNesting):
		return value{}, r.fault(400, tooManyLevels)
	case err != nil, doc.kind != kindObject:
		return value{}, r.fault(400, "Invalid JSON")
	}
	if i := find(doc.items, "clientToken"); i >= 0 && doc.items[i].kind != kindNull {
		token := &doc.items[i].value
		if token.kind != kindString || len(unquoted(token.text)) > MaxToken {
			return value{}, r.fault(400, badToken)
		}
		r.Token = strings.Clone(token.text)
	}
	return doc, nil
}

const tooManyLevels = "JSON contains too many levels of nesting; maximum is 6"

// readState takes the sections over.
func (r *Request) readState(state *value) error {
	if state.kind == kindNull {
		r.cleared = true
		return nil
	}
	if state.kind != kindObject {
		return r.fault(400, "State node must be an object")
	}
	r.sections = make([]member, 0, len(state.items))
	for i := range state.items {
		m := &state.items[i]
		switch m.name {
		case desiredName, reportedName:
		case deltaName:
			continue // is what a get answers, and nobody's to set
		default:
			return r.fault(400, "State contains an invalid node")
		}
		if m.kind != kindObject && m.kind != kindNull {
			return r.fault(400, strings.ToUpper(m.name[:1])+m.name[1:]+" node must be an object")
		}
		if message := check(&m.value, 1); message != "" {
			return r.fault(400, message)
		}
		r.sections = append(r.sections, *m)
	}
	return nil
}

// check says what is wrong with a value at a level, if anything. Empty objects and arrays make no level.
func check(v *value, level int) string {
	if len(v.items) > 0 && level > MaxLevel {
		return tooManyLevels
	}
	for i := range v.items {
		m := &v.items[i].value
		if v.kind == kindArray && m.kind == kindNull {
			return "Invalid JSON: arrays cannot contain null"
		}
		if message := check(m, level+1); message != "" {
			return message
		}
	}
	return ""
}

var errVersion = errors.New("no version")

// version reads a whole number that is not negative, however it is written.
func version(v *value) (int64, error) {
	if v.kind != kindNumber {
		return 0, errVersion
	}
	if n, err := strconv.ParseInt(v.text, 10, 64); err == nil && n >= 0 && n < math.MaxInt64 {
		return n, nil
	}
	d, ok := decimalOf(v.text)
	switch {
	case ok && d.digits == "":
		return 0, nil
	case !ok, d.negative, d.exponent > 18, d.exponent < int64(len(d.digits)):
		return 0, errVersion
	}
	return strconv.ParseInt(d.digits+strings.Repeat("0", int(d.exponent)-len(d.digits)), 10, 64)
}
