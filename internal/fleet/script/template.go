package script

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"

	"github.com/thingd/thingd/internal/fleet/model"
)

const (
	maxTemplates   = 1000      // that a program remembers
	maxExpressions = 100       // in a template
	maxExpanded    = 256 << 10 // bytes
)

// template is a text cut at its expressions: texts[0] expressions[0] texts[1] …
type template struct {
	texts       []string
	expressions []*goja.Program
	sources     []string
	place       string
}

// alone says whether the template is one expression and nothing else.
func (t *template) alone() bool {
	return len(t.expressions) == 1 && t.texts[0] == "" && t.texts[1] == ""
}

// text is a template of a protocol, with the member that has it.
type text struct{ member, text string }

// texts are all templates of a protocol.
func texts(p *model.Protocol) []text {
	out := []text{
		{"endpoint", p.Endpoint}, {"certificate", p.Certificate}, {"key", p.Key}, {"ca", p.CA}, {"clientId", p.ClientID},
		{"username", p.Username}, {"password", p.Password}, {"keepAlive", p.KeepAlive}, {"topic", p.Topic},
	}
	for i, s := range p.Subscribe {
		out = append(out, text{fmt.Sprintf("subscribe[%d].filter", i), s.Filter})
	}
	if p.Will != nil {
		out = append(out, text{"will.topic", p.Will.Topic}, text{"will.payload", p.Will.Payload})
	}
	for i := range out {
		out[i].member = "protocol." + out[i].member
	}
	return out
}

// template compiles a template, or finds it compiled.
func (p *Program) template(place, text string) (*template, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.templates[text]; ok {
		return t, nil
	}
	t := &template{place: place}
	c := code{first: 1, last: math.MaxInt, prefix: 1}
	c.member, _ = p.model.Member(place)
	p.places[place] = c
	if err := model.CheckNesting(text); err != nil {
		return nil, tooCostly(place, c, err)
	}
	rest := text
	for {
		before, after, ok := strings.Cut(rest, "{{")
		t.texts = append(t.texts, before)
		if !ok {
			break
		}
		if len(t.expressions) == maxExpressions {
			e := &Error{Place: place, Name: "SyntaxError", Message: fmt.Sprintf("a template has at most %d expressions", maxExpressions)}
			c.at(e, 0, 0)
			return nil, e
		}
		line := strings.Count(text[:len(text)-len(after)], "\n") + 1
		source, tail, program, err := expression(place, line, c.member, after)
		if err != nil {
			return nil, err
		}
		t.expressions, t.sources, rest = append(t.expressions, program), append(t.sources, strings.TrimSpace(source)), tail
	}
	if len(p.templates) < maxTemplates {
		p.templates[text] = t
	}
	return t, nil
}

// expression takes the expression that text begins with, up to the first }}
// before which there is a whole one: braces may stand in it.
func expression(place string, line int, member model.Position, text string) (source, tail string, program *goja.Program, err error) {
	c := code{first: line, prefix: 1, last: line, member: member}
	fault := func(line int, text string) error {
		e := &Error{Place: place, Name: "SyntaxError", Message: "SyntaxError: " + text}
		c.at(e, line, 0)
		return e
	}
	end := 0
	for range maxExpressions {
		i := strings.Index(text[end:], "}}")
		if i < 0 {
			break
		}
		end += i
		source := text[:end]
		c.last = line + strings.Count(source, "\n")
		tree, failed := parse(place, strings.Repeat("\n", line-1)+"("+source+"\n)")
		if failed == nil && !single(tree) {
			failed = fault(line, fmt.Sprintf("{{%s}} is no expression", strings.TrimSpace(source)))
		}
		if failed == nil {
			program, failed = goja.CompileAST(tree, false)
		}
		if failed == nil {
			return source, text[end+2:], program, nil
		}
		if err == nil {
			err = failed // of the shortest: what people meant, most often
		}
		end++
	}
	switch {
	case err == nil:
		return "", "", nil, fault(line, "what begins with {{ does not end with }}")
	case errors.As(err, new(*Error)):
		return "", "", nil, err
	}
	return "", "", nil, syntaxError(place, c, err)
}

// single tells whether a program is one expression.
func single(tree *ast.Program) bool {
	if len(tree.Body) != 1 {
		return false
	}
	_, ok := tree.Body[0].(*ast.ExpressionStatement)
	return ok
}

// Expand evaluates a template: text with expressions between {{ and }}. Each
// must have a value: undefined and null are errors that name the expression.
// Bytes stand for themselves, objects for their JSON.
func (d *Device) Expand(template string) (string, error) {
	if !strings.Contains(template, "{{") {
		return template, nil
	}
	t, err := d.program.template("template", template)
	if err != nil {
		return "", err
	}
	var out string
	_, err = d.enter(context.Background(), t.place, func() (goja.Value, error) {
		var err error
		out, err = d.expand(t)
		return nil, err
	})
	return out, err
}

func (d *Device) expand(t *template) (string, error) {
	var out strings.Builder
	for i, e := range t.expressions {
		out.WriteString(t.texts[i])
		v, err := d.vm.RunProgram(e)
		if err != nil {
			return "", err
		}
		if goja.IsUndefined(v) || goja.IsNull(v) {
			return "", &Error{Place: t.place, Name: "TemplateError", Message: fmt.Sprintf("{{%s}} is %s", t.sources[i], v)}
		}
		if s, ok := v.(goja.String); ok && t.alone() && s.Length() <= maxExpanded {
			if s := s.String(); len(s) <= maxExpanded {
				return s, nil // no copy: certificates and keys, most often, which the script keeps
			}
		}
		b, err := d.bytes(v, maxExpanded)
		if err == nil && out.Len()+len(b) > maxExpanded {
			err = tooLong(maxExpanded)
		}
		if err != nil {
			return "", unlessThrown(err, &Error{Place: t.place, Name: "TemplateError", Message: fmt.Sprintf("{{%s}}: %v", t.sources[i], err)})
		}
		out.Write(b)
	}
	out.WriteString(t.texts[len(t.texts)-1])
	return out.String(), nil
}
