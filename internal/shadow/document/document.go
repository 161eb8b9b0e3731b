// Package document is the engine of shadow documents: requests are read, merged into a document and compared
// by the rules of the AWS IoT Developer Guide, "Device Shadow service documents", and the documents that the
// service answers with are written byte for byte as AWS orders them.
//
// Values in, values out: it knows no topics, no storage and no clock. Documents and requests are never changed
// once they are made, and share what they have in common. Numbers stay as they were written.
package document

import "strings"

// Document is a shadow's state at a version. Immutable; safe for concurrent use.
type Document struct {
	version           int64
	desired, reported []member // empty: there is no such section
}

// Version is the document's, from 1 on.
func (d *Document) Version() int64 { return d.version }

// Update merges a request into d, which is nil for a shadow that does not exist; last is then the version that it
// was deleted at, 0 if it never was. limit is how many bytes desired and reported may have together.
func (d *Document) Update(r *Request, last int64, limit int) (*Document, error) {
	switch {
	case d == nil && r.version > 1 && r.version != last:
		return nil, r.fault(400, "Invalid version")
	case d != nil && r.version >= 0 && r.version != d.version:
		return nil, r.fault(409, "Version conflict")
	}
	next := &Document{version: last + 1}
	if d != nil {
		*next = *d
		next.version++
	}
	if r.cleared {
		next.desired, next.reported = nil, nil
		return next, nil
	}
	for i := range r.sections {
		s := &r.sections[i]
		at := &next.desired
		if s.name == reportedName {
			at = &next.reported
		}
		if s.kind == kindNull {
			*at = nil
		} else {
			*at = merge(*at, s.items)
		}
	}
	if size(next.desired)+size(next.reported) > limit {
		return nil, r.fault(413, "The payload exceeds the maximum size allowed")
	}
	return next, nil
}

// Differs reports whether there is something desired that is not reported so.
func (d *Document) Differs() bool { return len(d.delta()) > 0 }

func (d *Document) delta() []member { return diff(d.desired, d.reported) }

// The names of a document's sections.
const (
	desiredName  = "desired"
	reportedName = "reported"
	deltaName    = "delta"
)

// kind is what a value is.
type kind uint8

const (
	kindGone kind = iota // a member that a merge has taken away
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// value is a JSON value. Scalars know when they were set.
type value struct {
	kind  kind
	at    int64    // of scalars: seconds
	text  string   // of scalars: as JSON; strings in the one form that appendQuoted gives them
	items []member // of arrays, without names, and of objects
}

// member is a value in an object or array. The name is what stands between its quotes in JSON, in one form for
// all that mean the same.
type member struct {
	name string
	value
}

func (v *value) scalar() bool { return v.kind < kindArray }

// find is where a name is among members, -1 for nowhere.
func find(items []member, name string) int {
	for i := range items {
		if items[i].name == name {
			return i
		}
	}
	return -1
}

// names finds members by name: small objects by looking through them, others by a map that is made once.
type names struct {
	items []member
	at    map[string]int
}

// manyItems is from where a map is worth making.
const manyItems = 24

func (n *names) find(name string) int {
	if len(n.items) < manyItems {
		return find(n.items, name)
	}
	if n.at == nil {
		n.at = make(map[string]int, len(n.items))
		for i := range n.items {
			n.at[n.items[i].name] = i
		}
	}
	if i, ok := n.at[name]; ok {
		return i
	}
	return -1
}

func (n *names) add(m member) {
	if n.at != nil {
		n.at[m.name] = len(n.items)
	}
	n.items = append(n.items, m)
}

// Stored is a document as it is kept: its state as JSON, and the times of its scalars in their order.
type Stored struct {
	Version int64
	State   string
	Times   []byte
}

// Store encodes d.
func (d *Document) Store() Stored {
	b := append(d.appendState(nil, nil), '}')
	var t times
	t.add(d.desired)
	t.add(d.reported)
	return Stored{d.version, string(b), t.bytes()}
}

// Load decodes what Store made. It fails on anything else.
func Load(s Stored) (*Document, error) {
	p := parser{s: s.State}
	v, err := p.document()
	if err != nil {
		return nil, err
	}
	d := &Document{version: s.Version}
	t := timesOf(s.Times)
	for i := range v.items {
		m := &v.items[i]
		if err := t.set(&m.value); err != nil {
			return nil, err
		}
		switch {
		case m.kind == kindObject && m.name == desiredName:
			d.desired = m.items
		case m.kind == kindObject && m.name == reportedName:
			d.reported = m.items
		default:
			return nil, errStored
		}
	}
	if v.kind != kindObject || !t.empty() {
		return nil, errStored
	}
	return d, nil
}

// String is the state, for tests and logs.
func (d *Document) String() string {
	var b strings.Builder
	b.Write(append(d.appendState(nil, nil), '}'))
	return b.String()
}
