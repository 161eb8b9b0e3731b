package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// strict decodes one JSON value and nothing else, and says where it cannot.
func strict(document []byte, into any) error {
	if len(document) > maxDocument {
		return fmt.Errorf("the document has %d bytes, at most %d can be", len(document), maxDocument)
	}
	if f := shape(document, into); f != nil {
		return errors.Join(append(f, besides(document, into)...)...)
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return explained(document, into, err)
	}
	rest := document[d.InputOffset():]
	if after := bytes.TrimLeft(rest, " \t\r\n"); len(after) > 0 {
		return placed(document, int64(len(document)-len(after)+1), "something stands after the document")
	}
	return nil
}

// besides are the faults of a model of which members are wrong, but those that a member has for being left out.
func besides(document []byte, into any) []error {
	m, ok := into.(*Model)
	if !ok {
		return nil
	}
	_ = json.Unmarshal(document, m) // what it can
	var out []error
	for _, err := range Faults(m.Validate()) {
		if text := err.Error(); !strings.HasSuffix(text, " is missing") && !strings.Contains(text, `: "" must be `) && !strings.HasPrefix(text, "stages") && !strings.HasPrefix(text, "sequence") {
			out = append(out, err)
		}
	}
	return out
}

// explained is an error of encoding/json for those who wrote the document.
func explained(document []byte, into any, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return placed(document, syntax.Offset, err.Error())
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		text := fmt.Sprintf("%s stands where %s belongs", stands(mismatch.Value), wanted(mismatch.Type))
		if mismatch.Field == "" {
			return placed(document, mismatch.Offset, text)
		}
		return &fault{member: mismatch.Field, text: text}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return placed(document, int64(len(document)), "the document ends too early")
	}
	// encoding/json has no type for this error.
	if _, name, ok := strings.Cut(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return &fault{name, fmt.Sprintf("there is no member %s%s", quoted(name), Meant(name, members(reflect.TypeOf(into)))), true}
	}
	return err
}

// placed is an error at what was read last.
func placed(document []byte, offset int64, text string) error {
	before := document[:min(max(offset-1, 0), int64(len(document)))]
	return &PlaceError{bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n'), text}
}

// stands is what encoding/json found, with its article.
func stands(value string) string {
	if strings.HasPrefix(value, "array") || strings.HasPrefix(value, "object") {
		return "an " + value
	}
	return "a " + value
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// members are the names of all members of a type, however deep.
func members(t reflect.Type) []string {
	var out []string
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(append(out, name), members(t.Field(i).Type)...)
		}
	}
	return out
}

// Meant is a question about the name that is nearest to a misspelt one, as the end of a sentence; "" if none is near.
func Meant(name string, names []string) string {
	slices.Sort(names)
	best, nearest := 3, "" // two slips at most
	for _, n := range names {
		if d := slips(strings.ToLower(name), strings.ToLower(n)); d < best && d < len(n) {
			best, nearest = d, n
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; is %q meant?", nearest)
}

// slips is the edit distance of two short names, 99 of long ones.
func slips(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
