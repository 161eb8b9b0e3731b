package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// ValueError is a value that its option cannot take, or a fault of the
// configuration file; other errors of kong's are faults of the command line's
// form.
type ValueError struct{ text string }

func (e *ValueError) Error() string { return e.text }

// Options are how kong is to read a Config: from a JSON file too (File), with
// the words for true and false of ParseBool.
func Options() []kong.Option {
	return []kong.Option{kong.Configuration(File), kong.KindMapper(reflect.Bool, boolMapper{})}
}

// File reads a configuration file for kong: one JSON object whose keys are the
// long options' names. A key that is no option is an error, and a variable
// that is set wins over the file. Errors name the file, if r has a name.
func File(r io.Reader) (kong.Resolver, error) {
	f := &fileValues{what: "configuration file", values: map[string]any{}}
	if n, ok := r.(interface{ Name() string }); ok {
		f.what += " " + n.Name()
	}
	dec := json.NewDecoder(r)
	dec.UseNumber()
	err := dec.Decode(&f.values)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || err == nil && f.values == nil {
		return nil, f.fault("not a JSON object, such as {\"region\": \"us-east-1\"}")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, f.fault("ends before the JSON object does")
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, f.fault("not JSON: " + err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.what, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, f.fault("more than one JSON value")
	}
	return f, nil
}

type fileValues struct {
	what   string // the file, for messages
	values map[string]any
}

func (f *fileValues) fault(text string) *ValueError { return &ValueError{f.what + ": " + text} }

// Validate answers all that is wrong with the file: keys that no option of the
// command that reads files has, and values that the option cannot take.
func (f *fileValues) Validate(app *kong.Application) error {
	known := map[string]*kong.Flag{}
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		if slices.ContainsFunc(n.Flags, func(flag *kong.Flag) bool { return flag.Name == "config" }) {
			for _, flag := range n.Flags {
				known[flag.Name] = flag
			}
		}
		for _, c := range n.Children {
			visit(c)
		}
	}
	visit(app.Node)
	var faults []string
	for k, v := range f.values {
		flag := known[k]
		if flag == nil || !inFile(flag) {
			faults = append(faults, f.fault(fmt.Sprintf("no option is called %q", k)).text)
		} else if wanted := wants(flag, v); wanted != "" {
			faults = append(faults, f.fault(k+": "+wanted+" is wanted").text)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	slices.Sort(faults)
	return &ValueError{strings.Join(faults, "\n")}
}

// inFile says whether the option may be in a file.
func inFile(flag *kong.Flag) bool {
	return flag.Name != "config" && flag.Name != "help" && flag.Name != "version"
}

// wants says what the option takes, if v is not that; else it is empty.
func wants(flag *kong.Flag, v any) string {
	_, isString := v.(string)
	switch flag.Target.Kind() {
	case reflect.Bool:
		if _, err := boolOf(v); err != nil {
			return "true or false"
		}
	case reflect.Slice:
		list, isList := v.([]any)
		for _, e := range list {
			if _, ok := e.(string); !ok {
				isList = false
			}
		}
		if !isList && !isString {
			return "a list of strings, or one string,"
		}
	default:
		if !isString && flag.HasDefault {
			return fmt.Sprintf("a string such as %q", flag.Default)
		}
		if !isString {
			return "a string"
		}
	}
	return ""
}

// Resolve answers the file's value for a flag. What Validate refuses is passed
// over here, since kong comes here first.
func (f *fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.values[flag.Name]
	if !ok || !inFile(flag) || wants(flag, v) != "" {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return v, nil
}

// ParseBool reads the value of a switch, in a variable for example: true, 1 or
// yes, and false, 0, no or nothing, in capitals or not. Errors are *ValueError.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no", "":
		return false, nil
	}
	return false, &ValueError{fmt.Sprintf("%q is neither true nor false", s)}
}

func boolOf(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return ParseBool(v)
	}
	return false, &ValueError{fmt.Sprintf("%v is neither true nor false", v)}
}

// boolMapper is kong's own but for ParseBool.
type boolMapper struct{}

// IsBool makes the value optional on the command line.
func (boolMapper) IsBool() bool { return true }

// Decode sets a switch.
func (boolMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	on := true
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		var err error
		if on, err = boolOf(ctx.Scan.Pop().Value); err != nil {
			return err
		}
	}
	target.SetBool(on)
	return nil
}
