package video

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
)

// VerifyOptions says what Verify does.
type VerifyOptions struct {
	// Mend makes the index say what there is; otherwise nothing is changed.
	Mend     bool
	Fault    func(text string)    // called with each fault, recovered fragments by their file; may be nil
	Progress func(VerifyProgress) // called now and then; may be nil
}

// VerifyProgress is how far Verify is.
type VerifyProgress struct {
	Files, AllFiles int
	Bytes, AllBytes int64
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Streams, Fragments, Files int
	Bytes                     int64 // of the fragments

	Faults    int // all of the following
	Damaged   int // fragments whose bytes are not there, or not those that were acknowledged: not indexed any more
	Recovered int // fragments that are whole in their chunk, and that the index lacked: indexed again
	Unindexed int // chunk files that fragments are in, and that had no row
	Corrected int // rows of chunk files that did not cover their fragments, or whose file is gone
	Ownerless int // streams that nobody knows and that left something: to be removed by the reaper
	Unknown   int // files that no row names: they are left alone
	Tails     int // chunk files with bytes behind their last fragment: cut off
}

// verifyPage is how many fragments are looked at, and taken out of the index, at once.
const verifyPage = 500

// Verify holds the index against the files: every fragment must be in its chunk, whole, and every chunk have its row. It is
// for a service that does not run, and is not started before: nothing else may write. A fragment that is damaged cannot be
// given to anybody; mending takes it out of the index, and its bytes are given back with its chunk. A fragment that the
// index lacks is in its chunk with its record: mending puts it into the index again, unless it is outlived.
func (s *Service) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	s.Limits = s.Limits.withDefaults()
	v := &verifier{s: s, o: o, report: &VerifyReport{}, known: map[[3]string]*Stream{}}
	for f, err := range s.Blobs.List("") {
		if err != nil {
			return nil, err
		}
		v.progress.AllFiles++
		v.progress.AllBytes += f.Size
	}
	owners, err := v.owners(ctx)
	if err != nil {
		return nil, fmt.Errorf("find streams: %w", err)
	}
	dirs := map[string]bool{}
	for _, owner := range owners {
		dirs[owner[2]] = true
		st := v.known[owner]
		if st == nil {
			err = v.ownerless(ctx, owner)
		} else {
			err = v.stream(ctx, st)
		}
		if err != nil {
			return nil, fmt.Errorf("verify stream %s of account %s: %w", owner[2], owner[0], err)
		}
	}
	return v.report, v.strangers(dirs)
}

// verifier is one run of Verify.
type verifier struct {
	s        *Service
	o        VerifyOptions
	report   *VerifyReport
	progress VerifyProgress
	known    map[[3]string]*Stream // by account, region, id; nil for a deleted one

	// Of the stream at hand.
	st    *Stream
	files map[string]int64 // size of each file
	held  map[string]*held // what good fragments say of each chunk
	hurt  map[string]bool  // chunks with damaged fragments
	file  *blob.Reader     // the chunk that was read last
	name  string
}

// held is what the fragments in a chunk say of it.
type held struct {
	end, last int64
	gaps      bool // there are bytes between them
}

// hold notes what a good fragment says of its chunk. Those of a chunk come in the order of their numbers.
func (v *verifier) hold(f fragment) {
	h := v.held[f.chunk]
	if h == nil {
		h = &held{}
		v.held[f.chunk] = h
	}
	begin := f.mediaOffset
	if f.headerOffset+f.headerSize == begin {
		begin = f.headerOffset
	}
	h.gaps = h.gaps || begin != h.end
	h.end = max(h.end, v.end(f), f.headerOffset+f.headerSize)
	h.last = max(h.last, f.server)
}

func (v *verifier) fault(count *int, format string, args ...any) { v.faults(count, 1, format, args...) }

func (v *verifier) faults(count *int, n int, format string, args ...any) {
	v.report.Faults += n
	*count += n
	if v.o.Fault != nil {
		v.o.Fault(fmt.Sprintf(format, args...))
	}
}

// owners is every stream that anything in the tables belongs to, but for those that are being deleted.
func (v *verifier) owners(ctx context.Context) ([][3]string, error) {
	streams, err := v.s.allStreams(ctx)
	if err != nil {
		return nil, err
	}
	deleted, err := v.s.streamKeys(ctx, `SELECT account, region, stream FROM video_deleted_streams`)
	if err != nil {
		return nil, err
	}
	for _, st := range streams {
		v.known[[3]string{st.Account, st.Region, st.ID}] = st
	}
	all := map[[3]string]bool{}
	for key := range v.known {
		all[key] = true
	}
	for _, table := range []string{"video_chunks", "video_fragments"} {
		// From one stream to the next, without looking at what is between.
		at := [3]string{}
		for {
			next, err := v.s.streamKeys(ctx, `SELECT account, region, stream FROM `+table+` WHERE (account, region, stream) > ($1, $2, $3)
				ORDER BY account, region, stream LIMIT 1`, at[0], at[1], at[2])
			if err != nil {
				return nil, err
			}
			if len(next) == 0 {
				break
			}
			at = next[0]
			all[at] = true
		}
	}
	for _, key := range deleted {
		v.known[key] = nil
		delete(all, key)
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }), nil
}

// ownerless notes that what a stream has left is to be removed.
func (v *verifier) ownerless(ctx context.Context, owner [3]string) error {
	v.fault(&v.report.Ownerless, "stream %s of account %s is gone, and has fragments or files", owner[2], owner[0])
	if !v.o.Mend {
		return nil
	}
	return v.s.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO video_deleted_streams (account, region, stream) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			owner[0], owner[1], owner[2])
		return err
	})
}

// stream verifies one stream.
func (v *verifier) stream(ctx context.Context, st *Stream) error {
	v.report.Streams++
	v.st, v.files, v.held, v.hurt = st, map[string]int64{}, map[string]*held{}, map[string]bool{}
	defer v.close()
	for f, err := range v.s.Blobs.List(chunkDir(st.ID)) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			v.files[f.Name] = f.Size
		}
	}
	for after := before; ; {
		page, err := v.s.queryFragments(ctx, `number > $4 ORDER BY number LIMIT $5`, st.Account, st.Region, st.ID, after, int64(verifyPage))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].number
		if err := v.page(ctx, page); err != nil {
			return err
		}
	}
	v.report.Files += len(v.files)
	v.progress.Files = v.report.Files
	return v.chunks(ctx)
}

// checked counts a fragment that is read.
func (v *verifier) checked(f fragment) {
	v.report.Fragments++
	v.report.Bytes += f.mediaSize
	v.progress.Bytes += f.mediaSize
	if v.o.Progress != nil {
		v.o.Progress(v.progress)
	}
}

// page verifies fragments, and takes the damaged ones out of the index.
func (v *verifier) page(ctx context.Context, page []fragment) error {
	var bad []string
	for _, f := range page {
		v.checked(f)
		reason, err := v.fragment(f)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if reason != "" {
			v.fault(&v.report.Damaged, "stream %s: fragment %s: %s (%s)", v.st.Name, f.number, reason, f.chunk)
			v.hurt[f.chunk] = true
			bad = append(bad, f.number)
			continue
		}
		v.hold(f)
	}
	if len(bad) == 0 || !v.o.Mend {
		return nil
	}
	return v.s.DB.Write(ctx, func(tx *db.Tx) error {
		for _, number := range bad {
			_, err := tx.Exec(ctx, `DELETE FROM video_fragments WHERE account = $1 AND region = $2 AND stream = $3 AND number = $4`,
				v.st.Account, v.st.Region, v.st.ID, number)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// strangers reports files of streams that no row names. They may be all that a lost database has left: nobody but
// their owner can say that they may go.
func (v *verifier) strangers(dirs map[string]bool) error {
	deleted := map[string]bool{}
	for key, st := range v.known {
		if st == nil {
			deleted[key[2]] = true
		}
	}
	for f, err := range v.s.Blobs.List("") {
		if err != nil {
			return err
		}
		if id := chunkStream(f.Name); !dirs[id] && !deleted[id] {
			v.fault(&v.report.Unknown, "file %s (%d bytes) is of no stream", f.Name, f.Size)
			v.report.Files++
		}
	}
	return nil
}
