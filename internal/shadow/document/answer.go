package document

import "strconv"

// Accepted is the answer to an update: what the request carried, and when, with the version that it made.
func (r *Request) Accepted(d *Document) []byte {
	b := make([]byte, 0, 256)
	if r.cleared {
		b = append(b, `{"state":null,"metadata":`...)
		b = appendTime(b, r.at)
	} else {
		b = append(b, `{"state":`...)
		v := value{kind: kindObject, items: r.sections}
		b = appendValue(b, &v)
		b = append(b, `,"metadata":`...)
		b = appendMetadata(b, &v)
	}
	b = appendNumber(b, `,"version":`, d.version)
	b = appendNumber(b, `,"timestamp":`, r.at)
	return r.end(b)
}

// Delta is what is told after an update when something is desired and not reported so; nil for nothing.
func (r *Request) Delta(d *Document) []byte {
	delta := d.delta()
	if len(delta) == 0 {
		return nil
	}
	v := value{kind: kindObject, items: delta}
	b := make([]byte, 0, 256)
	b = appendNumber(b, `{"version":`, d.version)
	b = appendNumber(b, `,"timestamp":`, r.at)
	b = append(b, `,"state":`...)
	b = appendValue(b, &v)
	b = append(b, `,"metadata":`...)
	b = appendMetadata(b, &v)
	return r.end(b)
}

// Documents is what is told after every update: the document before it, nil for none, and after it.
func (r *Request) Documents(before, after *Document) []byte {
	b := make([]byte, 0, 1024)
	b = append(b, `{"previous":`...)
	if before == nil {
		b = append(b, "null"...)
	} else {
		b = before.appendDocument(b, nil)
		b = append(b, '}')
	}
	b = append(b, `,"current":`...)
	b = after.appendDocument(b, nil)
	b = append(b, '}')
	b = appendNumber(b, `,"timestamp":`, r.at)
	return r.end(b)
}

// Answer is the answer to a get at a time: the whole document, and what it differs by.
func (r *Request) Answer(d *Document, at int64) []byte {
	b := make([]byte, 0, 1024)
	b = d.appendDocument(b, d.delta())
	b = appendNumber(b, `,"timestamp":`, at)
	return r.end(b)
}

// Deleted is the answer to the delete of a document at a time.
func (r *Request) Deleted(version, at int64) []byte {
	b := appendNumber(nil, `{"version":`, version)
	b = appendNumber(b, `,"timestamp":`, at)
	return r.end(b)
}

// Rejected is the answer to a request that was refused at a time.
func (f *Fault) Rejected(at int64) []byte {
	b := appendNumber(nil, `{"code":`, int64(f.Code))
	b = append(b, `,"message":`...)
	b = appendQuoted(b, f.Message)
	if f.Code != 404 { // as AWS has it
		b = appendNumber(b, `,"timestamp":`, at)
	}
	return (&Request{Token: f.Token}).end(b)
}

// end closes an answer with the token that the request had.
func (r *Request) end(b []byte) []byte {
	if r.Token != "" {
		b = append(b, `,"clientToken":`...)
		b = append(b, r.Token...)
	}
	return append(b, '}')
}

// appendDocument appends state, metadata and version of a document, without the brace at the end.
func (d *Document) appendDocument(b []byte, delta []member) []byte {
	b = append(b, `{"state":`...)
	b = d.appendState(b, delta)
	b = append(b, `},"metadata":{`...)
	for i, s := range d.sections() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), s.name...), `":`...)
		b = appendMetadata(b, &s.value)
	}
	return appendNumber(b, `},"version":`, d.version)
}

// appendState appends the sections that there are, without the brace at the end.
func (d *Document) appendState(b []byte, delta []member) []byte {
	b = append(b, '{')
	all := d.sections()
	if len(delta) > 0 {
		all = append(all, section(deltaName, delta))
	}
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), all[i].name...), `":`...)
		b = appendValue(b, &all[i].value)
	}
	return b
}

func (d *Document) sections() []member {
	out := make([]member, 0, 3)
	if len(d.desired) > 0 {
		out = append(out, section(desiredName, d.desired))
	}
	if len(d.reported) > 0 {
		out = append(out, section(reportedName, d.reported))
	}
	return out
}

func section(name string, items []member) member {
	return member{name, value{kind: kindObject, items: items}}
}

func appendNumber(b []byte, before string, n int64) []byte {
	return strconv.AppendInt(append(b, before...), n, 10)
}

// brackets are those of objects and of arrays.
func (v *value) brackets() (open, end byte) {
	if v.kind == kindArray {
		return '[', ']'
	}
	return '{', '}'
}

func appendValue(b []byte, v *value) []byte {
	if v.scalar() {
		return append(b, v.text...)
	}
	return appendItems(b, v, appendValue)
}

// appendMetadata appends when the parts of a value were set.
func appendMetadata(b []byte, v *value) []byte {
	if v.scalar() {
		return appendTime(b, v.at)
	}
	return appendItems(b, v, appendMetadata)
}

func appendItems(b []byte, v *value, each func([]byte, *value) []byte) []byte {
	open, end := v.brackets()
	b = append(b, open)
	for i := range v.items {
		if i > 0 {
			b = append(b, ',')
		}
		if v.kind == kindObject {
			b = append(append(append(b, '"'), v.items[i].name...), `":`...)
		}
		b = each(b, &v.items[i].value)
	}
	return append(b, end)
}

func appendTime(b []byte, at int64) []byte {
	return append(appendNumber(b, `{"timestamp":`, at), '}')
}

// size is how long an object is as JSON; 0 for none.
func size(items []member) int {
	if len(items) == 0 {
		return 0
	}
	v := value{kind: kindObject, items: items}
	return v.size()
}

func (v *value) size() int {
	if v.scalar() {
		return len(v.text)
	}
	n := 2 + max(0, len(v.items)-1)
	for i := range v.items {
		if v.kind == kindObject {
			n += len(v.items[i].name) + 3
		}
		n += v.items[i].size()
	}
	return n
}
