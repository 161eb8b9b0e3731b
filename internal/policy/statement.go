package policy

import "strings"

// statement is one compiled statement.
type statement struct {
	allow         bool
	notActions    bool
	notResources  bool
	everyResource bool // a trust policy's, which names no resources
	anyResource   bool // resources has *
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
		c.statements = append(c.statements, compileStatement(kind, &d.statements[i], d.text, syn))
		c.statements[i].walk(func(_ string, key keyName) { c.ask(key) })
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

// applies reports whether the statement, which speaks of the request's action,
// speaks about the request, leaving the principal aside.
func (s *statement) applies(e *env) bool {
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
