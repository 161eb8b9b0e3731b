package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// meant is the end of a message about an unknown name: the known one that it
// may stand for, or nothing.
func meant(name string, known ...string) string {
	best, least := "", 3
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d < least && d < len(k)/2 {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// meantOperator is meant for condition operators with their prefixes and
// suffix.
func meantOperator(name string) string {
	known := slices.Sorted(maps.Keys(operators))
	for _, k := range known {
		known = append(known, k+"IfExists")
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		if prefix := name[:i]; prefix != "ForAllValues" && prefix != "ForAnyValue" {
			return meant(prefix, "ForAllValues", "ForAnyValue")
		}
		name = name[i+1:]
	}
	return meant(name, known...)
}

// distance is how many bytes have to be put in, left out, changed or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > 2*len(b)+2 {
		return len(a)
	}
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	two, one, row := rows[0], rows[1], rows[2]
	for j := range one {
		one[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, one[j+1]+1, one[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
