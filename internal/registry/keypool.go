package registry

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
)

// deviceKeyBits is the size of the keys that CreateKeysAndCertificate makes.
const deviceKeyBits = 2048

// keyPool makes RSA keys ahead of time, one at a time: making one takes a
// tenth of a second. Spare keys are held in memory only.
type keyPool struct {
	ready  chan *rsa.PrivateKey
	wanted chan struct{} // told by takes
	making chan struct{} // bounds the keys that callers make for themselves
}

// firstSpares is how many keys are made before anybody has asked for one, so
// that a server that issues no certificates costs little.
const firstSpares = 2

func newKeyPool(size int) *keyPool {
	if size <= 0 {
		size = 8
	}
	return &keyPool{
		ready:  make(chan *rsa.PrivateKey, size),
		wanted: make(chan struct{}, 1),
		making: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// fill makes keys until ctx ends.
func (p *keyPool) fill(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		if n == min(firstSpares, cap(p.ready)) {
			select {
			case <-p.wanted:
			case <-ctx.Done():
				return
			}
		}
		k, err := rsa.GenerateKey(rand.Reader, deviceKeyBits)
		if err != nil {
			return // as take will say
		}
		select {
		case p.ready <- k:
		case <-ctx.Done():
			return
		}
	}
}

// take returns a key that nobody else has: a spare one, or a new one. Callers
// beyond the number of processors wait for their turn or for a spare.
func (p *keyPool) take(ctx context.Context) (*rsa.PrivateKey, error) {
	select {
	case p.wanted <- struct{}{}:
	default:
	}
	select {
	case k := <-p.ready:
		return k, nil
	default:
	}
	select {
	case k := <-p.ready:
		return k, nil
	case p.making <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.making }()
	k, err := rsa.GenerateKey(rand.Reader, deviceKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	return k, nil
}
