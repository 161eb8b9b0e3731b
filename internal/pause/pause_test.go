package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		took := func(want time.Duration) {
			t.Helper()
			if d := time.Since(began); d != want {
				t.Errorf("it took %v, want %v", d, want)
			}
			began = time.Now()
		}
		if err := For(t.Context(), time.Minute); err != nil {
			t.Error(err)
		}
		took(time.Minute)
		for _, d := range []time.Duration{0, -time.Minute} {
			if err := For(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
		took(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		took(time.Second)
		for range 100 {
			if err := For(ctx, 0); err == nil {
				t.Fatal("it waits for nobody")
			}
		}
	})
}
