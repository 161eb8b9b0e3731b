package policy

import (
	"net/netip"
	"strconv"
	"strings"
)

// condition is one operator with one key and its values.
type condition struct {
	op     operator
	opName string // as written
	key    keyName
	name   string // the key as written
	values []value
}

// value is a condition value compiled for its operator. never marks one that
// the operator cannot read: it matches nothing.
type value struct {
	text    pattern // String, Bool, Binary
	arn     arnPattern
	number  decimal
	instant instant
	prefix  netip.Prefix
	truth   bool // Bool without variables; Null: the key has to be absent
	never   bool
}

func compileCondition(raw *rawCondition, syn syntax) condition {
	c := condition{op: raw.operator, opName: raw.opName, key: canonicalKey(raw.key.s), name: raw.key.s}
	for _, v := range raw.values {
		c.values = append(c.values, compileValue(raw.operator.family, v.s, syn))
	}
	return c
}

// compileValue takes variables where AWS does: String, Arn and Bool operators.
func compileValue(f family, s string, syn syntax) value {
	switch f {
	case familyString, familyStringFold:
		return value{text: compilePattern(s, syn)}
	case familyStringLike:
		return value{text: compilePattern(s, syn|wildcards)}
	case familyBool:
		v := value{text: compilePattern(s, syn)}
		if v.text.shape == shapeExact {
			truth, ok := parseBool(v.text.a)
			v.truth, v.never = truth, !ok
		}
		return v
	case familyBinary:
		return value{text: compilePattern(s, 0)}
	case familyARN:
		return value{arn: compileARN(s, syn)}
	case familyNumeric:
		d, ok := parseDecimal(plain(s))
		return value{number: d, never: !ok}
	case familyDate:
		t, ok := parseInstant(s)
		return value{instant: t, never: !ok}
	case familyIP:
		p, ok := parsePrefix(s)
		return value{prefix: p, never: !ok}
	default: // Null
		truth, ok := parseBool(s)
		return value{truth: truth, never: !ok}
	}
}

func parseBool(s string) (truth, ok bool) {
	switch {
	case s == "true":
		return true, true
	case s == "false":
		return false, true
	case strings.EqualFold(s, "true"):
		return true, true
	}
	return false, strings.EqualFold(s, "false")
}

// plain writes a number with an exponent, as JSON allows it, without one.
func plain(s string) string {
	if !strings.ContainsAny(s, "eE") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// parsePrefix reads a CIDR block, or a bare address as a block of one.
func parsePrefix(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err == nil
	}
	a, ok := parseAddr(s)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func parseAddr(s string) (netip.Addr, bool) {
	if s == "" || strings.IndexByte(s, '%') >= 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// holds judges the condition by the truth rules of iam-policy.md §3.
func (c *condition) holds(e *env) bool {
	k := e.lookup(c.key, c.name)
	if c.op.family == familyNull {
		return c.null(k == nil)
	}
	if k == nil {
		return c.absent()
	}
	switch c.op.set {
	case quantifierAll:
		if !k.multi {
			return c.one(k.value, e)
		}
		for _, v := range k.values {
			if !c.one(v, e) {
				return false
			}
		}
		return true
	case quantifierAny:
		if !k.multi {
			return c.one(k.value, e)
		}
		for _, v := range k.values {
			if c.one(v, e) {
				return true
			}
		}
		return false
	}
	// A multivalued key needs a set operator: without one nothing holds.
	return !k.multi && c.one(k.value, e)
}

func (c *condition) null(absent bool) bool {
	for i := range c.values {
		if !c.values[i].never && c.values[i].truth == absent {
			return true
		}
	}
	return false
}

// absent is the answer for a key that the request does not have.
func (c *condition) absent() bool {
	switch {
	case c.op.ifExists, c.op.set == quantifierAll:
		return true
	case c.op.set == quantifierAny:
		return false
	}
	return c.op.negated
}

// one judges a single value of the request: one of the condition's values has
// to match, or none when the operator is negated.
func (c *condition) one(s string, e *env) bool {
	return c.any(s, e) != c.op.negated
}

func (c *condition) any(s string, e *env) bool {
	switch c.op.family {
	case familyString, familyStringLike, familyBinary:
		for i := range c.values {
			if c.values[i].text.match(s, e) {
				return true
			}
		}
	case familyStringFold:
		for i := range c.values {
			if text, ok := c.values[i].text.expand(e); ok && strings.EqualFold(text, s) {
				return true
			}
		}
	case familyBool:
		return c.anyBool(s, e)
	case familyARN:
		t := newTarget(s)
		for i := range c.values {
			if t.isARN && c.values[i].arn.match(&t, e) {
				return true
			}
		}
	case familyNumeric:
		return c.anyNumber(s)
	case familyDate:
		return c.anyDate(s)
	case familyIP:
		return c.anyAddr(s)
	}
	return false
}

func (c *condition) anyBool(s string, e *env) bool {
	have, ok := parseBool(s)
	if !ok {
		return false
	}
	for i := range c.values {
		v := &c.values[i]
		want, ok := v.truth, !v.never
		if v.text.vars {
			text, _ := v.text.expand(e)
			want, ok = parseBool(text)
		}
		if ok && want == have {
			return true
		}
	}
	return false
}

func (c *condition) anyNumber(s string) bool {
	d, ok := parseDecimal(s)
	if !ok {
		return false
	}
	for i := range c.values {
		if v := &c.values[i]; !v.never && c.op.relation.holds(d.compare(v.number)) {
			return true
		}
	}
	return false
}

func (c *condition) anyDate(s string) bool {
	t, ok := parseInstant(s)
	if !ok {
		return false
	}
	for i := range c.values {
		if v := &c.values[i]; !v.never && c.op.relation.holds(t.compare(v.instant)) {
			return true
		}
	}
	return false
}

func (c *condition) anyAddr(s string) bool {
	a, ok := parseAddr(s)
	if !ok {
		return false
	}
	for i := range c.values {
		if v := &c.values[i]; !v.never && v.prefix.Contains(a) {
			return true
		}
	}
	return false
}
