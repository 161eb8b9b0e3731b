package policy

import "strings"

// statement is one compiled statement.
type statement struct {
	sid           string
	allow         bool
	principals    *principals // nil: none given
	notActions    bool
	actions       []pattern
	anyAction     bool   // actions has *
	filter        uint64 // the actionBits of actions: no bit, no match
	everyResource bool   // a trust policy's, which names no resources
	notResources  bool
	resources     []arnPattern
	conditions    []condition
	start, end    Position
}

// Position is a place in a document, counted from 1.
type Position struct {
	Line   int
	Column int
}

func compile(kind Kind, d *document) *Policy {
	c := &compiled{kind: kind, text: d.text, version: d.version}
	if c.version == "" {
		c.version = Version2008
	}
	var syn syntax
	if c.version == Version2012 {
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
		s.actions = append(s.actions, compileAction(a.s))
		s.filter |= actionBits(a.s)
		s.anyAction = s.anyAction || s.actions[len(s.actions)-1].shape == shapeAny
	}
	for _, r := range raw.resources.items {
		s.resources = append(s.resources, compileResource(r.s, syn))
	}
	for i := range raw.conditions {
		s.conditions = append(s.conditions, compileCondition(&raw.conditions[i], syn))
	}
	return s
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
func actionBit[T string | []byte](low T) uint64 {
	h := uint32(2166136261) // FNV-1a
	for i := range len(low) {
		h = (h ^ uint32(low[i])) * 16777619
		if i > 0 && low[i-1] == ':' {
			break
		}
	}
	return 1 << (h >> 26)
}

// actionBits is the bit of every action that the pattern s can match.
func actionBits(s string) uint64 {
	if i := strings.IndexAny(s, "*?"); i >= 0 && i < strings.IndexByte(s, ':')+2 {
		return ^uint64(0)
	}
	return actionBit(lower(s))
}

func (s *statement) matchesAction(e *env) bool {
	if s.filter&e.bit == 0 {
		return false
	}
	if s.anyAction {
		return true
	}
	for i := range s.actions {
		if s.actions[i].matchFold(e.action, e.low) {
			return true
		}
	}
	return false
}

func (s *statement) matchesResource(e *env) bool {
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
