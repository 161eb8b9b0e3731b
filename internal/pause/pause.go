// Package pause waits for a time, and for nobody who no longer wants that.
package pause

import (
	"context"
	"time"
)

// For waits for d, not at all if it is not positive. Its error is that of ctx,
// if that ends before.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
