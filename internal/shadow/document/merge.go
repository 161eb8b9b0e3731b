package document

// merge is what becomes of an object when a request's object is put over it. Neither is changed; what stays is
// shared. A null takes a member away, objects are merged, anything else replaces; arrays are never merged.
func merge(stored, patch []member) []member {
	if len(patch) == 0 {
		return stored
	}
	out := names{items: append(make([]member, 0, len(stored)+len(patch)), stored...)}
	gone := false
	for i := range patch {
		p := &patch[i]
		at := out.find(p.name)
		v, keep := p.value, true
		switch {
		case p.kind == kindNull:
			keep = false
		case p.kind == kindObject && at >= 0 && out.items[at].kind == kindObject:
			v.items = merge(out.items[at].items, p.items)
		case p.kind == kindObject:
			v, keep = pruned(p.value)
		}
		switch {
		case keep && at >= 0:
			out.items[at].value = v
		case keep:
			out.add(member{p.name, v})
		case at >= 0:
			out.items[at].value = value{}
			gone = true
		}
	}
	if !gone {
		return out.items
	}
	left := out.items[:0]
	for i := range out.items {
		if out.items[i].kind != kindGone {
			left = append(left, out.items[i])
		}
	}
	return left
}

// pruned is an object without the nulls in it, for where there was none; not kept is one that has become empty
// by that. An object that was sent empty is data.
func pruned(v value) (_ value, keep bool) {
	out, nulls := make([]member, 0, len(v.items)), false
	for i := range v.items {
		m := v.items[i]
		if m.kind == kindObject {
			var ok bool
			if m.value, ok = pruned(m.value); !ok {
				m.kind = kindNull
			}
		}
		if m.kind == kindNull {
			nulls = true
			continue
		}
		out = append(out, m)
	}
	v.items = out
	return v, len(out) > 0 || !nulls
}

// diff is what is desired and not reported so: the path to it, and of an array that differs anywhere all of it.
// What is only reported does not count.
func diff(desired, reported []member) []member {
	var out []member
	has := names{items: reported}
	for i := range desired {
		d := desired[i]
		if at := has.find(d.name); at >= 0 {
			r := &has.items[at].value
			if d.kind == kindObject && r.kind == kindObject {
				if d.items = diff(d.items, r.items); len(d.items) == 0 {
					continue
				}
			} else if equal(&d.value, r) {
				continue
			}
		}
		out = append(out, d)
	}
	return out
}

// equal says whether two values are the same: numbers by what they mean, objects whatever their order.
func equal(a, b *value) bool {
	if a.kind != b.kind || len(a.items) != len(b.items) {
		return false
	}
	switch a.kind {
	case kindNumber:
		return sameNumber(a.text, b.text)
	case kindArray:
		for i := range a.items {
			if !equal(&a.items[i].value, &b.items[i].value) {
				return false
			}
		}
		return true
	case kindObject:
		other := names{items: b.items}
		for i := range a.items {
			at := other.find(a.items[i].name)
			if at < 0 || !equal(&a.items[i].value, &other.items[at].value) {
				return false
			}
		}
		return true
	}
	return a.text == b.text
}
