package registry

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// TestKeyPool takes keys at once, more than there are spares: nobody gets
// another's, and no more spares are made than may be.
func TestKeyPool(t *testing.T) {
	p := newKeyPool(2, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var filling, takers sync.WaitGroup
	filling.Go(func() { p.fill(ctx) })
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 8 {
		takers.Go(func() {
			k, err := p.take(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if s := k.D.String(); seen[s] || k.N.BitLen() != deviceKeyBits {
				t.Errorf("a key was given out twice, or has %d bits", k.N.BitLen())
			} else {
				seen[s] = true
			}
		})
	}
	takers.Wait()
	cancel()
	filling.Wait() // at most for the key that is being made
	if len(p.ready) > 2 || len(seen) != 8 {
		t.Errorf("%d spare keys, %d given out", len(p.ready), len(seen))
	}
}

// TestKeyPoolWithoutHope: who gives up waiting gets no key.
func TestKeyPoolWithoutHope(t *testing.T) {
	p := newKeyPool(1, nil)
	for range cap(p.making) {
		p.making <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if cap(newKeyPool(0, nil).ready) != spareKeys {
		t.Error("not the usual number of spare keys")
	}
}
