package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqlite is a SQLite file: many pooled readers on snapshots of the write-ahead
// log, and one writer (writer.go).
type sqlite struct {
	log  *slog.Logger
	path string
	sync bool
	db   *sql.DB
	w    *writer

	slots chan struct{} // one token a reader in use

	mu     sync.Mutex
	idle   []*conn // the last used on top: its caches are warm
	closed bool
}

// openSQLite opens or creates the file. Its directory must exist.
func openSQLite(ctx context.Context, rawURL string, o Options) (*sqlite, error) {
	name, err := sqlitePath(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// SQLite gives its -wal and -shm files the mode of the database file.
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: name}).EscapedPath())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	pool.SetMaxIdleConns(-1) // what is given up is closed: readers are pooled here
	if o.Conns <= 0 {
		o.Conns = 8
	}
	s := &sqlite{log: o.Logger, path: name, sync: o.Sync, db: pool, slots: make(chan struct{}, o.Conns)}
	writing, err := s.connect(ctx, false)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", name, err), s.db.Close())
	}
	moving, err := s.connect(ctx, false)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", name, err), writing.close(), s.db.Close())
	}
	s.w = newWriter(writing, o.Sync, newCheckpointer(moving, name, o.Sync, o.Logger), o.Logger)
	return s, nil
}

// sqlitePath returns the absolute path in sqlite:/path, sqlite:path or sqlite:///path.
func sqlitePath(rawURL string) (string, error) {
	name := strings.TrimPrefix(rawURL, "sqlite:")
	if strings.HasPrefix(name, "//") {
		name = name[2:]
		if !strings.HasPrefix(name, "/") {
			return "", fmt.Errorf("%s: want sqlite:/path/file.db", rawURL)
		}
	}
	if name == "" || strings.ContainsAny(name, "?#\x00") {
		return "", fmt.Errorf("%q: want sqlite:/path/file.db, without parameters", rawURL)
	}
	return filepath.Abs(name)
}

// busyTimeout is how long to wait for another process that holds the file.
const busyTimeout = "busy_timeout=5000"

// logLimit is what stays of the log's file, at most, when the log begins anew.
const logLimit = "journal_size_limit=67108864"

// writerCache is what the writer keeps of pages, half of what readers do: a page takes twice its size there, and to read it
// from the operating system's cache again is a small part of a write.
const writerCache = "cache_size=-1000"

// connect opens a connection of its own, outside of database/sql's pool.
func (s *sqlite) connect(ctx context.Context, reader bool) (*conn, error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	pragmas := []string{busyTimeout, "journal_mode=WAL", "foreign_keys=ON", "temp_store=MEMORY", "trusted_schema=OFF"}
	if reader {
		pragmas = append(pragmas, "query_only=ON")
	} else {
		level := "OFF"
		if s.sync {
			level = "FULL"
		}
		pragmas = append(pragmas, "synchronous="+level, logLimit, writerCache, "wal_autocheckpoint=0")
	}
	for _, p := range pragmas {
		if err := setPragma(ctx, c, p); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", p, err), c.Close())
		}
	}
	return newConn(c), nil
}

// setPragma sets a pragma. Two processes that turn a new file to WAL at once
// get in each other's way without the busy timeout being heeded.
func setPragma(ctx context.Context, c *sql.Conn, p string) error {
	for attempt := 0; ; attempt++ {
		_, err := c.ExecContext(ctx, "PRAGMA "+p)
		if err == nil || !isBusy(err) || attempt == 100 {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reader lends a connection for reading, waiting for one to come free.
func (s *sqlite) reader(ctx context.Context) (*conn, error) {
	select {
	case s.slots <- struct{}{}:
	default:
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.slots
		return nil, ErrClosed
	}
	if n := len(s.idle); n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		return c, nil
	}
	s.mu.Unlock()
	c, err := s.connect(context.WithoutCancel(ctx), true)
	if err != nil {
		<-s.slots
		return nil, fmt.Errorf("open reader: %w", err)
	}
	return c, nil
}

func (s *sqlite) release(c *conn) {
	s.mu.Lock()
	s.idle = append(s.idle, c)
	s.mu.Unlock()
	<-s.slots
}

// shrink closes the readers that nobody uses but the last used one. Each has
// prepared statements and a cache of pages, some 4 MB.
func (s *sqlite) shrink() {
	s.mu.Lock()
	var old []*conn
	if n := len(s.idle); n > 1 && !s.closed {
		old = s.idle[:n-1]
		s.idle = []*conn{s.idle[n-1]}
	}
	s.mu.Unlock()
	for _, c := range old {
		if err := c.close(); err != nil {
			s.log.Warn("close reader", "err", err)
		}
	}
}

// discard gives up a connection whose state is not known.
func (s *sqlite) discard(c *conn) {
	if err := c.close(); err != nil {
		s.log.Warn("close reader", "err", err)
	}
	<-s.slots
}

func (s *sqlite) acquire(ctx context.Context) (querier, func(), error) {
	c, err := s.reader(ctx)
	if err != nil {
		return nil, nil, err
	}
	return c, func() { s.release(c) }, nil
}

func (s *sqlite) read(ctx context.Context, fn func(*Tx) error) (err error) {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	back := context.WithoutCancel(ctx)
	if _, err := c.ExecContext(back, "BEGIN"); err != nil {
		s.discard(c)
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { // also when fn panics
		if _, e := c.ExecContext(back, "ROLLBACK"); e != nil {
			s.discard(c)
			return
		}
		s.release(c)
	}()
	tx := &Tx{q: c}
	return tx.result(fn(tx))
}

func (s *sqlite) write(ctx context.Context, soon bool, fn func(*Tx) error) error {
	return s.w.write(ctx, soon, fn)
}

func (s *sqlite) schema(ctx context.Context, fn func(schemaTx) error) error {
	return s.w.exclusive(ctx, fn)
}

func (s *sqlite) tables(ctx context.Context, tx schemaTx) ([]string, error) {
	return names(tx.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'`))
}

func (s *sqlite) cascade() string { return "" }

func (s *sqlite) close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	// With every slot taken, no reader is at work.
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	var errs []error
	for _, c := range s.idle {
		errs = append(errs, c.close())
	}
	for range cap(s.slots) {
		<-s.slots // whoever waits gets ErrClosed
	}
	// The last connection that closes checkpoints the log and removes it.
	errs = append(errs, s.w.stop(), s.db.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database %s: %w", s.path, err)
	}
	return nil
}

// names collects the single text column of a query.
func names(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	return list, rows.Err()
}
