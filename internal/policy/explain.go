package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Explanation is a decision with everything that led to it. Making one costs
// far more than deciding; it is for logs, simulation and people.
type Explanation struct {
	Decision   Decision
	Reason     string // Decision.Reason of the request's action
	Statements []StatementReport
	// Suggestion is the smallest statement that would allow the request, in a
	// policy of the kind that Decision.Source names. It is empty when the
	// request is allowed, when it is denied explicitly (no further statement
	// helps then), and when a statement would have allowed it but for its
	// conditions: those are guards, which nobody is to be told to go around.
	Suggestion string
	// PolicyID is the permissions boundary that does not allow it, empty when
	// something else decided.
	PolicyID string
	// PolicyOwner is the ARN of the user or role whose identity-based policies
	// count, if that is not the principal himself.
	PolicyOwner string
}

// StatementReport says how one statement met the request.
type StatementReport struct {
	Source    Source
	PolicyID  string
	Statement int // index in the policy
	Sid       string
	Allow     bool // its effect
	Start     Position
	End       Position
	Applies   bool
	// Mismatch is what kept it from applying: "Principal", "Action",
	// "Resource", or operator and key of the first condition that does not hold.
	Mismatch string
	// Nearly says that it would have allowed what was refused, if its
	// conditions held.
	Nearly bool
	// Resources are the patterns of a statement whose Mismatch is "Resource",
	// with those variables filled in that have values; NotResources says that
	// they are what it leaves out.
	Resources    []string
	NotResources bool
	// Conditions are all conditions of a statement that is for the request's
	// principal and action.
	Conditions []ConditionReport
	// Variables are the policy variables and condition keys of the statement
	// with their values in this request.
	Variables []Variable
}

// Variable is a context key that a statement asks for. Values is nil when the
// request has none.
type Variable struct {
	Name   string
	Values []string
}

// ConditionReport says what a condition asks for, and what it found.
type ConditionReport struct {
	Operator string
	Key      string
	Wanted   []string // as the document writes them
	Values   []string // of the key in the request; nil for none
	Holds    bool
}

// Explain decides like Decide, and reports on every statement.
func (in *Input) Explain(req *Request) Explanation {
	e := newEnv(in, req)
	x := Explanation{Decision: in.Decide(req)}
	x.add(&e, SourceIdentity, in.Identity...)
	if in.Boundary != nil {
		x.add(&e, SourceBoundary, in.Boundary)
	}
	x.add(&e, SourceSession, in.Session...)
	if in.Resource != nil {
		x.add(&e, in.resourceSource(), in.Resource)
	}
	x.near(req.ResourceAccount == "" || req.ResourceAccount == in.Principal.Account)
	x.finish(req, &in.Principal)
	if x.Decision.Outcome == ImplicitDeny && x.Decision.Source == SourceBoundary {
		x.PolicyID = in.Boundary.id
	}
	x.PolicyOwner = in.policyOwner()
	return x
}

// policyOwner is Explanation.PolicyOwner.
func (in *Input) policyOwner() string {
	switch {
	case in.Principal.Type == AssumedRole:
		return in.Principal.RoleARN
	case in.Principal.Type == FederatedUser && in.own() == ownPolicies:
		return in.Principal.UserARN
	}
	return ""
}

// near marks the statements that would have allowed a request but for their
// conditions: those of the kind that had to allow it, and within one account
// those of the resource's policy, which can do so alone.
func (x *Explanation) near(sameAccount bool) {
	d := &x.Decision
	if d.Outcome != ImplicitDeny {
		return
	}
	for i := range x.Statements {
		r := &x.Statements[i]
		source := r.Source == d.Source || sameAccount && d.Source == SourceIdentity && r.Source == SourceResource
		switch r.Mismatch {
		case "", "Principal", "Action", "Resource":
		default:
			r.Nearly = source && r.Allow
		}
	}
}

// ExplainIoT decides like DecideIoT, and reports on every statement. Of the
// two forms of a shared subscription it reports on the one that decided.
func ExplainIoT(policies []*Policy, req *Request) Explanation {
	x := Explanation{Decision: DecideIoT(policies, req)}
	resource := req.Resource
	if filter, ok := unshared(req.Action, resource); ok && decideIoT(policies, req, resource) != x.Decision {
		resource = filter
	}
	e := newEnv(&Input{}, req)
	e.resource = newTarget(resource)
	x.add(&e, SourceIoT, policies...)
	x.near(true)
	x.finish(req, nil)
	return x
}

func (x *Explanation) add(e *env, source Source, policies ...*Policy) {
	for _, p := range policies {
		var raw *document // the text again: compiled statements do not keep it
		for i := range p.doc.statements {
			s := &p.doc.statements[i]
			r := StatementReport{
				Source: source, PolicyID: p.id, Statement: i, Sid: s.sid, Allow: s.allow,
				Start: s.start, End: s.end, Mismatch: s.mismatch(e, source),
			}
			r.Applies = r.Mismatch == ""
			if r.Mismatch != "Principal" && r.Mismatch != "Action" {
				if raw == nil {
					raw, _ = parseDocument(p.doc.kind, p.doc.text) // it was compiled from that
				}
				r.detail(e, s, raw, i)
			}
			s.walk(func(name string, key keyName) {
				r.Variables = addVariable(r.Variables, name, e.lookup(key, name))
			})
			x.Statements = append(x.Statements, r)
		}
	}
}

// detail reports what a statement says of resources and conditions, by its
// place in the document that it was compiled from.
func (r *StatementReport) detail(e *env, s *statement, d *document, i int) {
	raw := &d.statements[i]
	if r.Mismatch == "Resource" {
		r.NotResources = raw.resources.not
		for _, pattern := range raw.resources.items {
			r.Resources = append(r.Resources, fillResource(pattern.s, d.version, e))
		}
	}
	for j := range s.conditions {
		c := &s.conditions[j]
		report := ConditionReport{Operator: c.opName, Key: c.name, Holds: c.holds(e)}
		for _, v := range raw.conditions[j].values {
			report.Wanted = append(report.Wanted, v.s)
		}
		if k := e.lookup(c.key, c.name); k != nil {
			report.Values = k.Values()
		}
		r.Conditions = append(r.Conditions, report)
	}
}

// fillResource is an element of Resource with the values of its variables in
// their places; those without one stay as they are written.
func fillResource(s, version string, e *env) string {
	parts := strings.SplitN(s, ":", 6)
	if version != Version2012 || len(parts) < 6 { // no variables, or not here
		return s
	}
	var b strings.Builder
	b.WriteString(s[:len(s)-len(parts[5])])
	for rest := parts[5]; rest != ""; {
		before, _, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			break
		}
		rest = rest[len(before):]
		t, size, ok := parseVariable(rest)
		if !ok {
			size = len("${")
		}
		text := rest[:size]
		if ok && t.kind == tokenVariable {
			if value, has := t.of.value(e); has {
				text = value
			}
		}
		b.WriteString(text)
		rest = rest[size:]
	}
	return b.String()
}

func addVariable(vars []Variable, name string, k *Key) []Variable {
	if slices.ContainsFunc(vars, func(v Variable) bool { return strings.EqualFold(v.Name, name) }) {
		return vars
	}
	v := Variable{Name: name}
	if k != nil {
		v.Values = k.Values()
	}
	return append(vars, v)
}

// mismatch names the first element that does not fit the request.
func (s *statement) mismatch(e *env, source Source) string {
	switch {
	case (source == SourceResource || source == SourceTrust) && s.grant(e) == grantNone:
		return "Principal"
	case !s.speaksOf(e):
		return "Action"
	case !s.everyResource && (len(s.resources) == 0 || s.matchesResource(e) == s.notResources):
		return "Resource"
	}
	for i := range s.conditions {
		if c := &s.conditions[i]; !c.holds(e) {
			return c.opName + " " + c.name
		}
	}
	return ""
}

// walk calls f with every context key of the statement, as written and in the
// form of lookups.
func (s *statement) walk(f func(name string, key keyName)) {
	pattern := func(p *pattern) {
		if p.rest == nil {
			return
		}
		for i := range p.rest.tokens {
			if t := &p.rest.tokens[i]; t.kind == tokenVariable {
				f(t.of.name, t.of.key)
			}
		}
	}
	arn := func(p *arnPattern) {
		for i := range p.parts {
			pattern(&p.parts[i])
		}
	}
	for i := range s.resources {
		arn(&s.resources[i])
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		f(c.name, c.key)
		for j := range c.values {
			pattern(&c.values[j].text)
			arn(&c.values[j].arn)
		}
	}
}

func (x *Explanation) finish(req *Request, who *Principal) {
	x.Reason = x.Decision.Reason(req.Action)
	if x.Decision.Outcome != ImplicitDeny || slices.ContainsFunc(x.Statements, func(r StatementReport) bool { return r.Nearly }) {
		return
	}
	type statement struct {
		Effect    string
		Principal any `json:",omitempty"`
		Action    string
		Resource  string `json:",omitempty"`
	}
	s := statement{Effect: "Allow", Action: req.Action, Resource: literal(req.Resource)}
	switch x.Decision.Source {
	case SourceTrust:
		s.Resource, s.Principal = "", who.element()
	case SourceResource:
		s.Principal = who.element()
	}
	// Marshal cannot fail: the value has strings only.
	text, _ := json.Marshal(s)
	x.Suggestion = string(text)
}

// literal is a resource as a pattern that fits nothing else (of version
// 2012-10-17).
func literal(resource string) string {
	if resource == "*" {
		return resource
	}
	return strings.NewReplacer("${", "${$}{", "*", "${*}", "?", "${?}").Replace(resource)
}

// element is the Principal element that names who, and nobody else.
func (p *Principal) element() any {
	switch p.Type {
	case Service:
		return map[string]string{"Service": p.Service}
	case WebIdentity:
		return map[string]string{"Federated": p.Provider}
	case AssumedRole:
		return map[string]string{"AWS": p.RoleARN}
	case Anonymous:
		return "*"
	}
	return map[string]string{"AWS": p.ARN}
}

// Statement describes a statement of a policy.
type Statement struct {
	Sid   string
	Allow bool
	Start Position // of its opening brace
	End   Position // behind its closing brace
}

func (s *statement) describe() Statement {
	return Statement{Sid: s.sid, Allow: s.allow, Start: s.start, End: s.end}
}

// ContextKeys are the names of all context keys in conditions and variables,
// each once, as the document writes them where it does so first.
func (p *Policy) ContextKeys() []string {
	var names []string
	seen := map[keyName]bool{}
	for i := range p.doc.statements {
		p.doc.statements[i].walk(func(name string, key keyName) {
			if !seen[key] {
				seen[key] = true
				names = append(names, name)
			}
		})
	}
	return names
}
