package video

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
)

// recoverChunk puts into the index what it lacks of the fragments in a chunk that no connection writes any more, and
// answers where the last of the chunk's fragments ends, and when it came. A chunk without fragments ends at 0.
func (s *Service) recoverChunk(ctx context.Context, c chunkRow) (end, last int64, err error) {
	st, err := s.streamByID(ctx, c.account, c.region, c.stream)
	if errors.Is(err, db.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	indexed, last, err := s.indexed(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	file, err := s.Blobs.OpenAt(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = file.Close() }() // was only read
	// Of chunks from before there were records, the row has the end.
	end = max(indexed, c.size)
	check := &verifier{s: s, file: file, name: c.name}
	err = eachBatch(records(c.name, file, indexed), func(list []fragment) error {
		whole := list[:0]
		for _, f := range list {
			damage, err := check.fragment(f)
			if err != nil {
				return err
			}
			if damage != "" {
				s.Log.Warn("fragment was not whole when the machine stopped", "stream", st.Name, "fragment", f.number, "reason", damage)
				continue
			}
			end, last = max(end, f.mediaOffset+f.mediaSize+int64(recordSize)), max(last, f.server)
			whole = append(whole, f)
		}
		return s.restoreFragments(ctx, st, whole)
	})
	return end, last, err
}

// eachBatch gives fn fragments, as many at a time as one transaction may take. The slice is fn's until it returns.
func eachBatch(all iter.Seq2[fragment, error], fn func([]fragment) error) error {
	var list []fragment
	for f, err := range all {
		if err != nil {
			return err
		}
		if list = append(list, f); len(list) == reapBatch {
			if err := fn(list); err != nil {
				return err
			}
			list = list[:0]
		}
	}
	if len(list) == 0 {
		return nil
	}
	return fn(list)
}

// indexed is where the last fragment ends that the index has of a chunk, without its record, and when it came.
func (s *Service) indexed(ctx context.Context, c chunkRow) (end, last int64, err error) {
	// What is in a chunk came after it was begun: the stream's earlier fragments are not looked at.
	err = s.DB.QueryRow(ctx, `SELECT COALESCE(MAX(media_offset + media_size), 0), COALESCE(MAX(server), 0) FROM video_fragments
		WHERE account = $1 AND region = $2 AND stream = $3 AND server >= $4 AND chunk = $5`,
		c.account, c.region, c.stream, chunkTime(c.name), c.name).Scan(&end, &last)
	return end, last, err
}

// chunkTime is when a chunk was begun, as its name says.
func chunkTime(name string) int64 {
	ms, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "-")
	t, _ := strconv.ParseInt(ms, 10, 64) // 0 is before all
	return t
}

// scanWindow is how much of a chunk is looked through at once.
const scanWindow = 256 << 10

// records yields the fragments that records tell of in a chunk's file, behind an offset. Their bytes are yet to be checked.
func records(name string, file *blob.Reader, from int64) iter.Seq2[fragment, error] {
	return func(yield func(fragment, error) bool) {
		window := make([]byte, min(scanWindow, max(file.Size()-from, 0)))
		for {
			n, err := file.ReadAt(window, from)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(fragment{}, fmt.Errorf("look through chunk %s: %w", name, err))
				return
			}
			for at := 0; ; at++ {
				next := bytes.Index(window[at:n], []byte(recordMagic))
				if next < 0 || at+next+recordSize > n {
					break
				}
				at += next
				f, ok := parseRecord(name, window[at:at+recordSize])
				if ok && f.mediaOffset+f.mediaSize == from+int64(at) && !yield(f, nil) {
					return
				}
			}
			if n < len(window) || n < recordSize {
				return
			}
			from += int64(n - recordSize + 1) // one may begin within the last bytes
		}
	}
}
