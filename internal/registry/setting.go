package registry

import (
	"context"

	"github.com/thingd/thingd/internal/db"
)

// readSetting reads what is set under a name; db.ErrNotFound when nothing is.
func readSetting(ctx context.Context, q queryer, at place, name string) (value string, err error) {
	err = q.QueryRow(ctx, `SELECT value FROM iot_settings WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name).Scan(&value)
	return value, err
}

func writeSetting(ctx context.Context, tx *db.Tx, at place, name, value string) error {
	_, err := tx.Exec(ctx, `INSERT INTO iot_settings (account, region, name, value) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, region, name) DO UPDATE SET value = excluded.value`, at.account, at.region, name, value)
	return err
}
