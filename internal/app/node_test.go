package app

import (
	"os"
	"path/filepath"
	"testing"
)

// A server's name stays with its data directory, and no two have the same.
func TestNode(t *testing.T) {
	name := func(dir string) string {
		t.Helper()
		n, err := node(dir)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	one, two := t.TempDir(), t.TempDir()
	first := name(one)
	if first != name(one) || first == name(two) {
		t.Errorf("%s, then %s; of another %s", first, name(one), name(two))
	}
	if err := os.WriteFile(filepath.Join(one, "node"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again := name(one); again == first || again != name(one) {
		t.Errorf("%s after %s", again, first)
	}
	if _, err := node(filepath.Join(one, "none")); err == nil {
		t.Error("a directory that is not there has a name")
	}
}
