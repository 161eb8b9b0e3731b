package awsapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decodeREST fills in from the parts of a REST-JSON request. body is nil when
// the operation streams its payload.
func (s *Service) decodeREST(op *Operation, r *http.Request, body []byte, in any) (absences, error) {
	st := reflect.ValueOf(in).Elem()
	p := op.in
	var seen fieldSet
	if err := p.labels(op.URI, r.URL.EscapedPath(), st, &seen); err != nil {
		return nil, err
	}
	var query url.Values
	if p.params != nil && r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, invalidf("The query string is not valid.")
		}
	}
	for i := range p.fields {
		f := &p.fields[i]
		var err error
		switch f.loc {
		case inQuery:
			err = p.setQuery(f, query, st, &seen)
		case inHeader:
			err = f.setHeader(r.Header, st, &seen)
		case inHeaders:
			f.setHeaders(r.Header, st)
		}
		if err != nil {
			return nil, err
		}
	}
	var absent absences
	var err error
	switch {
	case p.payload != nil:
		absent, err = p.payload.setPayload(r, body, st, &seen)
	case len(p.byName) > 0 && len(bytes.TrimSpace(body)) > 0:
		absent, err = decodeJSON(body, p, st, &seen)
	default: // a body that the operation does not have is ignored
	}
	if err != nil {
		return nil, err
	}
	absent.note(p, seen)
	return absent, nil
}

func (p *structPlan) labels(uri, path string, st reflect.Value, seen *fieldSet) error {
	err := labels(uri, path, func(name, value string) error {
		for i := range p.fields {
			if f := &p.fields[i]; f.loc == inURI && f.name == name {
				return f.setText(value, st, seen)
			}
		}
		return nil
	})
	if _, ok := errors.AsType[url.EscapeError](err); ok {
		return invalidf("The path is not valid.")
	}
	return err
}

// setText parses a scalar of a path, query or header.
func (f *fieldPlan) setText(s string, st reflect.Value, seen *fieldSet) error {
	seen.add(f)
	return f.val.setText(s, f.target(st), f.name)
}

func (v *valuePlan) setText(s string, dst reflect.Value, name string) error {
	switch v.kind {
	case kString:
		if !utf8.ValidString(s) {
			return invalidf("The value of %s is not valid UTF-8.", name)
		}
		dst.SetString(s)
	case kBool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return invalidf("%.40q is not a boolean value for %s.", s, name)
		}
		dst.SetBool(b)
	case kInt, kFloat:
		if err := setNumber(v, s, dst); err != nil {
			return invalidf("Bad value for %s: %v.", name, err)
		}
	case kTime:
		t, err := parseTime(s)
		if err != nil {
			return invalidf("Bad value for %s: %v.", name, err)
		}
		dst.Set(reflect.ValueOf(t))
	case kBlob:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return invalidf("Bad value for %s: it is not base64.", name)
		}
		dst.SetBytes(b)
	default:
		return invalidf("Bad value for %s.", name)
	}
	return nil
}

func (p *structPlan) setQuery(f *fieldPlan, q url.Values, st reflect.Value, seen *fieldSet) error {
	switch f.val.kind {
	case kList:
		values, ok := q[f.name]
		if !ok {
			return nil
		}
		return f.val.setTexts(values, f.target(st), f.name)
	case kMap:
		m := reflect.MakeMap(f.val.typ)
		for k, values := range q {
			if p.params[k] || strings.HasPrefix(k, "X-Amz-") {
				continue // another member's, or the signature's
			}
			item := reflect.New(f.val.elem.typ).Elem()
			var err error
			if f.val.elem.kind == kList {
				err = f.val.elem.setTexts(values, item, k)
			} else {
				err = f.val.elem.setText(values[0], item, k)
			}
			if err != nil {
				return err
			}
			m.SetMapIndex(reflect.ValueOf(k), item)
		}
		if m.Len() > 0 {
			f.target(st).Set(m)
		}
		return nil
	}
	if values, ok := q[f.name]; ok {
		return f.setText(values[0], st, seen)
	}
	return nil
}

func (v *valuePlan) setTexts(values []string, dst reflect.Value, name string) error {
	list := reflect.MakeSlice(v.typ, len(values), len(values))
	for i, s := range values {
		if err := v.elem.setText(s, list.Index(i), name); err != nil {
			return err
		}
	}
	dst.Set(list)
	return nil
}

func (f *fieldPlan) setHeader(h http.Header, st reflect.Value, seen *fieldSet) error {
	values := h.Values(f.name)
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 {
		return invalidf("The header %s is given more than once.", f.name)
	}
	s := values[0]
	if f.jsonvalue {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return invalidf("Bad value for %s: it is not base64.", f.name)
		}
		s = string(b)
	}
	return f.setText(s, st, seen)
}

func (f *fieldPlan) setHeaders(h http.Header, st reflect.Value) {
	m := reflect.MakeMap(f.val.typ)
	for k, values := range h {
		if len(k) >= len(f.name) && strings.EqualFold(k[:len(f.name)], f.name) {
			m.SetMapIndex(reflect.ValueOf(k[len(f.name):]), reflect.ValueOf(values[0]))
		}
	}
	if m.Len() > 0 {
		f.target(st).Set(m)
	}
}

func (f *fieldPlan) setPayload(r *http.Request, body []byte, st reflect.Value, seen *fieldSet) (absences, error) {
	switch f.val.kind {
	case kStream:
		st.Field(f.index).Set(reflect.ValueOf(r.Body))
	case kBlob:
		if len(body) > 0 {
			f.target(st).SetBytes(body)
		}
	case kString:
		if len(body) > 0 {
			return nil, f.setText(string(body), st, seen)
		}
	case kStruct:
		// Clients send {} for a payload that is not there.
		if f.pointer && emptyJSON(body) || len(bytes.TrimSpace(body)) == 0 {
			return nil, nil
		}
		seen.add(f)
		var inner fieldSet
		absent, err := decodeJSON(body, f.val.fields, f.target(st), &inner)
		absent.note(f.val.fields, inner)
		absent.under(0, f.path)
		return absent, err
	}
	return nil, nil
}

// encodeREST sets the headers of an answer and returns its body, its status
// (0 for the operation's own) and its stream, if it has one.
func (s *Service) encodeREST(op *Operation, out any, h http.Header) (body []byte, status int, stream Stream) {
	st := reflect.ValueOf(out).Elem()
	p := op.out
	contentType := "application/json"
	for i := range p.fields {
		f := &p.fields[i]
		if f.loc == inBody {
			continue
		}
		v, ok := f.value(st)
		if !ok {
			continue
		}
		switch f.loc {
		case inStatus:
			status = int(v.Int())
		case inHeader:
			h.Set(f.name, f.headerText(v))
		case inHeaders:
			for _, k := range v.MapKeys() {
				h.Set(f.name+k.String(), v.MapIndex(k).String())
			}
		}
	}
	if f := p.payload; f != nil {
		v, ok := f.value(st)
		contentType = "application/octet-stream"
		switch {
		case f.val.kind == kStruct:
			contentType = "application/json"
			if ok {
				body = appendJSONStruct(nil, f.val.fields, v)
			} else {
				body = []byte("{}")
			}
		case !ok:
		case f.val.kind == kBlob:
			body = v.Bytes()
		case f.val.kind == kString:
			body = []byte(v.String())
		case f.val.kind == kStream:
			stream = v.Interface().(Stream)
		}
	} else if len(p.fields) > 0 { // AWS sends no body where there are no members
		body = appendJSONStruct(make([]byte, 0, 512), p, st)
	}
	if h.Get("Content-Type") == "" && (body != nil || stream != nil) {
		h.Set("Content-Type", contentType)
	}
	return body, status, stream
}

func (f *fieldPlan) headerText(v reflect.Value) string {
	if f.jsonvalue {
		return base64.StdEncoding.EncodeToString([]byte(v.String()))
	}
	return textOf(f.val, v, orDefault(f.time, "rfc822"))
}

// textOf is a scalar as text, a timestamp in the format.
func textOf(p *valuePlan, v reflect.Value, timestamp string) string {
	switch p.kind {
	case kInt:
		return strconv.FormatInt(v.Int(), 10)
	case kFloat:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case kBool:
		return strconv.FormatBool(v.Bool())
	case kBlob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case kTime:
		return formatTime(v.Interface().(time.Time), timestamp)
	}
	return v.String()
}
