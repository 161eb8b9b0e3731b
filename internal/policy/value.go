package policy

import (
	"strings"
	"time"
)

// decimal is a number taken apart for comparison. Numbers of the policy
// language are decimal and compare exactly, whatever their length.
type decimal struct {
	negative bool
	whole    string // without leading zeros
	fraction string // without trailing zeros
}

// parseDecimal reads an optionally signed decimal number. It knows no
// exponents.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" && fraction == "" || point && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return decimal{}, false
	}
	d.whole = strings.TrimLeft(whole, "0")
	d.fraction = strings.TrimRight(fraction, "0")
	if d.whole == "" && d.fraction == "" {
		d.negative = false
	}
	return d, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// compare is -1, 0 or 1 as d is below, equal to or above o.
func (d decimal) compare(o decimal) int {
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := len(d.whole) - len(o.whole)
	if c == 0 {
		c = strings.Compare(d.whole, o.whole)
	}
	if c == 0 {
		c = strings.Compare(d.fraction, o.fraction)
	}
	if d.negative {
		c = -c
	}
	return min(max(c, -1), 1)
}

// instant is a moment: seconds since 1970 and nanoseconds.
type instant struct {
	sec  int64
	nsec int64
}

func (t instant) compare(o instant) int {
	switch {
	case t.sec < o.sec, t.sec == o.sec && t.nsec < o.nsec:
		return -1
	case t == o:
		return 0
	}
	return 1
}

// parseInstant reads what the Date operators take: ISO 8601 from YYYY to
// YYYY-MM-DDThh:mm:ss.sss with Z or an offset, or seconds since 1970. Four
// digits are a year. Without an offset a time is UTC. As on AWS leading zeros
// may be missing, a year may be negative, and nothing needs to follow the T.
func parseInstant(s string) (instant, bool) {
	if len(s) != 4 && allDigits(s) || strings.Contains(s, ".") && !strings.ContainsAny(s, "-:Tt") {
		return parseEpoch(s)
	}
	r := dateReader{s: s}
	sign := 1
	if r.take('-') {
		sign = -1
	}
	year, month, day := sign*r.number(1, 9, 0, 292278993), 1, 1
	if r.take('-') {
		month = r.number(1, 2, 1, 12)
		if r.take('-') {
			day = r.number(1, 2, 1, daysIn(year, month))
		}
	}
	var hour, minute, second, nsec, offset int
	if (r.take('T') || r.take('t')) && r.s != "" {
		hour = r.number(1, 2, 0, 23)
		if r.take(':') {
			minute = r.number(1, 2, 0, 59)
			if r.take(':') {
				second = r.number(1, 2, 0, 59)
				if r.take('.') {
					nsec = r.fraction()
				}
			}
		}
		offset = r.offset()
	}
	if r.bad || r.s != "" {
		return instant{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return instant{t.Unix() - int64(offset), int64(nsec)}, true
}

func parseEpoch(s string) (instant, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || len(strings.TrimLeft(whole, "0")) > 18 || !allDigits(whole) || point && (fraction == "" || !allDigits(fraction)) {
		return instant{}, false
	}
	var t instant
	for i := range len(whole) {
		t.sec = t.sec*10 + int64(whole[i]-'0')
	}
	t.nsec = int64(nanos(fraction))
	return t, true
}

// nanos is the digits after a decimal point of seconds, in nanoseconds.
func nanos(digits string) int {
	n, scale := 0, int(time.Second)
	for i := 0; i < len(digits) && scale > 1; i++ {
		scale /= 10
		n += int(digits[i]-'0') * scale
	}
	return n
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dateReader reads a date from the left. After a fault bad is set and stays.
type dateReader struct {
	s   string
	bad bool
}

func (r *dateReader) take(c byte) bool {
	if r.s != "" && r.s[0] == c {
		r.s = r.s[1:]
		return true
	}
	return false
}

// number reads least to most digits that make a number between low and high.
func (r *dateReader) number(least, most, low, high int) int {
	n, i := 0, 0
	for ; i < min(len(r.s), most) && r.s[i] >= '0' && r.s[i] <= '9'; i++ {
		n = n*10 + int(r.s[i]-'0')
	}
	r.s = r.s[i:]
	if i < least || n < low || n > high {
		r.bad = true
		return low
	}
	return n
}

func (r *dateReader) fraction() int {
	i := 0
	for i < len(r.s) && r.s[i] >= '0' && r.s[i] <= '9' {
		i++
	}
	r.bad = r.bad || i == 0 || i > 9
	n := nanos(r.s[:i])
	r.s = r.s[i:]
	return n
}

// offset reads Z, ±hh, ±hhmm or ±hh:mm, in seconds east of UTC.
func (r *dateReader) offset() int {
	if r.s == "" || r.take('Z') || r.take('z') {
		return 0
	}
	sign := 1
	if r.take('-') {
		sign = -1
	} else if !r.take('+') {
		r.bad = true
		return 0
	}
	seconds := r.number(2, 2, 0, 23) * 3600
	if r.take(':') || r.s != "" {
		seconds += r.number(2, 2, 0, 59) * 60
	}
	return sign * seconds
}
