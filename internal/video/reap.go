package video

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// reapBatch is how many rows one transaction deletes: others wait for it.
const reapBatch = 500

// wakeReaper lets the reaper look at once.
func (s *Service) wakeReaper() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// reap gives space back until ctx ends. What it has to do is all in the database, so it goes on after a
// restart where it was.
func (s *Service) reap(ctx context.Context) {
	tick := time.NewTicker(s.ReapEvery)
	defer tick.Stop()
	for {
		if err := s.reapOnce(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("space of deleted video cannot be given back", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// reapOnce removes what has outlived its retention, what belongs to deleted streams, and the files of both.
func (s *Service) reapOnce(ctx context.Context) error {
	streams, err := s.outlivedStreams(ctx)
	if err != nil {
		return fmt.Errorf("find streams with outlived fragments: %w", err)
	}
	for _, st := range streams {
		if err := s.outlive(ctx, st.Account, st.Region, st.ID, st.oldest(s.Now())); err != nil {
			return fmt.Errorf("expire fragments of stream %s: %w", st.Name, err)
		}
	}
	if err := s.reapDeleted(ctx); err != nil {
		return fmt.Errorf("remove deleted streams: %w", err)
	}
	if err := s.endLeases(ctx); err != nil {
		return fmt.Errorf("end leases: %w", err)
	}
	s.traffic.forget(time.Now())
	return s.removeFiles(ctx)
}

// outlive deletes a stream's fragments from before oldest, then makes garbage of its chunks that have none left.
// Chunks that a connection still writes are let be.
func (s *Service) outlive(ctx context.Context, account, region, stream string, oldest int64) error {
	for {
		var n int64
		err := s.DB.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.Exec(ctx, `DELETE FROM video_fragments WHERE account = $1 AND region = $2 AND stream = $3 AND number IN (
				SELECT number FROM video_fragments WHERE account = $1 AND region = $2 AND stream = $3 AND server < $4
				ORDER BY server, number LIMIT $5)`, account, region, stream, oldest, int64(reapBatch))
			return err
		})
		if err != nil {
			return err
		}
		if n < reapBatch {
			break
		}
	}
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE video_chunks SET state = $6
			WHERE account = $1 AND region = $2 AND stream = $3 AND last < $4 AND state = $5`,
			account, region, stream, oldest, int64(chunkComplete), int64(chunkGarbage))
		return err
	})
}

// reapDeleted deletes what deleted streams have left. The rows of chunks that a connection still writes stay until
// it ends: it may yet create the file.
func (s *Service) reapDeleted(ctx context.Context) error {
	rows, err := s.DB.Query(ctx, `SELECT account, region, stream FROM video_deleted_streams`)
	if err != nil {
		return err
	}
	var list [][3]string
	for rows.Next() {
		var d [3]string
		if err := rows.Scan(&d[0], &d[1], &d[2]); err != nil {
			return errors.Join(err, rows.Close())
		}
		list = append(list, d)
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, d := range list {
		if err := s.outlive(ctx, d[0], d[1], d[2], math.MaxInt64); err != nil {
			return err
		}
		if err := s.Blobs.RemoveAll(chunkDir(d[2])); err != nil {
			return err
		}
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM video_chunks WHERE account = $1 AND region = $2 AND stream = $3 AND state <> $4`,
				d[0], d[1], d[2], int64(chunkLeased))
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `DELETE FROM video_deleted_streams WHERE account = $1 AND region = $2 AND stream = $3`, d[0], d[1], d[2])
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// chunkRow is a chunk as its row names it.
type chunkRow struct {
	account, region, stream, name string
	size                          int64
}

func (s *Service) garbage(ctx context.Context) ([]chunkRow, error) {
	return s.chunks(ctx, `state = $2`, int64(chunkGarbage))
}

// leased is some of the chunks, behind one, whose rows say that this process has leased them, or do not say which.
func (s *Service) leased(ctx context.Context, after chunkRow) ([]chunkRow, error) {
	return s.chunks(ctx, `state = $2 AND owner IN ($3, '') AND (account, region, stream, chunk) > ($4, $5, $6, $7)`,
		int64(chunkLeased), s.Node, after.account, after.region, after.stream, after.name)
}

func (s *Service) chunks(ctx context.Context, where string, args ...any) ([]chunkRow, error) {
	rows, err := s.DB.Query(ctx, `SELECT account, region, stream, chunk, size FROM video_chunks WHERE `+where+`
		ORDER BY account, region, stream, chunk LIMIT $1`, append([]any{int64(reapBatch)}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []chunkRow
	for rows.Next() {
		var c chunkRow
		if err := rows.Scan(&c.account, &c.region, &c.stream, &c.name, &c.size); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, c)
	}
	return list, rows.Close()
}

// removeFiles removes the files of garbage chunks, and then, once they are gone, their rows.
func (s *Service) removeFiles(ctx context.Context) error {
	for {
		list, err := s.garbage(ctx)
		if err != nil || len(list) == 0 {
			return err
		}
		for i, c := range list {
			if err = s.Blobs.Remove(c.name); err != nil {
				list = list[:i]
				break
			}
		}
		gone := s.DB.Write(ctx, func(tx *db.Tx) error {
			for _, c := range list {
				_, err := tx.Exec(ctx, `DELETE FROM video_chunks WHERE account = $1 AND region = $2 AND stream = $3 AND chunk = $4`,
					c.account, c.region, c.stream, c.name)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, gone); err != nil {
			return fmt.Errorf("remove chunks: %w", err)
		}
	}
}

// endLeases ends leases that no connection has: of an earlier process that stopped, or of one whose end could not be
// written down. A chunk that cannot be read is no reason to leave the others, nor to serve nothing: it stays leased, and is
// tried again.
func (s *Service) endLeases(ctx context.Context) error {
	var last chunkRow
	for {
		list, err := s.leased(ctx, last)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, c := range list {
			if last = c; s.leases.has(c.name) {
				continue
			}
			// Its connection may have ended it since: only now is the size final.
			err := s.DB.QueryRow(ctx, `SELECT size FROM video_chunks
				WHERE account = $1 AND region = $2 AND stream = $3 AND chunk = $4 AND state = $5`,
				c.account, c.region, c.stream, c.name, int64(chunkLeased)).Scan(&c.size)
			if errors.Is(err, db.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			err = s.endLease(ctx, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.Log.Error("chunk that a connection has left cannot be ended", "chunk", c.name, "err", err)
			}
		}
	}
}

// endLease indexes the fragments that the index lacks of a chunk. A file without any is given back, and so are the bytes
// behind its last one.
func (s *Service) endLease(ctx context.Context, c chunkRow) error {
	end, last, err := s.recoverChunk(ctx, c)
	if err == nil && end > 0 {
		err = s.Blobs.Truncate(c.name, end)
	}
	if err != nil {
		return err
	}
	return s.endChunk(&Stream{Account: c.account, Region: c.region, ID: c.stream}, c.name, end, last)
}
