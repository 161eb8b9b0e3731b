package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/video"
)

// VerifyVideo checks the video on the data directory of a server that is not
// running against its index.
func VerifyVideo(ctx context.Context, c *config.Stopped, o video.VerifyOptions) (report *video.VerifyReport, err error) {
	unlock, err := lockData(c.Data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	data, err := db.Open(ctx, c.Database, db.Options{Sync: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	blobs, err := blob.Open(filepath.Join(c.Data, videoDir), blob.Options{Sync: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	s := &video.Service{DB: data, Blobs: blobs, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	return s.Verify(ctx, o)
}

// videoDir is where in the data directory the chunks are.
const videoDir = "video"
