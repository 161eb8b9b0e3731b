package identity

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// readableLetters leaves out what is easily taken for another.
const readableLetters = "abcdefghjkmnpqrstuvwxyz23456789"

// readablePassword makes a password that can be read out and typed: five groups
// of four characters, some 99 random bits, with small letters, digits and
// hyphens, as the default password policy wants three kinds.
func readablePassword() string {
	for {
		var b strings.Builder
		for i := range 20 {
			if i > 0 && i%4 == 0 {
				b.WriteByte('-')
			}
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(readableLetters))))
			if err != nil {
				panic("identity: read random numbers: " + err.Error()) // never fails
			}
			b.WriteByte(readableLetters[n.Int64()])
		}
		if p := b.String(); strings.ContainsAny(p, "23456789") && strings.ContainsAny(p, "abcdefghjkmnpqrstuvwxyz") {
			return p
		}
	}
}
