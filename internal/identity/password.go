package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
)

// Passwords are kept as Argon2id hashes in PHC form, with the parameters that
// the OWASP Password Storage Cheat Sheet gives first: 19 MiB, two passes, one
// lane. Those of a stored hash are its own, so that they can be raised later.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonKey    = 32
	argonSalt   = 16
)

// hashPassword makes a hash that verifyPassword takes.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// verifyPassword reports whether hash was made of password. A hash that cannot
// be read fits none.
func verifyPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || passes == 0 || lanes == 0 || memory > 1<<20 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// hashQueue is how many passwords of one account wait for their turn, so that an
// account that has many does not keep the others from signing in.
const hashQueue = 16

// hashing bounds how many passwords are hashed at once, to as many as there are
// processors: each takes argonMemory and some 20 ms. The zero value is ready.
type hashing struct {
	once  sync.Once
	slots chan struct{}

	mu      sync.Mutex
	waiting map[string]int // by account, those whose turn it is included
}

// do runs fn when there is room, or returns ctx's error, or ErrBusy when too many
// of the account wait already.
func (h *hashing) do(ctx context.Context, account string, fn func()) error {
	h.once.Do(func() { h.slots = make(chan struct{}, runtime.GOMAXPROCS(0)) })
	if !h.enter(account) {
		return ErrBusy
	}
	defer h.leave(account)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	fn()
	return nil
}

func (h *hashing) enter(account string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting[account] >= hashQueue {
		return false
	}
	if h.waiting == nil {
		h.waiting = map[string]int{}
	}
	h.waiting[account]++
	return true
}

func (h *hashing) leave(account string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting[account]--; h.waiting[account] == 0 {
		delete(h.waiting, account)
	}
}

// passwordIs is verifyPassword in its turn. It does not belong into a
// transaction.
func (s *Service) passwordIs(ctx context.Context, account, hash, password string) (ok bool, err error) {
	err = s.hashing.do(ctx, account, func() { ok = verifyPassword(hash, password) })
	return ok, err
}

// newPasswordHash is hashPassword in its turn.
func (s *Service) newPasswordHash(ctx context.Context, account, password string) (hash string, err error) {
	err = s.hashing.do(ctx, account, func() { hash = hashPassword(password) })
	return hash, err
}
