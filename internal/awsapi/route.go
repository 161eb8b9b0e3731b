package awsapi

import (
	"net/url"
	"strings"
)

// routeTree finds the operation of a method and an escaped path. Literal
// segments win over labels, labels over greedy ones. Paths are matched as they
// came: nothing is cleaned, a segment may be empty, and %2F is no slash.
type routeTree struct {
	roots map[string]*routeNode // by method
}

type routeNode struct {
	literal map[string]*routeNode
	label   *routeNode
	greedy  *Operation
	op      *Operation
}

func newRouteTree(s *Service) *routeTree {
	t := &routeTree{roots: map[string]*routeNode{}}
	for _, op := range s.Operations {
		n := t.roots[op.Method]
		if n == nil {
			n = &routeNode{}
			t.roots[op.Method] = n
		}
		n.add(uriPath(op.URI), op)
	}
	return t
}

// uriPath is the path of a model's URI without its leading slash.
func uriPath(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return strings.TrimPrefix(path, "/")
}

func isGreedy(segment string) bool { return strings.HasSuffix(segment, "+}") }
func isLabel(segment string) bool  { return strings.HasPrefix(segment, "{") }

func (n *routeNode) add(path string, op *Operation) {
	for s := range strings.SplitSeq(path, "/") {
		switch {
		case isGreedy(s):
			n.greedy = op
			return
		case isLabel(s):
			if n.label == nil {
				n.label = &routeNode{}
			}
			n = n.label
		default:
			if n.literal == nil {
				n.literal = map[string]*routeNode{}
			}
			c := n.literal[s]
			if c == nil {
				c = &routeNode{}
				n.literal[s] = c
			}
			n = c
		}
	}
	n.op = op
}

// find matches a path without its leading slash.
func (n *routeNode) find(path string) *Operation {
	segment, rest, more := strings.Cut(path, "/")
	// A wire path may spell a literal with escapes: jobs/%24next.
	literal := segment
	if strings.Contains(literal, "%") {
		if u, err := url.PathUnescape(literal); err == nil {
			literal = u
		}
	}
	if op := n.literal[literal].after(rest, more); op != nil {
		return op
	}
	if segment != "" {
		if op := n.label.after(rest, more); op != nil {
			return op
		}
	}
	if path != "" {
		return n.greedy
	}
	return nil
}

// after finds what follows a segment that led to n, which may be nil.
func (n *routeNode) after(rest string, more bool) *Operation {
	switch {
	case n == nil:
		return nil
	case more:
		return n.find(rest)
	}
	return n.op
}

// find returns the operation, or nil. A doubled slash at the start is one:
// clients join an endpoint that ends in a slash with a path. A path with dot
// segments is none's: signers take them out, so that one signature would be good
// for both /jobs/a and /things/../jobs/a.
func (t *routeTree) find(method, path string) *Operation {
	root := t.roots[method]
	if root == nil || hasDots(path) {
		return nil
	}
	path = strings.TrimLeft(path, "/")
	if op := root.find(path); op != nil {
		return op
	}
	// Model paths such as /authorizers/ are also asked for without the slash.
	if trimmed, ok := strings.CutSuffix(path, "/"); ok {
		return root.find(trimmed)
	}
	return root.find(path + "/")
}

// hasDots says whether a path has a segment . or .. in it.
func hasDots(path string) bool {
	if !strings.Contains(path, "/.") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// labels calls set for each label of the operation's URI with its unescaped
// value in path, which find has matched.
func labels(uri, path string, set func(name, value string) error) error {
	uri, path = uriPath(uri), strings.TrimLeft(path, "/")
	for more := true; more; {
		var segment, raw string
		segment, uri, more = strings.Cut(uri, "/")
		whole := path
		raw, path, _ = strings.Cut(path, "/")
		if !isLabel(segment) {
			continue
		}
		if isGreedy(segment) {
			raw = whole
		}
		v, err := url.PathUnescape(raw)
		if err != nil {
			return err
		}
		if err := set(strings.Trim(segment, "{+}"), v); err != nil {
			return err
		}
	}
	return nil
}
