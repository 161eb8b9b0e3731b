package policy

import (
	"strings"
	"unicode/utf8"
)

// glob matches s against tokens, variables looked up in e as they come. It
// remembers only the last * and needs time in the order of len(s)*len(toks).
func glob(toks []token, s string, fold bool, e *env) bool {
	ti, si := 0, 0
	starT, starS := -1, 0
	for {
		if ti == len(toks) {
			if si == len(s) {
				return true
			}
		} else {
			t := &toks[ti]
			switch t.kind {
			case tokenRun:
				if ti == len(toks)-1 {
					return true
				}
				starT, starS = ti, si
				ti++
				continue
			case tokenOne:
				if si < len(s) {
					si += runeLen(s[si:])
					ti++
					continue
				}
			default:
				text := t.text
				if t.kind == tokenVariable {
					var ok bool
					if text, ok = t.of.value(e); !ok {
						return false
					}
				}
				if fold && prefixFold(s[si:], text) || !fold && strings.HasPrefix(s[si:], text) {
					si += len(text)
					ti++
					continue
				}
			}
		}
		if starT < 0 || starS >= len(s) {
			return false
		}
		starS += runeLen(s[starS:])
		ti, si = starT+1, starS
	}
}

func runeLen(s string) int {
	if s[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// prefixFold reports whether s begins with the lower-case text low, ASCII
// letters of s compared without case.
func prefixFold(s, low string) bool {
	n := len(low)
	if len(s) < n {
		return false
	}
	if n == 0 {
		return true
	}
	// The last byte first: names of one service share their beginning.
	s = s[:n]
	if s[n-1]|0x20 != low[n-1]|0x20 {
		return false
	}
	for i := range n {
		c := s[i]
		if c != low[i] && (c < 'A' || c > 'Z' || c|0x20 != low[i]) {
			return false
		}
	}
	return true
}

// appendLower appends s to b, ASCII letters lowered.
func appendLower(b []byte, s string) []byte {
	b = append(b, s...)
	added := b[len(b)-len(s):]
	for i, c := range added {
		if c-'A' < 26 {
			added[i] = c | 0x20
		}
	}
	return b
}

// lower lowers ASCII letters.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return string(appendLower(nil, s))
		}
	}
	return s
}
