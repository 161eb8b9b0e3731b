package policy

// Match is a statement that speaks about a request: its action, resource,
// principal and conditions all fit.
type Match struct {
	Source   Source
	PolicyID string
	Statement
}

// Matches are the statements that speak about a request, whatever the decision
// comes to: those of the identity policies, the boundary, the session policies
// and the resource's policy, in this order. Unlike Explain it says nothing of
// the others, and takes little more time than Decide.
func (in *Input) Matches(req *Request) []Match {
	e := newEnv(in, req)
	var out []Match
	add := func(source Source, policies ...*Policy) {
		for _, p := range policies {
			if p == nil {
				continue
			}
			for _, i := range p.doc.about(&e) {
				s := &p.doc.statements[i]
				if source == in.resourceSource() && s.grant(&e) == grantNone || !s.applies(&e) {
					continue
				}
				out = append(out, Match{Source: source, PolicyID: p.id, Statement: s.describe()})
			}
		}
	}
	add(SourceIdentity, in.Identity...)
	add(SourceBoundary, in.Boundary)
	add(SourceSession, in.Session...)
	add(in.resourceSource(), in.Resource)
	return out
}

// Concerns reports whether a statement is about the request's resource, whatever
// the action, principal and conditions.
func (p *Policy) Concerns(req *Request) bool {
	e := newEnv(&Input{}, req)
	for i := range p.doc.statements {
		if s := &p.doc.statements[i]; s.everyResource || len(s.resources) > 0 && s.matchesResource(&e) != s.notResources {
			return true
		}
	}
	return false
}

// newEnv is what decisions other than Decide's start from.
func newEnv(in *Input, req *Request) env {
	e := env{
		keys: req.Keys, base: in.Keys, principal: &in.Principal,
		resource: newTarget(req.Resource), action: req.Action, low: []byte(lower(req.Action)),
	}
	e.code = actionCode(e.low)
	return e
}
