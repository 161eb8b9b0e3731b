package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Error is what went wrong in a script, for those who wrote it.
type Error struct {
	// Place is "script", "stage NAME", or the member that a template is of.
	Place string
	// File is the file that it stands in, as its person calls it; empty for a
	// model that came from none.
	File string
	// Line and Column are in that file, else in that place's code, from 1; 0 if
	// nothing is known.
	Line, Column int
	// Name is what errors are counted by: the name of the exception
	// ("TypeError", or the code of an AWS error), "Timeout", "Stopped",
	// "Recursion" or "SyntaxError".
	Name string
	// Message is the text without the place.
	Message string
	// Err is the host's error, or that of the context, if there is one.
	Err error
}

// Error is "connector/createThing.js:4:10: TypeError: …", or "stage createThing,
// line 4: TypeError: …" without a file.
func (e *Error) Error() string {
	switch {
	case e.File != "":
		return fmt.Sprintf("%s: %s", model.Position{File: e.File, Line: e.Line, Column: e.Column}, e.Message)
	case e.Line == 0:
		return e.Place + ": " + e.Message
	}
	return fmt.Sprintf("%s, line %d: %s", e.Place, e.Line, e.Message)
}

func (e *Error) Unwrap() error { return e.Err }

// errTime ends a call whose script computes for too long.
var errTime = errors.New("it computed for too long")

// syntaxError explains what cannot be compiled.
func syntaxError(place string, c code, err error) error {
	e := &Error{Place: place, Name: "SyntaxError", Err: err}
	line, column := 0, 0
	var list parser.ErrorList
	var compiler *goja.CompilerSyntaxError
	var reference *goja.CompilerReferenceError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		line, column, e.Message = list[0].Position.Line, list[0].Position.Column, list[0].Message
	case errors.As(err, &compiler):
		e.Message = compiler.Message
		if compiler.File != nil {
			at := compiler.File.Position(compiler.Offset)
			line, column = at.Line, at.Column
		}
	case errors.As(err, &reference):
		e.Name, e.Message = "ReferenceError", reference.Message
	default:
		e.Message = err.Error()
		c.at(e, 0, 0)
		return e
	}
	e.Message = e.Name + ": " + e.Message
	c.at(e, line, column)
	return e
}

// tooCostly is an error for code that is not to be parsed.
func tooCostly(place string, c code, err error) error {
	e := &Error{Place: place, Name: "SyntaxError", Message: err.Error(), Err: err}
	line, column := 0, 0
	if at, ok := errors.AsType[*model.PlaceError](err); ok {
		e.Message = at.Text
		if line, column = c.first+at.Line-1, at.Column; at.Line == 1 {
			column += c.prefix
		}
	}
	c.at(e, line, column)
	return e
}

// explain makes an *Error of what a call ended with. It may look at the
// exception, which may run code: it belongs into the call.
func (d *Device) explain(place string, f *frame, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Place: place}
	var told *Error
	var stack []goja.StackFrame
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exception *goja.Exception
	switch {
	case errors.As(err, &interrupted):
		e.Name, e.Err = "Stopped", d.cause(f)
		if e.Message = e.Err.Error(); errors.Is(e.Err, errTime) {
			e.Name = "Timeout"
			e.Message += fmt.Sprintf(": %s at most, without the time in which it waits", maxComputing)
		}
		stack = interrupted.Stack()
	case errors.As(err, &overflow):
		e.Name, e.Err = "Recursion", err
		e.Message = fmt.Sprintf("functions call each other more than %d deep", maxCalls)
		stack = overflow.Stack()
	case errors.As(err, &exception):
		e.Name, e.Message = d.describe(exception.Value())
		if d.thrown != nil && exception.Value() == goja.Value(d.thrown) {
			e.Err = d.thrownErr
		}
		stack = exception.Stack()
	case errors.As(err, &told):
		if told.File == "" && told.Line == 0 {
			d.locate(told, nil)
		}
		return err
	default:
		e.Name, e.Message, e.Err = "Error", err.Error(), err
	}
	d.locate(e, stack)
	return e
}

// locate finds the first place in the model's code from the top of a stack, or
// where the code of the error's place begins.
func (d *Device) locate(e *Error, stack []goja.StackFrame) {
	d.program.mu.Lock()
	defer d.program.mu.Unlock()
	for _, s := range stack {
		if c, ok := d.program.places[s.SrcName()]; ok {
			at := s.Position()
			e.Place = s.SrcName()
			c.at(e, at.Line, at.Column)
			return
		}
	}
	d.program.places[e.Place].at(e, 0, 0)
}

// describe is the name and the text of an exception.
func (d *Device) describe(v goja.Value) (name, text string) {
	const most = 2000
	name = "Error"
	if ex := d.vm.Try(func() {
		o, ok := v.(*goja.Object)
		if !ok {
			text = v.String()
			return
		}
		if n := o.Get("name"); n != nil && !goja.IsUndefined(n) {
			name = n.String()
		}
		if o.Get("message") != nil {
			text = o.String()
			return
		}
		b, err := d.encode(o, most)
		if text = string(b); err != nil {
			text = o.ClassName()
		}
	}); ex != nil {
		text = "an exception that cannot be shown"
	}
	if len(name) > 100 {
		name = "Error"
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return name, text
}

// throw throws an exception of a script.
func (d *Device) throw(class, format string, args ...any) goja.Value {
	panic(d.newError(class, fmt.Sprintf(format, args...)))
}

// newError makes an Error object, of a class such as "RangeError".
func (d *Device) newError(class, message string) *goja.Object {
	o, err := d.vm.New(d.builtin(class), d.vm.ToValue(message))
	if err != nil {
		panic(err)
	}
	return o
}

// throwHost throws what the host answered. Nothing of the Go value gets into
// the script; the engine finds it in Error.Err if nobody catches it.
func (d *Device) throwHost(err error) {
	if uncatchable(err) {
		panic(err)
	}
	if own, ok := errors.AsType[*goja.Exception](err); ok {
		panic(own.Value()) // of a function of the script that the host called
	}
	var o *goja.Object
	if refused, ok := errors.AsType[*AWSError](err); ok {
		o = d.newError("Error", refused.Message)
		d.set(o, "name", d.vm.ToValue(refused.Code))
		d.set(o, "code", d.vm.ToValue(refused.Code))
		d.set(o, "statusCode", d.vm.ToValue(refused.Status))
	} else {
		o = d.newError("Error", err.Error())
		if errors.Is(err, context.DeadlineExceeded) {
			d.set(o, "name", d.vm.ToValue("TimeoutError"))
		}
	}
	d.thrown, d.thrownErr = o, err
	panic(o)
}

// check throws an error of one of our functions: as it is, if the script threw
// it in there, else as an exception of a class.
func (d *Device) check(err error, class, what string) {
	if err == nil {
		return
	}
	if uncatchable(err) {
		panic(err)
	}
	if own, ok := errors.AsType[*goja.Exception](err); ok {
		panic(own.Value())
	}
	d.throw(class, "%s: %v", what, err)
}

func uncatchable(err error) bool {
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	return errors.As(err, &interrupted) || errors.As(err, &overflow)
}

// set sets a property of an object that this package has made.
func (d *Device) set(o *goja.Object, name string, v goja.Value) {
	if err := o.Set(name, v); err != nil {
		panic(err)
	}
}
