package fresh

import (
	"errors"
	"testing"
)

// TestStaleLoadIsNotKept lets a write commit while a lookup is under way: what
// the lookup read is not given to later ones.
func TestStaleLoadIsNotKept(t *testing.T) {
	var g Generations[string]
	var c Cache[string, Entry[int]]
	const about = "n"
	v, ok, err := Load(&g, &c, "n", about, func() (int, bool, error) {
		g.Bump(about) // the commit, after the read
		return 1, true, nil
	})
	if v != 1 || !ok || err != nil {
		t.Fatal(v, ok, err)
	}
	v, _, _ = Load(&g, &c, "n", about, func() (int, bool, error) { return 2, true, nil })
	if v != 2 {
		t.Error("the outdated answer was kept")
	}
	v, _, _ = Load(&g, &c, "n", about, func() (int, bool, error) { return 3, true, nil })
	if v != 2 {
		t.Error("the answer was not kept")
	}
	for _, result := range []struct {
		ok  bool
		err error
	}{{false, nil}, {true, errors.New("broken")}} {
		_, _, _ = Load(&g, &c, "other", about, func() (int, bool, error) { return 9, result.ok, result.err })
		if _, kept := c.Get("other"); kept {
			t.Error("kept what was not found")
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c Cache[int, int]
	for i := range 5 * Half {
		c.Put(i, i)
		if e, ok := c.Get(0); !ok || e != 0 { // what is used stays
			t.Fatalf("lost 0 at %d", i)
		}
	}
	if n := len(c.new) + len(c.old); n > 2*Half {
		t.Errorf("%d entries", n)
	}
}

func TestCacheForgets(t *testing.T) {
	var c Cache[int, int]
	for i := range 3 * Half {
		c.Put(i, i)
		c.Get(0) // asked for all the time
	}
	if _, ok := c.Get(0); !ok {
		t.Error("what is asked for was forgotten")
	}
	if _, ok := c.Get(1); ok {
		t.Error("what is not asked for was kept")
	}
	c.Clear()
	if _, ok := c.Get(0); ok {
		t.Error("Clear keeps")
	}
}

func TestGenerations(t *testing.T) {
	var g Generations[string]
	a := g.Stamp("a")
	if !g.Current(a) {
		t.Error("outdated without a write")
	}
	if g.Bump("a"); g.Current(a) {
		t.Error("current after a write")
	}
	a = g.Stamp("a")
	if g.BumpAll(); g.Current(a) {
		t.Error("current after all were outdated")
	}
}
