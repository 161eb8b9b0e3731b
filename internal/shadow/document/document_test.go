package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

const big = 1 << 20

// update parses and applies a request.
func update(tb testing.TB, d *Document, last int64, payload string, at int64) (*Document, *Request) {
	tb.Helper()
	r, err := ParseUpdate([]byte(payload), at)
	if err != nil {
		tb.Fatalf("%.200s: %v", payload, err)
	}
	next, err := d.Update(r, last, big)
	if err != nil {
		tb.Fatalf("%.200s: %v", payload, err)
	}
	return next, r
}

// Every row of the merge table: what was stored, what is sent, what is then there.
func TestMerge(t *testing.T) {
	for _, tt := range []struct{ stored, patch, want string }{
		{`{"a":1}`, `{}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{`{"a":{"b":1}}`, `{"a":null}`, ``},
		{`{"a":[1]}`, `{"a":null,"c":1}`, `{"c":1}`},
		{`{"a":1}`, `{"zz":null}`, `{"a":1}`},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"c":3,"d":4}}`, `{"a":{"b":1,"c":3,"d":4}}`},
		{`{"a":1}`, `{"a":{"b":2,"c":null}}`, `{"a":{"b":2}}`},
		{`{"a":[1]}`, `{"a":{"b":{"c":null,"d":1}}}`, `{"a":{"b":{"d":1}}}`},
		{`{"a":1,"b":1}`, `{"a":{"c":null}}`, `{"b":1}`},
		{`{"a":{"b":1}}`, `{"a":"x"}`, `{"a":"x"}`},
		{`{"a":[1,2]}`, `{"a":true}`, `{"a":true}`},
		{`{"a":[1,2,3]}`, `{"a":[9]}`, `{"a":[9]}`},
		{`{"a":{"b":1}}`, `{"a":[]}`, `{"a":[]}`},
		{``, `{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`},
		{``, `{"a":{"b":null}}`, ``},
		{``, `{"a":{"b":{"c":null}}}`, ``},
		{``, `{"a":{"b":{},"c":null}}`, `{"a":{"b":{}}}`},
		{``, `{"a":{}}`, `{"a":{}}`},
		{`{"a":1}`, `{"a":{}}`, `{"a":{}}`},
		{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":1}}`},
		{`{"a":{"b":1}}`, `{"a":{"b":null}}`, `{"a":{}}`},
		{`{"a":1}`, `null`, ``},
		{`{"a":1.0}`, `{"b":1e400,"c":0.10,"d":12345678901234567890123}`, `{"a":1.0,"b":1e400,"c":0.10,"d":12345678901234567890123}`},
		{`{"a":[{"b":{"c":null}}]}`, `{}`, `{"a":[{"b":{"c":null}}]}`},
		{``, `{"a":1,"a":2}`, `{"a":2}`},
		{``, `{"\u0061":"\u00e9\/\n","b":"\ud83d\ude00"}`, `{"a":"é/\n","b":"😀"}`},
		{`{"a":1}`, `{"\u0061":2}`, `{"a":2}`},
	} {
		for _, section := range []string{"desired", "reported"} {
			var d *Document
			if tt.stored != "" {
				d, _ = update(t, d, 0, `{"state":{"`+section+`":`+tt.stored+`}}`, 1)
			} else {
				d, _ = update(t, d, 0, `{"state":{}}`, 1)
			}
			before := d.String()
			next, _ := update(t, d, 0, `{"state":{"`+section+`":`+tt.patch+`}}`, 2)
			want := `{}`
			if tt.want != "" {
				want = `{"` + section + `":` + tt.want + `}`
			}
			if got := next.String(); got != want {
				t.Errorf("%s + %s = %s, want %s", tt.stored, tt.patch, got, want)
			}
			if d.String() != before || next.Version() != 2 {
				t.Errorf("%s + %s: before %s, version %d", tt.stored, tt.patch, d, next.Version())
			}
		}
	}
}

func TestDelta(t *testing.T) {
	for _, tt := range []struct{ desired, reported, want string }{
		{`{"a":{"b2":"x","b1":{"c":"d"}}}`, `{"a":{"b1":{"c":"d"}}}`, `{"a":{"b2":"x"}}`},
		{`{"a":[["v1"]]}`, `{"a":[["v1"],["v2"]]}`, `{"a":[["v1"]]}`},
		{`{"a":1}`, `{"a":1,"b":2}`, ``},
		{`{"a":1}`, `null`, `{"a":1}`},
		{`null`, `{"a":1}`, ``},
		{`{"a":1,"b":{"c":2}}`, `{"a":"1"}`, `{"a":1,"b":{"c":2}}`},
		{`{"a":1,"b":10e-1,"c":-0,"d":1e2}`, `{"a":1.0,"b":1,"c":0.0,"d":100}`, ``},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, `{"a":12345678901234567890}`},
		{`{"a":[1,{"b":1,"c":2}]}`, `{"a":[1.0,{"c":2,"b":1}]}`, ``},
		{`{"a":[1,{"b":1}]}`, `{"a":[1,{"b":1,"c":2}]}`, `{"a":[1,{"b":1}]}`},
		{`{"d":{}}`, `null`, `{"d":{}}`},
		{`{"d":{}}`, `{"d":{"x":1}}`, ``},
		{`{"d":{}}`, `{"d":1}`, `{"d":{}}`},
		{`{"d":[]}`, `{"d":{}}`, `{"d":[]}`},
		{`{"d":true,"e":"true"}`, `{"d":"true","e":true}`, `{"d":true,"e":"true"}`},
		{`{"d":"\u0041"}`, `{"d":"A"}`, ``},
	} {
		d, r := update(t, nil, 0, `{"state":{"desired":`+tt.desired+`,"reported":`+tt.reported+`}}`, 7)
		want := ""
		if tt.want != "" {
			want = `{"version":1,"timestamp":7,"state":` + tt.want + `,"metadata":`
		}
		if got := string(r.Delta(d)); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s against %s: %s, want %s", tt.desired, tt.reported, got, want)
		}
		if d.Differs() != (want != "") {
			t.Errorf("%s against %s: differs %v", tt.desired, tt.reported, d.Differs())
		}
	}
}

func TestSameNumber(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"1", "1.0", true}, {"1", "1e0", true}, {"100", "1E+2", true}, {"0.001", "1e-3", true}, {"-5", "-5.00", true},
		{"0", "-0.0", true}, {"0e99999999999", "0", true}, {"12.50", "125e-1", true}, {"1e400", "10e399", true},
		{"1", "-1", false}, {"1", "10", false}, {"0.1", "0.01", false}, {"1e400", "1e401", false},
		{"9007199254740993", "9007199254740992", false}, {"1e99999999999", "2e99999999999", false}, {"0", "1e-400", false},
	} {
		if sameNumber(tt.a, tt.b) != tt.want || sameNumber(tt.b, tt.a) != tt.want {
			t.Errorf("%s and %s: not %v", tt.a, tt.b, tt.want)
		}
	}
}

// depth nests n objects or arrays around a scalar.
func depth(n int, open, end string) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat(end, n)
}

func TestFaults(t *testing.T) {
	const levels, version = "JSON contains too many levels of nesting; maximum is 6", "Invalid version"
	long := strings.Repeat("é", 32)
	for _, tt := range []struct {
		payload string
		code    int
		message string
	}{
		{``, 400, "Missing update payload"},
		{`{`, 400, "Invalid JSON"}, {`[]`, 400, "Invalid JSON"}, {`"x"`, 400, "Invalid JSON"}, {`{"state":{}} x`, 400, "Invalid JSON"},
		{`{"state":{},}`, 400, "Invalid JSON"}, {`{"state":{"desired":{"a":01}}}`, 400, "Invalid JSON"}, {`{"state":{"desired":{"a":"\x"}}}`, 400, "Invalid JSON"},
		{`{"state":{"desired":{"a":NaN}}}`, 400, "Invalid JSON"}, {`{"state":{"desired":{"a":"\ud800"}}}`, 400, "Invalid JSON"}, {"{\"state\":\"a\nb\"}", 400, "Invalid JSON"},
		{`{}`, 400, "Missing required node: state"}, {`{"states":{}}`, 400, "Missing required node: state"},
		{`{"state":1}`, 400, "State node must be an object"}, {`{"state":[]}`, 400, "State node must be an object"},
		{`{"state":{"desired":1}}`, 400, "Desired node must be an object"}, {`{"state":{"reported":[]}}`, 400, "Reported node must be an object"},
		{`{"state":{"other":{}}}`, 400, "State contains an invalid node"}, {`{"state":{"desired":{},"x":null}}`, 400, "State contains an invalid node"},
		{`{"state":{"desired":{"a":[null]}}}`, 400, "Invalid JSON: arrays cannot contain null"},
		{`{"state":{},"version":-1}`, 400, version}, {`{"state":{},"version":"1"}`, 400, version}, {`{"state":{},"version":1.5}`, 400, version},
		{`{"state":{},"version":1e30}`, 400, version}, {`{"state":{},"version":5}`, 400, version}, {`{"state":{},"version":9223372036854775808}`, 400, version},
		{`{"state":{},"clientToken":7}`, 400, "Invalid clientToken"}, {`{"state":{},"clientToken":"` + long + `x"}`, 400, "Invalid clientToken"},
		{`{"state":{"desired":` + depth(7, `{"a":`, `}`) + `}}`, 400, levels},
		{`{"state":{"reported":{"x":` + depth(6, `[`, `]`) + `}}}`, 400, levels},
		{`{"state":{},"x":` + depth(60000, `[`, `]`) + `}`, 400, levels},
		{"{\"state\":{\"desired\":{\"a\":\"\xff\"}}}", 415, "Unsupported documented encoding; supported encoding is UTF-8"},
		{"{\x00\"\x00s\x00", 415, "Unsupported documented encoding; supported encoding is UTF-8"},
		{"\xff\xfe{\x00}\x00", 415, "Unsupported documented encoding; supported encoding is UTF-8"},
		{`{"state":{"desired":{"a":"` + strings.Repeat("x", MaxBytes) + `"}}}`, 413, "The payload exceeds the maximum size allowed"},

		{`{"state":{}}`, 0, ""}, {`{"state":null}`, 0, ""}, {`{"state":{"desired":null}}`, 0, ""}, {`{"state":{"delta":{"a":1}}}`, 0, ""},
		{`{"state":{},"version":0}`, 0, ""}, {`{"state":{},"version":1}`, 0, ""}, {`{"state":{},"version":1.0}`, 0, ""}, {`{"state":{},"version":null}`, 0, ""}, {`{"state":{},"version":0e5}`, 0, ""},
		{`{"state":{},"clientToken":"` + long + `"}`, 0, ""}, {`{"state":{},"clientToken":null}`, 0, ""}, {`{"state":{},"metadata":1,"timestamp":"x"}`, 0, ""},
		{`{"state":{"desired":` + depth(6, `{"a":`, `}`) + `}}`, 0, ""},
		{`{"state":{"reported":{"a":{"a":{"a":{"a":{"a":{"b":{},"c":[]}}}}}}}}`, 0, ""},
		{`{"state":{"reported":{"x":` + depth(5, `[`, `]`) + `}}}`, 0, ""},
		{" \t\r\n{\"state\" : { \"desired\" : { \"a\" : [ ] } } } ", 0, ""},
	} {
		var d *Document
		r, err := ParseUpdate([]byte(tt.payload), 1)
		if err == nil {
			_, err = d.Update(r, 0, big)
		}
		f, _ := errors.AsType[*Fault](err)
		if tt.code == 0 && err != nil || tt.code != 0 && (f == nil || f.Code != tt.code || f.Message != tt.message) {
			t.Errorf("%.80q: %v, want %d %s", tt.payload, err, tt.code, tt.message)
		}
	}
}

func TestVersions(t *testing.T) {
	var d *Document
	for _, tt := range []struct {
		deleted int64
		version string
		want    string
	}{
		{0, "1", ""}, {0, "0", ""}, {0, "2", "400 Invalid version"},
		{7, "7", ""}, {7, "1", ""}, {7, "6", "400 Invalid version"},
	} {
		r, err := ParseUpdate([]byte(`{"state":{},"version":`+tt.version+`}`), 1)
		if err != nil {
			t.Fatal(err)
		}
		next, err := d.Update(r, tt.deleted, big)
		if got := fmt.Sprint(err); tt.want != "" && got != tt.want || tt.want == "" && (err != nil || next.Version() != tt.deleted+1) {
			t.Errorf("deleted at %d, version %s: %v", tt.deleted, tt.version, err)
		}
	}
	d, _ = update(t, nil, 0, `{"state":{"desired":{"a":1}}}`, 1)
	d, _ = update(t, d, 0, `{"state":{},"version":1}`, 2)
	r, err := ParseUpdate([]byte(`{"state":{},"version":1,"clientToken":"t"}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Update(r, 0, big)
	f, _ := errors.AsType[*Fault](err)
	if f == nil || string(f.Rejected(9)) != `{"code":409,"message":"Version conflict","timestamp":9,"clientToken":"t"}` {
		t.Errorf("conflict: %v", err)
	}
}

// The size is what desired and reported have as JSON, whatever they carry beside it.
func TestSize(t *testing.T) {
	d, _ := update(t, nil, 0, `{"state":{ "desired" : {"a":"é\u000a", "b":[1, {}]},"reported":{"x":null,"c":{"d":[]}}}}`, 1)
	exact := len(`{"a":"é\n","b":[1,{}]}`) + len(`{"c":{"d":[]}}`)
	if got := size(d.desired) + size(d.reported); got != exact {
		t.Errorf("size %d, want %d", got, exact)
	}
	r, err := ParseUpdate([]byte(`{"state":{"reported":{"c":null,"y":1}}}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	exact = len(`{"a":"é\n","b":[1,{}]}`) + len(`{"y":1}`)
	if _, err := d.Update(r, 0, exact); err != nil {
		t.Errorf("just fits: %v", err)
	}
	if _, err := d.Update(r, 0, exact-1); err == nil || err.Error() != "413 The payload exceeds the maximum size allowed" {
		t.Errorf("a byte too much: %v", err)
	}
}

// The documents byte for byte, as the developer guide shows them.
func TestAnswers(t *testing.T) {
	d1, _ := update(t, nil, 0, `{"state":{"reported":{"led":"off","n":[1,{"x":{}}]}}}`, 1759999000)
	d2, r := update(t, d1, 0, `{"clientToken":"tok-1","state":{"desired":{"led":"on","old":null}},"version":1}`, 1760000000)
	get, err := ParseGet([]byte(`{"clientToken":"tok-2"}`))
	if err != nil {
		t.Fatal(err)
	}
	empty, cleared := update(t, d2, 0, `{"state":null}`, 5)
	const (
		reported = `{"led":"off","n":[1,{"x":{}}]}`
		times    = `{"led":{"timestamp":1759999000},"n":[{"timestamp":1759999000},{"x":{}}]}`
		before   = `{"state":{"reported":` + reported + `},"metadata":{"reported":` + times + `},"version":1}`
		after    = `{"state":{"desired":{"led":"on"},"reported":` + reported + `},"metadata":{"desired":{"led":{"timestamp":1760000000}},"reported":` + times + `},"version":2}`
	)
	none := &Fault{Code: 404, Message: "No shadow exists with name: 'T'", Token: `"x"`}
	for _, tt := range []struct{ name, got, want string }{
		{"accepted", string(r.Accepted(d2)), `{"state":{"desired":{"led":"on","old":null}},"metadata":{"desired":{"led":{"timestamp":1760000000},"old":{"timestamp":1760000000}}},"version":2,"timestamp":1760000000,"clientToken":"tok-1"}`},
		{"delta", string(r.Delta(d2)), `{"version":2,"timestamp":1760000000,"state":{"led":"on"},"metadata":{"led":{"timestamp":1760000000}},"clientToken":"tok-1"}`},
		{"documents", string(r.Documents(d1, d2)), `{"previous":` + before + `,"current":` + after + `,"timestamp":1760000000,"clientToken":"tok-1"}`},
		{"first documents", string(r.Documents(nil, d1)), `{"previous":null,"current":` + before + `,"timestamp":1760000000,"clientToken":"tok-1"}`},
		{"get", string(get.Answer(d2, 1760000100)), `{"state":{"desired":{"led":"on"},"reported":` + reported + `,"delta":{"led":"on"}},"metadata":{"desired":{"led":{"timestamp":1760000000}},"reported":` + times + `},"version":2,"timestamp":1760000100,"clientToken":"tok-2"}`},
		{"cleared", string(cleared.Accepted(empty)), `{"state":null,"metadata":{"timestamp":5},"version":3,"timestamp":5}`},
		{"get of nothing", string((&Request{}).Answer(empty, 6)), `{"state":{},"metadata":{},"version":3,"timestamp":6}`},
		{"delete", string(get.Deleted(8, 1760000200)), `{"version":8,"timestamp":1760000200,"clientToken":"tok-2"}`},
		{"rejected", string(none.Rejected(3)), `{"code":404,"message":"No shadow exists with name: 'T'","clientToken":"x"}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, tt.got, tt.want)
		}
	}
	if (&Request{at: 1}).Delta(empty) != nil {
		t.Error("a delta of nothing")
	}
}

// A request about an attribute gives it a new time even if its value is the same; others keep theirs.
func TestTimes(t *testing.T) {
	d, _ := update(t, nil, 0, `{"state":{"desired":{"a":1,"b":{"c":2,"d":[1,2]}},"reported":{"a":1}}}`, 10)
	d, _ = update(t, d, 0, `{"state":{"desired":{"a":1,"b":{"c":3}}}}`, 20)
	d, _ = update(t, d, 0, `{"state":{"desired":{"b":{"e":{}}}}}`, 30)
	want := `"metadata":{"desired":{"a":{"timestamp":20},"b":{"c":{"timestamp":20},"d":[{"timestamp":10},{"timestamp":10}],"e":{}}},"reported":{"a":{"timestamp":10}}}`
	if got := string((&Request{}).Answer(d, 0)); !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestGetAndDeletePayloads(t *testing.T) {
	for _, tt := range []struct{ payload, get, del string }{
		{``, "", ""}, {`{}`, "", ""}, {`{"clientToken":"t"}`, `"t"`, `"t"`}, {`{"state":1,"clientToken":"t"}`, `"t"`, `"t"`},
		{`xx`, "400 Invalid JSON", ""}, {`[]`, "400 Invalid JSON", ""}, {`{"clientToken":1}`, "400 Invalid clientToken", "400 Invalid clientToken"},
	} {
		for i, parse := range []func([]byte) (*Request, error){ParseGet, ParseDelete} {
			r, err := parse([]byte(tt.payload))
			got, want := fmt.Sprint(err), []string{tt.get, tt.del}[i]
			if err == nil {
				got = r.Token
			}
			if got != want {
				t.Errorf("%q: %s, want %s", tt.payload, got, want)
			}
		}
	}
}

// What is stored is what is loaded, with all times; what was not stored is an error, not a document.
func TestStore(t *testing.T) {
	d, _ := update(t, nil, 0, `{"state":{"desired":{"a":1,"b":[true,{"c":null}]},"reported":{"x":"y"}}}`, 100)
	d, _ = update(t, d, 0, `{"state":{"reported":{"x":"z","w":{}}}}`, 90)
	s := d.Store()
	again, err := Load(s)
	if err != nil || string((&Request{}).Answer(again, 0)) != string((&Request{}).Answer(d, 0)) {
		t.Fatalf("loaded %+v, %v", again, err)
	}
	for _, bad := range []Stored{
		{1, s.State, s.Times[:len(s.Times)-1]},
		{1, s.State, append(bytes.Clone(s.Times), 1, 0)},
		{1, s.State, nil},
		{1, `{"other":{}}`, nil}, {1, `[]`, nil}, {1, `{`, nil}, {1, `{"desired":1}`, []byte{1, 0}}, {1, `{"desired":{"a":1}}`, []byte{0, 0}},
	} {
		if d, err := Load(bad); err == nil {
			t.Errorf("%+v was loaded as %s", bad, d)
		}
	}
}

// random makes JSON of few names, so that they meet.
func random(r *rand.Rand, level int, nulls bool) any {
	n := r.IntN(8)
	switch {
	case n == 0 && nulls:
		return nil
	case n <= 2 && level < 4:
		out := map[string]any{}
		for range r.IntN(4) {
			out[string(rune('a'+r.IntN(4)))] = random(r, level+1, nulls)
		}
		return out
	case n == 3 && level < 4:
		out := []any{}
		for range r.IntN(3) {
			out = append(out, random(r, level+1, false))
		}
		return out
	case n == 4:
		return "s" + string(rune('a'+r.IntN(2)))
	case n == 5:
		return r.IntN(2) == 0
	}
	return float64(r.IntN(3))
}

func object(r *rand.Rand, nulls bool) map[string]any {
	out := map[string]any{}
	for range r.IntN(5) {
		out[string(rune('a'+r.IntN(4)))] = random(r, 1, nulls)
	}
	return out
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// model is the merge table said again over Go's maps.
func model(stored, patch map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range stored {
		out[k] = v
	}
	for k, v := range patch {
		o, isObject := v.(map[string]any)
		was, wasObject := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isObject && wasObject:
			out[k] = model(was, o)
		case isObject:
			if pruned := model(nil, o); len(pruned) > 0 || len(o) == 0 {
				out[k] = pruned
			} else {
				delete(out, k)
			}
		default:
			out[k] = v
		}
	}
	return out
}

// Random histories: the state is the model's; a delta applied to reported leaves none, and has nothing that
// was the same; what a request did not name keeps value and time; what is stored is loaded.
func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		var d *Document
		states := map[string]map[string]any{"desired": {}, "reported": {}}
		for at := int64(1); at < 6; at++ {
			request := map[string]any{}
			for name := range states {
				if r.IntN(3) > 0 {
					request[name] = object(r, true)
				}
			}
			old := d
			var q *Request
			d, q = update(t, d, 0, text(map[string]any{"state": request}), at)
			for name, patch := range request {
				states[name] = model(states[name], patch.(map[string]any))
			}
			var got map[string]map[string]any
			if err := json.Unmarshal([]byte(d.String()), &got); err != nil {
				t.Fatal(err)
			}
			for name, want := range states {
				if text(got[name]) != text(want) && len(got[name])+len(want) > 0 {
					t.Fatalf("%s: %s, want %s", name, text(got[name]), text(want))
				}
			}
			untouched(t, old, d, q)
			if delta := q.Delta(d); delta != nil {
				var m struct{ State, Metadata map[string]any }
				if err := json.Unmarshal(delta, &m); err != nil {
					t.Fatal(err)
				}
				after, _ := update(t, d, 0, text(map[string]any{"state": map[string]any{"reported": m.State}}), at)
				if after.Differs() {
					t.Fatalf("%s: still a delta after %s", after, delta)
				}
				if !reflect.DeepEqual(shape(m.State), times2shape(m.Metadata)) {
					t.Fatalf("metadata has another shape: %s", delta)
				}
			}
			again, err := Load(d.Store())
			if err != nil || again.String() != d.String() || string(q.Answer(again, 0)) != string(q.Answer(d, 0)) {
				t.Fatalf("stored and loaded: %s, %v, want %s", again, err, d)
			}
		}
	}
}

// untouched fails when a member that a request did not name is not what it was, time and all.
func untouched(t *testing.T, old, d *Document, q *Request) {
	t.Helper()
	if old == nil {
		return
	}
	named := func(section string) []member {
		if i := find(q.sections, section); i >= 0 {
			return q.sections[i].items
		}
		return nil
	}
	for _, s := range []struct {
		name     string
		old, new []member
	}{{"desired", old.desired, d.desired}, {"reported", old.reported, d.reported}} {
		for _, m := range s.old {
			if find(named(s.name), m.name) >= 0 {
				continue
			}
			at := find(s.new, m.name)
			if at < 0 || !reflect.DeepEqual(s.new[at], m) {
				t.Fatalf("%s: %s was not named and is changed", d, m.name)
			}
		}
	}
}

// shape is a value with all scalars alike; times2shape the same of its metadata.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = shape(v[k])
		}
		return out
	case []any:
		out := []any{}
		for i := range v {
			out = append(out, shape(v[i]))
		}
		return out
	}
	return 0
}

func times2shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if _, leaf := v["timestamp"]; leaf {
			return 0
		}
		out := map[string]any{}
		for k := range v {
			out[k] = times2shape(v[k])
		}
		return out
	case []any:
		out := []any{}
		for i := range v {
			out = append(out, times2shape(v[i]))
		}
		return out
	}
	return v
}

// Many members cost what they are, not their square.
func TestManyMembers(t *testing.T) {
	var b, c strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&b, `,"%d":1`, i)
		fmt.Fprintf(&c, `,"%d":null`, i)
	}
	d, _ := update(t, nil, 0, `{"state":{"desired":{`+b.String()[1:]+`}}}`, 1)
	d, _ = update(t, d, 0, `{"state":{"reported":{`+b.String()[1:]+`}}}`, 1)
	if d.Differs() {
		t.Error("a delta")
	}
	if d, _ = update(t, d, 0, `{"state":{"desired":{`+c.String()[1:strings.LastIndex(c.String(), ",")]+`}}}`, 1); len(d.desired) != 1 {
		t.Errorf("%d members are left", len(d.desired))
	}
}

func FuzzUpdate(f *testing.F) {
	for _, s := range []string{
		`{"state":{"desired":{"led":"on","old":null},"reported":{"a":[1,{"b":2.50}]}},"version":1,"clientToken":"t"}`,
		`{"state":null}`, `{"state":{}}`, `{"state":{"desired":{"a":{"b":{"c":null}}}}}`, `{"state":{"reported":{"\u0061":"\ud83d\ude00"}}}`,
		`{"state":{"delta":{}},"clientToken":"\"\\\u0001"}`, `xx`,
	} {
		f.Add([]byte(s), []byte(`{"state":{"desired":{"led":{"x":[]}},"reported":null}}`))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var d *Document
		for _, payload := range [][]byte{first, second} {
			if _, err := ParseGet(payload); err == nil && len(payload) > 0 && !json.Valid(payload) {
				t.Fatalf("%q is no JSON", payload)
			}
			r, err := ParseUpdate(payload, 1760000000)
			var next *Document
			if err == nil {
				next, err = d.Update(r, 0, 8192)
			}
			if err != nil {
				f, ok := errors.AsType[*Fault](err)
				if !ok || !json.Valid(f.Rejected(1)) {
					t.Fatalf("%q: %v", payload, err)
				}
				continue
			}
			out := [][]byte{r.Accepted(next), r.Documents(d, next), r.Answer(next, 1), r.Deleted(1, 1), []byte(next.String())}
			if delta := r.Delta(next); delta != nil {
				out = append(out, delta)
			}
			for _, b := range out {
				if !json.Valid(b) {
					t.Fatalf("%q makes %q", payload, b)
				}
			}
			if size(next.desired)+size(next.reported) > len(next.String()) {
				t.Fatalf("size of %s", next)
			}
			if again, err := Load(next.Store()); err != nil || !reflect.DeepEqual(string(r.Answer(again, 1)), string(r.Answer(next, 1))) {
				t.Fatalf("%q: stored and loaded %s, %v", payload, again, err)
			}
			d = next
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(`{"desired":{"a":1,"b":[2]},"reported":{}}`, []byte{2, 1})
	f.Fuzz(func(_ *testing.T, state string, times []byte) {
		if d, err := Load(Stored{1, state, times}); err == nil {
			_ = d.Store()
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	d, _ := update(b, nil, 0, `{"state":{"desired":{"mode":"auto","interval":30,"limits":{"low":1.5,"high":9.5}},"reported":{"mode":"manual","interval":30,"battery":87,"position":{"lat":52.52,"lon":13.405},"tags":["a","b"]}}}`, 1)
	stored := d.Store()
	payload := []byte(`{"state":{"reported":{"battery":86,"position":{"lat":52.53}}},"clientToken":"0b1b5e7c-9b8a-4a39-bb5e-5f4d6c7b8a90"}`)
	b.ReportAllocs()
	for b.Loop() {
		d, err := Load(stored)
		if err != nil {
			b.Fatal(err)
		}
		r, err := ParseUpdate(payload, 2)
		if err != nil {
			b.Fatal(err)
		}
		next, err := d.Update(r, 0, 8192)
		if err != nil {
			b.Fatal(err)
		}
		_ = next.Store()
		_, _, _ = r.Delta(next), r.Documents(d, next), r.Accepted(next)
	}
}
