package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Tx is a transaction. It belongs to the function it was given to and to one
// goroutine, and is of no use after that function has returned.
type Tx struct {
	q querier
	// pinned transactions share their connection with others (SQLite's
	// batches), where interrupting a statement would roll all of them back.
	// The context is looked at before each statement instead.
	pinned bool
	failed error // of the first statement that failed
}

// Exec runs a statement and returns the number of rows it changed.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, err := t.begin(ctx, args)
	if err != nil {
		return 0, err
	}
	res, err := t.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, t.fail(err)
	}
	return res.RowsAffected()
}

// QueryRow prepares a query of one row; it runs when the row is scanned, also
// if it is an INSERT or UPDATE with RETURNING.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return &Row{ctx: ctx, tx: t, query: query, args: args}
}

// Query runs a query. The rows must be closed before the next statement of the
// transaction.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	ctx, err := t.begin(ctx, args)
	if err != nil {
		return nil, err
	}
	rows, err := t.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, t.fail(err)
	}
	return &Rows{rows: rows, tx: t}, nil
}

func (t *Tx) begin(ctx context.Context, args []any) (context.Context, error) {
	if t.failed != nil {
		return nil, fmt.Errorf("transaction is lost after an earlier error: %w", t.failed)
	}
	if err := checkArgs(args); err != nil {
		return nil, t.fail(err)
	}
	if err := ctx.Err(); err != nil {
		return nil, t.fail(err)
	}
	if t.pinned {
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, nil
}

func (t *Tx) fail(err error) error {
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// result is what a transaction's function came to: its own error first, unless
// it is nil and a statement failed.
func (t *Tx) result(err error) error {
	if err == nil {
		return t.failed
	}
	return err
}

// Row is the one row of a query that Scan runs.
type Row struct {
	ctx   context.Context
	db    *DB // or
	tx    *Tx
	query string
	args  []any
}

// Scan runs the query and copies the columns of its first row into dest, as
// database/sql does (*string, *int64, *int, *bool, *[]byte, and pointers to
// pointers or sql.Null for what can be NULL). ErrNotFound when there is none.
func (r *Row) Scan(dest ...any) error {
	if r.tx != nil {
		rows, err := r.tx.Query(r.ctx, r.query, r.args...)
		if err != nil {
			return err
		}
		return one(rows, dest)
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	ctx := r.ctx
	if r.db.embedded {
		ctx = context.WithoutCancel(ctx)
	}
	if err := checkArgs(r.args); err != nil {
		return err
	}
	q, release, err := r.db.e.acquire(r.ctx)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, r.query, r.args...)
	if err != nil {
		release()
		return err
	}
	return one(&Rows{rows: rows, release: release}, dest)
}

func one(rows *Rows, dest []any) error {
	if !rows.Next() {
		if err := rows.Close(); err != nil {
			return err
		}
		return ErrNotFound
	}
	if err := rows.Scan(dest...); err != nil {
		return errors.Join(err, rows.Close())
	}
	// INSERT … RETURNING is complete only when it was stepped to its end.
	for rows.Next() {
	}
	return rows.Close()
}

// Rows are the rows of a query. Close them when done; to have Err, or Close
// itself, looked at is how a broken query differs from one that ended.
type Rows struct {
	rows    *sql.Rows
	tx      *Tx
	release func()
	err     error
}

// Next moves to the next row and says whether there is one.
func (r *Rows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.note(r.rows.Err())
	return false
}

// Scan copies the columns of the current row into dest, as Row.Scan does.
func (r *Rows) Scan(dest ...any) error {
	for i := range dest {
		if _, ok := dest[i].(*[]byte); ok {
			return r.rows.Scan(wrapBytes(dest)...)
		}
	}
	return r.rows.Scan(dest...)
}

// wrapBytes replaces each *[]byte by a scanner that tells empty from NULL:
// SQLite's driver has a nil slice for an empty value.
func wrapBytes(dest []any) []any {
	wrapped := slices.Clone(dest)
	for i := range wrapped {
		if p, ok := wrapped[i].(*[]byte); ok {
			wrapped[i] = (*bytesValue)(p)
		}
	}
	return wrapped
}

type bytesValue []byte

// Scan implements sql.Scanner.
func (b *bytesValue) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*b = nil
	case []byte:
		*b = append(make([]byte, 0, len(v)), v...)
	default:
		return fmt.Errorf("scan %T into *[]byte", src)
	}
	return nil
}

// Err returns the error that ended Next.
func (r *Rows) Err() error { return r.err }

// Close ends the query and returns what went wrong in it. It may be called
// more than once.
func (r *Rows) Close() error {
	r.note(r.rows.Close())
	if r.release != nil {
		r.release()
		r.release = nil
	}
	return r.err
}

func (r *Rows) note(err error) {
	if err == nil {
		return
	}
	if r.err == nil {
		r.err = err
	}
	if r.tx != nil {
		_ = r.tx.fail(err)
	}
}

// checkArgs refuses what one database would take and the other would not, or
// not give back as it was.
func checkArgs(args []any) error {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			if strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
				return fmt.Errorf("parameter $%d: %w", i+1, ErrText)
			}
		case *string:
			if v != nil && (strings.IndexByte(*v, 0) >= 0 || !utf8.ValidString(*v)) {
				return fmt.Errorf("parameter $%d: %w", i+1, ErrText)
			}
		case time.Time, *time.Time, sql.NullTime:
			return fmt.Errorf("parameter $%d: store times as BIGINT milliseconds", i+1)
		}
	}
	return nil
}
