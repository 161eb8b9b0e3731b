package topic

import "sync/atomic"

// Index holds values under topic filters and finds those whose filters match a name. Filters without
// wildcards cost a name one look-up however many there are; those with wildcards are a tree of levels, in which
// a name walks the branches that match it so far.
//
// The zero Index is ready to use. Its methods are not safe for concurrent use, except that several Match may run
// at once, and Generation at any time.
type Index[T comparable] struct {
	exact      map[string]*set[T]
	wild       node[T]
	filters    int
	generation atomic.Uint64
}

// node is a level of filters with wildcards; the filters that end there are in here.
type node[T comparable] struct {
	kids children[node[T]]
	plus *node[T]
	here *set[T] // filters that end at this level
	hash *set[T] // filters that go on with # and end
}

func (n *node[T]) empty() bool {
	return n.kids.len() == 0 && n.plus == nil && n.here == nil && n.hash == nil
}

// Add puts v under a valid filter and reports whether it is new there. The filter's memory is kept.
func (x *Index[T]) Add(filter string, v T) bool {
	s := x.set(filter)
	if !s.add(v) {
		return false
	}
	x.filters++
	x.generation.Add(1)
	return true
}

// set finds the values under a filter, making a place for them.
func (x *Index[T]) set(filter string) *set[T] {
	if HasWildcard(filter) {
		at := x.wild.grow(filter)
		if *at == nil {
			*at = &set[T]{}
		}
		return *at
	}
	s := x.exact[filter]
	if s == nil {
		if x.exact == nil {
			x.exact = map[string]*set[T]{}
		}
		s = &set[T]{}
		x.exact[filter] = s
	}
	return s
}

// Remove takes v away from under a filter and reports whether it was there.
func (x *Index[T]) Remove(filter string, v T) bool {
	if HasWildcard(filter) {
		if !x.wild.remove(filter, v) {
			return false
		}
	} else {
		s := x.exact[filter]
		if s == nil || !s.remove(v) {
			return false
		}
		if s.len() == 0 {
			delete(x.exact, filter)
		}
	}
	x.filters--
	x.generation.Add(1)
	return true
}

// Match calls yield for every value whose filter matches a valid name: once for each such filter, so a value
// that was added under several of them comes several times. It allocates nothing; yield must not change the index.
func (x *Index[T]) Match(name string, r Rules, yield func(T)) {
	if s := x.exact[name]; s != nil {
		s.each(yield)
	}
	root := &x.wild
	if !hidden(name) {
		root.match(name, r, yield)
		return
	}
	// A name that begins with $ is no match for filters that begin with a wildcard: only the kids count. [MQTT-4.7.2-1]
	level, rest, more := cut(name)
	if kid := root.kids.get(level); kid != nil {
		kid.step(rest, more, r, yield)
	}
}

// Len is how many values there are, counted once for each filter they are under.
func (x *Index[T]) Len() int { return x.filters }

// Generation changes with every change of the index: what was found at one generation holds until there is another.
func (x *Index[T]) Generation() uint64 { return x.generation.Load() }

// grow finds the place of a filter's values, making the levels on the way to it.
func (n *node[T]) grow(filter string) **set[T] {
	for more := true; more; {
		var level string
		level, filter, more = cut(filter)
		switch level {
		case "#":
			return &n.hash
		case "+":
			if n.plus == nil {
				n.plus = &node[T]{}
			}
			n = n.plus
		default:
			kid := n.kids.get(level)
			if kid == nil {
				kid = &node[T]{}
				n.kids.put(level, kid)
			}
			n = kid
		}
	}
	return &n.here
}

// remove takes v from under the filter's rest, and the levels away that are then empty.
func (n *node[T]) remove(filter string, v T) bool {
	level, rest, more := cut(filter)
	if level == "#" {
		return drop(&n.hash, v)
	}
	kid := n.plus
	if level != "+" {
		kid = n.kids.get(level)
	}
	switch {
	case kid == nil:
		return false
	case more && !kid.remove(rest, v), !more && !drop(&kid.here, v):
		return false
	case !kid.empty():
	case level == "+":
		n.plus = nil
	default:
		n.kids.delete(level)
	}
	return true
}

// drop takes v out of a set, and the set away when it was the last.
func drop[T comparable](at **set[T], v T) bool {
	if *at == nil || !(*at).remove(v) {
		return false
	}
	if (*at).len() == 0 {
		*at = nil
	}
	return true
}

// match yields what is below n for the name's rest.
func (n *node[T]) match(name string, r Rules, yield func(T)) {
	if n.hash != nil {
		n.hash.each(yield)
	}
	level, rest, more := cut(name)
	if n.plus != nil {
		n.plus.step(rest, more, r, yield)
	}
	if kid := n.kids.get(level); kid != nil {
		kid.step(rest, more, r, yield)
	}
}

// step goes on from n, which a level has matched, to the levels behind it, or ends there.
func (n *node[T]) step(rest string, more bool, r Rules, yield func(T)) {
	if more {
		n.match(rest, r, yield)
		return
	}
	if n.here != nil {
		n.here.each(yield)
	}
	if n.hash != nil && r.HashMatchesParent {
		n.hash.each(yield)
	}
}
