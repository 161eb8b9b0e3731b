package model

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/topic"
)

// faults gathers what is wrong, each with the member that it is about.
type faults []error

func (f *faults) add(member, format string, args ...any) {
	*f = append(*f, &fault{member: member, text: fmt.Sprintf(format, args...)})
}

// Faults are what an error says of a model, one by one: Validate tells all at
// once. None for nil.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

// text checks a text that people read.
func (f *faults) text(member, text string, limit int) {
	switch {
	case !utf8.ValidString(text):
		f.add(member, "is not UTF-8")
	case utf8.RuneCountInString(text) > limit:
		f.add(member, "has %d characters, at most %d can be", utf8.RuneCountInString(text), limit)
	}
}

// upTo checks a number.
func (f *faults) upTo(member string, n, most int) {
	if n < 0 || n > most {
		f.add(member, "is %d, it must be between 0 and %d", n, most)
	}
}

// Validate tells all faults of a model at once: one line each, that begins
// with the member that it is about.
func (m *Model) Validate() error {
	var f faults
	switch {
	case m.Name == "":
		f.add("name", "is missing")
	case !nameForm.MatchString(m.Name):
		f.add("name", "%s must be 1 to 128 letters, digits, colons, hyphens and underscores", quoted(m.Name))
	}
	f.text("description", m.Description, maxDescription)
	m.settings(&f)
	m.stages(&f)
	if m.Protocol != nil {
		m.Protocol.validate(&f)
	}
	if m.Run != nil {
		m.Run.validate("run.", &f)
	}
	f.upTo("minIterations", m.MinIterations, maxIterations)
	if m.Run != nil && m.Run.Iterations > 0 && m.Run.Iterations < m.MinIterations {
		f.add("run.iterations", "is %d, below minIterations (%d)", m.Run.Iterations, m.MinIterations)
	}
	return errors.Join(f...)
}

func (m *Model) settings(f *faults) {
	if len(m.Settings) > maxSettings {
		f.add("settings", "are %d, at most %d can be", len(m.Settings), maxSettings)
	}
	seen := map[string]bool{}
	for i, s := range m.Settings {
		at := fmt.Sprintf("settings[%d]", i)
		switch {
		case s.Name == "":
			f.add(at+".name", "is missing")
		case !identForm.MatchString(s.Name) || s.Name == "__proto__":
			f.add(at+".name", "%s must be a name as in JavaScript, up to 64 characters: letters, digits, _ and $", quoted(s.Name))
		case seen[s.Name]:
			f.add(at+".name", "%q is there twice", s.Name)
		}
		seen[s.Name] = true
		f.text(at+".label", s.Label, maxLabel)
		f.text(at+".description", s.Description, maxDescription)
		f.text(at+".default", s.Default, maxDefault)
		if s.Secret && s.Default != "" {
			f.add(at+".default", "a secret has none: who reads the model would read it")
		}
	}
}

func (m *Model) stages(f *faults) {
	f.code("script", m.Script)
	if len(m.Stages) == 0 {
		f.add("stages", "there are none: a model has at least one, such as %q", StageRunning)
	}
	if len(m.Stages) > maxStages {
		f.add("stages", "are %d, at most %d can be", len(m.Stages), maxStages)
	}
	used := map[string]bool{StageInit: true, StageRunning: true, StageFinished: true, StageMessage: true}
	for _, name := range m.Sequence {
		used[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(m.Stages)) {
		at := "stages." + name
		switch {
		case !identForm.MatchString(name) || name == "__proto__":
			f.add("stages", "%s must be a name as in JavaScript, up to 64 characters: letters, digits, _ and $", quoted(name))
		case reserved[name]:
			f.add(at, "no stage can be named so")
		case !used[name]:
			f.add(at, "never runs: it is none of init, running, finished and message, and sequence does not name it")
		}
		f.code(at, m.Stages[name])
	}
	if len(m.Sequence) > maxSequence {
		f.add("sequence", "has %d stages, at most %d can be", len(m.Sequence), maxSequence)
	}
	if _, ok := m.Stages[StageRunning]; ok && len(m.Sequence) > 0 && !slices.Contains(m.Sequence, StageRunning) {
		f.add("stages."+StageRunning, "never runs: sequence is in its place and does not name it")
	}
	for i, name := range m.Sequence {
		at := fmt.Sprintf("sequence[%d]", i)
		switch name {
		case StageInit, StageFinished, StageMessage:
			f.add(at, "%s runs by itself and is no iteration", name)
			continue
		}
		if _, ok := m.Stages[name]; !ok {
			f.add(at, "there is no stage %s%s", quoted(name), Meant(name, slices.Collect(maps.Keys(m.Stages))))
		}
	}
}

func (f *faults) code(member, code string) {
	switch {
	case !utf8.ValidString(code):
		f.add(member, "is not UTF-8")
	case len(code) > maxCode:
		f.add(member, "has %d bytes, at most %d can be", len(code), maxCode)
	}
}

func (p *Protocol) validate(f *faults) {
	https := p.Type == "https"
	f.oneOf("protocol.type", p.Type, "mqtt", "https")
	f.template("protocol.endpoint", p.Endpoint)
	if p.Endpoint != "" && !strings.Contains(p.Endpoint, "{{") {
		f.endpoint("protocol.endpoint", p.Endpoint)
	}
	f.oneOf("protocol.version", cmp.Or(p.Version, "3.1.1"), "3.1.1", "5")
	f.oneOf("protocol.security", cmp.Or(p.Security, "certificate"), "certificate", "none")
	if p.Security != "none" && (p.Type == "mqtt" || https) {
		for _, x := range []struct{ member, value string }{{"certificate", p.Certificate}, {"key", p.Key}} {
			if x.value == "" {
				f.add("protocol."+x.member, `is missing: give a template such as {{state.__$%s}}, or set security to "none"`, map[string]string{"certificate": "cert", "key": "key"}[x.member])
			}
		}
	}
	for _, x := range []struct{ member, value string }{
		{"certificate", p.Certificate}, {"key", p.Key}, {"ca", p.CA}, {"clientId", p.ClientID},
		{"username", p.Username}, {"password", p.Password}, {"keepAlive", p.KeepAlive},
	} {
		f.template("protocol."+x.member, x.value)
	}
	if p.KeepAlive != "" && !strings.Contains(p.KeepAlive, "{{") {
		if n, err := strconv.Atoi(p.KeepAlive); err != nil || n < 0 || n > 65535 {
			f.add("protocol.keepAlive", "%s is no number of seconds from 0 to 65535", quoted(p.KeepAlive))
		}
	}
	most := 2
	if https {
		most = 1 // AWS IoT's Publish takes 0 and 1
	}
	f.topic("protocol.topic", p.Topic, topic.ValidName, "")
	f.upTo("protocol.qos", p.QoS, most)
	if len(p.Subscribe) > maxSubscribe {
		f.add("protocol.subscribe", "are %d, at most %d can be", len(p.Subscribe), maxSubscribe)
	}
	if https && len(p.Subscribe) > 0 {
		f.add("protocol.subscribe", "over https nothing can be received")
	}
	for i, s := range p.Subscribe {
		at := fmt.Sprintf("protocol.subscribe[%d]", i)
		f.topic(at+".filter", s.Filter, topic.ValidFilter, "is missing")
		f.upTo(at+".qos", s.QoS, 2)
	}
	if w := p.Will; w != nil {
		if https {
			f.add("protocol.will", "over https there is none")
		}
		f.topic("protocol.will.topic", w.Topic, topic.ValidName, "is missing")
		f.template("protocol.will.payload", w.Payload)
		f.upTo("protocol.will.qos", w.QoS, 2)
	}
}

func (f *faults) oneOf(member, value string, of ...string) {
	if !slices.Contains(of, value) {
		f.add(member, "%s must be %q or %q", quoted(value), of[0], of[1])
	}
}

// template checks what can be seen of a template without its expressions.
func (f *faults) template(member, text string) {
	switch {
	case !utf8.ValidString(text):
		f.add(member, "is not UTF-8")
	case len(text) > maxTemplate:
		f.add(member, "has %d bytes, at most %d can be", len(text), maxTemplate)
	case strings.Contains(text, "{{") && !strings.Contains(text[strings.Index(text, "{{"):], "}}"):
		f.add(member, "what begins with {{ does not end with }}")
	}
}

// topic checks a topic name or filter that is no template. Empty, it is
// missing, or as good as any other.
func (f *faults) topic(member, text string, valid func(string) error, missing string) {
	if text == "" {
		if missing != "" {
			f.add(member, "%s", missing)
		}
		return
	}
	f.template(member, text)
	if strings.Contains(text, "{{") {
		return
	}
	if err := valid(text); err != nil {
		f.add(member, "%s: %v", quoted(text), err)
	}
}

// endpoint checks host or host:port.
func (f *faults) endpoint(member, text string) {
	host := text
	if strings.Contains(text, "/") {
		f.add(member, "%s is no host or host:port", quoted(text))
		return
	}
	if h, port, err := net.SplitHostPort(text); err == nil {
		host = h
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			f.add(member, "%s has no port from 1 to 65535", quoted(text))
			return
		}
	}
	if host == "" || strings.ContainsAny(host, "@?# \t\r\n") || strings.Count(host, ":") == 1 {
		f.add(member, "%s is no host or host:port", quoted(text))
	}
}

// quoted is a value in a message, shortened.
func quoted(s string) string {
	if len(s) > 100 {
		return strconv.Quote(s[:100]) + "…"
	}
	return strconv.Quote(s)
}
