package awsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Input is the client's side of decoding: it makes an operation's input of a
// JSON object of its members, by the model's names at every level. Blobs are
// base64, or an object or a list that stands for its JSON. Members that are
// unknown, of another type or missing are errors that name them; so are values
// below the model's minimum. What else may be wrong is for the service to say,
// which may have learned more than the model. Idempotency tokens are made up.
func (s *Service) Input(op *Operation, params []byte) (any, error) {
	if err := s.plan(op); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(params)) == 0 {
		params = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("the parameters are not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands after the parameters")
	}
	members, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the parameters are %s, not an object", jsonName(tree))
	}
	in := op.New()
	st := reflect.ValueOf(in).Elem()
	var r paramsReader
	if err := r.structure(op.in, members, st, ""); err != nil {
		return nil, err
	}
	for i := range op.in.fields {
		if f := &op.in.fields[i]; f.token && f.pointer && st.Field(f.index).IsNil() {
			f.target(st).SetString(uuid.NewString())
		}
	}
	return in, s.check(op, in, r.absent)
}

// paramsReader decodes a JSON tree into planned values.
type paramsReader struct{ absent absences }

func (r *paramsReader) structure(p *structPlan, members map[string]any, st reflect.Value, path string) error {
	var seen fieldSet
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f := p.member(name)
		if f == nil {
			return unknownMember(p, join(path, name))
		}
		if members[name] == nil {
			continue
		}
		seen.add(f)
		start := len(r.absent)
		if err := r.value(f, f.val, members[name], f.target(st), join(path, name)); err != nil {
			return err
		}
		r.absent.under(start, f.path)
	}
	r.absent.note(p, seen)
	return nil
}

// member finds a member by the model's name.
func (p *structPlan) member(name string) *fieldPlan {
	for i := range p.fields {
		if p.fields[i].member == name {
			return &p.fields[i]
		}
	}
	return nil
}

func unknownMember(p *structPlan, path string) error {
	if len(p.fields) == 0 {
		return fmt.Errorf("there is no parameter %s, nor any other", clip(path))
	}
	names := make([]string, len(p.fields))
	for i := range p.fields {
		names[i] = p.fields[i].member
	}
	slices.Sort(names)
	return fmt.Errorf("there is no parameter %s; there are %s", clip(path), strings.Join(names, ", "))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// value decodes one value; f is the member that it belongs to.
func (r *paramsReader) value(f *fieldPlan, v *valuePlan, tree any, dst reflect.Value, path string) error {
	wrong := func(want string) error {
		return fmt.Errorf("the parameter %s is %s, not %s", clip(path), jsonName(tree), want)
	}
	switch v.kind {
	case kStruct:
		members, ok := tree.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		return r.structure(v.fields, members, dst, path)
	case kList:
		items, ok := tree.([]any)
		if !ok {
			return wrong("a list")
		}
		return r.list(f, v, items, dst, path)
	case kMap:
		entries, ok := tree.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		return r.dictionary(f, v, entries, dst, path)
	case kBlob, kStream:
		raw, err := blob(tree)
		if err != nil {
			return fmt.Errorf("the parameter %s %w", clip(path), err)
		}
		if v.kind == kStream {
			dst.Set(reflect.ValueOf(io.NopCloser(bytes.NewReader(raw))))
		} else {
			dst.SetBytes(raw)
		}
		return nil
	case kBool:
		b, ok := tree.(bool)
		if !ok {
			return wrong("true or false")
		}
		dst.SetBool(b)
		return nil
	case kString:
		text, ok := tree.(string)
		if !ok && f.jsonvalue {
			raw, err := json.Marshal(tree)
			text, ok = string(raw), err == nil
		}
		if !ok {
			return wrong("a string")
		}
		dst.SetString(text)
		return nil
	case kTime:
		text := fmt.Sprint(tree) // of a number: as it was written
		t, err := parseTime(text)
		if err != nil {
			return wrong("epoch seconds or an ISO 8601 date")
		}
		dst.Set(reflect.ValueOf(t))
		return nil
	}
	n, ok := tree.(json.Number)
	if !ok {
		return wrong("a number")
	}
	if err := setNumber(v, n.String(), dst); err != nil {
		return fmt.Errorf("the parameter %s: %w", clip(path), err)
	}
	return nil
}

func (r *paramsReader) list(f *fieldPlan, v *valuePlan, items []any, dst reflect.Value, path string) error {
	list := reflect.MakeSlice(v.typ, len(items), len(items))
	dst.Set(list)
	for i, item := range items {
		start := len(r.absent)
		if err := r.value(f, v.elem, item, list.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
		if len(r.absent) > start {
			r.absent.under(start, itemPath(i))
		}
	}
	return nil
}

func (r *paramsReader) dictionary(f *fieldPlan, v *valuePlan, entries map[string]any, dst reflect.Value, path string) error {
	m := reflect.MakeMap(v.typ)
	dst.Set(m)
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		if entries[k] == nil {
			continue
		}
		item := reflect.New(v.elem.typ).Elem()
		start := len(r.absent)
		if err := r.value(f, v.elem, entries[k], item, join(path, k)); err != nil {
			return err
		}
		r.absent.under(start, k+".member")
		m.SetMapIndex(reflect.ValueOf(k), item)
	}
	return nil
}

// blob is what a blob's parameter stands for.
func blob(tree any) ([]byte, error) {
	switch v := tree.(type) {
	case string:
		raw, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return nil, errors.New("is text that is not base64")
		}
		return raw, nil
	case map[string]any, []any:
		return json.Marshal(v)
	}
	return nil, fmt.Errorf("is %s, not base64, an object or a list", jsonName(tree))
}

// jsonName is what people call a JSON value's type.
func jsonName(tree any) string {
	switch tree.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "a string"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
