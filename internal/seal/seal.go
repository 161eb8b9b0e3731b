// Package seal keeps the master key of a deployment and what rests on it:
// secrets sealed at rest, sealed tokens, and secrets that are derived instead
// of stored. Each use names its purpose; what is sealed for one purpose cannot
// be opened for another. Where sealed bytes are kept is the caller's business.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

// Overhead is by how much sealed bytes are longer than the plaintext.
const Overhead = 1 + nonceSize + 16

// version is the first sealed byte, so that the construction can change.
const version = 1

// ErrOpen is returned for bytes that were not sealed by this master key for
// this purpose, or were altered since.
var ErrOpen = errors.New("sealed data is damaged or was sealed under another master key or for another purpose")

// Box seals and derives under one master key. It is safe for concurrent use.
type Box struct {
	master  []byte
	sealing sync.Map // purpose to *xaes
	derived sync.Map // purpose to []byte
}

// New returns a Box for a master key of KeySize random bytes, which it copies.
func New(master []byte) (*Box, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("a master key has %d bytes, not %d", KeySize, len(master))
	}
	return &Box{master: append([]byte(nil), master...)}, nil
}

// Seal encrypts and authenticates plaintext for a purpose. The result differs
// each time. Purposes are constants of the program: a key is kept for each.
func (b *Box) Seal(purpose string, plaintext []byte) []byte {
	out := make([]byte, 1+nonceSize, len(plaintext)+Overhead)
	out[0] = version
	nonce := out[1:]
	_, _ = rand.Read(nonce) // never fails
	return b.xaes(purpose).aead(nonce).Seal(out, nonce[12:], plaintext, []byte(purpose))
}

// Open returns what was sealed for a purpose, or ErrOpen.
func (b *Box) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrOpen
	}
	nonce := sealed[1 : 1+nonceSize]
	plaintext, err := b.xaes(purpose).aead(nonce).Open(nil, nonce[12:], sealed[1+nonceSize:], []byte(purpose))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// Derive returns n bytes that follow from the master key, the purpose and the
// input, and tell nothing about any of them or about other derived bytes. It
// panics if n is over 8,160, HKDF's limit.
func (b *Box) Derive(purpose, input string, n int) []byte {
	key, ok := b.derived.Load(purpose)
	if !ok {
		key, _ = b.derived.LoadOrStore(purpose, b.subkey("thingd derive 1 "+purpose))
	}
	out, err := hkdf.Expand(sha256.New, key.([]byte), input, n)
	if err != nil {
		panic("seal: derive: " + err.Error())
	}
	return out
}

func (b *Box) subkey(info string) []byte {
	key, err := hkdf.Key(sha256.New, b.master, nil, info, KeySize)
	if err != nil {
		panic("seal: subkey: " + err.Error()) // the length is fixed
	}
	return key
}

func (b *Box) xaes(purpose string) *xaes {
	if x, ok := b.sealing.Load(purpose); ok {
		return x.(*xaes)
	}
	x, _ := b.sealing.LoadOrStore(purpose, newXAES(b.subkey("thingd seal 1 "+purpose)))
	return x.(*xaes)
}

const nonceSize = 24

// xaes is XAES-256-GCM (C2SP.org/XAES-256-GCM): AES-GCM under a key that is
// derived for each half nonce. Its nonces are long enough to be random for any
// number of messages; AES-GCM's own are not beyond 2³², some days' worth of
// session tokens.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

func newXAES(key []byte) *xaes {
	x := &xaes{block: mustAES(key)}
	// K1 of CMAC: the encrypted zero block, doubled in GF(2¹²⁸).
	x.block.Encrypt(x.k1[:], x.k1[:])
	carry := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		next := x.k1[i] >> 7
		x.k1[i] = x.k1[i]<<1 | carry
		carry = next
	}
	x.k1[len(x.k1)-1] ^= carry * 0x87
	return x
}

// aead returns the cipher for a nonce of 24 bytes; it takes the last 12.
func (x *xaes) aead(nonce []byte) cipher.AEAD {
	var key [32]byte
	for i := range 2 {
		half := key[16*i : 16*i+16]
		half[1], half[2] = byte(i+1), 'X'
		copy(half[4:], nonce[:12])
		for j := range half {
			half[j] ^= x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
	gcm, err := cipher.NewGCM(mustAES(key[:]))
	if err != nil {
		panic("seal: " + err.Error())
	}
	return gcm
}

func mustAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: " + err.Error()) // the length is fixed
	}
	return block
}
