package video

import (
	"context"
	"errors"
	"hash/crc32"

	"github.com/thingd/thingd/internal/db"
)

// fragment is a row of the index.
type fragment struct {
	number   string
	producer int64 // milliseconds since 1970 by the producer's clock, at its start
	server   int64 // by ours, when its first byte came
	duration int64 // milliseconds

	chunk                    string // the file that has its bytes:
	headerOffset, headerSize int64  // what came before its first cluster, without the Segment's size
	mediaOffset, mediaSize   int64  // its cluster and what followed it, as sent
	sum                      int64  // CRC-32C of the media, or noSum of those from before there were sums
}

// noSum says that a fragment's media were not summed.
const noSum = -1

// castagnoli has an instruction of its own on most processors.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// addSum is the sum of media to which p was added.
func addSum(sum int64, p []byte) int64 { return int64(crc32.Update(uint32(sum), castagnoli, p)) }

const fragmentColumns = `number, producer, server, duration, chunk, header_offset, header_size, media_offset, media_size, crc`

func scanFragments(rows *db.Rows) ([]fragment, error) {
	var list []fragment
	for rows.Next() {
		var f fragment
		err := rows.Scan(&f.number, &f.producer, &f.server, &f.duration, &f.chunk, &f.headerOffset, &f.headerSize, &f.mediaOffset, &f.mediaSize, &f.sum)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, f)
	}
	return list, rows.Close()
}

func (s *Service) queryFragments(ctx context.Context, where string, args ...any) ([]fragment, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+fragmentColumns+` FROM video_fragments
		WHERE account = $1 AND region = $2 AND stream = $3 AND `+where, args...)
	if err != nil {
		return nil, err
	}
	return scanFragments(rows)
}

// addFragments puts fragments into the index, whose bytes and records are durable: what a crash of the machine takes out of
// it comes back from their chunk. errGone when their stream was deleted.
func (s *Service) addFragments(ctx context.Context, st *Stream, list []fragment) error {
	return s.DB.WriteSoon(ctx, func(tx *db.Tx) error {
		for _, f := range list {
			n, err := insertFragment(ctx, tx, st, f, "")
			if err != nil {
				return err
			}
			if n == 0 {
				return errGone
			}
		}
		return nil
	})
}

// restoreFragments puts those into the index that it lacks of fragments of one chunk, if their stream still exists. They are
// synced before: the process that wrote them may have been killed before it did so, and then the machine may stop.
func (s *Service) restoreFragments(ctx context.Context, st *Stream, list []fragment) error {
	if len(list) == 0 {
		return nil
	}
	if err := s.Blobs.Sync(list[0].chunk); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		for _, f := range list {
			if _, err := insertFragment(ctx, tx, st, f, " ON CONFLICT DO NOTHING"); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertFragment adds a row unless the stream was deleted, and says how many it added.
func insertFragment(ctx context.Context, tx *db.Tx, st *Stream, f fragment, conflict string) (int64, error) {
	return tx.Exec(ctx, `INSERT INTO video_fragments (account, region, stream, `+fragmentColumns+`)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT),
			CAST($8 AS TEXT), CAST($9 AS BIGINT), CAST($10 AS BIGINT), CAST($11 AS BIGINT), CAST($12 AS BIGINT), CAST($13 AS BIGINT)
		WHERE EXISTS (SELECT 1 FROM video_streams WHERE account = $1 AND region = $2 AND name = $14 AND id = $3)`+conflict,
		st.Account, st.Region, st.ID, f.number, f.producer, f.server, f.duration,
		f.chunk, f.headerOffset, f.headerSize, f.mediaOffset, f.mediaSize, f.sum, st.Name)
}

// exists answers errGone when the stream was deleted.
func exists(ctx context.Context, tx *db.Tx, st *Stream) error {
	var one int64
	err := tx.QueryRow(ctx, `SELECT 1 FROM video_streams WHERE account = $1 AND region = $2 AND name = $3 AND id = $4`,
		st.Account, st.Region, st.Name, st.ID).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return errGone
	}
	return err
}

// lastNumber is the greatest fragment number of a stream, "" when it has no fragment.
func (s *Service) lastNumber(ctx context.Context, st *Stream) (string, error) {
	var number string
	err := s.DB.QueryRow(ctx, `SELECT number FROM video_fragments WHERE account = $1 AND region = $2 AND stream = $3
		ORDER BY number DESC LIMIT 1`, st.Account, st.Region, st.ID).Scan(&number)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return number, err
}

// fragmentsAfter is the stream's next fragments by number that came at oldest or later.
func (s *Service) fragmentsAfter(ctx context.Context, st *Stream, number string, oldest int64, limit int) ([]fragment, error) {
	// No number has an earlier time than its fragment: what is outlived is not even looked at.
	return s.queryFragments(ctx, `number > $4 AND +server >= $5 ORDER BY number LIMIT $6`,
		st.Account, st.Region, st.ID, max(number, numberFloor(oldest)), oldest, int64(limit))
}

// fragmentByNumber finds one fragment; db.ErrNotFound when there is none that came at oldest or later.
func (s *Service) fragmentByNumber(ctx context.Context, st *Stream, number string, oldest int64) (fragment, error) {
	list, err := s.queryFragments(ctx, `number = $4 AND server >= $5`, st.Account, st.Region, st.ID, number, oldest)
	if err == nil && len(list) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return fragment{}, err
	}
	return list[0], nil
}

// clock is which of a fragment's two times is meant: it is the column's name.
type clock string

const (
	byProducer clock = "producer"
	byServer   clock = "server"
)

func (c clock) of(f fragment) int64 {
	if c == byProducer {
		return f.producer
	}
	return f.server
}

// The plus signs keep SQLite from using the index of a column that the order does not go by.

// fragmentsBetween is a page of the fragments that start from from to to inclusive, in the order of their times:
// those behind the fragment with time after and number.
func (s *Service) fragmentsBetween(ctx context.Context, st *Stream, c clock, from, to, oldest, after int64, number string, limit int) ([]fragment, error) {
	by, server := string(c), "+server"
	if c == byServer {
		from, server = max(from, oldest), "server"
	}
	// Both lower bounds begin at one place: PostgreSQL goes to that of the pair, and SQLite to the other.
	if from > after {
		after, number = from, ""
	}
	from = after
	return s.queryFragments(ctx, by+` >= $4 AND `+by+` <= $5 AND `+server+` >= $6 AND (`+by+`, number) > ($7, $8)
		ORDER BY `+by+`, number LIMIT $9`, st.Account, st.Region, st.ID, from, to, oldest, after, number, int64(limit))
}

// fragmentAt finds the fragment whose time span has t in it, of several the one that starts last, or else the first
// that starts later; db.ErrNotFound when there is neither.
func (s *Service) fragmentAt(ctx context.Context, st *Stream, c clock, t, oldest int64) (fragment, error) {
	by := string(c)
	// A last frame can end behind the longest fragment there may be.
	longest := 2 * s.Limits.FragmentDuration.Milliseconds()
	list, err := s.queryFragments(ctx, by+` <= $4 AND `+by+` > $5 AND `+by+` + CASE WHEN duration > 0 THEN duration ELSE 1 END > $4 AND +server >= $6
		ORDER BY `+by+` DESC, number DESC LIMIT 1`, st.Account, st.Region, st.ID, t, t-longest, oldest)
	if err == nil && len(list) == 0 {
		list, err = s.queryFragments(ctx, by+` > $4 AND +server >= $5 ORDER BY `+by+`, number LIMIT 1`,
			st.Account, st.Region, st.ID, t, oldest)
	}
	if err == nil && len(list) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return fragment{}, err
	}
	return list[0], nil
}
