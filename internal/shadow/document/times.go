package document

import (
	"encoding/binary"
	"errors"
)

// errStored is what Load says to what Store did not make.
var errStored = errors.New("a stored shadow document is damaged")

// times encodes when scalars were set, in their order: pairs of how many in a row have one time, and how much
// later than the pair before that is.
type times struct {
	b        []byte
	run      uint64
	at, last int64 // of the run, of the pair before it
}

func (t *times) add(items []member) {
	for i := range items {
		v := &items[i].value
		if !v.scalar() {
			t.add(v.items)
			continue
		}
		if v.at != t.at {
			t.flush()
			t.at = v.at
		}
		t.run++
	}
}

func (t *times) flush() {
	if t.run > 0 {
		t.b = binary.AppendUvarint(t.b, t.run)
		t.b = binary.AppendVarint(t.b, t.at-t.last)
		t.run, t.last = 0, t.at
	}
}

func (t *times) bytes() []byte {
	t.flush()
	return t.b
}

// timesOf reads what bytes gave.
func timesOf(b []byte) *timesReader { return &timesReader{b: b} }

type timesReader struct {
	b   []byte
	run uint64
	at  int64
}

// set gives the scalars in v their times.
func (t *timesReader) set(v *value) error {
	if !v.scalar() {
		for i := range v.items {
			if err := t.set(&v.items[i].value); err != nil {
				return err
			}
		}
		return nil
	}
	if t.run == 0 {
		run, n := binary.Uvarint(t.b)
		if n <= 0 || run == 0 {
			return errStored
		}
		later, m := binary.Varint(t.b[n:])
		if m <= 0 {
			return errStored
		}
		t.b, t.run, t.at = t.b[n+m:], run, t.at+later
	}
	t.run--
	v.at = t.at
	return nil
}

func (t *timesReader) empty() bool { return t.run == 0 && len(t.b) == 0 }
