package video

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/mkv"
)

// States of a chunk's row.
const (
	chunkLeased   = 0 // a connection writes it
	chunkComplete = 1
	chunkGarbage  = 2 // its file is to be removed, then its row
)

// chunk is a file leased to one connection, which appends headers and clusters as they arrive, and a record behind each
// fragment. Its row is in the database, and durable, before the file exists, so that no file is ever forgotten; size and
// last are written to it when the lease ends.
type chunk struct {
	s      *Service
	st     *Stream
	name   string
	opened time.Time
	file   *blob.Appender
	buf    *[]byte      // what is yet to be written, in a buffer of the service's; nil when it has none
	fast   bool         // buf is to be large, and kept until it is full or a fragment ends
	size   int64        // written, to buf at least
	kept   atomic.Int64 // of it, what the index covers
	last   atomic.Int64 // server time of the newest fragment that it covers
	refs   atomic.Int32 // the connection, and its fragments that are not persisted yet
	doubt  atomic.Bool  // whether the index covers more is not known: the database was lost in a commit

	header                   *mkv.Header // the document that was written last
	headerOffset, headerSize int64
}

// newChunk leases a chunk. errGone when the stream was deleted.
func (s *Service) newChunk(ctx context.Context, st *Stream) (*chunk, error) {
	now := s.Now()
	c := &chunk{
		s: s, st: st, opened: now,
		// By stream, then by time: whoever looks at the files finds their way.
		name: fmt.Sprintf("%s/%d-%s.mkv", chunkDir(st.ID), now.UnixMilli(), randomText(8)),
	}
	c.refs.Store(1)
	s.leases.take(c.name)
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		if err := exists(ctx, tx, st); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO video_chunks (account, region, stream, chunk, owner, state, size, last)
			VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`, st.Account, st.Region, st.ID, c.name, s.Node, int64(chunkLeased))
		return err
	})
	if err != nil {
		s.leases.give(c.name) // if the row is there after all, the reaper ends it
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, chunkWait)
	defer cancel()
	if c.file, err = s.Blobs.Create(ctx, c.name); err != nil {
		return nil, errors.Join(err, s.endChunk(st, c.name, 0, 0))
	}
	// Its name is made durable while the first fragment arrives, not when that is to be acknowledged.
	c.file.SyncSoon()
	return c, nil
}

// chunkDir is where a stream's chunks are.
func chunkDir(stream string) string { return "video/" + stream }

// write takes p over; it is in the file after the next flush.
func (c *chunk) write(p []byte) error {
	for len(p) > 0 {
		if c.buf == nil {
			c.buf = c.s.buffers.forWriting(c.fast)
		}
		b := *c.buf
		room := cap(b) - len(b)
		if cap(b) == writeSize { // up to where its whole pages end
			room -= int(c.size-int64(len(b))) % writeSize
		}
		n := min(len(p), room)
		*c.buf = append(b, p[:n]...)
		p = p[n:]
		c.size += int64(n)
		if n == room {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what was taken over to the file. It gives the buffer back, unless more comes fast.
func (c *chunk) flush() error {
	if c.buf == nil {
		return nil
	}
	var err error
	if len(*c.buf) > 0 {
		_, err = c.file.Write(*c.buf)
		*c.buf = (*c.buf)[:0]
		if !c.fast {
			c.file.Begin()
		}
	}
	if !c.fast || cap(*c.buf) != writeSize {
		c.s.buffers.put(c.buf)
		c.buf = nil
	}
	return err
}

// cut takes back what was written behind size.
func (c *chunk) cut(size int64) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.size = size
	return c.file.Truncate(size)
}

// full says that the next fragment belongs into another chunk: the space of an outlived fragment comes back when the
// last one of its chunk is outlived too.
func (c *chunk) full() bool {
	return c.size >= c.s.Limits.ChunkBytes || c.s.Now().Sub(c.opened) >= c.s.Limits.ChunkAge
}

// release lets go of the chunk. The last to do so ends it: bytes that belong to no fragment are cut off. What fails of
// that, the reaper does.
func (c *chunk) release() error {
	if c.refs.Add(-1) > 0 {
		return nil
	}
	if c.buf != nil {
		c.s.buffers.put(c.buf)
	}
	kept := c.kept.Load()
	err := c.file.Close()
	if c.doubt.Load() {
		// Nothing is cut off that there may be a row of. The reaper indexes what is whole: a fragment may be there twice
		// then, for its producer was told to send it again, but none without its bytes.
		c.s.leases.give(c.name)
		c.s.wakeReaper()
		return err
	}
	if c.size > kept {
		err = errors.Join(err, c.s.Blobs.Truncate(c.name, kept))
	}
	if err != nil {
		c.s.leases.give(c.name)
		return err
	}
	return c.s.endChunk(c.st, c.name, kept, c.last.Load())
}

// endChunk ends the lease of a chunk, whose fragments end at size, and the newest of which came at last. It is garbage when
// no fragment is in it, or when its stream was deleted. A crash of the machine may undo that: then it is done again.
func (s *Service) endChunk(st *Stream, name string, size, last int64) error {
	defer s.leases.give(name)
	state := chunkComplete
	if size == 0 {
		state = chunkGarbage
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.DB.WriteSoon(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE video_chunks SET size = $8, last = $9, state = CASE WHEN EXISTS (
				SELECT 1 FROM video_streams WHERE account = $1 AND region = $2 AND id = $3) THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END
			WHERE account = $1 AND region = $2 AND stream = $3 AND chunk = $4 AND state = $7`,
			st.Account, st.Region, st.ID, name, int64(state), int64(chunkGarbage), int64(chunkLeased), size, last)
		return err
	})
}

// leases are the chunks that connections of this process write. Rows of other chunks that say so are left over, from
// an earlier process or from when the database could not be written. The zero value is ready; safe for concurrent use.
type leases struct {
	mu    sync.Mutex
	names map[string]struct{}
}

func (l *leases) take(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil {
		l.names = map[string]struct{}{}
	}
	l.names[name] = struct{}{}
}

func (l *leases) give(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, name)
}

func (l *leases) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.names[name]
	return ok
}
