package video

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/db"
)

var (
	errExists  = errors.New("stream exists")
	errTooMany = errors.New("too many streams")
	errVersion = errors.New("not the stream's version")
	errMapped  = errors.New("stream is mapped to a channel")
)

const streamColumns = `account, region, name, id, created, version, retention, device_name, media_type, kms_key, tags`

func scanStream(scan func(...any) error) (*Stream, error) {
	var st Stream
	var tags string
	err := scan(&st.Account, &st.Region, &st.Name, &st.ID, &st.Created, &st.Version, &st.RetentionHours,
		&st.DeviceName, &st.MediaType, &st.KMSKeyID, &tags)
	if err != nil {
		return nil, err
	}
	st.Tags = map[string]string{}
	if err := json.Unmarshal([]byte(tags), &st.Tags); err != nil {
		return nil, fmt.Errorf("tags of stream %s: %w", st.Name, err)
	}
	return &st, nil
}

func tagsJSON(tags map[string]string) string {
	if len(tags) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(tags) // strings only
	return string(b)
}

// stream finds a stream by its name; db.ErrNotFound when there is none.
func (s *Service) stream(ctx context.Context, account, region, name string) (*Stream, error) {
	return scanStream(s.DB.QueryRow(ctx, `SELECT `+streamColumns+` FROM video_streams
		WHERE account = $1 AND region = $2 AND name = $3`, account, region, name).Scan)
}

// streams is the page of streams whose names start with prefix and come behind after.
func (s *Service) streams(ctx context.Context, account, region, prefix, after string, limit int) ([]*Stream, error) {
	// The alphabet of names ends before DEL.
	rows, err := s.DB.Query(ctx, `SELECT `+streamColumns+` FROM video_streams
		WHERE account = $1 AND region = $2 AND name > $3 AND name >= $4 AND name < $5
		ORDER BY name LIMIT $6`, account, region, after, prefix, prefix+"\x7f", int64(limit))
	if err != nil {
		return nil, err
	}
	return scanStreams(rows)
}

// outlivedStreams is every stream of every account that has a fragment, or a complete chunk, from before its oldest.
func (s *Service) outlivedStreams(ctx context.Context) ([]*Stream, error) {
	const oldest = `CAST($1 AS BIGINT) - CASE WHEN s.retention = 0 THEN CAST($2 AS BIGINT) ELSE s.retention * 3600000 END`
	rows, err := s.DB.Query(ctx, `SELECT `+streamColumns+` FROM video_streams s
		WHERE EXISTS (SELECT 1 FROM video_fragments f
				WHERE f.account = s.account AND f.region = s.region AND f.stream = s.id AND f.server < `+oldest+`)
			OR EXISTS (SELECT 1 FROM video_chunks c
				WHERE c.account = s.account AND c.region = s.region AND c.stream = s.id AND c.state = $3 AND c.last < `+oldest+`)`,
		s.Now().UnixMilli(), withoutRetention.Milliseconds(), int64(chunkComplete))
	if err != nil {
		return nil, err
	}
	return scanStreams(rows)
}

func scanStreams(rows *db.Rows) ([]*Stream, error) {
	var list []*Stream
	for rows.Next() {
		st, err := scanStream(rows.Scan)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, st)
	}
	return list, rows.Close()
}

// insertStream adds a stream, and its storage tier unless that is "": errExists, or errTooMany when the account has
// limit streams in the region; a negative limit is none.
func (s *Service) insertStream(ctx context.Context, st *Stream, tier string, limit int) error {
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		var have int64
		err := tx.QueryRow(ctx, `SELECT count(*) FROM video_streams WHERE account = $1 AND region = $2`, st.Account, st.Region).Scan(&have)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO video_streams (`+streamColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
			st.Account, st.Region, st.Name, st.ID, st.Created, st.Version, st.RetentionHours,
			st.DeviceName, st.MediaType, st.KMSKeyID, tagsJSON(st.Tags))
		switch {
		case err != nil:
			return err
		case n == 0:
			return errExists
		case limit > 0 && have >= int64(limit):
			return errTooMany
		case tier != "":
			return putSetting(ctx, tx, st, settingStorage, kinesisvideo.StreamStorageConfiguration{DefaultStorageTier: tier})
		}
		return nil
	})
}

// updateStream applies f to the stream as it is now and stores what f made of it. errGone when it was deleted.
func (s *Service) updateStream(ctx context.Context, st *Stream, f func(*Stream) error) error {
	return s.withStream(ctx, st, func(tx *db.Tx, now *Stream) error {
		if err := f(now); err != nil {
			return err
		}
		return saveStream(ctx, tx, now)
	})
}

// withStream runs f in a transaction with the stream as it is now. errGone when it was deleted.
func (s *Service) withStream(ctx context.Context, st *Stream, f func(*db.Tx, *Stream) error) error {
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		now, err := scanStream(tx.QueryRow(ctx, `SELECT `+streamColumns+` FROM video_streams
			WHERE account = $1 AND region = $2 AND name = $3 AND id = $4`, st.Account, st.Region, st.Name, st.ID).Scan)
		if errors.Is(err, db.ErrNotFound) {
			return errGone
		}
		if err != nil {
			return err
		}
		return f(tx, now)
	})
}

// saveStream stores what may change of a stream.
func saveStream(ctx context.Context, tx *db.Tx, st *Stream) error {
	_, err := tx.Exec(ctx, `UPDATE video_streams SET version = $4, retention = $5, device_name = $6, media_type = $7, tags = $8
		WHERE account = $1 AND region = $2 AND name = $3`, st.Account, st.Region, st.Name,
		st.Version, st.RetentionHours, st.DeviceName, st.MediaType, tagsJSON(st.Tags))
	return err
}

// deleteStream removes the stream and what is set for it, and notes that its media are to be removed. errGone when it
// was deleted, errVersion when it has another version than the one given, errMapped when a channel is stored in it.
func (s *Service) deleteStream(ctx context.Context, st *Stream, version *string) error {
	return s.DB.Write(ctx, func(tx *db.Tx) error {
		var current string
		err := tx.QueryRow(ctx, `DELETE FROM video_streams WHERE account = $1 AND region = $2 AND name = $3 AND id = $4
			RETURNING version`, st.Account, st.Region, st.Name, st.ID).Scan(&current)
		switch {
		case errors.Is(err, db.ErrNotFound):
			return errGone
		case err != nil:
			return err
		case version != nil && *version != current:
			return errVersion
		}
		if err := unmapped(ctx, tx, st, ""); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM video_settings WHERE account = $1 AND region = $2 AND stream = $3`, st.Account, st.Region, st.ID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO video_deleted_streams (account, region, stream) VALUES ($1, $2, $3)`,
			st.Account, st.Region, st.ID)
		return err
	})
}

// streamByID finds a stream by the id of its life; db.ErrNotFound when there is none.
func (s *Service) streamByID(ctx context.Context, account, region, id string) (*Stream, error) {
	return scanStream(s.DB.QueryRow(ctx, `SELECT `+streamColumns+` FROM video_streams
		WHERE account = $1 AND region = $2 AND id = $3`, account, region, id).Scan)
}
