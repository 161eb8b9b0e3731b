package topic

import (
	"errors"
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]error{
		"a": nil, "/": nil, "a//b": nil, "a b": nil, "$aws/things/x/shadow/get": nil, "\ufeffa": nil,
		strings.Repeat("a", MaxBytes): nil,
		"":                            ErrEmpty, "a\x00b": ErrNul, strings.Repeat("a", MaxBytes+1): ErrTooLong,
		"\xed\xa0\x80": ErrUTF8, "a\xff": ErrUTF8,
		"a/+": ErrWildcard, "a+b": ErrWildcard, "#": ErrWildcard,
	} {
		if err := ValidName(name); !errors.Is(err, want) {
			t.Errorf("ValidName(%.20q) = %v, want %v", name, err, want)
		}
	}
}

func TestValidFilter(t *testing.T) {
	for filter, want := range map[string]error{
		"#": nil, "+": nil, "a/#": nil, "+/a/+/#": nil, "/+": nil, "+/": nil, "a//#": nil, "/": nil, "$SYS/#": nil,
		"": ErrEmpty, "a\x00": ErrNul, "\xff": ErrUTF8,
		"a#": ErrHash, "a/#/b": ErrHash, "#/": ErrHash, "##": ErrHash, "+#": ErrPlus,
		"a+": ErrPlus, "+a": ErrPlus, "a/+b/c": ErrPlus, "++": ErrPlus,
	} {
		if err := ValidFilter(filter); !errors.Is(err, want) {
			t.Errorf("ValidFilter(%q) = %v, want %v", filter, err, want)
		}
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		filter, group, rest string
		ok                  bool
		err                 error
	}{
		{"a/b", "", "", false, nil},
		{"$shared/a/b", "", "", false, nil},
		{"$share/g/a", "g", "a", true, nil},
		{"$share/g//", "g", "/", true, nil},
		{"$share/g/#", "g", "#", true, nil},
		{"$share", "", "", true, ErrShareName},
		{"$share/", "", "", true, ErrShareName},
		{"$share//a", "", "", true, ErrShareName},
		{"$share/+/a", "", "", true, ErrShareName},
		{"$share/g#/a", "", "", true, ErrShareName},
		{"$share/g", "", "", true, ErrShare},
		{"$share/g/", "", "", true, ErrShare},
	} {
		group, rest, ok, err := Share(tt.filter)
		if group != tt.group || rest != tt.rest || ok != tt.ok || !errors.Is(err, tt.err) {
			t.Errorf("Share(%q) = %q, %q, %v, %v", tt.filter, group, rest, ok, err)
		}
	}
}

func TestLevels(t *testing.T) {
	for s, want := range map[string]int{"a": 1, "/": 2, "a/b": 2, "a//b": 3, "#": 1} {
		if got := Levels(s); got != want {
			t.Errorf("Levels(%q) = %d, want %d", s, got, want)
		}
	}
}

// The table is the standard's own (section 4.7) and AWS's difference; every way to match is held to it.
var matches = []struct {
	filter, name  string
	standard, aws bool
}{
	{"sport/tennis/player1/#", "sport/tennis/player1", true, false},
	{"sport/tennis/player1/#", "sport/tennis/player1/", true, true},
	{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true, true},
	{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true, true},
	{"sport/tennis/player1/#", "sport/tennis/player10", false, false},
	{"sport/#", "sport", true, false},
	{"#", "a/b/c", true, true},
	{"#", "/", true, true},
	{"sport/tennis/+", "sport/tennis/player1", true, true},
	{"sport/tennis/+", "sport/tennis/player1/ranking", false, false},
	{"sport/+", "sport", false, false},
	{"sport/+", "sport/", true, true},
	{"+/+", "/finance", true, true},
	{"/+", "/finance", true, true},
	{"+", "/finance", false, false},
	{"+/#", "a", true, false},
	{"+/#", "a/", true, true},
	{"+/tennis/#", "sport/tennis", true, false},
	{"+/tennis/#", "sport/tennis/x", true, true},
	{"a/+/+/#", "a/b/c", true, false},
	{"a/+/#", "a", false, false},
	{"a//b", "a//b", true, true},
	{"a/+/b", "a//b", true, true},
	{"a/b", "a/B", false, false},
	{"a/b", "a/b/", false, false},
	{"a/b/", "a/b", false, false},
	{"#", "$SYS/x", false, false},
	{"+/monitor/Clients", "$SYS/monitor/Clients", false, false},
	{"+", "$SYS", false, false},
	{"+/#", "$SYS", false, false},
	{"$SYS/#", "$SYS/x", true, true},
	{"$SYS/#", "$SYS", true, false},
	{"$SYS/monitor/+", "$SYS/monitor/Clients", true, true},
	{"$aws/things/+/shadow/#", "$aws/things/t/shadow/get", true, true},
	{"a/+", "a/$b", true, true},
	{"a/#", "a/$b", true, true},
}

func TestMatch(t *testing.T) {
	for _, tt := range matches {
		for _, r := range []Rules{{true}, {false}} {
			want := tt.aws
			if r.HashMatchesParent {
				want = tt.standard
			}
			if got := Match(tt.filter, tt.name, r); got != want {
				t.Errorf("Match(%q, %q, %+v) = %v", tt.filter, tt.name, r, got)
			}
			if got := naive(tt.filter, tt.name, r); got != want {
				t.Errorf("the naive matcher: %q, %q, %+v = %v", tt.filter, tt.name, r, got)
			}
			var x Index[int]
			x.Add(tt.filter, 1)
			got := 0
			x.Match(tt.name, r, func(v int) { got += v })
			if (got == 1) != want || got > 1 {
				t.Errorf("Index with %q, %q, %+v: %d times", tt.filter, tt.name, r, got)
			}
			var names Names[int]
			names.Put(tt.name, 1)
			got = 0
			names.Match(tt.filter, r, func(name string, v int) {
				if name != tt.name {
					t.Errorf("yields %q for %q", name, tt.name)
				}
				got += v
			})
			if (got == 1) != want || got > 1 {
				t.Errorf("Names with %q, %q, %+v: %d times", tt.name, tt.filter, r, got)
			}
		}
	}
}

// naive is section 4.7 said again, level by level, sharing nothing with what it judges.
func naive(filter, name string, r Rules) bool {
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	if strings.HasPrefix(name, "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, level := range f {
		if level == "#" {
			return i < len(n) || i == len(n) && r.HashMatchesParent
		}
		if i >= len(n) || level != "+" && level != n[i] {
			return false
		}
	}
	return len(f) == len(n)
}
