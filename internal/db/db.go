// Package db is the only place that knows a SQL dialect. It opens a SQLite
// file or a PostgreSQL database, brings its schema up to date, runs
// transactions, and gives every error that callers decide on the same name on
// both. What the statements say is the business of the domains: each writes
// its SQL once, with $1 parameters and the types TEXT, BIGINT, BOOLEAN and
// BYTEA, and both databases run it unchanged and order TEXT by its bytes.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Options says how to open a database.
type Options struct {
	// Sync makes Write wait until the disk has the data. False is for --dev
	// and tests: what is acknowledged survives the process, not the machine.
	Sync bool
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Conns bounds the connections: readers on SQLite (default 8), all of
	// them on PostgreSQL (default 24).
	Conns int
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	e engine
	// embedded databases find a row faster than their driver and database/sql
	// start the goroutines that watch a context.
	embedded bool
}

// engine is a database that can run transactions: sqlite or postgres.
type engine interface {
	read(ctx context.Context, fn func(*Tx) error) error
	// write waits for the disk, unless soon is enough.
	write(ctx context.Context, soon bool, fn func(*Tx) error) error
	// acquire lends something to run one query on; release takes it back.
	acquire(ctx context.Context) (querier, func(), error)
	// schema runs fn in one transaction on which no other may overlap that
	// touches the schema; fn may drop and create tables.
	schema(ctx context.Context, fn func(schemaTx) error) error
	tables(ctx context.Context, tx schemaTx) ([]string, error)
	cascade() string
	shrink()
	close() error
}

// Open opens the database that url names, "sqlite:/path/file.db" or
// "postgres://user@host/name", and runs the migrations that it lacks. A
// database that a newer thingd has migrated is refused with ErrNewer.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var e engine
	var err error
	embeds := strings.HasPrefix(url, "sqlite:")
	switch {
	case embeds:
		e, err = openSQLite(ctx, url, o)
	case strings.HasPrefix(url, "postgres:"), strings.HasPrefix(url, "postgresql:"):
		e, err = openPostgres(ctx, url, o)
	default:
		scheme, _, _ := strings.Cut(url, ":")
		return nil, fmt.Errorf("open database: unknown kind %q, want sqlite:/path/file.db or postgres://user@host/name", scheme)
	}
	if err != nil {
		return nil, err
	}
	list, err := embedded()
	if err == nil {
		err = migrate(ctx, e, list, o.Logger)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &DB{e: e, embedded: embeds}, nil
}

// Close waits for the running transactions and closes the database. Writes
// that have not begun return ErrClosed.
func (d *DB) Close() error { return d.e.close() }

// Read runs fn in a transaction that sees one consistent snapshot and cannot
// write. A read of a single statement is faster with DB.QueryRow or DB.Query.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.e.read(ctx, fn)
}

// Write runs fn in a serializable transaction. When it returns nil, all that
// fn wrote is durable; when it returns an error, none of it happened. It
// returns fn's error, or that of the first statement that failed: after it the
// transaction is lost, whatever fn makes of the error (use ON CONFLICT for
// conflicts that are to be expected).
//
// fn may be run again after a conflict, so it must set its results anew each
// time and have no effects beyond its statements. SQLite runs one fn at a time:
// it must not wait for anything but its statements and must not call Write.
// A panic in fn rolls back and goes on in the caller. A write whose context
// ends before its turn is dropped; after fn has returned, the context has no
// say any more.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return d.e.write(ctx, false, fn)
}

// WriteSoon is Write for what is made good from elsewhere when the process starts: others see at once what fn wrote, and it
// survives this process, but if the machine crashes it may be lost. Whatever was committed before something durable is
// durable then. On PostgreSQL, which may crash alone, it is Write. SQLite runs fn in a goroutine that all share: it must
// not end that (runtime.Goexit, or a test's FailNow).
func (d *DB) WriteSoon(ctx context.Context, fn func(*Tx) error) error {
	return d.e.write(ctx, true, fn)
}

// QueryRow prepares a query of one row outside of a transaction; it runs when
// the row is scanned.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return &Row{ctx: ctx, db: d, query: query, args: args}
}

// Query runs a query outside of a transaction. The rows hold a connection until
// they are closed: make no other call on the database before.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	q, release, err := d.e.acquire(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		release()
		return nil, err
	}
	return &Rows{rows: rows, release: release}, nil
}

// Shrink gives back what the database keeps in memory for busier times than
// these: call it when they are over.
func (d *DB) Shrink() { d.e.shrink() }

// Reset empties the database and migrates it anew, in one transaction: running
// transactions end first, later ones see the empty database. It is for --dev.
func (d *DB) Reset(ctx context.Context) error {
	list, err := embedded()
	if err != nil {
		return err
	}
	return d.e.schema(ctx, func(tx schemaTx) error {
		names, err := d.e.tables(ctx, tx)
		if err != nil {
			return fmt.Errorf("reset database: %w", err)
		}
		for _, name := range names {
			if _, err := tx.ExecContext(ctx, "DROP TABLE "+quote(name)+d.e.cascade()); err != nil {
				return fmt.Errorf("reset database: drop %s: %w", name, err)
			}
		}
		return apply(ctx, tx, list)
	})
}

// quote makes an identifier of a name from the database's own catalogue.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// querier runs statements: *sql.DB, *sql.Tx and conn do.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// schemaTx is the transaction that migrations run in.
type schemaTx interface{ querier }
