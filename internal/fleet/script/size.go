package script

import (
	"reflect"
)

const (
	maxSized = 1 << 16 // how many values Size looks at: it is asked when memory is short
	sampled  = 256     // of longer lists and maps so many stand for all
)

// shared are types whose values belong to the program or to the process.
var shared = map[string]bool{
	"goja.Program": true, "goja.objectTemplate": true, "goja.Symbol": true, "script.Device": true,
	"regexp.Regexp": true, "regexp2.Regexp": true, "maphash.Hash": true, "collate.Collator": true,
}

// Size is about how many bytes the device's values hold: variables, what
// functions close over, everything that the runtime can reach; of long lists
// a sample counts. It stops counting at limit, or after 65,536 values: then it
// is more. It is false while the script computes.
func (d *Device) Size(limit int64) (int64, bool) {
	if !d.mu.TryLock() {
		return 0, false
	}
	defer d.mu.Unlock()
	s := sizer{seen: map[seen]bool{}}
	s.add(reflect.ValueOf(d.vm), 1)
	for _, h := range d.handlers {
		s.add(reflect.ValueOf(h.call), 1)
	}
	for len(s.queue) > 0 && s.bytes < float64(limit) && len(s.seen) < maxSized {
		last := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		s.look(last.value, last.times)
	}
	return int64(min(s.bytes, float64(limit))), true
}

// sizer walks over Go values as they lie in memory: that runs no code of the
// script, and does not rely on how the runtime keeps its values.
type sizer struct {
	bytes float64
	seen  map[seen]bool
	queue []sample
}

// sample is a value that stands for so many like it.
type sample struct {
	value reflect.Value
	times float64
}

type seen struct {
	at   uintptr
	kind reflect.Type
}

func (s *sizer) add(v reflect.Value, times float64) {
	if len(s.queue) < 2*maxSized {
		s.queue = append(s.queue, sample{v, times})
	}
}

// count counts n values of so many bytes.
func (s *sizer) count(times float64, n int, size uintptr) {
	s.bytes += times * float64(n) * float64(size)
}

// look counts what a value refers to; the value itself is counted by who
// refers to it.
func (s *sizer) look(v reflect.Value, times float64) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || shared[v.Type().Elem().String()] || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.count(times, 1, v.Type().Elem().Size())
		s.add(v.Elem(), times)
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		e := v.Elem()
		if e.Kind() != reflect.Pointer {
			s.count(times, 1, e.Type().Size())
		}
		s.add(e, times)
	case reflect.Struct:
		if shared[v.Type().String()] {
			return
		}
		for i := range v.NumField() {
			if refers(v.Field(i).Kind()) {
				s.add(v.Field(i), times)
			}
		}
	case reflect.String:
		// Texts from the program's source are counted too: they are few.
		if v.Len() >= 32 && s.known(v.Pointer(), v.Type()) {
			return
		}
		s.count(times, v.Len(), 1)
	case reflect.Slice:
		if v.IsNil() || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.count(times, v.Cap(), v.Type().Elem().Size())
		s.items(v, times)
	case reflect.Array:
		s.items(v, times)
	case reflect.Map:
		if v.IsNil() || s.known(v.Pointer(), v.Type()) {
			return
		}
		s.count(times*8/7, v.Len(), v.Type().Key().Size()+v.Type().Elem().Size()+8)
		times *= max(1, float64(v.Len())/sampled)
		n := 0
		for i := v.MapRange(); n < sampled && i.Next(); n++ {
			s.add(i.Key(), times)
			s.add(i.Value(), times)
		}
	}
}

func (s *sizer) items(v reflect.Value, times float64) {
	if !refers(v.Type().Elem().Kind()) {
		return
	}
	step := max(1, float64(v.Len())/sampled)
	for i := 0.0; int(i) < v.Len(); i += step {
		if e := v.Index(int(i)); e.Kind() != reflect.Interface || !e.IsNil() {
			s.add(e, times*step)
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
