// Package dbtest gives store tests fresh, migrated databases of every kind that
// thingd supports, so that each test runs on all of them.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/thingd/thingd/internal/db"
)

const (
	// Server is the environment variable with the URL of a PostgreSQL server
	// on which databases may be created (scripts/test-postgres.sh starts one).
	Server = "THINGD_TEST_POSTGRES"
	// Require is the environment variable that, set to 1, turns skipping the
	// PostgreSQL half of the tests into failing.
	Require = "THINGD_TEST_REQUIRE_POSTGRES"
)

// Each runs fn as the subtests "sqlite" and "postgres", each on a database of
// its own that is removed afterwards.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Open(t, PostgresURL(t))) })
}

// SQLite opens a fresh SQLite database, closed when the test ends.
func SQLite(tb testing.TB) *db.DB {
	tb.Helper()
	return Open(tb, "sqlite:"+filepath.Join(tb.TempDir(), "test.db"))
}

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

// PostgresURL creates an empty PostgreSQL database, dropped when the test ends,
// and returns its URL. It skips or fails the test where there is no server.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(Server)
	if server == "" {
		const help = "no PostgreSQL: set " + Server + " to the URL of a server (scripts/test-postgres.sh start prints one)"
		if os.Getenv(Require) == "1" {
			tb.Fatal(help)
		}
		tb.Skip(help)
	}
	name := "thingd_test_" + strings.ToLower(rand.Text()[:12])
	exec(tb, tb.Context(), server, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`)
	tb.Cleanup(func() {
		exec(tb, context.Background(), server, `DROP DATABASE `+name+` WITH (FORCE)`)
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	u.Path = "/" + name
	return u.String()
}

// exec runs a statement that belongs to the server rather than to a database.
func exec(tb testing.TB, ctx context.Context, server, statement string) {
	tb.Helper()
	pool, err := sql.Open("pgx", server)
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}
