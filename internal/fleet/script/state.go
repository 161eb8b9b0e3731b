package script

import (
	"errors"
	"strings"

	"github.com/dop251/goja"
)

// checkState refuses a state that is longer than what can be shown and kept. One with a toJSON of its own is not asked: that
// would run code that no stage calls.
func (d *Device) checkState(place string) error {
	var err error
	if ex := d.vm.Try(func() {
		m := measure{left: MaxState}
		v := d.vm.Get("state")
		if v == nil || m.fits(v, 0) || m.unknown {
			return
		}
		e := encoder{d: d, limit: MaxState, hide: true}
		if err = e.value(v, "", 0); err == nil && len(e.out) > MaxState {
			err = tooLong(MaxState)
		}
	}); ex != nil || !errors.Is(err, errTooLong) {
		return nil // what has no JSON is not shown, but may be of use
	}
	return &Error{Place: place, Name: "RangeError", Message: "RangeError: state: " + err.Error(), Err: err}
}

// measure takes the most that the JSON of values may have from left. It costs a fraction of the JSON itself.
type measure struct {
	left    int
	unknown bool // it depends on code
}

func (m *measure) take(n int) bool {
	m.left -= n
	return m.left >= 0
}

func (m *measure) fits(v goja.Value, depth int) bool {
	const character, plain = 6, 26 // the most bytes of a character, of a number or a time
	if s, ok := v.(goja.String); ok {
		return m.take(character*s.Length() + 3)
	}
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() == "Date" {
		return m.take(plain)
	}
	if b, ok := raw(o); ok {
		return m.take(len(b)*4/3 + 8)
	}
	if depth > maxDepth || o.Get("toJSON") != nil {
		m.unknown = true
		return false
	}
	for _, name := range o.Keys() {
		if strings.HasPrefix(name, "__$") {
			continue
		}
		if !m.take(character*len(name)+4) || !m.fits(o.Get(name), depth+1) {
			return false
		}
	}
	return m.take(3)
}
