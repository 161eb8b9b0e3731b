package db

import (
	"path/filepath"
	"sync"
	"testing"
)

// Shrink leaves one reader of many, and what is asked later finds others.
func TestShrink(t *testing.T) {
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s := d.e.(*sqlite)
	idle := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.idle)
	}
	for range 2 {
		var together, all sync.WaitGroup
		together.Add(4)
		for range 4 {
			all.Go(func() {
				err := d.Read(t.Context(), func(tx *Tx) error {
					together.Done()
					together.Wait()
					var n int
					return tx.QueryRow(t.Context(), `SELECT 1`).Scan(&n)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := idle(); n != 4 {
			t.Errorf("%d readers", n)
		}
		d.Shrink()
		if n, open := idle(), s.db.Stats().OpenConnections; n != 1 || open != 3 { // and the writer's two
			t.Errorf("%d readers and %d connections are left", n, open)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.Shrink()
}
