package awsapi

import (
	"encoding/base64"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// appendJSONStruct writes the body members of st. Only what JSON itself
// demands is escaped: the KVS producer's parser knows no escapes at all.
func appendJSONStruct(b []byte, p *structPlan, st reflect.Value) []byte {
	b = append(b, '{')
	first := true
	for i := range p.fields {
		f := &p.fields[i]
		if f.loc != inBody {
			continue
		}
		v, ok := f.value(st)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = AppendJSONString(b, f.name)
		b = append(b, ':')
		b = appendJSONValue(b, f.val, f.time, v)
	}
	return append(b, '}')
}

func appendJSONValue(b []byte, p *valuePlan, timeFormat string, v reflect.Value) []byte {
	switch p.kind {
	case kStruct:
		return appendJSONStruct(b, p.fields, v)
	case kList:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONValue(b, p.elem, p.elem.shape.Time, v.Index(i))
		}
		return append(b, ']')
	case kMap:
		b = append(b, '{')
		if m, ok := v.Interface().(map[string]string); ok {
			for i, k := range slices.Sorted(maps.Keys(m)) {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(AppendJSONString(b, k), ':')
				b = AppendJSONString(b, m[k])
			}
			return append(b, '}')
		}
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSONString(b, k.String())
			b = append(b, ':')
			b = appendJSONValue(b, p.elem, p.elem.shape.Time, v.MapIndex(k))
		}
		return append(b, '}')
	case kString:
		return AppendJSONString(b, v.String())
	case kInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case kFloat:
		return appendJSONFloat(b, v.Float())
	case kBool:
		return strconv.AppendBool(b, v.Bool())
	case kBlob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case kTime:
		t := v.Interface().(time.Time)
		switch timeFormat {
		case "iso8601", "rfc822":
			return AppendJSONString(b, formatTime(t, timeFormat))
		}
		return append(b, formatTime(t, "unixTimestamp")...)
	}
	return append(b, "null"...)
}

func appendJSONFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// plainJSON are the bytes that stand for themselves in a JSON string, of those
// that are characters by themselves.
var plainJSON = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// AppendJSONString appends s as a JSON string. Only what JSON itself demands is
// escaped; what is not UTF-8 becomes U+FFFD.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainJSON[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				i++
				start = i
				continue
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// sortedKeys makes answers the same each time.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
