// Package policy is the judge: it reads the two AWS policy languages, IAM's
// and its IoT flavour, compiles documents once, and decides requests by them.
// It knows the grammar, the matching rules, the condition operators and the
// order of evaluation. It does no I/O and holds no state: who calls, which
// policies apply to him and what the request's context keys are, its users
// find out and hand in; what a decision is good for is theirs as well.
//
// Parse judges a document as AWS's APIs do when it is stored; Compile takes
// whatever the grammar allows. Input.Decide and DecideIoT are pure functions
// of their arguments, do not allocate on the common path, and are safe for
// concurrent use.
package policy

import (
	"unicode"
)

// Kind says what a document is for, and with that which elements it may have
// and how its faults are worded.
type Kind int

const (
	Identity Kind = iota // attached to a user, group or role; also a permissions boundary
	Trust                // who may assume a role
	Resource             // attached to a resource other than a role
	Session              // passed when a session is made
	IoT                  // AWS IoT policy
)

// Version2008 and Version2012 are the language versions. Variables exist in
// the later one only; a document without Version is of the earlier.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// MaxDocument is the longest document that Parse and Compile read, in bytes.
// It is above every limit of the APIs (404600 for IoT documents with white
// space).
const MaxDocument = 1 << 20

// Policy is a compiled document. It is immutable and safe for concurrent use.
type Policy struct {
	id  string
	doc *compiled
}

type compiled struct {
	kind       Kind
	text       string
	statements []statement
	asked      map[keyName]bool // the context keys in conditions and variables
	timed      bool
	cache      aboutCache
}

// Parse reads and compiles a document, and fails where AWS refuses to store
// it (IAM User Guide, "Grammar of the IAM JSON policy language"). The error is
// a *SyntaxError.
func Parse(kind Kind, document string) (*Policy, error) {
	doc, err := parseDocument(kind, document)
	if err != nil {
		return nil, err
	}
	if err := check(kind, doc); err != nil {
		return nil, err
	}
	return compile(kind, doc), nil
}

// Compile is Parse without the checks of versions, names and ARNs that AWS
// makes when a document is stored: it fails only where the grammar is broken.
// It is for documents that were accepted before, and for trying out documents
// that no API would store, such as identity policies of version 2008-10-17.
// What cannot be understood in them matches nothing.
func Compile(kind Kind, document string) (*Policy, error) {
	doc, err := parseDocument(kind, document)
	if err != nil {
		return nil, err
	}
	if err := (&checker{doc}).effects(); err != nil {
		return nil, err
	}
	return compile(kind, doc), nil
}

// Named returns a handle on the same compiled document that carries a source
// id, a policy name or ARN, for decisions to cite.
func (p *Policy) Named(id string) *Policy {
	return &Policy{id: id, doc: p.doc}
}

// ID is what Named gave, or empty.
func (p *Policy) ID() string { return p.id }

// Document is the text the policy was made of.
func (p *Policy) Document() string { return p.doc.text }

// Size counts the characters of a document that AWS's size limits count:
// all but white space.
func Size(document string) int {
	n := 0
	for _, r := range document {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}
