package worker

import (
	"encoding/hex"
	"encoding/json"
	"strings"
)

// Hidden stands where a run told a secret of its own.
const Hidden = "********"

// shortest is the shortest text that is hidden: shorter ones are all over the
// place, and no secrets.
const shortest = 4

// hider replaces secrets in what a run tells, in the forms in which they stand
// in JSON, and in JSON inside of JSON. A script that takes a secret apart can
// tell it all the same: it has it.
type hider struct{ replace, plain *strings.Replacer }

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
	return &hider{strings.NewReplacer(inJSON...), strings.NewReplacer(plain...)}
}

// quoted is a text as JSON has it between its quotes.
func quoted(s string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	_ = enc.Encode(s) // a string can be encoded
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

func (h *hider) json(raw json.RawMessage) json.RawMessage {
	if h == nil || len(raw) == 0 {
		return raw
	}
	return json.RawMessage(h.replace.Replace(string(raw)))
}

func (h *hider) text(s string) string {
	if h == nil {
		return s
	}
	return h.plain.Replace(s)
}
