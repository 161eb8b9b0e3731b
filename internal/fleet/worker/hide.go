package worker

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

// Hidden stands where a run told a secret of its own.
const Hidden = "********"

// shortest is the shortest text that is hidden: shorter ones are all over the
// place, and no secrets.
const shortest = 4

// hider replaces secrets in what a run tells, in the forms in which they stand
// in JSON, and in JSON inside of JSON. A script that takes a secret apart can
// tell it all the same: it has it.
type hider struct {
	replace, plain *strings.Replacer
	own            map[string]bool // words of package report, which stay
}

func newHider(secrets []string) *hider {
	var inJSON, plain []string
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			inJSON = append(inJSON, s, Hidden)
		}
	}
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		plain = append(plain, s, Hidden)
		for _, depth := range [][]bool{{true}, {false}, {true, true}, {false, true}, {false, false}} {
			q := s
			for _, html := range depth {
				q = quoted(q, html)
			}
			add(q)
		}
		add(hex.EncodeToString([]byte(s)))
	}
	if plain == nil {
		return nil
	}
	own := map[string]bool{}
	for _, outcome := range []report.Outcome{report.Succeeded, report.Thresholds, report.Failed, report.Stopped} {
		own[string(outcome)] = true
	}
	for _, t := range []reflect.Type{reflect.TypeFor[report.Result](), reflect.TypeFor[report.DeviceStatus](), reflect.TypeFor[Fault]()} {
		ownWords(t, own)
	}
	return &hider{strings.NewReplacer(inJSON...), strings.NewReplacer(plain...), own}
}

// ownWords are the names of all members of a type, however deep.
func ownWords(t reflect.Type, into map[string]bool) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		into[name] = true
		ownWords(t.Field(i).Type, into)
	}
}

// quoted is a text as JSON has it between its quotes.
func quoted(s string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	_ = enc.Encode(s) // a string can be encoded
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// json hides in the texts of a JSON document alone: a secret of digits is not
// looked for in its numbers and times, nor any in the names that it is read by.
func (h *hider) json(raw json.RawMessage) json.RawMessage {
	if h == nil || len(raw) == 0 {
		return raw
	}
	s := string(raw)
	var out strings.Builder
	out.Grow(len(s))
	for {
		begin := strings.IndexByte(s, '"') + 1
		if begin == 0 {
			break
		}
		end := begin
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(s))
		out.WriteString(s[:begin])
		if text := s[begin:end]; h.own[text] || isTime(text) {
			out.WriteString(text)
		} else {
			_, _ = h.replace.WriteString(&out, text) // to a builder
		}
		if s = s[end:]; s != "" { // the quote at its end
			out.WriteByte('"')
			s = s[1:]
		}
	}
	out.WriteString(s)
	return json.RawMessage(out.String())
}

func isTime(s string) bool {
	if len(s) < len("2006-01-02T15:04:05Z") || len(s) > len(time.RFC3339Nano) || s[4] != '-' {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

func (h *hider) text(s string) string {
	if h == nil {
		return s
	}
	return h.plain.Replace(s)
}
