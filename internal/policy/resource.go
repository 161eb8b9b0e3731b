package policy

import "strings"

// target is the resource of a request, cut into the parts of an ARN. A
// resource that is not an ARN, such as *, has only raw.
type target struct {
	raw   string
	start [6]int // where each part begins in raw
	isARN bool
}

func newTarget(raw string) target {
	t := target{raw: raw}
	at := 0
	for n := 1; n < len(t.start); n++ {
		i := strings.IndexByte(raw[at:], ':')
		if i < 0 {
			return t
		}
		at += i + 1
		t.start[n] = at
	}
	t.isARN = strings.HasPrefix(raw, "arn:")
	return t
}

// part is the i-th part, rest the text from the i-th part on.
func (t *target) part(i int) string {
	if i == 5 {
		return t.raw[t.start[5]:]
	}
	return t.raw[t.start[i] : t.start[i+1]-1]
}

func (t *target) rest(i int) string { return t.raw[t.start[i]:] }

// arnPattern is a pattern whose parts are compared one by one with those of an
// ARN, so that a wildcard never reaches past a colon of the first five. One
// with fewer than six parts that ends in * covers the rest as well.
type arnPattern struct {
	any   bool // the bare *
	open  bool // the last part covers the rest
	parts []pattern
}

// compileResource compiles an element of Resource or NotResource. Variables
// count in the sixth part only.
func compileResource(s string, syn syntax) arnPattern {
	return newARNPattern(s, strings.SplitN(s, ":", 6), syn&^variables, syn)
}

// compileARN compiles a condition value of the Arn operators, where variables
// may stand in any part and their colons do not separate.
func compileARN(s string, syn syntax) arnPattern {
	return newARNPattern(s, splitOutsideVariables(s, syn), syn, syn)
}

func newARNPattern(s string, parts []string, head, tail syntax) arnPattern {
	if s == "*" {
		return arnPattern{any: true}
	}
	p := arnPattern{open: len(parts) < 6 && strings.HasSuffix(s, "*")}
	for i, part := range parts {
		syn := head
		if i == 5 {
			syn = tail
		}
		p.parts = append(p.parts, compilePattern(part, syn|wildcards))
	}
	return p
}

// splitOutsideVariables splits on the first five colons that are not inside of
// a variable.
func splitOutsideVariables(s string, syn syntax) []string {
	if syn&variables == 0 || !strings.Contains(s, "${") {
		return strings.SplitN(s, ":", 6)
	}
	var parts []string
	start := 0
	for i := 0; i < len(s) && len(parts) < 5; i++ {
		if s[i] == '$' && strings.HasPrefix(s[i:], "${") {
			if _, size, ok := parseVariable(s[i:]); ok {
				i += size - 1
			}
			continue
		}
		if s[i] == ':' {
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// match compares with a resource. What is not an ARN fits the bare * only.
func (p *arnPattern) match(t *target, e *env) bool {
	if p.any {
		return true
	}
	if !t.isARN || len(p.parts) < 6 && !p.open {
		return false
	}
	last := len(p.parts) - 1
	// From the back: resources of one account differ in their last part.
	if p.open {
		if !p.parts[last].match(t.rest(last), e) {
			return false
		}
	} else if !p.parts[last].match(t.part(last), e) {
		return false
	}
	for i := last - 1; i >= 0; i-- {
		if part := &p.parts[i]; part.shape != shapeAny && !part.match(t.part(i), e) {
			return false
		}
	}
	return true
}
