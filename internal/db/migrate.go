package db

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one step of the schema's history. Steps that were released are
// never edited: the checksum would no longer match.
type migration struct {
	number   int
	name     string
	sql      string
	checksum string
}

var migrationName = regexp.MustCompile(`^([0-9]{4})_([a-z0-9_]+)\.sql$`)

// embedded returns the migrations of this binary in their order.
func embedded() ([]migration, error) {
	return load(migrations, "migrations")
}

func load(fsys fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(fsys, dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var list []migration
	for _, entry := range entries {
		m := migrationName.FindStringSubmatch(entry.Name())
		if m == nil {
			return nil, fmt.Errorf("migration %s: want a name like 0001_start.sql", entry.Name())
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", entry.Name(), err)
		}
		number, _ := strconv.Atoi(m[1])
		if len(list) > 0 && list[len(list)-1].number >= number {
			return nil, fmt.Errorf("migration %s: its number is taken", entry.Name())
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{number: number, name: m[2], sql: string(text), checksum: hex.EncodeToString(sum[:])})
	}
	return list, nil
}

// Schema names what Open makes of an empty database: binaries with the same
// migrations have the same.
func Schema() string {
	list, err := embedded()
	if err != nil {
		panic(err) // it is in the binary
	}
	h := sha256.New()
	for _, m := range list {
		fmt.Fprintln(h, m.number, m.name, m.checksum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The migrations that a database has had. It is created by whoever finds it
// missing, and is the one table that no migration knows.
const createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations (
	number     BIGINT NOT NULL PRIMARY KEY,
	name       TEXT   NOT NULL,
	checksum   TEXT   NOT NULL,
	applied_at BIGINT NOT NULL
)`

// migrate runs what the database lacks, each step in a transaction of its own.
func migrate(ctx context.Context, e engine, list []migration, log *slog.Logger) error {
	for {
		var next *migration
		err := e.schema(ctx, func(tx schemaTx) error {
			next = nil
			if _, err := tx.ExecContext(ctx, createMigrations); err != nil {
				return fmt.Errorf("create table of migrations: %w", err)
			}
			done, err := applied(ctx, tx)
			if err != nil {
				return err
			}
			if next, err = pending(list, done); err != nil || next == nil {
				return err
			}
			return next.run(ctx, tx)
		})
		if err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		log.Debug("database migrated", "number", next.number, "name", next.name)
	}
}

// apply runs all migrations on an empty database.
func apply(ctx context.Context, tx schemaTx, list []migration) error {
	if _, err := tx.ExecContext(ctx, createMigrations); err != nil {
		return fmt.Errorf("create table of migrations: %w", err)
	}
	for _, m := range list {
		if err := m.run(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) run(ctx context.Context, tx schemaTx) error {
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return fmt.Errorf("migration %04d_%s: %w", m.number, m.name, err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
		int64(m.number), m.name, m.checksum, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("record migration %04d_%s: %w", m.number, m.name, err)
	}
	return nil
}

// applied returns the checksums of the migrations that a database has had.
func applied(ctx context.Context, tx querier) (map[int]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT number, checksum FROM schema_migrations`)
	if err != nil {
		return nil, fmt.Errorf("read migrations of the database: %w", err)
	}
	defer rows.Close()
	done := map[int]string{}
	for rows.Next() {
		var number int
		var checksum string
		if err := rows.Scan(&number, &checksum); err != nil {
			return nil, fmt.Errorf("read migrations of the database: %w", err)
		}
		done[number] = checksum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read migrations of the database: %w", err)
	}
	return done, nil
}

// pending returns the first migration that is not done, or nil.
func pending(list []migration, done map[int]string) (*migration, error) {
	known, has := 0, 0
	for _, m := range list {
		known = max(known, m.number)
	}
	for number := range done {
		has = max(has, number)
	}
	if has > known {
		return nil, newer(has, known)
	}
	for number := range done {
		if !slices.ContainsFunc(list, func(m migration) bool { return m.number == number }) {
			return nil, fmt.Errorf("the database has had migration %d, which this binary lacks: it was made by a development version", number)
		}
	}
	for i := range list {
		m := &list[i]
		sum, ok := done[m.number]
		switch {
		case !ok && m.number < has:
			return nil, fmt.Errorf("the database has had migration %d but not %04d_%s: it was made by a development version", has, m.number, m.name)
		case !ok:
			return m, nil
		case sum != m.checksum:
			return nil, fmt.Errorf("migration %04d_%s is not the one the database has had: it was made by a development version", m.number, m.name)
		}
	}
	return nil, nil
}
