package script

import (
	"reflect"
)

// maxSized is how many values Size looks at.
const maxSized = 1 << 20

// shared are types whose values belong to the program or to the process.
var shared = map[string]bool{
	"goja.Program": true, "goja.objectTemplate": true, "goja.Symbol": true, "script.Device": true,
	"regexp.Regexp": true, "regexp2.Regexp": true, "maphash.Hash": true, "collate.Collator": true,
}

// Size is about how many bytes the device's values hold: variables, what
// functions close over, everything that the runtime can reach. It stops
// counting at limit, or after a million values: then it is more. It is false
// while the script computes.
func (d *Device) Size(limit int64) (int64, bool) {
	if !d.mu.TryLock() {
		return 0, false
	}
	defer d.mu.Unlock()
	s := sizer{limit: limit, seen: map[seen]bool{}}
	s.queue = append(s.queue, reflect.ValueOf(d.vm))
	for _, h := range d.handlers {
		s.queue = append(s.queue, reflect.ValueOf(h.call))
	}
	for len(s.queue) > 0 && s.bytes < limit && len(s.seen) < maxSized {
		v := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		s.look(v)
	}
	return min(s.bytes, limit), true
}

// sizer walks over Go values as they lie in memory: that runs no code of the
// script, and does not rely on how the runtime keeps its values.
type sizer struct {
	bytes, limit int64
	seen         map[seen]bool
	queue        []reflect.Value
}

type seen struct {
	at   uintptr
	kind reflect.Type
}

// look counts what a value refers to; the value itself is counted by who
// refers to it.
func (s *sizer) look(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || shared[v.Type().Elem().String()] || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.bytes += int64(v.Type().Elem().Size())
		s.queue = append(s.queue, v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		e := v.Elem()
		if e.Kind() != reflect.Pointer {
			s.bytes += int64(e.Type().Size())
		}
		s.queue = append(s.queue, e)
	case reflect.Struct:
		if shared[v.Type().String()] {
			return
		}
		for i := range v.NumField() {
			if refers(v.Field(i).Kind()) {
				s.queue = append(s.queue, v.Field(i))
			}
		}
	case reflect.String:
		// Texts from the program's source are counted too: they are few.
		if v.Len() >= 32 && s.known(v.Pointer(), v.Type()) {
			return
		}
		s.bytes += int64(v.Len())
	case reflect.Slice:
		if v.IsNil() || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.bytes += int64(v.Cap()) * int64(v.Type().Elem().Size())
		s.items(v)
	case reflect.Array:
		s.items(v)
	case reflect.Map:
		if v.IsNil() || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.bytes += int64(v.Len()) * int64(v.Type().Key().Size()+v.Type().Elem().Size()+8) * 8 / 7
		for i := v.MapRange(); i.Next() && s.bytes < s.limit; {
			s.queue = append(s.queue, i.Key(), i.Value())
		}
	}
}

func (s *sizer) items(v reflect.Value) {
	if !refers(v.Type().Elem().Kind()) {
		return
	}
	for i := range v.Len() {
		if e := v.Index(i); e.Kind() != reflect.Interface || !e.IsNil() {
			s.queue = append(s.queue, e)
		}
		if len(s.queue) > 4*maxSized {
			return
		}
	}
}

func (s *sizer) known(at uintptr, kind reflect.Type) bool {
	k := seen{at, kind}
	if s.seen[k] {
		return true
	}
	s.seen[k] = true
	return false
}

func refers(k reflect.Kind) bool {
	switch k {
	case reflect.Pointer, reflect.Interface, reflect.Struct, reflect.String, reflect.Slice, reflect.Array, reflect.Map:
		return true
	}
	return false
}
