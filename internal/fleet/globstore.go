package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/db"
)

// Bounds of glob storage.
const (
	maxGlobKey   = 512       // bytes
	maxGlobValue = 256 << 10 // bytes
)

var (
	errGlobKey   = errors.New("a glob key has 1 to 512 bytes of UTF-8 without control characters")
	errGlobValue = errors.New("a glob value is a JSON document of up to 256 KiB")
)

// globLimitError says that glob storage is full.
type globLimitError struct{ text string }

func (e *globLimitError) Error() string { return e.text }

func checkGlobKey(key string) error {
	if key == "" || len(key) > maxGlobKey || !utf8.ValidString(key) {
		return errGlobKey
	}
	for _, r := range key {
		if r < ' ' || r >= 0x7F && r < 0xA0 || r == '\U0010FFFF' {
			return errGlobKey
		}
	}
	return nil
}

func checkGlobValue(value []byte) error {
	if len(value) > maxGlobValue || !json.Valid(value) {
		return errGlobValue
	}
	return nil
}

// globChange sets a key, or deletes it if value is nil.
type globChange struct {
	key   string
	value []byte
}

// changeGlob makes changes in their order, all or none. Keys and values have
// been checked.
func (s *Service) changeGlob(ctx context.Context, at place, changes []globChange) error {
	now := s.now()
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		var keys, bytes int64
		for _, c := range changes {
			var had int64
			err := tx.QueryRow(ctx, `SELECT size FROM fleet_glob WHERE account = $1 AND region = $2 AND key = $3`, at.account, at.region, c.key).Scan(&had)
			switch {
			case err == nil:
				keys--
				bytes -= had + int64(len(c.key))
			case !isNotFound(err):
				return err
			}
			if c.value == nil {
				_, err = tx.Exec(ctx, `DELETE FROM fleet_glob WHERE account = $1 AND region = $2 AND key = $3`, at.account, at.region, c.key)
			} else {
				keys++
				bytes += int64(len(c.value) + len(c.key))
				_, err = tx.Exec(ctx, `INSERT INTO fleet_glob (account, region, key, value, size, updated) VALUES ($1, $2, $3, $4, $5, $6)
					ON CONFLICT (account, region, key) DO UPDATE SET value = excluded.value, size = excluded.size, updated = excluded.updated`,
					at.account, at.region, c.key, s.Seal.Seal(sealGlob, c.value), int64(len(c.value)), now)
			}
			if err != nil {
				return err
			}
		}
		if keys == 0 && bytes == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, `INSERT INTO fleet_glob_usage (account, region, keys, bytes) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, region) DO UPDATE SET keys = fleet_glob_usage.keys + excluded.keys, bytes = fleet_glob_usage.bytes + excluded.bytes`,
			at.account, at.region, keys, bytes)
		if err != nil {
			return err
		}
		var allKeys, allBytes int64
		err = tx.QueryRow(ctx, `SELECT CAST(SUM(keys) AS BIGINT), CAST(SUM(bytes) AS BIGINT) FROM fleet_glob_usage WHERE account = $1`, at.account).Scan(&allKeys, &allBytes)
		switch {
		case err != nil:
			return err
		case keys > 0 && allKeys > s.Limits.GlobKeys:
			return &globLimitError{fmt.Sprintf("glob storage holds at most %d keys", s.Limits.GlobKeys)}
		case bytes > 0 && allBytes > s.Limits.GlobBytes:
			return &globLimitError{fmt.Sprintf("glob storage holds at most %d bytes", s.Limits.GlobBytes)}
		}
		return nil
	})
}

// globValue reads a value; db.ErrNotFound if there is none.
func (s *Service) globValue(ctx context.Context, at place, key string) (value []byte, updated int64, err error) {
	var sealed []byte
	err = s.DB.QueryRow(ctx, `SELECT value, updated FROM fleet_glob WHERE account = $1 AND region = $2 AND key = $3`, at.account, at.region, key).Scan(&sealed, &updated)
	if err != nil {
		return nil, 0, err
	}
	value, err = s.Seal.Open(sealGlob, sealed)
	return value, updated, err
}

// globKey is an item of a listing.
type globKey struct {
	key           string
	size, updated int64
}

// globKeys lists up to size keys that begin with prefix and come behind after.
func (s *Service) globKeys(ctx context.Context, at place, prefix, after string, size int) ([]globKey, error) {
	from, to := prefixRange(prefix)
	rows, err := s.DB.Query(ctx, `SELECT key, size, updated FROM fleet_glob
		WHERE account = $1 AND region = $2 AND key >= $3 AND key < $4 AND key > $5 ORDER BY key LIMIT $6`, at.account, at.region, from, to, after, size)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []globKey
	for rows.Next() {
		var k globKey
		if err := rows.Scan(&k.key, &k.size, &k.updated); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, rows.Close()
}
