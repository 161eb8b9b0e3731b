package msglog

import (
	"context"
	"errors"

	"github.com/thingd/thingd/internal/db"
)

// Message returns a copy of a message that is queued for a session, also while
// its commit is still to come. It may read from the database; Cached tells
// without. ErrSettled when it is not queued.
func (l *Log) Message(ctx context.Context, s SessionID, seq uint64) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		data, at, err := l.look(s, seq)
		if data != nil || err != nil {
			return data, err
		}
		b, err := l.read(ctx, at.id)
		if errors.Is(err, db.ErrNotFound) && attempt < 10 {
			continue // moved, or settled, since
		}
		if err != nil {
			return nil, err
		}
		return at.cut(b), nil
	}
}

// Cached is Message for callers that cannot wait: false when the database has
// to be asked, or the message is not queued.
func (l *Log) Cached(s SessionID, seq uint64) ([]byte, bool) {
	data, at, err := l.look(s, seq)
	if data != nil || err != nil {
		return data, err == nil
	}
	if b := l.cache.get(at.id); b != nil {
		return at.cut(b), true
	}
	return nil, false
}

// place is where a message's data is.
type place struct {
	id        uint64
	off, size uint32
}

// cut returns a copy, never nil.
func (p place) cut(b []byte) []byte {
	return append(make([]byte, 0, p.size), b[p.off:p.off+p.size]...)
}

// look returns the data of a message whose row is in memory, or its place.
func (l *Log) look(s SessionID, seq uint64) ([]byte, place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pair(s, seq)
	if p == nil || p.state() == stateIncoming {
		return nil, place{}, ErrSettled
	}
	r := l.rows[p.slot]
	m := r.msg(seq)
	at := place{r.id, m.off, m.size}
	if r.buf != nil {
		return at.cut(r.buf), at, nil
	}
	return nil, at, nil
}
