package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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

// TestSpareKeysWait: spare keys are made slowly, not while the process is busy, and no more than a few before somebody asks;
// who does gets more made at once.
func TestSpareKeysWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 100 * time.Millisecond
		p := newKeyPool(0, func() (*rsa.PrivateKey, error) { time.Sleep(took); return nil, nil })
		var cores atomic.Int64 // that the process uses
		start := time.Now()
		p.used = func() time.Duration { return time.Duration(cores.Load()) * time.Since(start) }
		cores.Store(1000)
		ctx, cancel := context.WithCancel(t.Context())
		go p.fill(ctx)
		made := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if got := len(p.ready); got != want {
				t.Errorf("%d spare keys, want %d", got, want)
			}
		}
		made(time.Minute, firstSpares)
		if _, err := p.take(ctx); err != nil {
			t.Error(err)
		}
		made(took, firstSpares)
		made(time.Minute, firstSpares)
		cores.Store(0)
		made(2*idleShare*took, firstSpares+2)
		made(time.Hour, spareKeys)
		cancel()
	})
	synctest.Test(t, func(t *testing.T) {
		p := newKeyPool(0, func() (*rsa.PrivateKey, error) { time.Sleep(time.Second); return nil, nil })
		p.used = func() time.Duration { return 0 }
		ctx, cancel := context.WithCancel(t.Context())
		go p.fill(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := len(p.ready); got != coldSpares {
			t.Errorf("%d spare keys before anybody asked, want %d", got, coldSpares)
		}
		cancel()
	})
}
