package policy

import (
	"strings"

	"github.com/thingd/thingd/internal/arn"
)

// trustFields checks the elements of a trust policy.
func (c *checker) trustFields() *SyntaxError {
	for i := range c.statements {
		s := &c.statements[i]
		if s.resources.present {
			name := "Resource"
			if s.resources.not {
				name = "NotResource"
			}
			return c.fault(s.resources.pos, "Has prohibited field "+name+".", "A trust policy is about its own role and has no %s", name)
		}
		if s.principal != nil && s.principal.not {
			return c.fault(s.principalPos, "Has prohibited field NotPrincipal.", "A trust policy has to name its principals")
		}
	}
	return c.principalsPresent()
}

// trustActions holds a trust policy to the actions that are checked against
// it.
func (c *checker) trustActions() *SyntaxError {
	for i := range c.statements {
		for _, a := range c.statements[i].actions.items {
			if !isTrustAction(a.s) {
				return c.fault(a.pos, msgTrustVerb, "Action %q has no place in a trust policy", a.s)
			}
		}
	}
	return nil
}

func isTrustAction(s string) bool {
	p := compileAction(s)
	if !prefixFold(s, "sts:") {
		return false
	}
	for _, a := range [...]string{
		"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext",
	} {
		if p.matchFold(a, []byte(lower(a))) {
			return true
		}
	}
	return false
}

// trustPrincipals refuses principals that can be nobody. Whether those that
// can be somebody exist is for the caller: see Policy.Principals.
func (c *checker) trustPrincipals() *SyntaxError {
	for i := range c.statements {
		for _, id := range c.statements[i].principal.ids {
			switch {
			case id.class == "AWS" && !validAWSPrincipal(id.s):
				return c.fault(id.pos, InvalidPrincipal(id.class, id.s), "%q is neither an account nor the ARN of a root, user, role or session", id.s)
			case id.class == "Service" && !strings.Contains(id.s, "."):
				return c.fault(id.pos, InvalidPrincipal(id.class, id.s), "%q is not the name of a service, such as iot.amazonaws.com", id.s)
			}
		}
	}
	return nil
}

// InvalidPrincipal is AWS's message for a principal of a trust policy that
// does not exist.
func InvalidPrincipal(class, id string) string {
	if class == "Service" {
		class = "SERVICE"
	}
	return `Invalid principal in policy: "` + class + `":"` + id + `"`
}

func validAWSPrincipal(s string) bool {
	if s == "*" || arn.IsAccount(s) || strings.HasPrefix(s, "AIDA") || strings.HasPrefix(s, "AROA") {
		return true
	}
	parts, ok := arn.Split(s)
	if !ok || !validPartition(parts[1]) || parts[3] != "" || !arn.IsAccount(parts[4]) || strings.ContainsAny(s, "*?") {
		return false
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch parts[2] {
	case "iam":
		return parts[5] == "root" || (kind == "user" || kind == "role") && name != ""
	case "sts":
		return (kind == "assumed-role" || kind == "federated-user") && name != ""
	}
	return false
}
