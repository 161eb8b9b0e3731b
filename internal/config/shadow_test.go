package config

import "testing"

func TestShadowSize(t *testing.T) {
	for text, want := range map[string]int{"": 8192, "8KiB": 8192, "30KiB": 30720, "9000": 9000, "20KB": 20000, "7KiB": 0, "31KiB": 0, "1MiB": 0, "x": 0, "-1": 0} {
		n, err := (&Config{ShadowSize: text}).shadowSize()
		if n != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}
