package shadow

import (
	"errors"

	"github.com/thingd/thingd/internal/shadow/document"
)

// maxTries is how often an update is made anew on what others have written meanwhile. Requests of this process wait for
// one another, so that only other processes can be in between.
const maxTries = 20

var errContended = errors.New("the shadow is written by others all the time")

// get answers what the shadow is now.
func (s *Service) get(r *request) ([]byte, error) {
	q, err := document.ParseGet(r.payload)
	if err != nil {
		return nil, err
	}
	row, err := read(s.ctx, s.DB, r.id)
	if err != nil {
		return nil, err
	}
	d, _, err := row.document()
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return nil, r.missing(q)
	}
	return q.Answer(d, s.Now().Unix()), nil
}

// update merges the request into the shadow and, once that is durable, tells who listens.
func (s *Service) update(r *request) ([]byte, error) {
	now := s.Now()
	q, err := document.ParseUpdate(r.payload, now.Unix())
	if err != nil {
		return nil, err
	}
	var before, after *document.Document
	err = s.change(r.id, func(row *record) (*record, error) {
		var last int64
		var err error
		if before, last, err = row.document(); err != nil {
			return nil, err
		}
		if after, err = before.Update(q, last, s.limits(r.account).State); err != nil {
			return nil, err
		}
		return &record{Stored: after.Store(), updated: now.UnixMilli()}, nil
	})
	if err != nil {
		return nil, err
	}
	if delta := q.Delta(after); delta != nil {
		s.publish(r.id, "/update/delta", delta)
	}
	s.publish(r.id, "/update/documents", q.Documents(before, after))
	return q.Accepted(after), nil
}

// delete takes the shadow away, and leaves its version to go on from.
func (s *Service) delete(r *request) ([]byte, error) {
	now := s.Now()
	q, err := document.ParseDelete(r.payload)
	if err != nil {
		return nil, err
	}
	var version int64
	err = s.change(r.id, func(row *record) (*record, error) {
		if row.revision == 0 || row.deleted {
			return nil, r.missing(q)
		}
		version = row.Version
		return &record{deleted: true, Stored: document.Stored{Version: version}, updated: now.UnixMilli()}, nil
	})
	if err != nil {
		return nil, err
	}
	return q.Deleted(version, now.Unix()), nil
}

// change puts the row that build makes of a shadow's in its place. build is called again on a later row when the one
// it was given has been changed by others, and what it refuses on a row from memory it is asked again on the
// database's.
func (s *Service) change(i id, build func(*record) (*record, error)) error {
	cached, known := s.cache.get(i)
	for range maxTries {
		row := cached
		if !known {
			r, err := read(s.ctx, s.DB, i)
			if err != nil {
				return err
			}
			row = &r
		}
		next, err := build(row)
		if err != nil {
			if known {
				known = false
				continue
			}
			return err
		}
		next.revision = row.revision + 1
		ok, err := s.writes.write(i, next)
		switch {
		case err != nil:
			s.cache.drop(i) // whether it was committed is not known
			return err
		case ok:
			s.cache.set(i, next)
			return nil
		}
		s.cache.drop(i)
		known = false
	}
	return errContended
}
