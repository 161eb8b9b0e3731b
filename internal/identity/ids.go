package identity

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"

	"github.com/thingd/thingd/internal/arn"
)

// Prefixes of unique ids and access key ids (IAM User Guide, "Understanding
// unique ID prefixes").
const (
	prefixUser      = "AIDA"
	prefixGroup     = "AGPA"
	prefixRole      = "AROA"
	prefixProfile   = "AIPA" // instance profile
	prefixPolicy    = "ANPA"
	prefixKey       = "AKIA"
	prefixTemporary = "ASIA"
)

// accountChars base32 digits carry an account: 80 bits.
const accountChars = 16

// newID makes a unique id: the prefix and 17 characters.
func newID(prefix, account string) string {
	return prefix + accountDigits(account) + rand.Text()[:1]
}

// newKeyID makes an access key id: the prefix and 16 characters.
func newKeyID(prefix, account string) string {
	return prefix + accountDigits(account)
}

// accountDigits is 16 base32 digits that hold the account the way AWS's ids
// do: in the first six bytes a set bit, the account in 40 bits, and seven
// random bits; then four random bytes.
func accountDigits(account string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	n, err := strconv.ParseUint(account, 10, 64)
	if err == nil {
		var head [8]byte
		binary.BigEndian.PutUint64(head[:], 1<<47|n<<7|uint64(b[5]&0x7f))
		copy(b[:6], head[2:])
	}
	return base32.StdEncoding.EncodeToString(b[:])
}

// accountOfKeyID reads the account out of an access key id, and reports false
// for ids that hold none, such as those made before AWS's current form.
func accountOfKeyID(id string) (string, bool) {
	if len(id) != len(prefixKey)+accountChars {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(id[len(prefixKey):])
	if err != nil {
		return "", false
	}
	var head [8]byte
	copy(head[2:], b[:6])
	n := binary.BigEndian.Uint64(head[:])
	if n>>47 != 1 {
		return "", false
	}
	account := fmt.Sprintf("%012d", n>>7&(1<<40-1))
	return account, arn.IsAccount(account)
}

// newSecret makes a secret access key: 40 characters of base64's alphabet.
func newSecret() string {
	var b [30]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// newAccountID makes twelve random digits of which the first is not zero.
func newAccountID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", fmt.Errorf("make an account id: %w", err)
	}
	return strconv.FormatInt(100_000_000_000+n.Int64(), 10), nil
}
