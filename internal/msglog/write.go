package msglog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// chunks are how many rows a statement writes: few texts, so that each is
// prepared once.
func chunks[T any](list []T, do func(chunk []T) error) error {
	for _, size := range []int{128, 16, 1} {
		for len(list) >= size {
			if err := do(list[:size]); err != nil {
				return err
			}
			list = list[size:]
		}
	}
	return nil
}

// values is "($1, $2), ($3, $4)" for rows of n columns.
func values(rows, n int) string {
	var b strings.Builder
	for i := range rows * n {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%n == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}

// sessionRow and retainedRow are rows to write.
type sessionRow struct {
	id SessionID
	*sessionChange
}

type retainedRow struct {
	RetainedTopic
	data []byte
}

// write runs the transaction of a commit. Whether it took place is known when
// it returns, also when the connection was lost.
func (l *Log) write(c *commit) error {
	ctx := context.Background()
	for _, r := range c.rows {
		putHeader(r.buf, header{base: r.base, nextSeq: c.head.nextSeq, nextSession: c.head.nextSession})
		putChecksum(r.buf)
	}
	var put, end []sessionRow
	for id, change := range c.from.sessions {
		if change.state == nil {
			end = append(end, sessionRow{id, change})
		} else {
			put = append(put, sessionRow{id, change})
		}
	}
	var retain, clear []retainedRow
	for topic, data := range c.from.retained {
		if data == nil {
			clear = append(clear, retainedRow{topic, nil})
		} else {
			retain = append(retain, retainedRow{topic, data})
		}
	}
	// In the order of keys, which is easy on the indexes.
	slices.SortFunc(put, func(a, b sessionRow) int { return cmp.Compare(a.id, b.id) })
	err := l.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE mqtt_log_owner SET commits = $1 WHERE name = 'log' AND epoch = $2`, c.number, l.epoch)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTakenOver
		}
		for _, r := range c.rows {
			if _, err := tx.Exec(ctx, `INSERT INTO mqtt_log (batch, data) VALUES ($1, $2)`, int64(r.id), r.buf); err != nil {
				return err
			}
		}
		for _, s := range c.spans {
			if _, err := tx.Exec(ctx, `DELETE FROM mqtt_log WHERE batch >= $1 AND batch <= $2`, int64(s.from), int64(s.to)); err != nil {
				return err
			}
		}
		if err := writeSessions(ctx, tx, put, end); err != nil {
			return err
		}
		return writeRetained(ctx, tx, retain, clear)
	})
	if db.InDoubt(err) {
		err = l.resolve(c, err)
	}
	if err != nil {
		return fmt.Errorf("store messages: %w", err)
	}
	return nil
}

func writeSessions(ctx context.Context, tx *db.Tx, put, end []sessionRow) error {
	err := chunks(end, func(rows []sessionRow) error {
		var args []any
		for _, r := range rows {
			args = append(args, int64(r.id))
		}
		_, err := tx.Exec(ctx, `DELETE FROM mqtt_sessions WHERE session IN `+values(1, len(rows)), args...)
		return err
	})
	if err != nil {
		return err
	}
	return chunks(put, func(rows []sessionRow) error {
		var args []any
		for _, r := range rows {
			args = append(args, int64(r.id), r.account, r.region, r.clientID, r.state)
		}
		_, err := tx.Exec(ctx, `INSERT INTO mqtt_sessions (session, account, region, client_id, state) VALUES `+values(len(rows), 5)+
			` ON CONFLICT (session) DO UPDATE SET account = excluded.account, region = excluded.region, client_id = excluded.client_id, state = excluded.state`, args...)
		return err
	})
}

func writeRetained(ctx context.Context, tx *db.Tx, retain, clear []retainedRow) error {
	for _, r := range clear {
		if _, err := tx.Exec(ctx, `DELETE FROM mqtt_retained WHERE account = $1 AND region = $2 AND topic = $3`, r.Account, r.Region, r.Topic); err != nil {
			return err
		}
	}
	return chunks(retain, func(rows []retainedRow) error {
		var args []any
		for _, r := range rows {
			args = append(args, r.Account, r.Region, r.Topic, r.data)
		}
		_, err := tx.Exec(ctx, `INSERT INTO mqtt_retained (account, region, topic, message) VALUES `+values(len(rows), 4)+
			` ON CONFLICT (account, region, topic) DO UPDATE SET message = excluded.message`, args...)
		return err
	})
}

// resolve finds out whether a commit took place whose connection was lost. It
// tries until the database answers: going on without knowing could lose what
// was moved, or bring back what was refused.
func (l *Log) resolve(c *commit, lost error) error {
	ctx := context.Background()
	for {
		var commits int64
		err := l.db.Write(ctx, func(tx *db.Tx) error {
			// Touching the row waits for a transaction that still runs.
			err := tx.QueryRow(ctx, `UPDATE mqtt_log_owner SET epoch = epoch WHERE name = 'log' AND epoch = $1 RETURNING commits`, l.epoch).Scan(&commits)
			if errors.Is(err, db.ErrNotFound) {
				return ErrTakenOver
			}
			return err
		})
		switch {
		case err == nil && commits == c.number:
			return nil
		case err == nil:
			return lost
		case errors.Is(err, ErrTakenOver):
			return err
		}
		l.log.Warn("the outcome of a commit is not known yet", "err", err)
		select {
		case <-l.closing:
			return errors.Join(lost, err)
		case <-time.After(retryPause):
		}
	}
}

// read returns a row from the cache or the database.
func (l *Log) read(ctx context.Context, id uint64) ([]byte, error) {
	if b := l.cache.get(id); b != nil {
		return b, nil
	}
	v, err, _ := l.reads.Do(fmt.Sprint(id), func() (any, error) {
		var b []byte
		err := l.db.QueryRow(context.WithoutCancel(ctx), `SELECT data FROM mqtt_log WHERE batch = $1`, int64(id)).Scan(&b)
		if err != nil {
			return nil, err
		}
		if _, _, err := openRow(b); err != nil {
			return nil, err
		}
		l.cache.put(id, b)
		return b, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read messages of batch %d: %w", id, err)
	}
	return v.([]byte), nil
}
