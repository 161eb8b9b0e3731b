package policy

import (
	"slices"
	"strings"
)

// pattern is a compiled string of a policy: literal text, the wildcards * (any
// run of characters) and ? (exactly one), and variables. What a variable
// stands for is always literal, whatever characters it has.
type pattern struct {
	shape shape
	vars  bool   // there are variables in rest
	a, b  string // what a match begins and ends with
	rest  *rest  // of shapeGeneral
}

// rest is a pattern in full. It stands apart to keep patterns small: most are
// settled by their ends.
type rest struct {
	tokens []token
	middle []token // those between the literals that the pattern begins and ends with
}

type shape uint8

const (
	shapeExact   shape = iota // a
	shapeAny                  // *
	shapePrefix               // a*
	shapeSuffix               // *b
	shapeEnds                 // a*b
	shapeGeneral              // tokens
	shapeNever                // matches nothing: a broken pattern
)

type token struct {
	kind tokenKind
	text string    // of a literal
	of   *variable // of a variable
}

// variable is ${name} or ${name, 'def'}.
type variable struct {
	key  keyName
	name string // as written
	def  string
	// hasDef says that there is a default; an empty one is one.
	hasDef bool
	// cert marks a variable of a device certificate, of which some values are
	// not substituted (iot-policy.md §3).
	cert bool
}

type tokenKind uint8

const (
	tokenLiteral tokenKind = iota
	tokenOne
	tokenRun
	tokenVariable
)

// syntax says which characters of a pattern are special.
type syntax uint8

const (
	wildcards syntax = 1 << iota
	variables
	foldCase // ASCII letters in the pattern are lowered; matching must fold as well
)

func compilePattern(s string, syn syntax) pattern {
	var toks []token
	literal := func(text string) {
		if text == "" {
			return
		}
		if syn&foldCase != 0 {
			text = lower(text)
		}
		if n := len(toks); n > 0 && toks[n-1].kind == tokenLiteral {
			toks[n-1].text += text
			return
		}
		toks = append(toks, token{kind: tokenLiteral, text: text})
	}
	for s != "" {
		switch {
		case s[0] == '*' && syn&wildcards != 0:
			if n := len(toks); n == 0 || toks[n-1].kind != tokenRun {
				toks = append(toks, token{kind: tokenRun})
			}
			s = s[1:]
		case s[0] == '?' && syn&wildcards != 0:
			toks = append(toks, token{kind: tokenOne})
			s = s[1:]
		case strings.HasPrefix(s, "${") && syn&variables != 0:
			t, size, ok := parseVariable(s)
			switch {
			case !ok: // not a variable after all: text
				literal(s[:2])
				s = s[2:]
			case t.kind == tokenLiteral:
				literal(t.text)
				s = s[size:]
			default:
				toks = append(toks, t)
				s = s[size:]
			}
		default:
			n := 1 + strings.IndexAny(s[1:], "*?$")
			if n == 0 {
				n = len(s)
			}
			literal(s[:n])
			s = s[n:]
		}
	}
	return shaped(toks)
}

// shaped picks the cheapest form of a token list.
func shaped(toks []token) pattern {
	is := func(kinds ...tokenKind) bool {
		if len(toks) != len(kinds) {
			return false
		}
		for i, k := range kinds {
			if toks[i].kind != k {
				return false
			}
		}
		return true
	}
	switch {
	case is():
		return pattern{shape: shapeExact}
	case is(tokenLiteral):
		return pattern{shape: shapeExact, a: toks[0].text}
	case is(tokenRun):
		return pattern{shape: shapeAny}
	case is(tokenLiteral, tokenRun):
		return pattern{shape: shapePrefix, a: toks[0].text}
	case is(tokenRun, tokenLiteral):
		return pattern{shape: shapeSuffix, b: toks[1].text}
	case is(tokenLiteral, tokenRun, tokenLiteral):
		return pattern{shape: shapeEnds, a: toks[0].text, b: toks[2].text}
	}
	p := pattern{shape: shapeGeneral, rest: &rest{tokens: toks, middle: toks}}
	if first := toks[0]; first.kind == tokenLiteral {
		p.a = first.text
		p.rest.middle = p.rest.middle[1:]
	}
	if last := toks[len(toks)-1]; last.kind == tokenLiteral {
		p.b = last.text
		p.rest.middle = p.rest.middle[:len(p.rest.middle)-1]
	}
	p.vars = slices.ContainsFunc(toks, func(t token) bool { return t.kind == tokenVariable })
	return p
}

// parseVariable reads the variable or escape that s begins with: ${key},
// ${key, 'default'}, ${*}, ${?} or ${$}. size is its length in s.
func parseVariable(s string) (t token, size int, ok bool) {
	end := strings.IndexByte(s, '}')
	if quote := strings.IndexByte(s, '\''); quote >= 0 && quote < end {
		// The default is quoted and may hold a brace.
		close := strings.IndexByte(s[quote+1:], '\'')
		if close < 0 {
			return token{}, 0, false
		}
		after := quote + 1 + close + 1
		rest := strings.TrimLeft(s[after:], " ")
		if !strings.HasPrefix(rest, "}") {
			return token{}, 0, false
		}
		key, comma := strings.CutSuffix(strings.TrimSpace(s[2:quote]), ",")
		key = strings.TrimSpace(key)
		if !comma || key == "" {
			return token{}, 0, false
		}
		v := newVariable(key)
		v.def, v.hasDef = s[quote+1:after-1], true
		return token{kind: tokenVariable, of: v}, len(s) - len(rest) + 1, true
	}
	if end < 0 {
		return token{}, 0, false
	}
	switch key := strings.TrimSpace(s[2:end]); key {
	case "":
		return token{}, 0, false
	case "*", "?", "$":
		return token{kind: tokenLiteral, text: key}, end + 1, true
	default:
		return token{kind: tokenVariable, of: newVariable(key)}, end + 1, true
	}
}

func newVariable(name string) *variable {
	key := canonicalKey(name)
	return &variable{key: key, name: name, cert: strings.HasPrefix(key.Value(), "iot:certificate.")}
}

// match reports whether the whole of s fits. Variables are looked up in e. A
// variable without a value makes the pattern match nothing.
func (p *pattern) match(s string, e *env) bool {
	switch p.shape {
	case shapeExact:
		return s == p.a
	case shapeNever:
		return false
	case shapeAny:
		return true
	case shapePrefix:
		return strings.HasPrefix(s, p.a)
	case shapeSuffix:
		return strings.HasSuffix(s, p.b)
	case shapeEnds:
		return len(s) >= len(p.a)+len(p.b) && strings.HasPrefix(s, p.a) && strings.HasSuffix(s, p.b)
	}
	// Most patterns fail at their ends: look there before the variables.
	if len(s) < len(p.a)+len(p.b) || !strings.HasPrefix(s, p.a) || !strings.HasSuffix(s, p.b) {
		return false
	}
	return glob(p.rest.middle, s[len(p.a):len(s)-len(p.b)], false, e)
}

// matchFold is match for patterns compiled with foldCase and without
// variables. low is s with its ASCII letters lowered.
func (p *pattern) matchFold(s string, low []byte) bool {
	a, b := len(p.a), len(p.b)
	switch p.shape {
	case shapeExact:
		return string(low) == p.a
	case shapeNever:
		return false
	case shapeAny:
		return true
	case shapePrefix:
		return len(low) >= a && string(low[:a]) == p.a
	case shapeSuffix:
		return len(low) >= b && string(low[len(low)-b:]) == p.b
	case shapeEnds:
		return len(low) >= a+b && string(low[:a]) == p.a && string(low[len(low)-b:]) == p.b
	}
	return glob(p.rest.tokens, s, true, nil)
}

// value is what a variable stands for in this request: the value of a present,
// single-valued, non-empty key, else the default, else nothing.
func (v *variable) value(e *env) (string, bool) {
	if k := e.lookup(v.key, v.name); k != nil && !k.multi && k.value != "" && (!v.cert || substitutable(k.value)) {
		return k.value, true
	}
	return v.def, v.hasDef
}

// expand is the text of a pattern without wildcards, its variables replaced.
func (p *pattern) expand(e *env) (string, bool) {
	if p.shape != shapeGeneral {
		return p.a, true
	}
	var b strings.Builder
	for i := range p.rest.tokens {
		t := &p.rest.tokens[i]
		text := t.text
		if t.kind == tokenVariable {
			var ok bool
			if text, ok = t.of.value(e); !ok {
				return "", false
			}
		}
		b.WriteString(text)
	}
	return b.String(), true
}
