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
	t.Run("postgres", func(t *testing.T) { fn(t, Open(t, postgresURL(t, template(t)))) })
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
	return postgresURL(tb, "template0")
}

// server is the PostgreSQL server's URL. It skips or fails the test where there
// is none.
func server(tb testing.TB) string {
	tb.Helper()
	url := os.Getenv(Server)
	if url == "" {
		const help = "no PostgreSQL: set " + Server + " to the URL of a server (scripts/test-postgres.sh start prints one)"
		if os.Getenv(Require) == "1" {
			tb.Fatal(help)
		}
		tb.Skip(help)
	}
	return url
}

func postgresURL(tb testing.TB, template string) string {
	tb.Helper()
	server := server(tb)
	name := "thingd_test_" + strings.ToLower(rand.Text()[:12])
	create(tb, server, name, template)
	tb.Cleanup(func() {
		exec(tb, context.Background(), server, `DROP DATABASE `+name+` WITH (FORCE)`)
	})
	return named(tb, server, name)
}

// template is a migrated database that others are copied from: to migrate each
// takes several times as long. It is made once for all tests and stays.
func template(tb testing.TB) string {
	tb.Helper()
	server := server(tb)
	name := "thingd_template_" + db.Schema()[:12]
	pool, err := sql.Open("pgx", server)
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	defer pool.Close()
	there := func() (there bool) {
		if err := pool.QueryRowContext(tb.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
			tb.Fatal(err)
		}
		return there
	}
	if there() {
		return name
	}
	conn, err := pool.Conn(tb.Context()) // whose end gives the lock back
	if err == nil {
		defer conn.Close()
		_, err = conn.ExecContext(tb.Context(), `SELECT pg_advisory_lock(hashtext($1))`, name)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if there() {
		return name
	}
	half := name + "_half"
	exec(tb, tb.Context(), server, `DROP DATABASE IF EXISTS `+half+` WITH (FORCE)`)
	create(tb, server, half, "template0")
	d, err := db.Open(tb.Context(), named(tb, server, half), db.Options{})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	exec(tb, tb.Context(), server, `ALTER DATABASE `+half+` RENAME TO `+name)
	return name
}

func create(tb testing.TB, server, name, template string) {
	tb.Helper()
	pool, err := sql.Open("pgx", server)
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	defer pool.Close()
	var version int
	if err := pool.QueryRowContext(tb.Context(), `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		tb.Fatal(err)
	}
	statement := `CREATE DATABASE ` + name + ` TEMPLATE ` + template + ` ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`
	if version >= 150000 {
		statement += ` STRATEGY FILE_COPY` // faster than to log each page, where nothing is synced
	}
	if _, err := pool.ExecContext(tb.Context(), statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// named is the URL of another database of the server.
func named(tb testing.TB, server, name string) string {
	tb.Helper()
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
