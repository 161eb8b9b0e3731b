package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/arn"
)

// grant says how closely a statement names the principal. What an Allow of a
// resource-based policy is good for depends on it (iam-policy.md §6).
type grant uint8

const (
	grantNone    grant = iota
	grantAccount       // the account only: identity policies have to allow as well
	grantLimited       // everybody, or the role: boundary and session policies still limit
	grantDirect        // the user or session itself: nothing else is asked for
)

// principals is a compiled Principal or NotPrincipal element.
type principals struct {
	not       bool
	any       bool
	accounts  []string
	arns      []string
	ids       []string // unique ids, AIDA… and AROA…
	services  []string
	federated []string
	entries   []PrincipalID // all, as written
}

func compilePrincipals(raw *rawPrincipal) *principals {
	p := &principals{not: raw.not, any: raw.any}
	for _, id := range raw.ids {
		p.entries = append(p.entries, PrincipalID{id.class, id.s})
		switch id.class {
		case "Service":
			p.services = append(p.services, id.s)
		case "Federated":
			p.federated = append(p.federated, id.s)
		case "AWS":
			account, isRoot := rootAccount(id.s)
			switch {
			case isRoot:
				p.accounts = append(p.accounts, account)
			case strings.HasPrefix(id.s, "AIDA"), strings.HasPrefix(id.s, "AROA"):
				p.ids = append(p.ids, id.s)
			default:
				p.arns = append(p.arns, id.s)
			}
		}
	}
	return p
}

// rootAccount reads an account as a principal: its id or the ARN of its root.
func rootAccount(s string) (string, bool) {
	if arn.IsAccount(s) {
		return s, true
	}
	parts, ok := arn.Split(s)
	return parts[4], ok && parts[2] == "iam" && parts[5] == "root" && arn.IsAccount(parts[4])
}

// match says how closely the element names who, for a statement of the given
// effect.
func (p *principals) match(who *Principal, allow bool) grant {
	if !p.not {
		return p.named(who)
	}
	if p.excepts(who, allow) {
		return grantNone
	}
	return grantLimited
}

// named is match for the Principal element.
func (p *principals) named(who *Principal) grant {
	switch who.Type {
	case Service:
		if slices.Contains(p.services, who.Service) {
			return grantDirect
		}
	case WebIdentity:
		if slices.Contains(p.federated, who.Provider) {
			return grantDirect
		}
	case User:
		if slices.Contains(p.arns, who.ARN) || who.UserID != "" && slices.Contains(p.ids, who.UserID) {
			return grantDirect
		}
	case AssumedRole:
		if slices.Contains(p.arns, who.ARN) {
			return grantDirect
		}
		if p.role(who) {
			return grantLimited
		}
	case FederatedUser:
		if slices.Contains(p.arns, who.ARN) {
			return grantDirect
		}
		if who.UserARN != "" && slices.Contains(p.arns, who.UserARN) {
			return grantLimited
		}
	}
	if p.any {
		return grantLimited
	}
	if p.account(who) {
		return grantAccount
	}
	return grantNone
}

func (p *principals) role(who *Principal) bool {
	if who.RoleARN != "" && slices.Contains(p.arns, who.RoleARN) {
		return true
	}
	id, _, _ := strings.Cut(who.UserID, ":")
	return id != "" && slices.Contains(p.ids, id)
}

// account reports whether the caller's account is listed. Services, token
// holders and strangers belong to none.
func (p *principals) account(who *Principal) bool {
	switch who.Type {
	case Anonymous, Service, WebIdentity:
		return false
	}
	return who.Account != "" && slices.Contains(p.accounts, who.Account)
}

// excepts reports whether NotPrincipal leaves who out. A Deny spares only
// those who are listed together with their account, because the account would
// otherwise be denied as a principal of its own; an Allow passes over whoever
// is listed in any way (IAM User Guide, "NotPrincipal with Deny").
func (p *principals) excepts(who *Principal, allow bool) bool {
	g := p.named(who)
	if allow {
		return g != grantNone
	}
	switch {
	case p.any:
		return true
	case who.Type == Root:
		return p.account(who)
	case who.Type == Service, who.Type == WebIdentity, who.Type == Anonymous:
		return g != grantNone
	}
	return g >= grantLimited && p.account(who)
}

// PrincipalID is one entry of a Principal or NotPrincipal element.
type PrincipalID struct {
	Class string // AWS, Service, Federated, CanonicalUser
	ID    string
}

// Principals are the entries of all Principal and NotPrincipal elements, in
// the order of the document. A bare "*" is not among them. Whether they exist
// is not for this package; a trust policy that names one who does not is
// refused by AWS with the text of InvalidPrincipal.
func (p *Policy) Principals() []PrincipalID {
	var ids []PrincipalID
	for i := range p.doc.statements {
		if el := p.doc.statements[i].principals; el != nil {
			ids = append(ids, el.entries...)
		}
	}
	return ids
}

// ReplacePrincipals returns the document with every entry of its principal
// elements replaced by what f makes of it, and all else as it was. IAM keeps
// trust policies with unique ids in place of ARNs, so that a user who is
// deleted and made again is not the same principal (iam-policy.md §6).
func ReplacePrincipals(kind Kind, document string, f func(PrincipalID) string) (string, error) {
	d, err := parseDocument(kind, document)
	if err != nil {
		return "", err
	}
	var ids []rawPrincipalID
	for i := range d.statements {
		if p := d.statements[i].principal; p != nil {
			ids = append(ids, p.ids...)
		}
	}
	slices.SortFunc(ids, func(a, b rawPrincipalID) int { return cmp.Compare(a.pos, b.pos) })
	var out strings.Builder
	at := 0
	for _, id := range ids {
		s := f(PrincipalID{id.class, id.s})
		if s == id.s {
			continue
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			return "", errors.New("principal is not text")
		}
		out.WriteString(document[at:id.pos])
		out.Write(quoted)
		at = id.end
	}
	out.WriteString(document[at:])
	return out.String(), nil
}
