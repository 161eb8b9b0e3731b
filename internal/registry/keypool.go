package registry

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
	"time"
)

// deviceKeyBits is the size of the keys that CreateKeysAndCertificate makes.
const deviceKeyBits = 2048

// keyPool makes RSA keys ahead of time, since making one takes a core a tenth of
// a second and more: what is asked for at once is mostly there. Spare keys are
// held in memory only, some 3 kB each.
type keyPool struct {
	newKey func() (*rsa.PrivateKey, error)
	used   func() time.Duration // of processors, by this process
	ready  chan *rsa.PrivateKey
	wanted chan struct{} // told by takes
	making chan struct{} // bounds the keys that callers make for themselves
}

const (
	// spareKeys is how many keys are held ready. With what can be made
	// meanwhile it is enough for a thousand devices in a minute.
	spareKeys = 512
	// firstSpares are made without a pause, coldSpares before anybody has
	// asked for a key: a server that issues no certificates costs little.
	firstSpares, coldSpares = 1, 32
	// idleShare is the part of one core that making spare keys takes while
	// nobody asks for any: one in so many.
	idleShare = 20
	// busyShare is the part of all processors, one in so many, that this process
	// uses when it has better to do than to make spare keys.
	busyShare = 5
)

func generateKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, deviceKeyBits) }

func newKeyPool(size int, newKey func() (*rsa.PrivateKey, error)) *keyPool {
	if size <= 0 {
		size = spareKeys
	}
	if newKey == nil {
		newKey = generateKey
	}
	return &keyPool{
		newKey: newKey,
		used:   processTime,
		ready:  make(chan *rsa.PrivateKey, size),
		wanted: make(chan struct{}, 1),
		making: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), // fill has the rest
	}
}

// fill makes keys until ctx ends, one at a time: without a pause as long as keys
// are taken, slowly otherwise, and none when the pool is full or the process busy.
func (p *keyPool) fill(ctx context.Context) {
	asked := false
	for n := 1; ctx.Err() == nil; n++ {
		begin := time.Now()
		k, err := p.newKey()
		if err != nil {
			return // as take will say
		}
		took := time.Since(begin)
		select {
		case p.ready <- k:
		case <-ctx.Done():
			return
		}
		if n >= firstSpares && p.rest(ctx, (idleShare-1)*took, asked || n < coldSpares) {
			asked = true
		}
	}
}

// rest is the pause before the next key, without end unless there are to be more.
// It goes on while the process is busy, and ends when somebody takes a key, which
// it says.
func (p *keyPool) rest(ctx context.Context, pause time.Duration, more bool) (wanted bool) {
	tick := time.NewTicker(max(pause, time.Millisecond))
	defer tick.Stop()
	next := tick.C
	if !more {
		next = nil
	}
	for before := p.used(); ; {
		select {
		case <-next:
			now := p.used()
			if now-before <= pause*time.Duration(runtime.GOMAXPROCS(0))/busyShare {
				return false
			}
			before = now
		case <-p.wanted:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// take returns a key that nobody else has: a spare one, or a new one. Callers
// that would leave no processor to fill wait for their turn or for a spare.
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
	k, err := p.newKey()
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	return k, nil
}
