// Package topic knows MQTT's topic names and topic filters: which are valid, which match, and, for many
// filters or many names at once, an Index and a Names whose cost follows what matches.
//
// It does no I/O and knows nothing of sessions, quality of service or policies: the limits that AWS sets on
// topics and what may be done on `$aws/…` are the broker's matter. Clauses are those of MQTT 5.0 section 4.7,
// which 3.1.1 numbers alike.
package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxBytes is the longest name or filter that MQTT can carry. [MQTT-4.7.3-3]
const MaxBytes = 65535

// What makes a name or filter invalid.
var (
	ErrEmpty     = errors.New("a topic has at least one character [MQTT-4.7.3-1]")
	ErrNul       = errors.New("a topic contains no null character [MQTT-4.7.3-2]")
	ErrTooLong   = errors.New("a topic has at most 65,535 bytes [MQTT-4.7.3-3]")
	ErrUTF8      = errors.New("a topic is well-formed UTF-8 [MQTT-1.5.4-1]")
	ErrWildcard  = errors.New("a topic name contains no wildcard [MQTT-3.3.2-2]")
	ErrHash      = errors.New("# stands alone in the last level of a filter [MQTT-4.7.1-1]")
	ErrPlus      = errors.New("+ stands alone in a level of a filter [MQTT-4.7.1-2]")
	ErrShareName = errors.New("a share name has at least one character and none of / + # [MQTT-4.8.2-1]")
	ErrShare     = errors.New("a share name is followed by / and a filter [MQTT-4.8.2-2]")
)

// Rules are what AWS and the standard see differently.
type Rules struct {
	// HashMatchesParent has `a/#` match `a` too, as the standard says (section 4.7.1.2). On AWS it does not.
	HashMatchesParent bool
}

// ValidName reports why a topic name that somebody publishes to is invalid, or nil.
func ValidName(name string) error {
	if err := valid(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "#+") {
		return ErrWildcard
	}
	return nil
}

// ValidFilter reports why a topic filter is invalid, or nil. Of a shared subscription it wants the filter
// behind the share name: see Share.
func ValidFilter(filter string) error {
	if err := valid(filter); err != nil {
		return err
	}
	for i := range len(filter) {
		switch filter[i] {
		case '#':
			if i != len(filter)-1 || i > 0 && filter[i-1] != '/' {
				return ErrHash
			}
		case '+':
			if i > 0 && filter[i-1] != '/' || i < len(filter)-1 && filter[i+1] != '/' {
				return ErrPlus
			}
		}
	}
	return nil
}

// valid checks what names and filters have in common.
func valid(s string) error {
	switch {
	case s == "":
		return ErrEmpty
	case len(s) > MaxBytes:
		return ErrTooLong
	case strings.IndexByte(s, 0) >= 0:
		return ErrNul
	case !utf8.ValidString(s): // surrogates are no valid UTF-8 either
		return ErrUTF8
	}
	return nil
}

// Share takes a filter of the form `$share/GROUP/REST` apart. It is not ok for every other filter, which is no
// shared subscription; an error says that it is meant as one and malformed. REST is not validated.
func Share(filter string) (group, rest string, ok bool, err error) {
	after, shared := strings.CutPrefix(filter, "$share")
	if !shared || after != "" && after[0] != '/' {
		return "", "", false, nil
	}
	if after == "" {
		return "", "", true, ErrShareName
	}
	group, rest, cut := strings.Cut(after[1:], "/")
	switch {
	case group == "" || strings.ContainsAny(group, "+#"):
		return "", "", true, ErrShareName
	case !cut || rest == "":
		return "", "", true, ErrShare
	}
	return group, rest, true, nil
}

// Levels is how many levels a name or filter has: its slashes and one.
func Levels(s string) int { return strings.Count(s, "/") + 1 }

// HasWildcard reports whether a filter can match names other than itself.
func HasWildcard(filter string) bool { return strings.ContainsAny(filter, "#+") }

// Match reports whether a valid filter matches a valid name. It allocates nothing.
func Match(filter, name string, r Rules) bool {
	if hidden(name) && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		level, filterRest, filterMore := cut(filter)
		if level == "#" {
			return true
		}
		nameLevel, nameRest, nameMore := cut(name)
		if level != "+" && level != nameLevel {
			return false
		}
		switch {
		case filterMore && nameMore:
			filter, name = filterRest, nameRest
		case filterMore:
			return r.HashMatchesParent && filterRest == "#"
		default:
			return !nameMore
		}
	}
}

// hidden reports whether leading wildcards pass a name over. [MQTT-4.7.2-1]
func hidden(name string) bool { return name != "" && name[0] == '$' }

// cut splits the first level off; more says whether others follow (rest may be one empty level).
func cut(s string) (level, rest string, more bool) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
