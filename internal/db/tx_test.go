package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// create makes the tables of a test.
func create(tb testing.TB, d *db.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		write(tb, d, s)
	}
}

func write(tb testing.TB, d *db.DB, query string, args ...any) {
	tb.Helper()
	err := d.Write(tb.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(tb.Context(), query, args...)
		return err
	})
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

func count(tb testing.TB, d *db.DB, table string) int {
	tb.Helper()
	var n int
	if err := d.QueryRow(tb.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestValuesRoundTrip(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, `CREATE TABLE v (id TEXT NOT NULL PRIMARY KEY, s TEXT, n BIGINT, b BOOLEAN, x BYTEA)`)
		text, number, yes := "pointer", int64(7), true
		for i, tt := range []struct {
			s, n, b, x any
			wantS      sql.Null[string]
			wantN      sql.Null[int64]
			wantB      sql.Null[bool]
			wantX      []byte
		}{
			{nil, nil, nil, nil, sql.Null[string]{}, sql.Null[int64]{}, sql.Null[bool]{}, nil},
			{"", int64(0), false, []byte{}, some(""), some(int64(0)), some(false), []byte{}},
			{"0123", int64(math.MaxInt64), true, []byte("0123"), some("0123"), some(int64(math.MaxInt64)), some(true), []byte("0123")},
			{"1e3", int64(math.MinInt64), true, []byte{0, 255, 0}, some("1e3"), some(int64(math.MinInt64)), some(true), []byte{0, 255, 0}},
			{"héllo ☃ 😀", 1 << 40, false, []byte("1.5"), some("héllo ☃ 😀"), some(int64(1 << 40)), some(false), []byte("1.5")},
			{&text, &number, &yes, bytes.Repeat([]byte{7}, 1<<20), some(text), some(number), some(yes), bytes.Repeat([]byte{7}, 1<<20)},
			{(*string)(nil), (*int64)(nil), (*bool)(nil), []byte(nil), sql.Null[string]{}, sql.Null[int64]{}, sql.Null[bool]{}, nil},
		} {
			id := fmt.Sprint(i)
			write(t, d, `INSERT INTO v (id, s, n, b, x) VALUES ($1, $2, $3, $4, $5)`, id, tt.s, tt.n, tt.b, tt.x)
			var s sql.Null[string]
			var n sql.Null[int64]
			var b sql.Null[bool]
			var x []byte
			if err := d.QueryRow(t.Context(), `SELECT s, n, b, x FROM v WHERE id = $1`, id).Scan(&s, &n, &b, &x); err != nil {
				t.Fatalf("row %s: %v", id, err)
			}
			if s != tt.wantS || n != tt.wantN || b != tt.wantB || !bytes.Equal(x, tt.wantX) || (x == nil) != (tt.wantX == nil) {
				t.Errorf("row %s: got %v %v %v %.20q (nil: %v)", id, s, n, b, x, x == nil)
			}
			var ps *string
			var pn *int64
			var pb *bool
			if err := d.QueryRow(t.Context(), `SELECT s, n, b FROM v WHERE id = $1`, id).Scan(&ps, &pn, &pb); err != nil {
				t.Fatalf("row %s: %v", id, err)
			}
			if (ps != nil) != s.Valid || (pn != nil) != n.Valid || (pb != nil) != b.Valid {
				t.Errorf("row %s: pointers %v %v %v", id, ps, pn, pb)
			}
		}
	})
}

func some[T any](v T) sql.Null[T] { return sql.Null[T]{V: v, Valid: true} }

func TestRefusedArguments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, s := range []string{"a\x00b", "\xff", "a\xc3"} {
			err := d.QueryRow(t.Context(), `SELECT value FROM meta WHERE key = $1`, s).Scan(new(string))
			if !errors.Is(err, db.ErrText) {
				t.Errorf("%q: %v, want ErrText", s, err)
			}
		}
	})
}

func TestParametersByNumber(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, `CREATE TABLE p (a TEXT NOT NULL, b TEXT NOT NULL, c TEXT NOT NULL)`)
		// Out of order, and one used twice.
		write(t, d, `INSERT INTO p (c, b, a) VALUES ($3, $2, $1)`, "a", "b", "c")
		var a, b, c string
		err := d.QueryRow(t.Context(), `SELECT a, b, c FROM p WHERE b = $2 AND a = $1 AND a = $1`, "a", "b").Scan(&a, &b, &c)
		if err != nil || a+b+c != "abc" {
			t.Errorf("got %q %q %q, %v", a, b, c, err)
		}
	})
}

func TestTextIsOrderedByBytes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, `CREATE TABLE o (name TEXT NOT NULL PRIMARY KEY)`)
		names := []string{"", " ", "-", "A", "B", "Z", "_", "a", "a-b", "a.b", "a_b", "aa", "ab", "b", "é", "\ufffd", "😀"}
		slices.Sort(names)
		for i := range names {
			write(t, d, `INSERT INTO o (name) VALUES ($1)`, names[(i*7)%len(names)])
		}
		var got []string
		after, more := "", true
		for more {
			rows, err := d.Query(t.Context(), `SELECT name FROM o WHERE name > $1 ORDER BY name LIMIT $2`, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			more = false
			for rows.Next() {
				if err := rows.Scan(&after); err != nil {
					t.Fatal(err)
				}
				got, more = append(got, after), true
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, names[1:]) {
			t.Errorf("got %q, want %q", got, names[1:])
		}
	})
}

func TestErrors(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		create(t, d,
			`CREATE TABLE parent (id TEXT NOT NULL PRIMARY KEY, email TEXT UNIQUE)`,
			`CREATE TABLE child (id TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL REFERENCES parent (id))`)
		write(t, d, `INSERT INTO parent (id, email) VALUES ('p', 'e')`)
		write(t, d, `INSERT INTO child (id, parent) VALUES ('c', 'p')`)
		for _, tt := range []struct {
			statement          string
			unique, foreignKey bool
		}{
			{`INSERT INTO parent (id) VALUES ('p')`, true, false},
			{`INSERT INTO parent (id, email) VALUES ('q', 'e')`, true, false},
			{`INSERT INTO child (id, parent) VALUES ('d', 'nobody')`, false, true},
			{`DELETE FROM parent WHERE id = 'p'`, false, true},
			{`INSERT INTO child (id) VALUES ('d')`, false, false},
			{`INSERT INTO nowhere (id) VALUES ('d')`, false, false},
		} {
			err := d.Write(ctx, func(tx *db.Tx) error {
				if _, err := tx.Exec(ctx, tt.statement); err != nil {
					return fmt.Errorf("wrapped: %w", err)
				}
				return nil
			})
			if err == nil || db.IsUnique(err) != tt.unique || db.IsForeignKey(err) != tt.foreignKey {
				t.Errorf("%s: %v: unique %v, foreign key %v", tt.statement, err, db.IsUnique(err), db.IsForeignKey(err))
			}
		}
		if err := d.QueryRow(ctx, `SELECT id FROM parent WHERE id = $1`, "none").Scan(new(string)); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("no row: %v", err)
		}
		err := d.Write(ctx, func(tx *db.Tx) error {
			// ErrNotFound does not spoil a transaction.
			if err := tx.QueryRow(ctx, `UPDATE parent SET email = 'x' WHERE id = 'none' RETURNING id`).Scan(new(string)); !errors.Is(err, db.ErrNotFound) {
				return fmt.Errorf("no row: %v", err)
			}
			var id string
			if err := tx.QueryRow(ctx, `INSERT INTO parent (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET email = 'f' RETURNING email`, "p").Scan(&id); err != nil {
				return err
			}
			if id != "f" {
				return fmt.Errorf("returning: %q", id)
			}
			n, err := tx.Exec(ctx, `INSERT INTO parent (id) VALUES ($1) ON CONFLICT DO NOTHING`, "p")
			if n != 0 {
				return fmt.Errorf("rows: %d", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestWriteRollsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		create(t, d, `CREATE TABLE r (id TEXT NOT NULL PRIMARY KEY)`)
		insert := func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO r (id) VALUES ('x')`)
			return err
		}
		boom := errors.New("boom")
		if err := d.Write(ctx, func(tx *db.Tx) error { return errors.Join(insert(tx), boom) }); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		// A failed statement spoils the transaction, whatever fn says.
		err := d.Write(ctx, func(tx *db.Tx) error {
			if err := insert(tx); err != nil {
				return err
			}
			if err := insert(tx); !db.IsUnique(err) {
				t.Errorf("second insert: %v", err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO r (id) VALUES ('y')`); err == nil {
				t.Error("a statement ran in a lost transaction")
			}
			return nil
		})
		if !db.IsUnique(err) {
			t.Errorf("swallowed error: %v", err)
		}
		func() {
			defer func() {
				if v := recover(); v != "oh" {
					t.Errorf("recovered %v", v)
				}
			}()
			_ = d.Write(ctx, func(tx *db.Tx) error {
				if err := insert(tx); err != nil {
					t.Error(err)
				}
				panic("oh")
			})
		}()
		func() {
			defer func() { _ = recover() }()
			_ = d.Read(ctx, func(tx *db.Tx) error { panic("oh") })
		}()
		exited := make(chan struct{})
		go func() { // as t.FailNow in fn does
			defer close(exited)
			_ = d.Write(ctx, func(tx *db.Tx) error {
				if err := insert(tx); err != nil {
					t.Error(err)
				}
				runtime.Goexit()
				return nil
			})
		}()
		<-exited
		if n := count(t, d, "r"); n != 0 {
			t.Errorf("%d rows, want none", n)
		}
	})
}

func TestRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		create(t, d, `CREATE TABLE s (n BIGINT NOT NULL)`)
		err := d.Read(ctx, func(tx *db.Tx) error {
			var before, after int
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM s`).Scan(&before); err != nil {
				return err
			}
			write(t, d, `INSERT INTO s (n) VALUES (1)`)
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM s`).Scan(&after); err != nil {
				return err
			}
			if before != 0 || after != 0 {
				t.Errorf("the snapshot moved: %d, %d", before, after)
			}
			_, err := tx.Exec(ctx, `INSERT INTO s (n) VALUES (2)`)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "read") {
			t.Errorf("a write in Read: %v", err)
		}
		if n := count(t, d, "s"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if err := d.QueryRow(canceled, `SELECT 1`).Scan(new(int)); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}
