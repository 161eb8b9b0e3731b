package dbtest

import (
	"testing"

	"github.com/thingd/thingd/internal/db"
)

// A database is nobody else's while a test has it, and empty and whole for the next, whatever was done to it.
func TestLend(t *testing.T) {
	use := func(t *testing.T, spoil string) {
		t.Helper()
		a, b := lend(t), lend(t)
		if a == b {
			t.Fatalf("%s is lent twice at once", a)
		}
		d := Open(t, a)
		var n int64
		if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM iot_things`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d things, %v", n, err)
		}
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if _, err := tx.Exec(t.Context(), `INSERT INTO iot_things (account, region, name, id, attributes, version, created) VALUES ('1', 'r', 'n', 'i', '{}', 1, 1)`); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), spoil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, spoil := range []string{
		`SELECT 1`, `DROP TABLE iot_thing_attributes CASCADE`, `ALTER TABLE iot_things ADD COLUMN spoilt TEXT`, `CREATE TABLE spoilt (x BIGINT)`, `SELECT 1`,
	} {
		t.Run(spoil, func(t *testing.T) { use(t, spoil) })
	}
	t.Run("after all", func(t *testing.T) {
		d := Open(t, lend(t))
		if _, err := d.Query(t.Context(), `SELECT spoilt FROM iot_things`); err == nil {
			t.Error("a column of another test's is there")
		}
	})
}

// Copies of a migrated file have no rows.
func TestSQLite(t *testing.T) {
	d := SQLite(t)
	var n int64
	if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM iot_things`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d things, %v", n, err)
	}
}
