// Package dbtest gives store tests fresh, migrated databases of every kind that
// thingd supports, so that each test runs on all of them.
package dbtest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/db"
)

// Each runs fn as the subtests "sqlite" and "postgres", each on a database that
// is empty and nobody else's while the test runs.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Open(t, lend(t))) })
}

// SQLite opens a fresh SQLite database, closed when the test ends.
func SQLite(tb testing.TB) *db.DB {
	tb.Helper()
	template, err := sqliteTemplate()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "test.db")
	if err := os.WriteFile(file, template, 0o600); err != nil {
		tb.Fatal(err)
	}
	return Open(tb, "sqlite:"+file)
}

// sqliteTemplate is the file of a migrated database that others are copied from:
// to migrate each takes several times as long.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "thingd-dbtest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "template.db")
	d, err := db.Open(context.Background(), "sqlite:"+file, db.Options{})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// Open opens the database that url names without syncing to disk, and closes
// it when the test ends.
func Open(tb testing.TB, url string) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), url, db.Options{
		Logger: slog.New(slog.NewTextHandler(tb.Output(), nil)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}
