// Package globfile is glob storage in a file of its own, for runs of the command line: an SQLite file that only its owner may
// read. What Set and Delete have returned for is on disk, whatever happens to the process; several processes may share a file.
// It keeps the states of devices between runs too.
package globfile

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the driver
)

// Bounds, as script.Glob has them.
const (
	maxKey   = 512
	maxValue = 256 << 10
)

// File is an open file. It is safe for concurrent use.
type File struct {
	db *sql.DB

	mu      sync.Mutex
	queue   []*change
	writing bool
}

// change is a write that waits for its commit; a nil value deletes.
type change struct {
	query string
	args  []any
	done  chan error
}

const schema = `
CREATE TABLE IF NOT EXISTS glob (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (model TEXT NOT NULL, client INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY (model, client)) WITHOUT ROWID;`

// Open opens a file, and makes it if it is not there, with the directories above it.
func Open(path string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// SQLite gives the files beside it the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, err
	}
	// The cache is a small one: devices read their keys once, and a connection would keep two megabytes of them.
	at := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=trusted_schema(0)&_pragma=cache_size(-512)&_txlock=immediate"}
	db, err := sql.Open("sqlite", at.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)                  // one writes, one reads
	db.SetConnMaxIdleTime(3 * time.Second) // a connection holds a megabyte, and devices need it when they begin
	if _, err := db.Exec(schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &File{db: db}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.db.Close() }

func check(key string) error {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) {
		return fmt.Errorf("a key of the glob has 1 to %d bytes of text", maxKey)
	}
	return nil
}

// Get reads a value; false if there is no such key.
func (f *File) Get(ctx context.Context, key string) (json.RawMessage, bool, error) {
	if err := check(key); err != nil {
		return nil, false, err
	}
	return f.one(ctx, `SELECT value FROM glob WHERE key = ?`, key)
}

func (f *File) one(ctx context.Context, query string, args ...any) (json.RawMessage, bool, error) {
	var b []byte
	err := f.db.QueryRowContext(ctx, query, args...).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// Set writes a value: JSON of at most 256 KiB.
func (f *File) Set(ctx context.Context, key string, value json.RawMessage) error {
	if err := check(key); err != nil {
		return err
	}
	if len(value) > maxValue || !json.Valid(value) {
		return fmt.Errorf("a value of the glob is JSON of at most %d KiB", maxValue>>10)
	}
	return f.write(ctx, `INSERT INTO glob (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, []byte(value))
}

// Delete deletes a key. One that is not there is no error.
func (f *File) Delete(ctx context.Context, key string) error {
	if err := check(key); err != nil {
		return err
	}
	return f.write(ctx, `DELETE FROM glob WHERE key = ?`, key)
}

// List is up to limit keys with the prefix that come after the key after, in the order of their bytes.
func (f *File) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	rows, err := f.db.QueryContext(ctx, `SELECT key FROM glob WHERE key >= ? AND key > ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ?`, prefix, after, prefix, prefix, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// State is the state of a model's device as it was kept; nil if there is none.
func (f *File) State(ctx context.Context, model string, client int) (json.RawMessage, error) {
	state, _, err := f.one(ctx, `SELECT state FROM state WHERE model = ? AND client = ?`, model, client)
	return state, err
}

// KeepState keeps the state of a model's device for the next run.
func (f *File) KeepState(ctx context.Context, model string, client int, state json.RawMessage) error {
	return f.write(ctx, `INSERT INTO state (model, client, state) VALUES (?, ?, ?) ON CONFLICT (model, client) DO UPDATE SET state = excluded.state`, model, client, []byte(state))
}

// write has a change committed, together with all that wait by then.
func (f *File) write(ctx context.Context, query string, args ...any) error {
	c := &change{query, args, make(chan error, 1)}
	f.mu.Lock()
	f.queue = append(f.queue, c)
	lead := !f.writing
	f.writing = true
	f.mu.Unlock()
	if lead {
		f.commitAll()
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx) // it is written nevertheless
	}
}

// commitAll commits what waits until nothing does.
func (f *File) commitAll() {
	for {
		f.mu.Lock()
		batch := f.queue
		f.queue = nil
		if len(batch) == 0 {
			f.writing = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		err := f.commit(batch)
		for _, c := range batch {
			c.done <- err
		}
	}
}

func (f *File) commit(batch []*change) error {
	tx, err := f.db.Begin()
	if err != nil {
		return err
	}
	for _, c := range batch {
		if _, err := tx.Exec(c.query, c.args...); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}
