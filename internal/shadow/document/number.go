package document

import (
	"strconv"
	"strings"
)

// sameNumber says whether two JSON numbers are the same number: 1, 1.0 and 10e-1 are. Of exponents that nothing
// could hold it knows only whether they are written alike.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, ok := decimalOf(a)
	if !ok {
		return false
	}
	y, ok := decimalOf(b)
	return ok && x == y
}

// decimal is 0.digits times ten to the exponent; digits neither begin nor end with 0.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func decimalOf(text string) (decimal, bool) {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		e, err := strconv.ParseInt(text[at+1:], 10, 32)
		if err != nil {
			return d, strings.Trim(text[:at], "0.") == "" // zero times whatever
		}
		text, d.exponent = text[:at], e
	}
	whole, fraction, _ := strings.Cut(text, ".")
	d.exponent += int64(len(whole))
	if fraction != "" {
		whole += fraction
	}
	d.digits = strings.TrimLeft(whole, "0")
	d.exponent -= int64(len(whole) - len(d.digits))
	if d.digits = strings.TrimRight(d.digits, "0"); d.digits == "" {
		return decimal{}, true // -0 is 0
	}
	return d, true
}
