package dbtest

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// lend returns the URL of a migrated, empty PostgreSQL database that is the
// test's until it ends. Databases are used again and again: to copy one and to
// drop it costs more than most tests do. Which are in use the server's locks
// say, so that those of a process that was killed come back; whoever gets one
// empties it first, and makes it anew if its schema is not what it was.
func lend(tb testing.TB) string {
	tb.Helper()
	needServer(tb)
	from := template(tb)
	for n := 0; ; n++ {
		name := fmt.Sprintf("thingd_lent_%s_%d", db.Schema()[:12], n)
		unlock, got := lock(tb, name, false)
		if !got {
			continue
		}
		tb.Cleanup(unlock)
		var looked *string
		err := on(tb).QueryRowContext(tb.Context(), `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1`, name).Scan(&looked)
		switch {
		case err == nil && looked != nil && empty(tb, name) == *looked:
			return named(tb, name)
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			tb.Fatal(err)
		}
		exec(tb, tb.Context(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		create(tb, name, from)
		exec(tb, tb.Context(), `COMMENT ON DATABASE `+name+` IS '`+empty(tb, name)+`'`)
		return named(tb, name)
	}
}

// empty ends what uses a database, deletes all rows but those that tell of
// migrations, and returns a sum over its schema and them.
func empty(tb testing.TB, name string) (sum string) {
	tb.Helper()
	ctx := tb.Context()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n int
		if err := on(tb).QueryRowContext(ctx, `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1`, name).Scan(&n); err != nil {
			tb.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d connections to %s do not end", n, name)
		}
	}
	pool, err := sql.Open("pgx", named(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	if _, err = pool.ExecContext(ctx, deleteAll); err == nil {
		err = pool.QueryRowContext(ctx, schemaSum).Scan(&sum)
	}
	if err != nil {
		tb.Fatalf("empty %s: %v", name, err)
	}
	return sum
}

// deleteAll leaves tables alone that nobody wrote to: most.
const deleteAll = `
DO $$ DECLARE written text; BEGIN
	SELECT string_agg(oid::regclass::text, ', ') INTO written FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations' AND pg_relation_size(oid) > 0;
	IF written IS NOT NULL THEN
		EXECUTE 'TRUNCATE ' || written || ' CASCADE';
	END IF;
END $$`

// schemaSum covers what tests might have changed of a schema.
const schemaSum = `
SELECT md5(string_agg(x, ';' ORDER BY x)) FROM (
	SELECT concat_ws(' ', n.nspname, c.relkind, c.relname, a.attname, a.atttypid, a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS x
	FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
	LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
	UNION ALL SELECT concat_ws(' ', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
	UNION ALL SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
	UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
	UNION ALL SELECT concat_ws(' ', number, name, checksum) FROM schema_migrations
) s`
