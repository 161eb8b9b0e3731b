package db_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// TestCollation refuses a database that sorts like a dictionary.
func TestCollation(t *testing.T) {
	server := os.Getenv(dbtest.Server)
	url := dbtest.PostgresURL(t) // skips without a server
	pool, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	name := url[strings.LastIndexByte(url, '/')+1:]
	name, params, _ := strings.Cut(name, "?")
	name += "_icu"
	if _, err := pool.ExecContext(t.Context(), `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'`); err != nil {
		t.Skipf("the server has no ICU: %v", err)
	}
	defer pool.ExecContext(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`)
	d, err := db.Open(t.Context(), url[:strings.LastIndexByte(url, '/')+1]+name+"?"+params, db.Options{})
	if err == nil {
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "CREATE DATABASE \""+name+"\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// TestOpenTogether has several nodes migrate an empty database at once.
func TestOpenTogether(t *testing.T) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + t.TempDir() + "/x.db" },
		"postgres": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var target string
			if url != nil {
				target = url()
			} else {
				target = dbtest.PostgresURL(t)
			}
			errs := make(chan error)
			const nodes = 5
			for range nodes {
				go func() {
					d, err := db.Open(t.Context(), target, db.Options{})
					if err == nil {
						err = d.Close()
					}
					errs <- err
				}()
			}
			for range nodes {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestCanceledStatement ends a long statement with its context, and goes on
// with the same database.
func TestCanceledStatement(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := d.Read(ctx, func(tx *db.Tx) error {
			rows, err := tx.Query(ctx, `WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000000) SELECT COUNT(*) FROM c`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Close()
		})
		if err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		for range 20 {
			count(t, d, "meta")
			write(t, d, `DELETE FROM meta`)
		}
	})
}

// TestInDoubt loses the connection between the last statement and the commit.
func TestInDoubt(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgresURL(t))
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		var pid int64
		if err := tx.QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		var ended bool
		return d.QueryRow(t.Context(), `SELECT pg_terminate_backend($1::bigint::int, 5000)`, pid).Scan(&ended)
	})
	if !db.InDoubt(err) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v", err)
	}
	plain := errors.New("plain")
	if err := d.Write(t.Context(), func(*db.Tx) error { return plain }); err != plain || db.InDoubt(err) {
		t.Fatalf("got %v", err)
	}
}
