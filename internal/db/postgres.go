package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// maxAttempts bounds how often a transaction is run that others keep getting
// in the way of.
const maxAttempts = 20

// schemaLock is the advisory lock that nodes which migrate at once queue for.
const schemaLock = 0x7468696e6764 // "thingd"

// postgres is a PostgreSQL database, or what speaks its protocol. pgx keeps the
// prepared statements of each connection.
type postgres struct {
	log *slog.Logger
	db  *sql.DB

	closed atomic.Bool
}

func openPostgres(ctx context.Context, url string, o Options) (*postgres, error) {
	config, err := pgx.ParseConfig(url) // its errors have the password removed
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "thingd"
	}
	config.StatementCacheCapacity = maxStatements
	if o.Conns <= 0 {
		o.Conns = 24
	}
	durable := `SELECT set_config('synchronous_commit', 'off', false)`
	if o.Sync {
		// The operator may ask for more than on, or for local, but not for less.
		durable = `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`
	}
	db := sql.OpenDB(stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, durable)
		return err
	})))
	db.SetMaxOpenConns(o.Conns)
	db.SetMaxIdleConns(o.Conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	p := &postgres{log: o.Logger, db: db}
	if err := p.check(ctx, config.Database); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return p, nil
}

// check refuses a database that would order text differently from SQLite:
// paging by name and lookups by prefix rest on the order of bytes.
func (p *postgres) check(ctx context.Context, name string) error {
	var encoding string
	if err := p.db.QueryRowContext(ctx, `SELECT current_setting('server_encoding')`).Scan(&encoding); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	var bytewise bool
	err := p.db.QueryRowContext(ctx, `SELECT ('B' < 'a') AND ('a-b' < 'aa') AND ('a b' < 'a-a') AND ('z' < U&'\00e9') AND (U&'\FFFD' < U&'\+01F600')`).Scan(&bytewise)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if encoding != "UTF8" || !bytewise {
		return fmt.Errorf("database %s orders text by a language's rules or is not UTF-8 (%s); create it with: "+
			"CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'", name, encoding, quote(name))
	}
	return nil
}

func (p *postgres) acquire(context.Context) (querier, func(), error) {
	if p.closed.Load() {
		return nil, nil, ErrClosed
	}
	return p.db, func() {}, nil
}

func (p *postgres) read(ctx context.Context, fn func(*Tx) error) error {
	return p.transact(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

// write always waits for the disk: the database's machine may crash while ours goes on, and nobody would notice that there
// is something to make good.
func (p *postgres) write(ctx context.Context, _ bool, fn func(*Tx) error) error {
	return p.retry(ctx, func() error {
		return p.transact(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, fn)
	})
}

func (p *postgres) schema(ctx context.Context, fn func(schemaTx) error) error {
	return p.retry(ctx, func() error {
		return p.transact(ctx, nil, func(tx *Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
				return fmt.Errorf("wait for other nodes' migrations: %w", err)
			}
			return fn(tx.q)
		})
	})
}

// retry runs a transaction again while it fails because of others, after
// pauses that grow and are random, so that two do not meet again and again.
func (p *postgres) retry(ctx context.Context, run func() error) error {
	pause := time.Millisecond
	for attempt := 1; ; attempt++ {
		err := run()
		if err == nil || attempt == maxAttempts || !isConflict(err) {
			return p.plain(err)
		}
		select {
		case <-time.After(rand.N(pause) + pause/4):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// lost is a statement's failure that fn turned into an error of its own, or
// swallowed. Only the first decides whether to try again.
type lost struct {
	err   error // what fn returned
	cause error // what happened
}

func (l *lost) Error() string { return l.err.Error() }
func (l *lost) Unwrap() error { return l.cause }

// plain takes fn's own error out again.
func (p *postgres) plain(err error) error {
	if l, ok := errors.AsType[*lost](err); ok {
		return l.err
	}
	return err
}

func (p *postgres) transact(ctx context.Context, o *sql.TxOptions, fn func(*Tx) error) error {
	// The context ends statements, not the transaction: a commit that has begun
	// is waited for, so that its outcome is known.
	t, err := p.db.BeginTx(context.WithoutCancel(ctx), o)
	if err != nil {
		if p.closed.Load() {
			return ErrClosed
		}
		return fmt.Errorf("begin: %w", err)
	}
	ended := false
	defer func() { // also when fn panics
		if !ended {
			_ = t.Rollback()
		}
	}()
	tx := &Tx{q: t}
	err = tx.result(fn(tx))
	ended = true
	if err != nil {
		_ = t.Rollback() // a broken connection rolls back by itself
		if tx.failed != nil {
			return &lost{err: err, cause: tx.failed}
		}
		return err
	}
	if err := t.Commit(); err != nil {
		if isLost(err) {
			err = fmt.Errorf("%w: %w", errInDoubt, err)
		}
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (p *postgres) tables(ctx context.Context, tx schemaTx) ([]string, error) {
	return names(tx.QueryContext(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`))
}

func (p *postgres) cascade() string { return " CASCADE" }

func (p *postgres) shrink() {} // the pool closes what is idle by itself

func (p *postgres) close() error {
	p.closed.Store(true)
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}
