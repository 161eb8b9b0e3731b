package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"sync"
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

// PostgresURL creates an empty PostgreSQL database, dropped when the test ends,
// and returns its URL. It skips or fails the test where there is no server.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	needServer(tb)
	name := "thingd_test_" + strings.ToLower(rand.Text()[:12])
	create(tb, name, "template0")
	tb.Cleanup(func() { exec(tb, context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`) })
	return named(tb, name)
}

// needServer skips or fails the test where there is no PostgreSQL server.
func needServer(tb testing.TB) {
	tb.Helper()
	if os.Getenv(Server) != "" {
		return
	}
	const help = "no PostgreSQL: set " + Server + " to the URL of a server (scripts/test-postgres.sh start prints one)"
	if os.Getenv(Require) == "1" {
		tb.Fatal(help)
	}
	tb.Skip(help)
}

// server is for statements that belong to the server rather than to a database.
var server = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("pgx", os.Getenv(Server)) })

// on is the server, for a test that needs it.
func on(tb testing.TB) *sql.DB {
	tb.Helper()
	pool, err := server()
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	return pool
}

func exec(tb testing.TB, ctx context.Context, statement string) {
	tb.Helper()
	if _, err := on(tb).ExecContext(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

func create(tb testing.TB, name, template string) {
	tb.Helper()
	var version int
	if err := on(tb).QueryRowContext(tb.Context(), `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	statement := `CREATE DATABASE ` + name + ` TEMPLATE ` + template + ` ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`
	if version >= 150000 {
		statement += ` STRATEGY FILE_COPY` // faster than to log each page, where nothing is synced
	}
	exec(tb, tb.Context(), statement)
}

// named is the URL of another database of the server.
func named(tb testing.TB, name string) string {
	tb.Helper()
	u, err := url.Parse(os.Getenv(Server))
	if err != nil {
		tb.Fatalf("%s: %v", Server, err)
	}
	u.Path = "/" + name
	return u.String()
}

// template is a migrated database that others are copied from. It is made once
// for all tests and stays.
func template(tb testing.TB) string {
	tb.Helper()
	name := "thingd_template_" + db.Schema()[:12]
	there := func() (there bool) {
		if err := on(tb).QueryRowContext(tb.Context(), `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
			tb.Fatal(err)
		}
		return there
	}
	if there() {
		return name
	}
	unlock, _ := lock(tb, name, true)
	defer unlock()
	if there() {
		return name
	}
	half := name + "_half"
	exec(tb, tb.Context(), `DROP DATABASE IF EXISTS `+half+` WITH (FORCE)`)
	create(tb, half, "template0")
	d, err := db.Open(tb.Context(), named(tb, half), db.Options{})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	exec(tb, tb.Context(), `ALTER DATABASE `+half+` RENAME TO `+name)
	return name
}

// lock takes a lock of a name, which the end of the process gives back too;
// unless it is to wait, only if nobody else has it.
func lock(tb testing.TB, name string, wait bool) (unlock func(), got bool) {
	tb.Helper()
	conn, err := on(tb).Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	got = true
	if wait {
		_, err = conn.ExecContext(tb.Context(), `SELECT pg_advisory_lock(hashtext($1))`, name)
	} else {
		err = conn.QueryRowContext(tb.Context(), `SELECT pg_try_advisory_lock(hashtext($1))`, name).Scan(&got)
	}
	if err != nil || !got {
		_ = conn.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.Background(), `SELECT pg_advisory_unlock(hashtext($1))`, name); err != nil {
			tb.Error(err)
		}
		_ = conn.Close()
	}, got
}
