package mqtt

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// FuzzString holds reading strings and topic names to the plain way to say what they may hold.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a", "abcdefgh", "abcdefg\x00", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", "abc\x80defg", "a/+/cdefg", "#bcdefgh", "abcdefgh#", "é", "\ufeff", "\xed\xa0\x80", "*,$\"", "\x01\x01\x01\x01\x01\x01\x01\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if len(s) > 65_535 {
			return
		}
		text := utf8.Valid(s) && !bytes.Contains(s, []byte{0})
		name := text && !bytes.ContainsAny(s, "+#")
		for _, tt := range []struct {
			read func(*reader) []byte
			want bool
		}{{(*reader).string, text}, {(*reader).name, name}} {
			r := reader{b: appendString(nil, s), kind: PUBLISH}
			got := tt.read(&r)
			if err := r.end(); (err == nil) != tt.want || err == nil && !bytes.Equal(got, s) {
				t.Errorf("%q: %v", s, err)
			}
		}
		if c := cut(bytes.Repeat(append(s, 'x'), 65_536)); len(c) > 65_535 || text && !utf8.Valid(c) {
			t.Errorf("cut to %d bytes", len(c))
		}
	})
}
