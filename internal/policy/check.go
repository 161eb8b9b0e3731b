package policy

import "strings"

// checker makes the checks that AWS makes when a document is stored, beyond
// its grammar. Each phase goes over the whole document before the next begins,
// so that of several faults the one is reported that AWS reports
// (iam-policy.md §8).
type checker struct {
	*document
}

func check(kind Kind, d *document) error {
	c := &checker{d}
	for _, phase := range c.phases(kind) {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) phases(kind Kind) []func() *SyntaxError {
	statements := []func() *SyntaxError{
		c.effects, c.dates, c.legacyResources, c.sidForms, c.sids, c.actions, c.resourcesPresent, c.resourceForms, c.actionForms,
	}
	switch kind {
	case Trust:
		return []func() *SyntaxError{
			c.trustFields, c.effects, c.dates, c.sidForms, c.sids, c.actions, c.actionForms, c.trustActions, c.trustPrincipals,
		}
	case IoT:
		return []func() *SyntaxError{
			c.iotPrincipals, c.effects, c.sids, c.actions, c.resourcesPresent, c.iotResources, c.actionForms,
		}
	case Resource:
		return append([]func() *SyntaxError{c.principalsPresent}, statements...)
	case Session:
		return append([]func() *SyntaxError{c.identityPrincipals}, statements...)
	default:
		return append([]func() *SyntaxError{c.identityPrincipals, c.documentVersion}, statements...)
	}
}

func (c *checker) fault(pos int, message, format string, args ...any) *SyntaxError {
	return newError(c.kind, c.text, pos, message, format, args...)
}

func (c *checker) identityPrincipals() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; s.principal != nil {
			return c.fault(s.principalPos, msgPrincipal, "An identity-based policy applies to whom it is attached to and has no Principal")
		}
	}
	return nil
}

func (c *checker) principalsPresent() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; s.principal == nil || !s.principal.any && len(s.principal.ids) == 0 {
			return c.fault(s.pos, msgTrustField, "The statement names no Principal")
		}
	}
	return nil
}

func (c *checker) documentVersion() *SyntaxError {
	if c.version != Version2012 {
		return c.fault(0, msgVersion, `The document needs "Version": "2012-10-17"`)
	}
	return nil
}

func (c *checker) effects() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; s.effect != "Allow" && s.effect != "Deny" {
			return c.fault(s.effectPos, msgLegacy, `Effect %q must be written "Allow" or "Deny"`, s.effect)
		}
	}
	return nil
}

func (c *checker) dates() *SyntaxError {
	for i := range c.statements {
		for _, cond := range c.statements[i].conditions {
			if cond.operator.family != familyDate {
				continue
			}
			for _, v := range cond.values {
				if _, ok := parseInstant(v.s); !ok {
					return c.fault(v.pos, msgLegacy, "%q is not a date", v.s)
				}
			}
		}
	}
	return nil
}

func (c *checker) sidForms() *SyntaxError {
	for i := range c.statements {
		s := &c.statements[i]
		for _, r := range s.sid {
			if r > 'z' || !isAlphanumeric(byte(r)) {
				return c.fault(s.sidPos, msgSidPattern, "Sid %q has the character %q", s.sid, r)
			}
		}
	}
	return nil
}

func (c *checker) sids() *SyntaxError {
	seen := map[string]bool{}
	for i := range c.statements {
		s := &c.statements[i]
		if s.sid != "" && seen[s.sid] {
			return c.fault(s.sidPos, msgSidUnique, "Sid %q stands in two statements", s.sid)
		}
		seen[s.sid] = true
	}
	return nil
}

func (c *checker) actions() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; len(s.actions.items) == 0 {
			return c.fault(s.pos, msgNoActions, "The statement has no Action")
		}
	}
	return nil
}

func (c *checker) resourcesPresent() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; len(s.resources.items) == 0 {
			return c.fault(s.pos, msgNoResource, "The statement has no Resource")
		}
	}
	return nil
}

// actionForms holds every action to service:Name.
func (c *checker) actionForms() *SyntaxError {
	for i := range c.statements {
		for _, a := range c.statements[i].actions.items {
			if err := c.action(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) action(a text) *SyntaxError {
	vendor, name, ok := strings.Cut(a.s, ":")
	switch {
	case a.s == "*" || vendor == "*" && ok && !strings.Contains(name, ":"):
		return nil
	case !ok:
		return c.fault(a.pos, msgPrefix, "Action %q has no service prefix", a.s)
	case strings.Contains(name, ":"):
		return c.fault(a.pos, msgOneColon, "Action %q has more than one colon", a.s)
	}
	for i := range len(vendor) {
		if b := vendor[i]; !isAlphanumeric(b) && b != '-' && b != '.' {
			return c.fault(a.pos, "Vendor "+vendor+" is not valid", "Service prefix %q of action %q may only have letters, digits, - and .", vendor, a.s)
		}
	}
	if vendor == "" {
		return c.fault(a.pos, "Vendor  is not valid", "Action %q has an empty service prefix", a.s)
	}
	return nil
}

func isAlphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// iotPrincipals: IoT policies apply to what they are attached to.
func (c *checker) iotPrincipals() *SyntaxError {
	for i := range c.statements {
		if s := &c.statements[i]; s.principal != nil {
			return c.fault(s.principalPos, "", "An AWS IoT policy applies to what it is attached to and has no Principal")
		}
	}
	return nil
}
