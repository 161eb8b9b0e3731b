package db

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMigrate(t *testing.T) {
	ctx := t.Context()
	url := "sqlite:" + filepath.Join(t.TempDir(), "m.db")
	e, err := openSQLite(ctx, url, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	one := &fstest.MapFile{Data: []byte(`CREATE TABLE one (a TEXT); INSERT INTO one (a) VALUES ('x');`)}
	two := &fstest.MapFile{Data: []byte(`CREATE TABLE two (a TEXT); CREATE INDEX two_a ON two (a);`)}
	bad := &fstest.MapFile{Data: []byte(`CREATE TABLE three (a TEXT); CREATE TABLE one (a TEXT);`)}
	loose := &fstest.MapFile{Data: []byte(`CREATE TABLE three (a TEXT PRIMARY KEY); CREATE TABLE four (a TEXT REFERENCES three (a)); INSERT INTO four (a) VALUES ('x');`)}
	for _, tt := range []struct {
		name string
		fs   fstest.MapFS
		is   error
		text string
	}{
		{"first", fstest.MapFS{"m/0001_one.sql": one}, nil, ""},
		{"again", fstest.MapFS{"m/0001_one.sql": one}, nil, ""},
		{"fails", fstest.MapFS{"m/0001_one.sql": one, "m/0002_bad.sql": bad}, nil, "migration 0002_bad: "},
		{"a foreign key without its row", fstest.MapFS{"m/0001_one.sql": one, "m/0002_loose.sql": loose}, nil, "foreign keys of four point nowhere"},
		{"second and third", fstest.MapFS{"m/0001_one.sql": one, "m/0002_two.sql": two, "m/0003_three.sql": &fstest.MapFile{Data: []byte(`CREATE TABLE three (a TEXT)`)}}, nil, ""},
		{"older binary", fstest.MapFS{"m/0001_one.sql": one, "m/0002_two.sql": two}, ErrNewer, "it is at migration 3, this binary knows 2"},
		{"edited", fstest.MapFS{"m/0001_one.sql": two, "m/0002_two.sql": two, "m/0003_x.sql": two}, nil, "migration 0001_one is not the one"},
		{"missing", fstest.MapFS{"m/0001_one.sql": one, "m/0002_two.sql": two, "m/0004_x.sql": two}, nil, "migration 3, which this binary lacks"},
		{"bad name", fstest.MapFS{"m/1_one.sql": one}, nil, "want a name like"},
		{"same number", fstest.MapFS{"m/0001_one.sql": one, "m/0001_two.sql": two}, nil, "its number is taken"},
	} {
		list, err := load(tt.fs, "m")
		if err == nil {
			err = migrate(ctx, e, list, e.log)
		}
		switch {
		case tt.is == nil && tt.text == "" && err != nil,
			tt.is != nil && !errors.Is(err, tt.is),
			tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	names, err := e.tablesOutside(ctx)
	if err != nil || strings.Join(names, " ") != "one schema_migrations three two" {
		t.Errorf("tables %v, %v", names, err)
	}
}

// tablesOutside lists the tables in order.
func (s *sqlite) tablesOutside(ctx context.Context) ([]string, error) {
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	return names(c.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`))
}

// TestMigrationsArePortable finds what one of the databases would take
// otherwise than the other.
func TestMigrationsArePortable(t *testing.T) {
	list, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	// A deferred check would fail the commit of a whole batch.
	forbidden := regexp.MustCompile(`(?i)\b(SERIAL|BIGSERIAL|AUTOINCREMENT|INTEGER|INT|TIMESTAMP|TIMESTAMPTZ|DATETIME|DATE|VARCHAR|CHAR|BLOB|JSON|JSONB|UUID|DEFERRABLE|DEFERRED|COLLATE|NOW\(\)|WITHOUT)\b`)
	comment := regexp.MustCompile(`--[^\n]*`)
	for _, m := range list {
		if word := forbidden.FindString(comment.ReplaceAllString(m.sql, "")); word != "" {
			t.Errorf("%04d_%s uses %s", m.number, m.name, word)
		}
	}
	e, err := openSQLite(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "m.db"), Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if err := migrate(t.Context(), e, list, e.log); err != nil {
		t.Fatal(err)
	}
	// SQLite alone lets a primary key be NULL.
	c, err := e.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.release(c)
	loose, err := names(c.QueryContext(t.Context(), `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.pk > 0 AND c."notnull" = 0`))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range loose {
		t.Errorf("%s is in a primary key and not NOT NULL", column)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for url, want := range map[string]string{
		"mysql://x":                    `unknown kind "mysql"`,
		"sqlite:":                      "want sqlite:/path/file.db",
		"sqlite://host/x":              "want sqlite:/path/file.db",
		"sqlite:/x?mode=ro":            "without parameters",
		"sqlite:" + dir + "/none/x.db": "no such file or directory",
		"postgres://u:secret@127.0.0.1:1/x?connect_timeout=1": "connect",
		"postgres://u:secret@[/x":                             "cannot parse",
	} {
		d, err := Open(t.Context(), url, Options{})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	name := filepath.Join(dir, "odd name%20+é.db")
	d, err := Open(t.Context(), "sqlite://"+name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(entries) != 1 || entries[0] != name {
		t.Errorf("files %q, %v", entries, err)
	}
	if mode, err := fileMode(name); err != nil || mode != 0o600 {
		t.Errorf("mode %v, %v", mode, err)
	}
}

func fileMode(name string) (fs.FileMode, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return fi.Mode().Perm(), nil
}
