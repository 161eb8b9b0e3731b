package identity

import (
	"strings"
	"testing"
)

func TestPasswordHash(t *testing.T) {
	h := hashPassword("correct horse")
	if !strings.HasPrefix(h, "$argon2id$v=19$m=19456,t=2,p=1$") || h == hashPassword("correct horse") {
		t.Errorf("hash %q: wrong form, or no salt", h)
	}
	for _, tt := range []struct {
		hash, password string
		want           bool
	}{
		{h, "correct horse", true},
		{h, "Correct horse", false},
		{h, "", false},
		{h[:len(h)-1], "correct horse", false},
		{strings.Replace(h, "t=2", "t=3", 1), "correct horse", false},
		{strings.Replace(h, "argon2id", "argon2i", 1), "correct horse", false},
		{"", "", false},
		{"$argon2id$v=19$m=19456,t=2,p=1$$", "", false},
		{"$argon2id$v=19$m=19456,t=0,p=1$c2FsdA$a2V5", "x", false},
	} {
		if got := verifyPassword(tt.hash, tt.password); got != tt.want {
			t.Errorf("verifyPassword(%q, %q) = %v", tt.hash, tt.password, got)
		}
	}
}
