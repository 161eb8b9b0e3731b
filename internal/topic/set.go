package topic

// indexedFrom is the size from which a set or the children of a level get a map: below, looking through a
// slice is faster and smaller.
const indexedFrom = 16

// set is the values under one filter: mostly one, sometimes every device of a fleet.
type set[T comparable] struct {
	values []T
	at     map[T]int32 // where each value is; nil below indexedFrom
}

func (s *set[T]) len() int { return len(s.values) }

func (s *set[T]) each(yield func(T)) {
	for _, v := range s.values {
		yield(v)
	}
}

func (s *set[T]) find(v T) (int, bool) {
	if s.at != nil {
		i, ok := s.at[v]
		return int(i), ok
	}
	for i, have := range s.values {
		if have == v {
			return i, true
		}
	}
	return 0, false
}

func (s *set[T]) add(v T) bool {
	if _, ok := s.find(v); ok {
		return false
	}
	s.values = append(s.values, v)
	switch {
	case s.at != nil:
		s.at[v] = int32(len(s.values) - 1)
	case len(s.values) >= indexedFrom:
		s.at = make(map[T]int32, len(s.values))
		for i, v := range s.values {
			s.at[v] = int32(i)
		}
	}
	return true
}

func (s *set[T]) remove(v T) bool {
	i, ok := s.find(v)
	if !ok {
		return false
	}
	last := len(s.values) - 1
	moved := s.values[last]
	s.values[i] = moved
	var none T
	s.values[last] = none
	s.values = s.values[:last]
	if s.at != nil {
		s.at[moved] = int32(i)
		delete(s.at, v)
	}
	if last < indexedFrom/2 {
		s.at = nil
	}
	if cap(s.values) > 4*indexedFrom && last < cap(s.values)/4 {
		s.values = append(make([]T, 0, 2*last), s.values...)
	}
	return true
}

// children are the levels below one, by name: mostly one, so that one needs no map.
type children[N any] struct {
	name string
	only *N
	many map[string]*N
}

func (c *children[N]) len() int {
	if c.only != nil {
		return 1
	}
	return len(c.many)
}

func (c *children[N]) get(level string) *N {
	if c.only != nil {
		if c.name == level {
			return c.only
		}
		return nil
	}
	return c.many[level]
}

// put adds a child that is not there yet.
func (c *children[N]) put(level string, kid *N) {
	switch {
	case c.many != nil:
		c.many[level] = kid
	case c.only == nil:
		c.name, c.only = level, kid
	default:
		c.many = map[string]*N{c.name: c.only, level: kid}
		c.name, c.only = "", nil
	}
}

func (c *children[N]) delete(level string) {
	if c.only != nil {
		c.name, c.only = "", nil
		return
	}
	delete(c.many, level)
	if len(c.many) == 0 {
		c.many = nil
	}
}
