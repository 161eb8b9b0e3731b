package awsapi

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// decodeJSON reads one document into st, and adds the members it has to seen.
func decodeJSON(b []byte, p *structPlan, st reflect.Value, seen *fieldSet) (absences, error) {
	r := &jsonReader{b: b}
	if err := r.members(p, st, seen); err != nil {
		return nil, err
	}
	r.space()
	if r.i != len(r.b) {
		return nil, r.syntax("unexpected text after the JSON document")
	}
	return r.absent, nil
}

// emptyJSON says whether b is nothing or the empty object.
func emptyJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) == 0 || b[0] == '{' && len(bytes.TrimSpace(b[1:])) == 1 && b[len(b)-1] == '}'
}

// structure reads an object whose members are all in the document.
func (r *jsonReader) structure(p *structPlan, st reflect.Value) error {
	var seen fieldSet
	if err := r.members(p, st, &seen); err != nil {
		return err
	}
	before := len(r.absent)
	r.absent.note(p, seen)
	return r.charge((len(r.absent) - before) * absenceCost)
}

func (r *jsonReader) members(p *structPlan, st reflect.Value, seen *fieldSet) error {
	outer := len(r.absent)
	return r.object(func(key []byte) error {
		f := p.byName[string(key)]
		if f == nil {
			return r.skip()
		}
		if seen.has(f) { // this one replaces it
			st.Field(f.index).SetZero()
			seen.remove(f)
			if err := r.forget(outer, f.path); err != nil {
				return err
			}
		}
		if null, err := r.null(); null || err != nil {
			return err
		}
		if f.pointer {
			if err := r.charge(int(f.val.typ.Size())); err != nil {
				return err
			}
		}
		seen.add(f)
		start := len(r.absent)
		err := r.value(f.val, f.target(st))
		r.absent.under(start, f.path)
		return err
	})
}

// forget drops the absences from start on that are below path.
func (r *jsonReader) forget(start int, path string) error {
	if err := r.charge(len(r.absent) - start); err != nil { // work is bounded too
		return err
	}
	tail := slices.DeleteFunc(r.absent[start:], func(s string) bool {
		return len(s) > len(path) && s[len(path)] == '.' && s[:len(path)] == path
	})
	r.absent = r.absent[:start+len(tail)]
	return nil
}

// list reads an array's items in place.
func (r *jsonReader) list(v *valuePlan, dst reflect.Value) error {
	dst.Set(reflect.MakeSlice(v.typ, 0, 0))
	size := int(v.elem.typ.Size())
	return r.array(func() error {
		if null, err := r.null(); null || err != nil {
			return err
		}
		if err := r.charge(size); err != nil {
			return err
		}
		n := dst.Len()
		dst.Grow(1)
		dst.SetLen(n + 1)
		start := len(r.absent)
		err := r.value(v.elem, dst.Index(n))
		if len(r.absent) > start {
			r.absent.under(start, itemPath(n))
		}
		return err
	})
}

// texts reads a map of strings.
func (r *jsonReader) texts(dst reflect.Value) error {
	m := map[string]string{}
	dst.Set(reflect.ValueOf(m))
	return r.object(func(key []byte) error {
		k := string(key)
		if null, err := r.null(); null || err != nil {
			delete(m, k)
			return err
		}
		if err := r.charge(int(typeString.Size()) + mapEntry); err != nil {
			return err
		}
		if r.peek() != '"' {
			return r.mismatch("a String")
		}
		s, err := r.text()
		m[k] = string(s)
		return err
	})
}

func (r *jsonReader) dictionary(v *valuePlan, dst reflect.Value) error {
	m := reflect.MakeMap(v.typ)
	dst.Set(m)
	size := int(v.elem.typ.Size()) + mapEntry
	outer := len(r.absent)
	return r.object(func(key []byte) error {
		k := string(key)
		if m.MapIndex(reflect.ValueOf(k)).IsValid() { // this one replaces it
			if err := r.forget(outer, k+".member"); err != nil {
				return err
			}
		}
		if null, err := r.null(); null || err != nil {
			m.SetMapIndex(reflect.ValueOf(k), reflect.Value{}) // deletes it
			return err
		}
		if err := r.charge(size); err != nil {
			return err
		}
		item := reflect.New(v.elem.typ).Elem()
		start := len(r.absent)
		err := r.value(v.elem, item)
		r.absent.under(start, k+".member")
		m.SetMapIndex(reflect.ValueOf(k), item)
		return err
	})
}

// itemPath is a list's item in the paths of validation errors.
func itemPath(i int) string { return strconv.Itoa(i+1) + ".member" }

// value reads what plan v expects into dst.
func (r *jsonReader) value(v *valuePlan, dst reflect.Value) error {
	c := r.peek()
	switch v.kind {
	case kStruct:
		if c != '{' {
			return r.mismatch("a structure")
		}
		return r.structure(v.fields, dst)
	case kList:
		if c != '[' {
			return r.mismatch("a list")
		}
		return r.list(v, dst)
	case kMap:
		if c != '{' {
			return r.mismatch("a map")
		}
		if v.typ == typeTexts {
			return r.texts(dst)
		}
		return r.dictionary(v, dst)
	case kString:
		if c != '"' {
			return r.mismatch("a String")
		}
		s, err := r.text()
		dst.SetString(string(s))
		return err
	case kBlob:
		if c != '"' {
			return r.mismatch("a Blob")
		}
		s, err := r.text()
		if err != nil {
			return err
		}
		raw, err := base64.StdEncoding.DecodeString(string(s))
		if err != nil {
			return r.syntax("a blob is not base64")
		}
		dst.SetBytes(raw)
		return nil
	case kBool:
		switch c {
		case 't':
			dst.SetBool(true)
			return r.word("true")
		case 'f':
			dst.SetBool(false)
			return r.word("false")
		}
		return r.mismatch("a Boolean")
	case kTime:
		if c == '"' {
			s, err := r.text()
			if err != nil {
				return err
			}
			t, err := parseTime(string(s))
			if err != nil {
				return r.mismatch("a Timestamp")
			}
			dst.Set(reflect.ValueOf(t))
			return nil
		}
		if c != '-' && (c < '0' || c > '9') {
			return r.mismatch("a Timestamp")
		}
		s, err := r.number()
		if err != nil {
			return err
		}
		t, err := parseTime(s)
		if err != nil {
			return r.mismatch("a Timestamp")
		}
		dst.Set(reflect.ValueOf(t))
		return nil
	}
	if c != '-' && (c < '0' || c > '9') {
		return r.mismatch("a Number")
	}
	s, err := r.number()
	if err != nil {
		return err
	}
	if err := setNumber(v, s, dst); err != nil {
		return r.syntax(err.Error())
	}
	return nil
}

// setNumber parses an integer or a float. 3600 may be written 3.6e3.
func setNumber(v *valuePlan, s string, dst reflect.Value) error {
	if v.kind == kInt {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			f, ferr := strconv.ParseFloat(s, 64)
			if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
				return fmt.Errorf("%.40s is not an integer", s)
			}
			n = int64(f)
		}
		dst.SetInt(n)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("%.40s is not a number", s)
	}
	dst.SetFloat(f)
	return nil
}
