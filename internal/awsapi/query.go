package awsapi

import (
	"reflect"
	"strconv"
)

// formReader decodes a form into planned values.
type formReader struct {
	unfolded int
	absent   absences
}

// decodeQuery fills in from a form's parameters.
func (s *Service) decodeQuery(op *Operation, fs form, in any) (absences, error) {
	var r formReader
	err := r.structure(formNode{below: fs}, op.in, reflect.ValueOf(in).Elem())
	return r.absent, err
}

// charge counts what the next item makes.
func (r *formReader) charge(size int) error {
	if r.unfolded += size; r.unfolded > maxUnfolded {
		return invalidf("Too many parameters.")
	}
	return nil
}

func (r *formReader) structure(n formNode, p *structPlan, st reflect.Value) error {
	var seen fieldSet
	for i := range p.fields {
		f := &p.fields[i]
		name := f.name
		if f.flattened && f.val.shape.MemberName != "" {
			name = f.val.shape.MemberName // a flattened list goes by its item's name
		}
		c := n.child(name)
		if !c.there() {
			continue
		}
		seen.add(f)
		start := len(r.absent)
		if err := r.value(c, f.val, f.flattened, name, f.target(st)); err != nil {
			return err
		}
		r.absent.under(start, f.path)
	}
	before := len(r.absent)
	r.absent.note(p, seen)
	return r.charge((len(r.absent) - before) * absenceCost)
}

func (r *formReader) value(n formNode, v *valuePlan, flattened bool, name string, dst reflect.Value) error {
	switch v.kind {
	case kStruct:
		return r.structure(n, v.fields, dst)
	case kList:
		return r.list(n, v, flattened, name, dst)
	case kMap:
		return r.dictionary(n, v, flattened, name, dst)
	}
	if !n.set {
		return invalidf("The parameter %.80q is not a structure.", name)
	}
	return v.setText(n.value, dst, name)
}

func (r *formReader) list(n formNode, v *valuePlan, flattened bool, name string, dst reflect.Value) error {
	if !flattened {
		if c := n.child(orDefault(v.shape.MemberName, "member")); c.there() {
			n = c
		} else if c := n.child("member"); c.there() {
			n = c
		}
	}
	keys := n.indices()
	if err := r.charge(len(keys) * int(v.elem.typ.Size())); err != nil {
		return err
	}
	list := reflect.MakeSlice(v.typ, len(keys), len(keys))
	dst.Set(list)
	for i, k := range keys {
		start := len(r.absent)
		if err := r.value(n.child(strconv.Itoa(k)), v.elem, false, name, list.Index(i)); err != nil {
			return err
		}
		if len(r.absent) > start {
			r.absent.under(start, itemPath(i))
		}
	}
	return nil
}

func (r *formReader) dictionary(n formNode, v *valuePlan, flattened bool, name string, dst reflect.Value) error {
	if !flattened {
		if c := n.child("entry"); c.there() {
			n = c
		}
	}
	keyName, valueName := orDefault(v.shape.KeyName, "key"), orDefault(v.shape.ValueName, "value")
	keys := n.indices()
	if err := r.charge(len(keys) * (int(v.elem.typ.Size()) + mapEntry)); err != nil {
		return err
	}
	m := reflect.MakeMap(v.typ)
	dst.Set(m)
	for _, i := range keys {
		entry := n.child(strconv.Itoa(i))
		key := entry.child(keyName)
		if !key.set {
			return invalidf("An entry of %s has no %s.", name, keyName)
		}
		item := reflect.New(v.elem.typ).Elem()
		outer := len(r.absent)
		if val := entry.child(valueName); val.there() {
			if err := r.value(val, v.elem, false, name, item); err != nil {
				return err
			}
			r.absent.under(outer, key.value+".member")
		}
		m.SetMapIndex(reflect.ValueOf(key.value), item)
	}
	return nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}
