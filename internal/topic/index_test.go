package topic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// vocabulary is levels that meet often.
var vocabulary = []string{"a", "b", "", "$x", "c", "+", "#"}

// some makes a valid filter or, without wildcards, a name.
func some(r *rand.Rand, wildcards bool) string {
	var levels []string
	for range 1 + r.IntN(4) {
		level := vocabulary[r.IntN(len(vocabulary))]
		if !wildcards && (level == "+" || level == "#") {
			level = "a"
		}
		levels = append(levels, level)
		if level == "#" {
			break
		}
	}
	if s := strings.Join(levels, "/"); s != "" {
		return s
	}
	return "a"
}

// Random adding and removing: what is found is at every moment what the naive matcher finds.
func TestIndexAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x Index[int]
	model := map[string]map[int]bool{}
	count := 0
	for range 4000 {
		filter, v := some(r, true), r.IntN(40)
		before := x.Generation()
		var changed, want bool
		if r.IntN(5) < 3 {
			changed, want = x.Add(filter, v), !model[filter][v]
			if model[filter] == nil {
				model[filter] = map[int]bool{}
			}
			model[filter][v] = true
			count += btoi(want)
		} else {
			changed, want = x.Remove(filter, v), model[filter][v]
			delete(model[filter], v)
			count -= btoi(want)
		}
		if changed != want {
			t.Fatalf("%q, %d: changed %v, want %v", filter, v, changed, want)
		}
		if (x.Generation() != before) != changed {
			t.Fatalf("generation %d after %d, changed %v", x.Generation(), before, changed)
		}
		if x.Len() != count {
			t.Fatalf("Len %d, want %d", x.Len(), count)
		}
		name, rules := some(r, false), Rules{r.IntN(2) == 0}
		var got, exp []int
		x.Match(name, rules, func(v int) { got = append(got, v) })
		for filter, values := range model {
			if naive(filter, name, rules) {
				for v := range values {
					exp = append(exp, v)
				}
			}
		}
		slices.Sort(got)
		slices.Sort(exp)
		if !slices.Equal(got, exp) {
			t.Fatalf("%q: %v, want %v", name, got, exp)
		}
	}
	for filter, values := range model {
		for v := range values {
			x.Remove(filter, v)
		}
	}
	if x.Len() != 0 || len(x.exact) != 0 || !x.wild.empty() {
		t.Errorf("something is left: %+v", &x)
	}
}

func TestNamesAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var x Names[int]
	model := map[string]int{}
	for i := range 4000 {
		name := some(r, false)
		if r.IntN(3) > 0 {
			x.Put(name, i)
			model[name] = i
		} else {
			_, want := model[name]
			if got := x.Delete(name); got != want {
				t.Fatalf("Delete(%q) = %v", name, got)
			}
			delete(model, name)
		}
		if v, ok := x.Get(name); v != model[name] || x.Len() != len(model) || ok != (v != 0 || model[name] == 0 && has(model, name)) {
			t.Fatalf("Get(%q) = %d, %v; %d names, want %d", name, v, ok, x.Len(), len(model))
		}
		filter, rules := some(r, true), Rules{r.IntN(2) == 0}
		got, want := map[string]int{}, map[string]int{}
		x.Match(filter, rules, func(name string, v int) {
			if _, twice := got[name]; twice {
				t.Fatalf("%q twice", name)
			}
			got[name] = v
		})
		for name, v := range model {
			if naive(filter, name, rules) {
				want[name] = v
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q: %v, want %v", filter, got, want)
		}
	}
	for name := range model {
		x.Delete(name)
	}
	if x.Len() != 0 || x.root.kids.len() != 0 {
		t.Error("something is left")
	}
}

func has(m map[string]int, k string) bool { _, ok := m[k]; return ok }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A filter that every device has loses its subscribers as fast as it gained them.
func TestIndexManyUnderOneFilter(t *testing.T) {
	for _, filter := range []string{"all", "all/#"} {
		var x Index[int]
		const n = 100_000
		for i := range n {
			x.Add(filter, i)
		}
		if x.Add(filter, n/2) {
			t.Error("added twice")
		}
		for i := range n {
			if !x.Remove(filter, i) {
				t.Fatalf("%d is not there", i)
			}
		}
		if x.Len() != 0 || len(x.exact) != 0 || !x.wild.empty() {
			t.Error("something is left")
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	var x Index[*int]
	var names Names[*int]
	v := new(int)
	for _, f := range []string{"a/b/c", "a/+/c", "a/#", "#", "+/+/+", "$aws/+/x"} {
		x.Add(f, v)
	}
	for i := range 20 {
		names.Put(fmt.Sprintf("a/%d/c", i), v)
	}
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		x.Match("a/b/c", Rules{}, func(*int) { n++ })
		x.Match("$aws/b/x", Rules{}, func(*int) { n++ })
		names.Match("a/+/c", Rules{}, func(string, *int) { n++ })
		names.Match("#", Rules{}, func(string, *int) { n++ })
		if Match("a/+/c", "a/b/c", Rules{}) {
			n++
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if n == 0 {
		t.Error("nothing matched")
	}
}

func FuzzMatch(f *testing.F) {
	for _, tt := range matches {
		f.Add(tt.filter, tt.name, true)
		f.Add(tt.filter, tt.name, false)
	}
	f.Add("$share/g/a/#", "a/b", true)
	f.Fuzz(func(t *testing.T, filter, name string, parent bool) {
		if group, rest, ok, err := Share(filter); ok && err == nil {
			if "$share/"+group+"/"+rest != filter {
				t.Fatalf("Share(%q) = %q, %q", filter, group, rest)
			}
			filter = rest
		}
		if ValidFilter(filter) != nil || ValidName(name) != nil {
			return
		}
		r := Rules{parent}
		want := naive(filter, name, r)
		if got := Match(filter, name, r); got != want {
			t.Fatalf("Match(%q, %q, %+v) = %v", filter, name, r, got)
		}
		var x Index[int]
		var names Names[int]
		x.Add(filter, 1)
		names.Put(name, 1)
		n := 0
		x.Match(name, r, func(int) { n++ })
		names.Match(filter, r, func(string, int) { n++ })
		if n != 2*btoi(want) {
			t.Fatalf("%q, %q: found %d times, want %v", filter, name, n, want)
		}
		if !x.Remove(filter, 1) || !names.Delete(name) || !x.wild.empty() || names.root.kids.len() != 0 {
			t.Fatalf("%q, %q: something is left", filter, name)
		}
	})
}

// A million subscriptions, of which a name matches three: one exact, one with +, one with #.
func BenchmarkIndexMatch(b *testing.B) {
	var x Index[int]
	const devices = 333_333
	for i := range devices {
		x.Add(fmt.Sprintf("dev/%d/cmd", i), i)
		x.Add(fmt.Sprintf("dev/%d/+", i), i)
		x.Add(fmt.Sprintf("dev/%d/#", i), i)
	}
	x.Add("+/none/#", 1)
	names := make([]string, 1024)
	for i := range names {
		names[i] = fmt.Sprintf("dev/%d/cmd", i*devices/len(names))
	}
	b.ReportAllocs()
	n, i := 0, 0
	for b.Loop() {
		x.Match(names[i%len(names)], Rules{}, func(int) { n++ })
		i++
	}
	if n != 3*i {
		b.Fatalf("%d matches in %d rounds", n, i)
	}
}

// One filter with many subscribers: the cost of a delivery list.
func BenchmarkIndexFanout(b *testing.B) {
	var x Index[int]
	for i := range 10_000 {
		x.Add("all/+", i)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		x.Match("all/x", Rules{}, func(int) { n++ })
	}
}

func BenchmarkIndexAddRemove(b *testing.B) {
	var x Index[int]
	filters := make([]string, 100_000)
	for i := range filters {
		filters[i] = fmt.Sprintf("dev/%d/+", i)
		x.Add(filters[i], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k := i % len(filters)
		x.Remove(filters[k], k)
		x.Add(filters[k], k)
		i++
	}
}

func BenchmarkNamesMatch(b *testing.B) {
	var x Names[int]
	for i := range 1_000_000 {
		x.Put(fmt.Sprintf("site/%d/dev/%d/state", i/100, i%100), i)
	}
	b.ReportAllocs()
	n, i := 0, 0
	for b.Loop() {
		x.Match("site/77/+/5/#", Rules{}, func(string, int) { n++ })
		i++
	}
	if n != i {
		b.Fatalf("%d matches in %d rounds", n, i)
	}
}
