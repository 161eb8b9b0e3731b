package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// document is a policy whose grammar has been checked and nothing else: names,
// versions and ARNs are as written.
type document struct {
	kind       Kind
	text       string
	version    string // as written, empty when absent
	statements []rawStatement
}

type rawStatement struct {
	pos, end     int
	sid          string
	sidPos       int
	allow        bool
	effect       string // as written
	effectPos    int
	principal    *rawPrincipal
	principalPos int // of the element's name, or -1
	actions      list
	resources    list
	conditions   []rawCondition
}

// list is the value of Action, NotAction, Resource or NotResource.
type list struct {
	present bool
	not     bool
	pos     int // of the element's name
	items   []text
}

// text is a string of the document and the offsets where it stands, quotes
// included.
type text struct {
	s        string
	pos, end int
}

type rawPrincipal struct {
	not bool
	any bool
	ids []rawPrincipalID
}

type rawPrincipalID struct {
	class string // AWS, Service, Federated, CanonicalUser
	text
}

type rawCondition struct {
	operator operator
	opName   string
	key      text
	values   []text
}

// reader turns JSON nodes into a document. Its methods fail with a grammar
// fault.
type reader struct {
	kind Kind
	text string
}

// parseDocument reads the grammar of iam-policy.md §1. Unknown elements,
// wrong types and unknown operators fail here.
func parseDocument(kind Kind, doc string) (*document, error) {
	r := &reader{kind: kind, text: doc}
	if len(doc) > MaxDocument {
		return nil, r.fault(0, "Document longer than %d bytes", MaxDocument)
	}
	if err := r.characters(); err != nil {
		return nil, err
	}
	root, jerr := parseJSON(doc)
	if jerr != nil {
		err := r.fault(jerr.pos, "%s", jerr.detail)
		if kind == Trust && !strings.HasPrefix(jerr.detail, "Duplicate") {
			err.Message = msgTrustJSON
		}
		return nil, err
	}
	d, err := r.document(&root)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// fault is a *SyntaxError with the general message of the kind.
func (r *reader) fault(pos int, format string, args ...any) *SyntaxError {
	return newError(r.kind, r.text, pos, msgSyntax, format, args...)
}

func newError(kind Kind, text string, pos int, message, format string, args ...any) *SyntaxError {
	e := &SyntaxError{Message: message, Detail: fmt.Sprintf(format, args...)}
	if kind == IoT {
		e.Message, e.iot = msgIoT, true
	}
	e.Line, e.Column = place(text, pos)
	return e
}

// characters holds IAM documents to the set its APIs take:
// [\u0009\u000A\u000D\u0020-\u00FF]+. IoT documents may have any.
func (r *reader) characters() *SyntaxError {
	for i, c := range r.text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(r.text[i:]); size == 1 {
				return r.fault(i, "Not valid UTF-8")
			}
		}
		if r.kind != IoT && c > 0xFF {
			if known := hint(c); known != "" {
				return r.fault(i, "Unexpected %s", known)
			}
			return r.fault(i, "Character %q is outside of Latin-1", c)
		}
	}
	return nil
}

func (r *reader) document(root *node) (*document, *SyntaxError) {
	d := &document{kind: r.kind, text: r.text}
	if root.kind != nodeObject {
		return nil, r.fault(root.pos, "Expected an object, found %s", root.kind)
	}
	found := false
	for i := range root.members {
		m := &root.members[i]
		switch m.name {
		case "Version":
			if m.value.kind != nodeString || m.value.text != Version2008 && m.value.text != Version2012 {
				return nil, r.version(&m.value)
			}
			d.version = m.value.text
		case "Id":
			if m.value.kind != nodeString {
				return nil, r.fault(m.value.pos, "Id must be a string, found %s", m.value.kind)
			}
		case "Statement":
			found = true
			if err := r.statements(d, &m.value); err != nil {
				return nil, err
			}
		default:
			return nil, r.fault(m.pos, "Unknown element %q in the policy%s", m.name, meant(m.name, "Version", "Id", "Statement"))
		}
	}
	if !found {
		return nil, r.fault(root.pos, "Missing element Statement")
	}
	return d, nil
}

func (r *reader) version(n *node) *SyntaxError {
	return r.fault(n.pos, `Version must be "2012-10-17" or "2008-10-17", found %s: it is the version of the policy language, not of this policy`, n)
}

func (r *reader) statements(d *document, n *node) *SyntaxError {
	items := []node{*n}
	if n.kind == nodeArray {
		items = n.items
	}
	if len(items) == 0 {
		return r.fault(n.pos, "Statement is empty")
	}
	for i := range items {
		s, err := r.statement(&items[i])
		if err != nil {
			return err
		}
		d.statements = append(d.statements, s)
	}
	return nil
}

func (r *reader) statement(n *node) (rawStatement, *SyntaxError) {
	s := rawStatement{pos: n.pos, end: n.end, principalPos: -1, effectPos: -1}
	if n.kind != nodeObject {
		return s, r.fault(n.pos, "A statement must be an object, found %s", n.kind)
	}
	for i := range n.members {
		if err := r.element(&s, &n.members[i]); err != nil {
			return s, err
		}
	}
	if s.effectPos < 0 {
		return s, r.fault(n.pos, "Missing element Effect in the statement")
	}
	return s, nil
}

// element reads one member of a statement.
func (r *reader) element(s *rawStatement, m *member) *SyntaxError {
	v := &m.value
	switch m.name {
	case "Sid":
		if v.kind != nodeString {
			return r.fault(v.pos, "Sid must be a string, found %s", v.kind)
		}
		s.sid, s.sidPos = v.text, v.pos
	case "Effect":
		if v.kind != nodeString || !strings.EqualFold(v.text, "Allow") && !strings.EqualFold(v.text, "Deny") {
			return r.fault(v.pos, `Effect must be "Allow" or "Deny", found %s`, v)
		}
		s.effect, s.effectPos = v.text, v.pos
		s.allow = v.text == "Allow"
	case "Action", "NotAction":
		return r.list(&s.actions, m, "Action", "NotAction")
	case "Resource", "NotResource":
		return r.list(&s.resources, m, "Resource", "NotResource")
	case "Principal", "NotPrincipal":
		return r.principal(s, m)
	case "Condition":
		return r.condition(s, v)
	default:
		return r.fault(m.pos, "Unknown element %q in the statement%s", m.name, meant(m.name,
			"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"))
	}
	return nil
}

func (r *reader) list(l *list, m *member, name, notName string) *SyntaxError {
	if l.present {
		return r.fault(m.pos, "A statement cannot have both %s and %s", name, notName)
	}
	items, err := r.strings(&m.value, m.name)
	if err != nil {
		return err
	}
	*l = list{present: true, not: m.name == notName, pos: m.pos, items: items}
	return nil
}

// strings reads a string or a list of strings.
func (r *reader) strings(n *node, name string) ([]text, *SyntaxError) {
	items := []node{*n}
	if n.kind == nodeArray {
		items = n.items
	}
	out := make([]text, 0, len(items))
	for i := range items {
		if items[i].kind != nodeString {
			return nil, r.fault(items[i].pos, "%s must be a string or a list of strings, found %s", name, items[i].kind)
		}
		out = append(out, text{items[i].text, items[i].pos, items[i].end})
	}
	return out, nil
}

func (r *reader) principal(s *rawStatement, m *member) *SyntaxError {
	if s.principal != nil {
		return r.fault(m.pos, "A statement cannot have both Principal and NotPrincipal")
	}
	p := &rawPrincipal{not: m.name == "NotPrincipal"}
	s.principal, s.principalPos = p, m.pos
	v := &m.value
	if v.kind == nodeString && v.text == "*" {
		p.any = true
		return nil
	}
	if v.kind != nodeObject || len(v.members) == 0 {
		return r.fault(v.pos, `%s must be "*" or an object of AWS, Service, Federated or CanonicalUser`, m.name)
	}
	for i := range v.members {
		class := &v.members[i]
		switch class.name {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return r.fault(class.pos, "Unknown principal type %q%s", class.name, meant(class.name, "AWS", "Service", "Federated", "CanonicalUser"))
		}
		ids, err := r.strings(&class.value, class.name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			p.ids = append(p.ids, rawPrincipalID{class.name, id})
			p.any = p.any || class.name == "AWS" && id.s == "*"
		}
	}
	return nil
}

func (r *reader) condition(s *rawStatement, n *node) *SyntaxError {
	if n.kind != nodeObject {
		return r.fault(n.pos, "Condition must be an object, found %s", n.kind)
	}
	for i := range n.members {
		m := &n.members[i]
		if m.value.kind != nodeObject {
			return r.fault(m.value.pos, "The value of %s must be an object of condition keys, found %s", m.name, m.value.kind)
		}
		op, ok := parseOperator(m.name)
		if !ok && len(m.value.members) > 0 {
			return r.fault(m.pos, "Unknown condition operator %q%s", m.name, meantOperator(m.name))
		}
		for j := range m.value.members {
			key := &m.value.members[j]
			values, err := r.scalars(&key.value, key.name)
			if err != nil {
				return err
			}
			s.conditions = append(s.conditions, rawCondition{op, m.name, text{s: key.name, pos: key.pos}, values})
		}
	}
	return nil
}

// scalars reads a string, number or boolean or a list of them, as text.
func (r *reader) scalars(n *node, name string) ([]text, *SyntaxError) {
	items := []node{*n}
	if n.kind == nodeArray {
		items = n.items
	}
	out := make([]text, 0, len(items))
	for i := range items {
		switch items[i].kind {
		case nodeString, nodeNumber, nodeBool:
			out = append(out, text{items[i].text, items[i].pos, items[i].end})
		default:
			return nil, r.fault(items[i].pos, "A value of condition key %q must be a string, number or boolean, found %s", name, items[i].kind)
		}
	}
	return out, nil
}
