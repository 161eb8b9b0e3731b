package policy

// Request is what is asked for.
type Request struct {
	Action          string // service:Name
	Resource        string // ARN, or * for actions without resource types
	ResourceAccount string // owner of the resource; empty: the caller's account
	Keys            Keys   // context keys of the request
}

// Input is who asks, and all policies that have a say.
type Input struct {
	Principal Principal
	// Keys are context keys of the caller, a layer below the request's.
	Keys     Keys
	Identity []*Policy // of the user and its groups, or of the role
	Boundary *Policy   // permissions boundary, if one is set
	// Session are the session policies, HasSession says that some were passed:
	// with HasSession and an empty Session nothing is allowed.
	Session    []*Policy
	HasSession bool
	// Resource is the policy of the requested resource, or the trust policy of
	// the role to assume when Trust is set.
	Resource *Policy
	Trust    bool
}

// Outcome is the answer of a decision. The zero value refuses.
type Outcome int

const (
	ImplicitDeny Outcome = iota // no policy allows it
	ExplicitDeny                // a policy forbids it
	Allowed
)

// String is the spelling of the policy simulator.
func (o Outcome) String() string {
	return [...]string{"implicitDeny", "explicitDeny", "allowed"}[o]
}

// Source is the kind of policy that settled a decision.
type Source int

const (
	SourceNone     Source = iota // none was needed: the root user
	SourceIdentity               // identity-based policy
	SourceBoundary               // permissions boundary
	SourceSession                // session policy
	SourceResource               // resource-based policy
	SourceTrust                  // role trust policy
	SourceIoT                    // AWS IoT policy
)

var sourceNames = [...]string{
	"no policy", "identity-based policy", "permissions boundary", "session policy",
	"resource-based policy", "role trust policy", "IoT policy",
}

var sourceArticles = [...]string{"", "an ", "a ", "a ", "a ", "the ", "an "}

// String is AWS's name for the kind of policy.
func (s Source) String() string { return sourceNames[s] }

// Decision says whether a request is allowed, and by what. For an implicit
// deny Source is the kind of policy that had to allow it and did not, and no
// statement is named.
type Decision struct {
	Outcome   Outcome
	Source    Source
	PolicyID  string // what Named gave the deciding policy
	Sid       string // of the deciding statement
	Statement int    // its index, -1 for none
}

// Reason is the end of AWS's AccessDenied message: "because no identity-based
// policy allows the iot:ListThings action", "with an explicit deny in an
// identity-based policy". It is empty when the request is allowed.
func (d Decision) Reason(action string) string {
	switch d.Outcome {
	case ExplicitDeny:
		return "with an explicit deny in " + sourceArticles[d.Source] + sourceNames[d.Source]
	case ImplicitDeny:
		return "because no " + sourceNames[d.Source] + " allows the " + action + " action"
	}
	return ""
}

// verdict is what the policies of one kind say together. Statement indexes are
// -1 where there is none.
type verdict struct {
	policy    *Policy
	statement int
	grant     grant // of the closest Allow
}

func (v *verdict) decision(o Outcome, s Source) Decision {
	d := Decision{Outcome: o, Source: s, Statement: -1}
	if v.policy != nil {
		d.PolicyID = v.policy.id
		d.Statement = v.statement
		d.Sid = v.policy.doc.statements[v.statement].sid
	}
	return d
}

func implicit(s Source) Decision {
	return Decision{Outcome: ImplicitDeny, Source: s, Statement: -1}
}

// Decide judges a request by the evaluation order of the IAM User Guide
// ("Policy evaluation logic"; iam-policy.md §6): any Deny first; then what the
// resource's policy grants; then identity policies, boundary and session
// policies, which all have to allow. A trust policy always has to allow.
func (in *Input) Decide(req *Request) Decision {
	var buf [64]byte
	e := env{
		keys: req.Keys, base: in.Keys, principal: &in.Principal,
		resource: newTarget(req.Resource), action: req.Action, low: appendLower(buf[:0], req.Action),
	}
	e.code = actionCode(e.low)
	var identity, boundary, session, resource verdict
	if scan(in.Identity, &e, &identity) {
		return identity.decision(ExplicitDeny, SourceIdentity)
	}
	if in.Boundary != nil && in.Boundary.scan(&e, &boundary) {
		return boundary.decision(ExplicitDeny, SourceBoundary)
	}
	if scan(in.Session, &e, &session) {
		return session.decision(ExplicitDeny, SourceSession)
	}
	if in.Resource != nil && in.Resource.scanPrincipals(&e, &resource) {
		return resource.decision(ExplicitDeny, in.resourceSource())
	}

	own := in.own()
	switch own {
	case ownNothing:
		if resource.policy == nil {
			return implicit(in.resourceSource())
		}
		return resource.decision(Allowed, in.resourceSource())
	case ownEverything:
		identity.grant = grantDirect
	}
	sameAccount := req.ResourceAccount == "" || req.ResourceAccount == in.Principal.Account
	deciding, source := &identity, SourceIdentity
	if own == ownEverything {
		source = SourceNone
	}
	switch {
	case sameAccount && resource.grant == grantDirect:
		return resource.decision(Allowed, in.resourceSource())
	case sameAccount && resource.grant == grantLimited:
		deciding, source = &resource, in.resourceSource()
	case sameAccount && in.Trust && resource.policy == nil:
		return implicit(SourceTrust)
	case identity.grant == grantNone:
		return implicit(SourceIdentity)
	}
	if in.Boundary != nil && boundary.policy == nil && own != ownEverything {
		return implicit(SourceBoundary)
	}
	if in.limitedBySession() && session.policy == nil {
		return implicit(SourceSession)
	}
	if !sameAccount && resource.policy == nil {
		return implicit(in.resourceSource())
	}
	return deciding.decision(Allowed, source)
}

// limitedBySession reports whether session policies have to allow. Those of a
// federated user always have: without any he may nothing.
func (in *Input) limitedBySession() bool {
	return in.HasSession || len(in.Session) > 0 || in.Principal.Type == FederatedUser
}

func (in *Input) resourceSource() Source {
	if in.Trust {
		return SourceTrust
	}
	return SourceResource
}

// ownership is what a principal may do of his own account's will.
type ownership uint8

const (
	ownPolicies   ownership = iota // what his policies allow
	ownNothing                     // services, token holders and strangers have no policies
	ownEverything                  // the root user needs none
)

func (in *Input) own() ownership {
	switch in.Principal.Type {
	case Root:
		return ownEverything
	case Anonymous, Service, WebIdentity:
		return ownNothing
	case FederatedUser: // by the root user: the session policies alone limit
		if _, root := rootAccount(in.Principal.UserARN); root {
			return ownEverything
		}
	}
	return ownPolicies
}

// scan reads policies that say nothing of principals. It reports whether one
// denies; v then names that statement, else the first that allows.
func scan(policies []*Policy, e *env, v *verdict) bool {
	for _, p := range policies {
		if p.scan(e, v) {
			return true
		}
	}
	return false
}

func (p *Policy) scan(e *env, v *verdict) bool {
	for _, i := range p.doc.about(e) {
		s := &p.doc.statements[i]
		if s.allow && v.policy != nil || !s.applies(e) {
			continue
		}
		*v = verdict{policy: p, statement: i, grant: grantDirect}
		if !s.allow {
			return true
		}
	}
	return false
}

// scanPrincipals is scan for a policy whose statements name principals: v
// names the Allow that names the caller most closely.
func (p *Policy) scanPrincipals(e *env, v *verdict) bool {
	for _, i := range p.doc.about(e) {
		s := &p.doc.statements[i]
		g := s.grant(e)
		if g == grantNone || s.allow && g <= v.grant || !s.applies(e) {
			continue
		}
		*v = verdict{policy: p, statement: i, grant: g}
		if !s.allow {
			return true
		}
	}
	return false
}
