package awsapi

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFormFields bounds what a form may hold.
const maxFormFields = 10_000

// form holds a Query request's parameters, sorted by name. Of several with
// the same name the first that came is the one.
type form []formField

type formField struct{ name, value string }

// parseForm reads a Query request's parameters from its query string and its
// form body, and refuses what unfolds into too much.
func parseForm(rawQuery string, body []byte) (form, error) {
	n := bytes.Count(body, []byte{'&'}) + strings.Count(rawQuery, "&") + 2
	if n > maxFormFields {
		return nil, invalidf("Too many parameters.")
	}
	all, err := make(form, 0, n).parse(rawQuery)
	if err != nil {
		return nil, err
	}
	if all, err = all.parse(string(body)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b formField) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b formField) bool { return a.name == b.name }), nil
}

func (fs form) parse(s string) (form, error) {
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, invalidf("The parameter name %.80q is malformed.", rawName)
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, invalidf("The value of %.80q is malformed.", name)
		}
		if len(name) > 1024 || strings.Count(name, ".") > maxDepth {
			return nil, invalidf("The parameter name %.80q is too long.", name)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, invalidf("The value of %.80q is not valid UTF-8.", name)
		}
		fs = append(fs, formField{name, value})
	}
	return fs, nil
}

// get returns a parameter's value, "" if there is none.
func (fs form) get(name string) string {
	i, ok := slices.BinarySearchFunc(fs, name, func(f formField, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return ""
	}
	return fs[i].value
}

// formNode is what a form says of one value: its own parameter, and those
// whose names go on after a dot.
type formNode struct {
	value string
	set   bool
	below form // names begin with the node's own and a dot
	skip  int  // length of that prefix
}

// there says whether the form has anything of the node.
func (n formNode) there() bool { return n.set || len(n.below) > 0 }

// child is the node of the next part of the names.
func (n formNode) child(part string) formNode {
	// Between Tag and Tag.member lies Tag-x: '-' sorts before '.'.
	at := func(end string) int {
		i, _ := slices.BinarySearchFunc(n.below, formField{}, func(f, _ formField) int {
			rest := f.name[n.skip:]
			if c := strings.Compare(rest[:min(len(rest), len(part))], part); c != 0 {
				return c
			}
			return strings.Compare(rest[len(part):], end)
		})
		return i
	}
	var c formNode
	if i := at(""); i < len(n.below) && n.below[i].name[n.skip:] == part {
		c.value, c.set = n.below[i].value, true
	}
	c.below, c.skip = n.below[at("."):at("/")], n.skip+len(part)+1 // '/' comes after '.'
	return c
}

// indices returns the numbers that a list's or map's items came with, in
// order: Tags.member.1 and Tags.member.7 are two items.
func (n formNode) indices() []int {
	var found []int
	for _, f := range n.below {
		part, _, _ := strings.Cut(f.name[n.skip:], ".")
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && strconv.Itoa(i) == part {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
