package policy

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Typed makes a key of values that are said to be of a type of the policy
// simulator: string, numeric, boolean, ip, binary or date, or one of these
// with List behind it for a multivalued key (IAM API reference, ContextEntry).
// An unknown type, a value that is not of the type, and other than one value
// where no list is said are errors.
func Typed(name, typ string, values ...string) (Key, error) {
	base, list := strings.CutSuffix(typ, "List")
	valid, ok := valueTypes[base]
	if !ok {
		return Key{}, fmt.Errorf("type %q of context key %s is unknown", typ, name)
	}
	for _, v := range values {
		if !valid(v) {
			return Key{}, fmt.Errorf("value %q of context key %s is not of type %s", v, name, base)
		}
	}
	switch {
	case list:
		return Multi(name, values...), nil
	case len(values) != 1:
		return Key{}, fmt.Errorf("context key %s of type %s has %d values, not one", name, typ, len(values))
	}
	return Single(name, values[0]), nil
}

// valueTypes say of a value whether the condition operators of the type can
// read it.
var valueTypes = map[string]func(string) bool{
	"string":  func(string) bool { return true },
	"numeric": func(s string) bool { _, ok := parseDecimal(s); return ok },
	"boolean": func(s string) bool { _, ok := parseBool(s); return ok },
	"ip":      func(s string) bool { _, ok := parsePrefix(s); return ok },
	"binary":  func(s string) bool { _, err := base64.StdEncoding.DecodeString(s); return err == nil },
	"date":    func(s string) bool { _, ok := parseInstant(s); return ok },
}
