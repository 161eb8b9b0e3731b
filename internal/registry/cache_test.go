package registry

import (
	"errors"
	"testing"
)

// TestStaleLoadIsNotKept lets a write commit while a lookup is under way: what
// the lookup read is not given to later ones.
func TestStaleLoadIsNotKept(t *testing.T) {
	var g generations
	var c cache[string, int]
	about := key{kind: aThing, name: "n"}
	v, ok, err := load(&g, &c, "n", about, func() (int, bool, error) {
		g.bump(about) // the commit, after the read
		return 1, true, nil
	})
	if v != 1 || !ok || err != nil {
		t.Fatal(v, ok, err)
	}
	v, _, _ = load(&g, &c, "n", about, func() (int, bool, error) { return 2, true, nil })
	if v != 2 {
		t.Error("the outdated answer was kept")
	}
	v, _, _ = load(&g, &c, "n", about, func() (int, bool, error) { return 3, true, nil })
	if v != 2 {
		t.Error("the answer was not kept")
	}
	for _, result := range []struct {
		ok  bool
		err error
	}{{false, nil}, {true, errors.New("broken")}} {
		_, _, _ = load(&g, &c, "other", about, func() (int, bool, error) { return 9, result.ok, result.err })
		if _, kept := c.get("other"); kept {
			t.Error("kept what was not found")
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache[int, int]
	for i := range 5 * cacheHalf {
		c.put(i, entry[int]{value: i})
		if e, ok := c.get(0); !ok || e.value != 0 { // what is used stays
			t.Fatalf("lost 0 at %d", i)
		}
	}
	if n := len(c.new) + len(c.old); n > 2*cacheHalf {
		t.Errorf("%d entries", n)
	}
}
