package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/mkv"
)

// chunkStream is the stream of a chunk's file, "" when it has no chunk's name.
func chunkStream(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) != 3 || parts[0] != "video" {
		return ""
	}
	return parts[1]
}

func (v *verifier) close() {
	if v.file != nil {
		_ = v.file.Close() // was only read
		v.file, v.name = nil, ""
	}
}

// fragment reads a fragment and says what is wrong with it, "" when nothing is.
func (v *verifier) fragment(f fragment) (reason string, err error) {
	if v.name != f.chunk || v.file == nil {
		v.close()
		file, err := v.s.Blobs.OpenAt(f.chunk)
		if errors.Is(err, fs.ErrNotExist) {
			return "its file is missing", nil
		}
		if err != nil {
			return "", err
		}
		v.file, v.name = file, f.chunk
	}
	size := v.file.Size()
	if f.headerOffset < 0 || f.mediaOffset < 0 || f.headerSize <= 0 || f.mediaSize <= 0 ||
		f.headerSize > mkv.MaxHeader || f.headerOffset > size-f.headerSize || f.mediaOffset > size-f.mediaSize {
		return fmt.Sprintf("its file has %d bytes", size), nil
	}
	header := make([]byte, f.headerSize)
	if _, err := v.file.ReadAt(header, f.headerOffset); err != nil {
		return "", err
	}
	if _, err := mkv.ParseHeader(header); err != nil {
		return fmt.Sprintf("its header is damaged: %v", err), nil
	}
	c := &clusterCheck{}
	c.parser = mkv.NewParser(c.event)
	_, _ = c.parser.Write(header) // was parsed before
	_, err = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{io.NewSectionReader(v.file, f.mediaOffset, f.mediaSize)}, make([]byte, 32<<10))
	if err != nil {
		return "", err
	}
	if c.err == nil {
		c.err = c.parser.Close()
	}
	switch {
	case f.sum != noSum && f.sum != c.sum:
		return "its bytes are not those that were received", nil
	case c.err != nil:
		return fmt.Sprintf("it is no whole cluster: %v", c.err), nil
	case c.clusters != 1 || c.whole != 1:
		return fmt.Sprintf("it has %d clusters", c.clusters), nil
	}
	return "", nil
}

// end is where a good fragment ends, with its record when it has one.
func (v *verifier) end(f fragment) int64 {
	end := f.mediaOffset + f.mediaSize
	var b [recordSize]byte
	if _, err := v.file.ReadAt(b[:], end); err == nil {
		if got, ok := parseRecord(f.chunk, b[:]); ok && got.number == f.number {
			end += int64(recordSize)
		}
	}
	return end
}

// clusterCheck parses and sums media. It takes everything: err is what the parser said.
type clusterCheck struct {
	parser          *mkv.Parser
	err             error
	sum             int64
	clusters, whole int
}

func (c *clusterCheck) Write(p []byte) (int, error) {
	c.sum = addSum(c.sum, p)
	if c.err == nil {
		_, c.err = c.parser.Write(p)
	}
	return len(p), nil
}

func (c *clusterCheck) event(e *mkv.Event) error {
	switch e.Kind {
	case mkv.KindCluster:
		c.clusters++
	case mkv.KindClusterEnd:
		c.whole++
	}
	return nil
}

// row is a chunk's.
type row struct{ state, size, last int64 }

// chunks holds the rows of the stream's chunks against its files and fragments.
func (v *verifier) chunks(ctx context.Context) error {
	rows, err := v.rows(ctx)
	if err != nil {
		return err
	}
	oldest := v.st.oldest(v.s.Now())
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		if v.lacks(name, rows) {
			if err := v.recoverFile(ctx, name, oldest); err != nil {
				return err
			}
		}
	}
	v.close()
	for _, name := range slices.Sorted(maps.Keys(v.held)) {
		if _, ok := rows[name]; ok {
			continue
		}
		v.fault(&v.report.Unindexed, "stream %s: file %s has fragments and no row", v.st.Name, name)
		h := v.held[name]
		if err := v.mend(ctx, `INSERT INTO video_chunks (account, region, stream, chunk, owner, state, size, last) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			name, v.s.Node, int64(chunkComplete), h.end, h.last); err != nil {
			return err
		}
		rows[name] = row{chunkComplete, h.end, h.last}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if err := v.chunk(ctx, name, rows[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		if _, ok := rows[name]; !ok {
			v.fault(&v.report.Unknown, "stream %s: file %s (%d bytes) has no row and no fragment", v.st.Name, name, v.files[name])
		}
	}
	return nil
}

// lacks says whether a file may have fragments that the index lacks. Most have none: theirs fill them. What is leased the
// server looks through when it starts, and what is garbage stays so.
func (v *verifier) lacks(name string, rows map[string]row) bool {
	r, ok := rows[name]
	h := v.held[name]
	switch {
	case ok && r.state == chunkLeased, ok && r.state == chunkGarbage && h == nil:
		return false
	default:
		return h == nil || h.gaps || h.end < v.files[name]
	}
}

// recoverFile puts those fragments of a chunk into the index again that it lacks, that are whole, and that came at oldest or later.
func (v *verifier) recoverFile(ctx context.Context, name string, oldest int64) error {
	file, err := v.s.Blobs.OpenAt(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // was only read
	n := 0
	err = eachBatch(records(name, file, 0), func(list []fragment) error {
		list = slices.DeleteFunc(list, func(f fragment) bool { return f.server < oldest })
		rows, err := v.indexed(ctx, list)
		if err != nil {
			return err
		}
		lost := list[:0]
		for _, f := range list {
			ok, err := v.lost(f, rows)
			if err != nil {
				return err
			}
			if ok {
				v.checked(f)
				v.hold(f)
				lost = append(lost, f)
			}
		}
		n += len(lost)
		if len(lost) == 0 || !v.o.Mend {
			return nil
		}
		return v.s.restoreFragments(ctx, v.st, lost)
	})
	if n > 0 {
		v.faults(&v.report.Recovered, n, "stream %s: file %s: whole fragments that the index lacks: %d", v.st.Name, name, n)
	}
	return err
}

// lost says whether a fragment is whole and has no row, or one that is damaged, which mending has taken out before.
func (v *verifier) lost(f fragment, rows map[string]fragment) (bool, error) {
	if row, ok := rows[f.number]; ok {
		if row == f {
			return false, nil
		}
		if damage, err := v.fragment(row); err != nil || damage == "" {
			return false, err
		}
	}
	damage, err := v.fragment(f)
	return damage == "", err
}

// indexed is the rows that the index has of fragments, by number.
func (v *verifier) indexed(ctx context.Context, list []fragment) (map[string]fragment, error) {
	if len(list) == 0 {
		return nil, ctx.Err()
	}
	marks, args := make([]string, len(list)), []any{v.st.Account, v.st.Region, v.st.ID}
	for i, f := range list {
		args = append(args, f.number)
		marks[i] = "$" + strconv.Itoa(len(args))
	}
	found, err := v.s.queryFragments(ctx, `number IN (`+strings.Join(marks, ", ")+`)`, args...)
	if err != nil {
		return nil, err
	}
	rows := make(map[string]fragment, len(found))
	for _, f := range found {
		rows[f.number] = f
	}
	return rows, nil
}

// chunk holds one row against its file and fragments. What a crash leaves behind is no fault: a leased chunk is ended, and
// its row filled in, when the server starts.
func (v *verifier) chunk(ctx context.Context, name string, r row) error {
	if r.state == chunkLeased {
		return nil
	}
	size, there := v.files[name]
	h, want := v.held[name], r
	switch {
	case h == nil && (!there && r.state == chunkComplete || v.hurt[name]):
		want = row{chunkGarbage, 0, r.last}
	case h != nil:
		want.size, want.last = max(r.size, h.end), max(r.last, h.last)
		if there && want.size > size {
			want.size = h.end
		}
		if r.state == chunkGarbage {
			want.state = chunkComplete
		}
	}
	if want != r {
		v.fault(&v.report.Corrected, "stream %s: the row of file %s is corrected", v.st.Name, name)
		if err := v.mend(ctx, `UPDATE video_chunks SET state = $5, size = $6, last = $7
			WHERE account = $1 AND region = $2 AND stream = $3 AND chunk = $4`, name, want.state, want.size, want.last); err != nil {
			return err
		}
	}
	if there && want.state == chunkComplete && size > want.size {
		v.fault(&v.report.Tails, "stream %s: file %s has %d bytes behind its last fragment", v.st.Name, name, size-want.size)
		if v.o.Mend {
			return v.s.Blobs.Truncate(name, want.size)
		}
	}
	return nil
}

// mend runs a statement whose first four parameters are a chunk.
func (v *verifier) mend(ctx context.Context, statement, name string, args ...any) error {
	if !v.o.Mend {
		return nil
	}
	return v.s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, statement, append([]any{v.st.Account, v.st.Region, v.st.ID, name}, args...)...)
		return err
	})
}

// rows is the rows of the stream's chunks.
func (v *verifier) rows(ctx context.Context) (map[string]row, error) {
	list, err := v.s.DB.Query(ctx, `SELECT chunk, state, size, last FROM video_chunks WHERE account = $1 AND region = $2 AND stream = $3`,
		v.st.Account, v.st.Region, v.st.ID)
	if err != nil {
		return nil, err
	}
	rows := map[string]row{}
	for list.Next() {
		var name string
		var r row
		if err := list.Scan(&name, &r.state, &r.size, &r.last); err != nil {
			return nil, errors.Join(err, list.Close())
		}
		rows[name] = r
	}
	return rows, list.Close()
}

// allStreams is every stream of every account.
func (s *Service) allStreams(ctx context.Context) ([]*Stream, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+streamColumns+` FROM video_streams`)
	if err != nil {
		return nil, err
	}
	return scanStreams(rows)
}

// streamKeys reads rows of account, region and stream.
func (s *Service) streamKeys(ctx context.Context, query string, args ...any) ([][3]string, error) {
	rows, err := s.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var list [][3]string
	for rows.Next() {
		var k [3]string
		if err := rows.Scan(&k[0], &k[1], &k[2]); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, k)
	}
	return list, rows.Close()
}
