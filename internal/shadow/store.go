package shadow

import (
	"context"
	"errors"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/shadow/document"
)

// record is a shadow's row. The zero record is of one that never was.
type record struct {
	revision int64
	deleted  bool
	document.Stored
	updated int64 // milliseconds
}

// document is what the shadow is; nil when there is none, and then the version that it was deleted at.
func (r *record) document() (d *document.Document, last int64, err error) {
	if r.revision == 0 || r.deleted {
		return nil, r.Version, nil
	}
	d, err = document.Load(r.Stored)
	return d, 0, err
}

// read reads a shadow's row.
func read(ctx context.Context, d *db.DB, i id) (record, error) {
	var r record
	var state *string
	err := d.QueryRow(ctx, `SELECT revision, version, state, times, updated FROM iot_shadows WHERE account = $1 AND region = $2 AND thing = $3 AND name = $4`,
		i.account, i.region, i.thing, i.name).Scan(&r.revision, &r.Version, &state, &r.Times, &r.updated)
	if errors.Is(err, db.ErrNotFound) {
		return record{}, nil
	}
	if state != nil {
		r.State = *state
	}
	r.deleted = state == nil
	return r, err
}

// write puts a row in the place of the one of the revision before it, and reports whether that was there.
func write(ctx context.Context, tx *db.Tx, i id, r *record) (bool, error) {
	var state *string
	if !r.deleted {
		state = &r.State
	}
	times := r.Times
	if times == nil {
		times = []byte{}
	}
	n, err := tx.Exec(ctx, `INSERT INTO iot_shadows (account, region, thing, name, revision, version, state, times, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (account, region, thing, name) DO UPDATE SET
			revision = excluded.revision, version = excluded.version, state = excluded.state, times = excluded.times, updated = excluded.updated
		WHERE iot_shadows.revision = excluded.revision - 1`,
		i.account, i.region, i.thing, i.name, r.revision, r.Version, state, times, r.updated)
	return n == 1, err
}

// list is the names of a thing's named shadows behind one, at most max.
func list(ctx context.Context, d *db.DB, i id, after string, max int64) ([]string, error) {
	rows, err := d.Query(ctx, `SELECT name FROM iot_shadows WHERE account = $1 AND region = $2 AND thing = $3 AND name > $4 AND state IS NOT NULL ORDER BY name LIMIT $5`,
		i.account, i.region, i.thing, after, max)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Close()
}
