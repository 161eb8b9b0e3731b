package awsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// Result is the client's side of encoding: it makes a JSON object of an
// operation's answer, its members by the model's names at every level. What the
// model does not know is left in (REST-JSON) or out (Query). Blobs are base64,
// timestamps as the service sent them: epoch seconds, or ISO 8601 of Query.
func (s *Service) Result(op *Operation, status int, h http.Header, body []byte) (json.RawMessage, error) {
	if err := s.plan(op); err != nil {
		return nil, err
	}
	var result []byte
	var err error
	if s.Protocol == Query {
		result, err = op.xmlResult(body)
	} else {
		result, err = op.restResult(status, h, body)
	}
	if err != nil {
		return nil, fmt.Errorf("the answer: %w", err)
	}
	return result, nil
}

// restResult puts what the head says before what the body says.
func (op *Operation) restResult(status int, h http.Header, body []byte) ([]byte, error) {
	b := []byte{'{'}
	name := func(f *fieldPlan) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, f.member), ':')
	}
	p := op.out
	for i := range p.fields {
		f := &p.fields[i]
		text, err := f.headJSON(status, h)
		if err != nil {
			return nil, err
		}
		if text != nil {
			name(f)
			b = append(b, text...)
		}
	}
	blank := len(bytes.TrimSpace(body)) == 0
	if f := p.payload; f != nil {
		switch {
		case len(body) == 0, blank && f.val.kind == kStruct:
		case f.val.kind == kStruct:
			name(f)
			r := &jsonReader{b: body}
			var err error
			if b, err = r.renamed(b, f.val); err != nil {
				return nil, err
			}
		case f.val.kind == kString:
			name(f)
			b = AppendJSONString(b, string(body))
		default:
			name(f)
			b = append(base64.StdEncoding.AppendEncode(append(b, '"'), body), '"')
		}
		return append(b, '}'), nil
	}
	if blank || len(p.byName) == 0 {
		return append(b, '}'), nil
	}
	r := &jsonReader{b: body}
	return r.renamedMembers(b, p)
}

// headJSON is what an answer's status or headers say of a member; nil: nothing.
func (f *fieldPlan) headJSON(status int, h http.Header) ([]byte, error) {
	st := reflect.New(f.val.typ).Elem()
	switch f.loc {
	case inStatus:
		st.SetInt(int64(status))
	case inHeaders:
		m := reflect.MakeMap(f.val.typ)
		for k, values := range h {
			if len(k) >= len(f.name) && strings.EqualFold(k[:len(f.name)], f.name) {
				m.SetMapIndex(reflect.ValueOf(k[len(f.name):]), reflect.ValueOf(values[0]))
			}
		}
		st.Set(m)
	case inHeader:
		text := h.Get(f.name)
		if len(h.Values(f.name)) == 0 {
			return nil, nil
		}
		if f.jsonvalue {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil || !json.Valid(raw) {
				return nil, fmt.Errorf("the header %s is not base64 of JSON", f.name)
			}
			return raw, nil
		}
		if err := f.val.setText(text, st, f.name); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	return appendJSONValue(nil, f.val, "", st), nil
}

// renamed copies the next value to b, its members by the model's names.
func (r *jsonReader) renamed(b []byte, v *valuePlan) ([]byte, error) {
	var err error
	switch c := r.peek(); {
	case v != nil && v.kind == kStruct && c == '{':
		return r.renamedMembers(append(b, '{'), v.fields)
	case v != nil && v.kind == kList && c == '[':
		b = append(b, '[')
		start := len(b)
		err = r.array(func() error {
			if len(b) > start {
				b = append(b, ',')
			}
			var err error
			b, err = r.renamed(b, v.elem)
			return err
		})
		return append(b, ']'), err
	case v != nil && v.kind == kMap && c == '{':
		b = append(b, '{')
		start := len(b)
		err = r.object(func(key []byte) error {
			if len(b) > start {
				b = append(b, ',')
			}
			b = append(AppendJSONString(b, string(key)), ':')
			var err error
			b, err = r.renamed(b, v.elem)
			return err
		})
		return append(b, '}'), err
	}
	start := r.i
	err = r.skip()
	return append(b, r.b[start:r.i]...), err
}

// renamedMembers copies the next object's members to b, which has its brace
// and may have others already.
func (r *jsonReader) renamedMembers(b []byte, p *structPlan) ([]byte, error) {
	more := b[len(b)-1] != '{'
	err := r.object(func(key []byte) error {
		name := string(key)
		var v *valuePlan
		if f := p.byName[name]; f != nil {
			name, v = f.member, f.val
		}
		if more {
			b = append(b, ',')
		}
		more = true
		b = append(AppendJSONString(b, name), ':')
		var err error
		b, err = r.renamed(b, v)
		return err
	})
	return append(b, '}'), err
}
