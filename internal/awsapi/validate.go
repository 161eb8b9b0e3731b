package awsapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFaults is how many faults of one request are told.
const maxFaults = 10

// validate holds in against the model: required members, lengths, ranges,
// patterns and enumerations; and the keys of its tags against each other.
// absent are the members whose absence in does not show. The error's text is
// AWS's.
func (s *Service) validate(op *Operation, in any, absent absences) error {
	v := &validator{}
	if err := v.input(op, in, absent); err != nil {
		return err
	}
	return checkTags(in)
}

// check is what a client looks at before it sends: required members, and
// minimum lengths and values. Models grow, so the rest is left to the service.
func (s *Service) check(op *Operation, in any, absent absences) error {
	v := &validator{client: true}
	return v.input(op, in, absent)
}

func (v *validator) input(op *Operation, in any, absent absences) error {
	if len(absent) > 0 {
		v.absent = make(map[string]bool, len(absent))
		for _, path := range absent {
			v.absent[path] = true
		}
	}
	v.structure(op.in, reflect.ValueOf(in).Elem())
	if v.n == 0 {
		return nil
	}
	noun := "errors"
	if v.n == 1 {
		noun = "error"
	}
	return invalidf("%d validation %s detected: %s", v.n, noun, strings.Join(v.faults, "; "))
}

type validator struct {
	absent map[string]bool
	path   []byte // of the value in hand
	secret bool   // the value in hand is not to be told
	client bool   // looks at what check does, alone
	n      int
	faults []string
}

// fault says what is wrong with the value in hand, which text makes.
func (v *validator) fault(p *valuePlan, constraint string, text func() string) {
	v.n++
	if len(v.faults) >= maxFaults {
		return
	}
	value := ""
	if !v.secret && !p.shape.Sensitive && (p.elem == nil || !p.elem.shape.Sensitive) {
		value = text() + " "
	}
	v.faults = append(v.faults, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: Member must %s", value, clip(string(v.path)), constraint))
}

func null() string { return "null" }

func (v *validator) structure(p *structPlan, st reflect.Value) {
	outer := len(v.path)
	if outer > 0 {
		v.path = append(v.path, '.')
	}
	prefix, within := len(v.path), v.secret
	for i := range p.fields {
		f := &p.fields[i]
		val, ok := f.value(st)
		if !ok && !f.required {
			continue
		}
		v.path = append(v.path[:prefix], f.path...)
		v.secret = within || f.secret
		switch {
		case f.val.kind == kStream:
		case !ok, p.required.has(f) && v.absent[string(v.path)]:
			v.fault(f.val, "not be null", null)
		default:
			v.value(f.val, val)
		}
	}
	v.path, v.secret = v.path[:outer], within
}

func (v *validator) value(p *valuePlan, val reflect.Value) {
	switch p.kind {
	case kStruct:
		v.structure(p.fields, val)
	case kList:
		v.list(p, val)
	case kMap:
		v.dictionary(p, val)
	case kBlob:
		v.length(p, val.Len(), func() string { return valueText(val) })
	case kString:
		v.text(p, val.String())
	case kInt:
		v.number(p, float64(val.Int()), val)
	case kFloat:
		v.number(p, val.Float(), val)
	}
}

func (v *validator) text(p *valuePlan, str string) {
	s := p.shape
	text := func() string { return "'" + clip(str) + "'" }
	if s.Min != nil || s.Max != nil {
		v.length(p, utf8.RuneCountInString(str), text)
	}
	if v.client {
		return
	}
	if re := s.pattern(); re != nil && !re.MatchString(str) {
		v.fault(p, "satisfy regular expression pattern: "+s.Pattern, text)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, str) {
		v.fault(p, "satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]", text)
	}
}

func (v *validator) dictionary(p *valuePlan, val reflect.Value) {
	v.length(p, val.Len(), func() string { return valueText(val) })
	outer := len(v.path)
	at := func(key string) {
		v.path = append(v.path[:outer], ".key"...)
		v.text(p.key, key)
		v.path = append(append(append(v.path[:outer], '.'), key...), ".member"...)
	}
	if m, ok := val.Interface().(map[string]string); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			at(k)
			v.text(p.elem, m[k])
		}
	} else {
		for _, k := range sortedKeys(val) {
			at(k.String())
			v.value(p.elem, val.MapIndex(k))
		}
	}
	v.path = v.path[:outer]
}

func (v *validator) list(p *valuePlan, val reflect.Value) {
	v.length(p, val.Len(), func() string { return valueText(val) })
	if p.elem.kind == kStream || p.elem.kind == kTime || p.elem.kind == kBool {
		return
	}
	outer := len(v.path)
	for i := range val.Len() {
		v.path = append(v.path[:outer], '.')
		v.path = strconv.AppendInt(v.path, int64(i)+1, 10)
		v.path = append(v.path, ".member"...)
		v.value(p.elem, val.Index(i))
	}
	v.path = v.path[:outer]
}

func (v *validator) length(p *valuePlan, n int, text func() string) {
	if s := p.shape; s.Min != nil && float64(n) < *s.Min {
		v.fault(p, "have length greater than or equal to "+limitText(s.Min), text)
	} else if s.Max != nil && float64(n) > *s.Max && !v.client {
		v.fault(p, "have length less than or equal to "+limitText(s.Max), text)
	}
}

func (v *validator) number(p *valuePlan, n float64, val reflect.Value) {
	s := p.shape
	if s.Min != nil && n < *s.Min {
		v.fault(p, "have value greater than or equal to "+limitText(s.Min), func() string { return valueText(val) })
	}
	if s.Max != nil && n > *s.Max && !v.client {
		v.fault(p, "have value less than or equal to "+limitText(s.Max), func() string { return valueText(val) })
	}
}

// valueText is a value as validation errors show it, with its quotes.
func valueText(val reflect.Value) string {
	switch val.Kind() {
	case reflect.String:
		return "'" + clip(val.String()) + "'"
	case reflect.Int64:
		return "'" + strconv.FormatInt(val.Int(), 10) + "'"
	case reflect.Float64:
		return "'" + strconv.FormatFloat(val.Float(), 'f', -1, 64) + "'"
	case reflect.Map:
		return "'{" + strconv.Itoa(val.Len()) + " entries}'"
	case reflect.Slice:
		switch val.Type().Elem().Kind() {
		case reflect.Uint8:
			return "'[" + strconv.Itoa(val.Len()) + " bytes]'"
		case reflect.String:
			var items []string
			for i, size := 0, 0; i < val.Len() && size <= maxClip; i++ {
				items = append(items, val.Index(i).String())
				size += len(items[i]) + len(", ")
			}
			return "'[" + clip(strings.Join(items, ", ")) + "]'"
		}
		return "'[" + strconv.Itoa(val.Len()) + " items]'"
	}
	return "'" + val.Type().Name() + "'"
}

func limitText(n *float64) string { return strconv.FormatFloat(*n, 'f', -1, 64) }

const maxClip = 256

// clip keeps a hostile value from coming back whole.
func clip(s string) string {
	if len(s) <= maxClip {
		return s
	}
	return strings.ToValidUTF8(s[:maxClip], "") + "…"
}
