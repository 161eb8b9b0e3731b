package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// SigningKey derives the key that signs for a scope from a secret access key.
func SigningKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, text := range [...]string{date, region, service, terminator} {
		key = hmacSHA256(key, text)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// keysKept bounds each generation of a KeyCache.
const keysKept = 4096

// KeyCache keeps signing keys, so that a client's key is derived once a day and
// scope. The zero value is ready to use. It is safe for concurrent use, and
// bounded: the keys least recently asked for are forgotten.
type KeyCache struct {
	mu   sync.RWMutex
	keys map[scopedKey][]byte
	old  map[scopedKey][]byte // the generation before
}

type scopedKey struct{ accessKeyID, secret, date, region, service string }

// Get returns the signing key of an access key for the scope of a signature.
// The caller must not change it.
func (c *KeyCache) Get(s *Signature, secret string) []byte {
	id := scopedKey{s.AccessKeyID, secret, s.Date, s.Region, s.Service}
	c.mu.RLock()
	key, ok := c.keys[id]
	c.mu.RUnlock()
	if ok {
		return key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok = c.old[id]
	if !ok {
		key = SigningKey(secret, s.Date, s.Region, s.Service)
	}
	if len(c.keys) >= keysKept {
		c.old, c.keys = c.keys, nil
	}
	if c.keys == nil {
		c.keys = make(map[scopedKey][]byte)
	}
	c.keys[id] = key
	return key
}
