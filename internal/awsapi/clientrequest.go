package awsapi

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientRequest is a call as it goes over the wire, before its signature.
type ClientRequest struct {
	Method string
	Target string // path and query, escaped
	Header http.Header
	Body   []byte // nil: none
}

// Request encodes an operation's input, as Input made it.
func (s *Service) Request(op *Operation, in any) (*ClientRequest, error) {
	if err := s.plan(op); err != nil {
		return nil, err
	}
	st := reflect.ValueOf(in).Elem()
	if s.Protocol == Query {
		body := append([]byte("Action="), op.Name...)
		body = append(append(body, "&Version="...), s.Version...)
		return &ClientRequest{
			Method: op.Method, Target: op.URI, Body: appendForm(body, "", op.in, st),
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		}, nil
	}
	return s.requestREST(op, st)
}

func (s *Service) requestREST(op *Operation, st reflect.Value) (*ClientRequest, error) {
	r := &ClientRequest{Method: op.Method, Header: http.Header{}}
	path, fixed, _ := strings.Cut(op.URI, "?")
	var params []byte
	if fixed != "" {
		params = append(params, '&')
		params = append(params, fixed...)
	}
	members := false // of the body
	for i := range op.in.fields {
		f := &op.in.fields[i]
		if f.loc == inBody {
			members = true
		}
		v, ok := f.value(st)
		switch f.loc {
		case inURI:
			text := ""
			if ok {
				text = f.queryText(v)
			}
			if text == "" { // a path without it is another operation's
				return nil, fmt.Errorf("the parameter %s is missing", f.member)
			}
			path = strings.Replace(path, "{"+f.name+"}", escape(text, false), 1)
			path = strings.Replace(path, "{"+f.name+"+}", escape(text, true), 1)
		case inQuery:
			if ok {
				params = f.appendQuery(params, v)
			}
		case inHeader:
			if ok {
				r.Header.Set(f.name, f.headerText(v))
			}
		case inHeaders:
			for _, k := range v.MapKeys() {
				r.Header.Set(f.name+k.String(), v.MapIndex(k).String())
			}
		}
	}
	r.Target = path
	if len(params) > 0 {
		r.Target += "?" + string(params[1:])
	}
	if f := op.in.payload; f != nil {
		return r, f.requestPayload(r, st)
	}
	if members {
		r.setBody("application/json", appendJSONStruct(make([]byte, 0, 256), op.in, st))
	}
	return r, nil
}

func (r *ClientRequest) setBody(contentType string, body []byte) {
	r.Body = body
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType)
	}
}

func (f *fieldPlan) requestPayload(r *ClientRequest, st reflect.Value) error {
	v, ok := f.value(st)
	switch f.val.kind {
	case kStruct:
		body := []byte("{}")
		if ok {
			body = appendJSONStruct(nil, f.val.fields, v)
		}
		r.setBody("application/json", body)
	case kBlob:
		if ok {
			r.setBody("application/octet-stream", v.Bytes())
		}
	case kString:
		if ok {
			r.setBody("text/plain", []byte(v.String()))
		}
	case kStream:
		if stream := st.Field(f.index); !stream.IsNil() {
			body, err := io.ReadAll(stream.Interface().(io.Reader))
			if err != nil {
				return err
			}
			r.setBody("application/octet-stream", body)
		}
	}
	return nil
}

// queryText is a scalar in a path or query string.
func (f *fieldPlan) queryText(v reflect.Value) string {
	if f.val.kind == kTime {
		return formatTime(v.Interface().(time.Time), orDefault(f.time, "iso8601"))
	}
	return scalarText(f.val, v)
}

func (f *fieldPlan) appendQuery(b []byte, v reflect.Value) []byte {
	pair := func(name, value string) {
		b = append(append(b, '&'), escape(name, false)...)
		b = append(append(b, '='), escape(value, false)...)
	}
	switch f.val.kind {
	case kList:
		for i := range v.Len() {
			pair(f.name, scalarText(f.val.elem, v.Index(i)))
		}
	case kMap:
		for _, k := range sortedKeys(v) {
			item := v.MapIndex(k)
			if f.val.elem.kind != kList {
				pair(k.String(), scalarText(f.val.elem, item))
				continue
			}
			for i := range item.Len() {
				pair(k.String(), scalarText(f.val.elem.elem, item.Index(i)))
			}
		}
	default:
		pair(f.name, f.queryText(v))
	}
	return b
}

// scalarText is a value as text. Timestamps are ISO 8601 unless their shape says otherwise.
func scalarText(p *valuePlan, v reflect.Value) string {
	return textOf(p, v, orDefault(p.shape.Time, "iso8601"))
}

// escape leaves RFC 3986's unreserved characters, as signatures demand it.
func escape(s string, slashes bool) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/' && slashes:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// appendForm writes a structure's members as a Query request's parameters.
func appendForm(b []byte, prefix string, p *structPlan, st reflect.Value) []byte {
	for i := range p.fields {
		f := &p.fields[i]
		v, ok := f.value(st)
		if !ok {
			continue
		}
		name := f.name
		if f.flattened && f.val.shape.MemberName != "" {
			name = f.val.shape.MemberName // a flattened list goes by its item's name
		}
		b = appendFormValue(b, prefix+name, f.val, f.flattened, f.time, v)
	}
	return b
}

func appendFormValue(b []byte, name string, p *valuePlan, flattened bool, timeFormat string, v reflect.Value) []byte {
	switch p.kind {
	case kStruct:
		return appendForm(b, name+".", p.fields, v)
	case kList:
		if v.Len() == 0 {
			return appendPair(b, name, "")
		}
		if !flattened {
			name += "." + orDefault(p.shape.MemberName, "member")
		}
		for i := range v.Len() {
			b = appendFormValue(b, name+"."+strconv.Itoa(i+1), p.elem, false, p.elem.shape.Time, v.Index(i))
		}
		return b
	case kMap:
		if !flattened {
			name += ".entry"
		}
		for i, k := range slices.All(sortedKeys(v)) {
			entry := name + "." + strconv.Itoa(i+1) + "."
			b = appendPair(b, entry+orDefault(p.shape.KeyName, "key"), k.String())
			b = appendFormValue(b, entry+orDefault(p.shape.ValueName, "value"), p.elem, false, p.elem.shape.Time, v.MapIndex(k))
		}
		return b
	case kTime:
		return appendPair(b, name, formatTime(v.Interface().(time.Time), orDefault(timeFormat, "iso8601")))
	}
	return appendPair(b, name, scalarText(p, v))
}

func appendPair(b []byte, name, value string) []byte {
	b = append(append(b, '&'), escape(name, false)...)
	return append(append(b, '='), escape(value, false)...)
}
