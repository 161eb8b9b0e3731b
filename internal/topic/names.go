package topic

// Names holds values under topic names and finds those whose names a filter matches: the reverse of an Index,
// for retained messages. The zero Names is ready to use; several readers may use it at once, a writer alone.
type Names[T any] struct {
	exact map[string]*entry[T]
	root  branch[T]
}

// entry is a name and what it holds.
type entry[T any] struct {
	name  string
	value T
}

// branch is a level of the names; here is the name that ends at it.
type branch[T any] struct {
	kids children[branch[T]]
	here *entry[T]
}

// Put sets what a valid name holds.
func (x *Names[T]) Put(name string, v T) {
	if e := x.exact[name]; e != nil {
		e.value = v
		return
	}
	if x.exact == nil {
		x.exact = map[string]*entry[T]{}
	}
	e := &entry[T]{name, v}
	x.exact[name] = e
	b := &x.root
	for rest, more := name, true; more; {
		var level string
		level, rest, more = cut(rest)
		kid := b.kids.get(level)
		if kid == nil {
			kid = &branch[T]{}
			b.kids.put(level, kid)
		}
		b = kid
	}
	b.here = e
}

// Delete takes a name away and reports whether it was there.
func (x *Names[T]) Delete(name string) bool {
	if x.exact[name] == nil {
		return false
	}
	delete(x.exact, name)
	x.root.remove(name)
	return true
}

// Get is what a name holds.
func (x *Names[T]) Get(name string) (T, bool) {
	if e := x.exact[name]; e != nil {
		return e.value, true
	}
	var none T
	return none, false
}

// Len is how many names there are.
func (x *Names[T]) Len() int { return len(x.exact) }

// Match calls yield for every name that a valid filter matches, in no order. It allocates nothing; yield must not
// change x.
func (x *Names[T]) Match(filter string, r Rules, yield func(name string, v T)) {
	if !HasWildcard(filter) {
		if e := x.exact[filter]; e != nil {
			yield(e.name, e.value)
		}
		return
	}
	x.root.match(filter, true, r, yield)
}

// All calls yield for every name, in no order; it must not change x.
func (x *Names[T]) All(yield func(name string, v T)) {
	for name, e := range x.exact {
		yield(name, e.value)
	}
}

// remove takes the entry at the name's rest away, and the levels that are then empty.
func (b *branch[T]) remove(name string) {
	level, rest, more := cut(name)
	kid := b.kids.get(level)
	if more {
		kid.remove(rest)
	} else {
		kid.here = nil
	}
	if kid.here == nil && kid.kids.len() == 0 {
		b.kids.delete(level)
	}
}

// match yields what the filter's rest matches below b; at the first level names that begin with $ are passed over
// by wildcards. [MQTT-4.7.2-1]
func (b *branch[T]) match(filter string, first bool, r Rules, yield func(string, T)) {
	level, rest, more := cut(filter)
	switch level {
	case "#":
		b.all(first, yield)
	case "+":
		if b.kids.only != nil {
			if !first || !hidden(b.kids.name) {
				b.kids.only.step(rest, more, r, yield)
			}
			return
		}
		for name, kid := range b.kids.many {
			if !first || !hidden(name) {
				kid.step(rest, more, r, yield)
			}
		}
	default:
		if kid := b.kids.get(level); kid != nil {
			kid.step(rest, more, r, yield)
		}
	}
}

// step goes on from b, which a level of the filter has matched.
func (b *branch[T]) step(rest string, more bool, r Rules, yield func(string, T)) {
	if b.here != nil && (!more || rest == "#" && r.HashMatchesParent) {
		yield(b.here.name, b.here.value)
	}
	if more {
		b.match(rest, false, r, yield)
	}
}

// all yields everything below b.
func (b *branch[T]) all(first bool, yield func(string, T)) {
	if b.kids.only != nil {
		if !first || !hidden(b.kids.name) {
			b.kids.only.whole(yield)
		}
		return
	}
	for name, kid := range b.kids.many {
		if !first || !hidden(name) {
			kid.whole(yield)
		}
	}
}

// whole yields b itself and everything below it.
func (b *branch[T]) whole(yield func(string, T)) {
	if b.here != nil {
		yield(b.here.name, b.here.value)
	}
	b.all(false, yield)
}
