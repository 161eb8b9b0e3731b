package video

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/thingd/thingd/internal/db"
)

// endingLeases is how many leases are ended at once: each waits for the disk.
const endingLeases = 16

// endLeases ends leases that no connection has: of an earlier process that stopped, or of one whose end could not be
// written down.
func (s *Service) endLeases(ctx context.Context) error {
	var last chunkRow
	for {
		list, err := s.leased(ctx, last)
		if err != nil || len(list) == 0 {
			return err
		}
		last = list[len(list)-1]
		g, within := errgroup.WithContext(ctx)
		g.SetLimit(endingLeases)
		for _, c := range list {
			if s.leases.has(c.name) {
				continue
			}
			g.Go(func() error {
				if err := s.endLease(within, c); err != nil {
					return fmt.Errorf("chunk %s: %w", c.name, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
}

// endLease ends one. Fragments that are in the index and not whole on disk are taken out of it; a file without any
// fragment is given back, and so are the bytes behind a file's last fragment.
func (s *Service) endLease(ctx context.Context, c chunkRow) error {
	var size, synced int64
	var unsynced string
	// Its connection may have ended it since: only now is this final.
	err := s.DB.QueryRow(ctx, `SELECT size, synced, unsynced FROM video_chunks
		WHERE account = $1 AND region = $2 AND stream = $3 AND chunk = $4 AND state = $5`,
		c.account, c.region, c.stream, c.name, int64(chunkLeased)).Scan(&size, &synced, &unsynced)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err == nil && unsynced != "" {
		size, err = s.settle(ctx, c, synced, unsynced)
	}
	if err != nil {
		return err
	}
	if size > 0 {
		if err := s.Blobs.Truncate(c.name, size); err != nil {
			return err
		}
	}
	return s.endChunk(c.owner(), c.name, size)
}

// settle makes durable what there is of the fragments from number unsynced on, before which the chunk's first synced bytes
// are on disk, and takes those out of the index that are not whole. It answers how much of the chunk fragments cover.
func (s *Service) settle(ctx context.Context, c chunkRow, synced int64, unsynced string) (size int64, err error) {
	// They may be whole in memory only: then the sync decides.
	lost := s.Blobs.Sync(c.name)
	if lost != nil && !errors.Is(lost, syscall.EIO) {
		return 0, lost
	}
	list, err := s.queryFragments(ctx, `number >= $4 AND chunk = $5`, c.account, c.region, c.stream, unsynced, c.name)
	if err != nil {
		return 0, err
	}
	v := &verifier{s: s}
	defer v.close()
	var torn []fragment
	size = synced
	for _, f := range list {
		reason, err := v.fragment(f)
		if err = errors.Join(err, lost); errors.Is(err, syscall.EIO) {
			reason, err = err.Error(), nil
		}
		if err != nil {
			return 0, err
		}
		if reason != "" {
			s.Log.Warn("fragment is not whole after a crash and is dropped", "account", c.account, "chunk", c.name, "fragment", f.number, "reason", reason)
			torn = append(torn, f)
			continue
		}
		size = max(size, f.mediaOffset+f.mediaSize)
	}
	return size, s.dropFragments(ctx, c.owner(), c.name, torn, size)
}
