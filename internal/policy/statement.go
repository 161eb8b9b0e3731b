package policy

import (
	"bytes"
	"hash/maphash"
	"strings"
)

// statement is one compiled statement.
type statement struct {
	allow         bool
	notActions    bool
	notResources  bool
	everyResource bool   // a trust policy's, which names no resources
	anyAction     bool   // actions has *
	anyResource   bool   // resources has *
	filter        uint64 // the actionBits of actions: no bit, no match
	marks         []mark // of actions
	actions       []pattern
	resources     []arnPattern
	conditions    []condition
	principals    *principals // nil: none given
	sid           string
	start, end    Position
}

// Position is a place in a document, counted from 1.
type Position struct {
	Line   int
	Column int
}

func compile(kind Kind, d *document) *Policy {
	c := &compiled{kind: kind, text: d.text}
	var syn syntax
	if d.version == Version2012 {
		syn = variables
	}
	for i := range d.statements {
		s := compileStatement(kind, &d.statements[i], d.text, syn)
		filter := s.filter
		if s.notActions {
			filter = ^uint64(0)
		}
		c.statements = append(c.statements, s)
		c.filters = append(c.filters, filter)
	}
	return &Policy{doc: c}
}

func compileStatement(kind Kind, raw *rawStatement, text string, syn syntax) statement {
	s := statement{
		sid:           raw.sid,
		allow:         raw.allow,
		notActions:    raw.actions.not,
		everyResource: kind == Trust && !raw.resources.present,
		notResources:  raw.resources.not,
	}
	s.start.Line, s.start.Column = place(text, raw.pos)
	s.end.Line, s.end.Column = place(text, raw.end)
	if raw.principal != nil {
		s.principals = compilePrincipals(raw.principal)
	}
	for _, a := range raw.actions.items {
		p := compileAction(a.s)
		m := newMark(a.s, &p)
		s.marks = append(s.marks, m)
		s.actions = append(s.actions, p)
		s.filter |= m.bits
		s.anyAction = s.anyAction || p.shape == shapeAny
	}
	for _, r := range raw.resources.items {
		p := compileResource(r.s, syn)
		s.resources = append(s.resources, p)
		s.anyResource = s.anyResource || p.any
	}
	for i := range raw.conditions {
		s.conditions = append(s.conditions, compileCondition(&raw.conditions[i], syn))
	}
	return s
}

// mark is what an action is known by before it is compared.
type mark struct {
	bits uint64 // actionBits
	code uint64 // actionCode of an action without wildcards, else 0
}

func newMark(s string, p *pattern) mark {
	m := mark{bits: actionBits(s)}
	if p.shape == shapeExact {
		m.code = actionCode([]byte(p.a))
	}
	return m
}

// compileAction compiles service:Name. The prefix has no wildcards except that
// the whole may be *: any other pattern matches nothing.
func compileAction(s string) pattern {
	p := compilePattern(s, wildcards|foldCase)
	vendor, name, ok := strings.Cut(s, ":")
	switch {
	case s == "*", s == "*:*":
		p = pattern{shape: shapeAny}
	case !ok, strings.ContainsAny(vendor, "*?"), strings.Contains(name, ":"):
		p = pattern{shape: shapeNever}
	}
	return p
}

// applies reports whether the statement speaks about the request, leaving the
// principal aside. Cheapest tests come first.
func (s *statement) applies(e *env) bool {
	if len(s.actions) == 0 || s.matchesAction(e) == s.notActions {
		return false
	}
	if !s.everyResource && (len(s.resources) == 0 || s.matchesResource(e) == s.notResources) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return false
		}
	}
	return true
}

// actionBit is one of 64 bits, chosen by an action's service and the first
// letter of its name, both lowered. Most statements speak of other services
// than the request's, and are passed over by looking at this alone.
func actionBit(low []byte) uint64 {
	head := low[:min(bytes.IndexByte(low, ':')+2, len(low))]
	return 1 << (maphash.Bytes(actionSeed, head) >> 58)
}

// actionBits is the bit of every action that the pattern s can match.
func actionBits(s string) uint64 {
	if i := strings.IndexAny(s, "*?"); i >= 0 && i < strings.IndexByte(s, ':')+2 {
		return ^uint64(0)
	}
	return actionBit(appendLower(nil, s))
}

func (s *statement) matchesAction(e *env) bool {
	if s.filter&e.bit == 0 {
		return false
	}
	if s.anyAction {
		return true
	}
	for i := range s.marks {
		m := &s.marks[i]
		if (m.code == e.code || m.code == 0 && m.bits&e.bit != 0) && s.actions[i].matchFold(e.action, e.low) {
			return true
		}
	}
	return false
}

var actionSeed = maphash.MakeSeed()

// actionCode is a number that tells most actions apart, never 0.
func actionCode(low []byte) uint64 { return maphash.Bytes(actionSeed, low) | 1 }

func (s *statement) matchesResource(e *env) bool {
	if s.anyResource {
		return true
	}
	for i := range s.resources {
		if s.resources[i].match(&e.resource, e) {
			return true
		}
	}
	return false
}

// grant is how closely the statement names the request's principal. Without a
// Principal element it names nobody.
func (s *statement) grant(e *env) grant {
	if s.principals == nil {
		return grantNone
	}
	return s.principals.match(e.principal, s.allow)
}
