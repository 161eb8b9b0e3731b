package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// shape finds all members of a document that are none of a type's, or that have a value of another type. encoding/json tells
// the first alone, and takes members in any case.
func shape(document []byte, into any) faults {
	var v any
	if json.Unmarshal(document, &v) != nil {
		return nil
	}
	var f faults
	f.shape("", v, reflect.TypeOf(into).Elem(), reflect.TypeOf(into))
	return f
}

func (f *faults) shape(at string, v any, t, top reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v == nil || at == "" && t.Kind() != reflect.Struct {
		return
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, reflect.New(t).Interface())
		}
		if err != nil {
			f.add(at, "%v", err)
		}
		return
	}
	found := ""
	switch x := v.(type) {
	case map[string]any:
		switch t.Kind() {
		case reflect.Struct:
			f.members(at, x, t, top)
			return
		case reflect.Map:
			for _, name := range slices.Sorted(maps.Keys(x)) {
				f.shape(member(at, name), x[name], t.Elem(), top)
			}
			return
		}
		found = "an object"
	case []any:
		if t.Kind() == reflect.Slice {
			for i, item := range x {
				f.shape(fmt.Sprintf("%s[%d]", at, i), item, t.Elem(), top)
			}
			return
		}
		found = "an array"
	case string:
		if t.Kind() == reflect.String {
			return
		}
		found = "a string"
	case bool:
		if t.Kind() == reflect.Bool {
			return
		}
		found = "a bool"
	case float64:
		number := t.Kind() != reflect.String && t.Kind() != reflect.Bool && t.Kind() != reflect.Slice && t.Kind() != reflect.Struct && t.Kind() != reflect.Map
		if number {
			return // encoding/json says what does not fit
		}
		found = "a number"
	}
	if at == "" {
		return // encoding/json says where
	}
	f.add(at, "%s stands where %s belongs", found, wanted(t))
}

func (f *faults) members(at string, x map[string]any, t, top reflect.Type) {
	for _, name := range slices.Sorted(maps.Keys(x)) {
		i := slices.IndexFunc(reflect.VisibleFields(t), func(field reflect.StructField) bool {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			return tag == name && tag != "-"
		})
		if i < 0 {
			*f = append(*f, &fault{member(at, name), fmt.Sprintf("there is no member %s%s", quoted(name), Meant(name, members(top))), true})
			continue
		}
		f.shape(member(at, name), x[name], reflect.VisibleFields(t)[i].Type, top)
	}
}

func member(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
