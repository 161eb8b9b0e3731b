package script

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
)

// drawn runs code on a device of a seed and client.
func drawn(t *testing.T, code string, seed uint64, client int) string {
	t.Helper()
	d, _ := device(t, &model.Model{Stages: map[string]string{"running": code}}, Info{Seed: seed, Client: client})
	return mustRun(t, d)
}

// TestSeed: what a device draws comes of the run's seed and of its number.
func TestSeed(t *testing.T) {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(chanceMembers)) {
		switch n {
		case "pickone", "pick", "pickset", "shuffle":
			names = append(names, "chance."+n+"([1, 2, 3, 4, 5, 6, 7, 8, 9])")
		case "weighted":
			names = append(names, "chance.weighted([1, 2, 3], [5, 1, 2])")
		case "n", "unique":
			names = append(names, "chance."+n+"(chance.guid, 2)")
		case "walk":
			names = append(names, "chance.walk('w', {min: 0, max: 1})", "chance.walk('w', {min: 0, max: 1, step: 0.1})")
		default:
			names = append(names, "chance."+n+"()")
		}
	}
	code := "return [Math.random(), new Date(), " + strings.Join(names, ", ") + "]"
	first := drawn(t, code, 1, 0)
	if again := drawn(t, code, 1, 0); first != again {
		t.Errorf("the same seed gives\n%s\nand\n%s", first, again)
	}
	var values, others []any
	for _, other := range []string{drawn(t, code, 2, 0), drawn(t, code, 1, 1)} {
		if json.Unmarshal([]byte(first), &values) != nil || json.Unmarshal([]byte(other), &others) != nil || values[0] == others[0] {
			t.Errorf("another seed or device gives the same:\n%s\n%s", first, other)
		}
	}
}

// TestMessagesDoNotDisturb: what a device draws in its stages does not depend
// on the messages that happen to arrive.
func TestMessagesDoNotDisturb(t *testing.T) {
	m := &model.Model{Stages: map[string]string{"running": "return [chance.natural(), Math.random()]", "message": "chance.natural(); Math.random()"}}
	d, _ := device(t, m, Info{Seed: 5})
	e, _ := device(t, m, Info{Seed: 5})
	for range 3 {
		if err := e.Message(t.Context(), Message{Topic: "a"}); err != nil {
			t.Fatal(err)
		}
		if a, b := mustRun(t, d), mustRun(t, e); a != b {
			t.Errorf("%s and %s", a, b)
		}
	}
}

// TestChance holds generators to what they promise, a hundred times each.
func TestChance(t *testing.T) {
	for _, x := range []struct{ code, form string }{
		{"chance.integer({min: -3, max: 3})", `^-?[0-3]$`},
		{"chance.integer({min: 5, max: 5})", `^5$`},
		{"chance.natural() >= 0 && Number.isSafeInteger(chance.integer())", `^true$`},
		{"chance.floating({min: 1, max: 2, fixed: 2})", `^(1(\.\d{1,2})?|2)$`},
		{"chance.bool({likelihood: 100})", `^true$`},
		{"chance.bool({likelihood: 0})", `^false$`},
		{"chance.string({length: 8, pool: 'äb'})", `^"[äb]{8}"$`},
		{"chance.string({length: 5, alpha: true, casing: 'upper'})", `^"[A-Z]{5}"$`},
		{"chance.string({length: 5, alpha: true, numeric: true, casing: 'lower'})", `^"[a-z0-9]{5}"$`},
		{"chance.string().length >= 5", `^true$`},
		{"chance.character({numeric: true}) + chance.letter({casing: 'upper'})", `^"[0-9][A-Z]"$`},
		{"chance.guid()", `^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$`},
		{"chance.hash({length: 7})", `^"[0-9a-f]{7}"$`},
		{"chance.mac()", `^"[0-9a-f][26ae](:[0-9a-f]{2}){5}"$`},
		{"chance.mac({separator: ''})", `^"[0-9a-f]{12}"$`},
		{"chance.ip()", `^"\d{1,3}(\.\d{1,3}){3}"$`},
		{"chance.ipv6()", `^"[0-9a-f]{4}(:[0-9a-f]{4}){7}"$`},
		{"chance.imei()", `^"\d{15}"$`},
		{"chance.name()", `^"[A-Z][a-z]+ [A-Z][a-z]+"$`},
		{"chance.email()", `^"[a-z]+@[a-z]+\.example"$`},
		{"chance.sentence({words: 3})", `^"[A-Z][a-z]+ [a-z]+ [a-z]+\."$`},
		{"chance.latitude({min: 10, max: 11})", `^1[01](\.\d{1,5})?$`},
		{"Math.abs(chance.longitude()) <= 180", `^true$`},
		{"chance.date({year: 2024})", `^"2024-`},
		{"chance.date({min: new Date(0), max: new Date(1000)})", `^"1970-01-01T00:00:0[01]\.`},
		{"chance.pickone(['a'])", `^"a"$`},
		{"chance.pickset([1, 2, 3], 2).length", `^2$`},
		{"chance.shuffle([1, 2, 3]).sort()", `^\[1,2,3\]$`},
		{"chance.weighted(['a', 'b'], [0, 1])", `^"b"$`},
		{"chance.n(chance.integer, 3, {min: 1, max: 1})", `^\[1,1,1\]$`},
		{"chance.unique(chance.integer, 3, {min: 1, max: 3}).sort()", `^\[1,2,3\]$`},
		{"chance.walk('a', {min: 0, max: 1, step: 10})", `^(0(\.\d+)?|1|[\d.]+e-\d+)$`},
		{"chance.walk('b', {start: 5, step: 0})", `^5$`},
		{"chance.normal({mean: 100, dev: 0})", `^100$`},
		{"chance.exponential({mean: 1}) >= 0", `^true$`},
		{"chance.near({latitude: 50, longitude: 179.999, meters: 500}).latitude.toFixed(1)", `^"(50|49).\d"$`},
		{"chance.dice()", `^[1-6]$`},
	} {
		got := drawn(t, "const out = []; for (let i = 0; i < 100; i++) out.push("+x.code+"); return out", 3, 3)
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(got), &list); err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if !regexp.MustCompile(x.form).Match(v) {
				t.Errorf("%s gives %s", x.code, v)
				break
			}
		}
	}
}
