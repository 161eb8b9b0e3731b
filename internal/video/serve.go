package video

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/mkv"
)

// contentType is what AWS calls the Matroska that it sends.
const contentType = "video/webm"

// errLost says that a fragment's bytes are not there (any more).
var errLost = errors.New("fragment is gone")

// sender writes stored fragments as AWS does: for each a whole document, its header as the producer sent it, then tags
// that say which fragment it is, then the cluster and what followed it, byte for byte. It keeps the last chunk open.
type sender struct {
	s     *Service
	w     io.Writer
	chunk string
	file  *blob.Reader
	buf   []byte
}

func (d *sender) close() {
	if d.file != nil {
		_ = d.file.Close() // was only read
		d.file, d.chunk = nil, ""
	}
}

// open makes file the fragment's chunk; errLost when it is gone.
func (d *sender) open(f fragment) error {
	if d.file != nil && d.chunk == f.chunk {
		return nil
	}
	d.close()
	file, err := d.s.Blobs.OpenAt(f.chunk)
	if errors.Is(err, fs.ErrNotExist) {
		return errLost
	}
	if err != nil {
		return err
	}
	d.file, d.chunk = file, f.chunk
	return nil
}

// fragment writes one fragment. errLost comes before anything is written.
func (d *sender) fragment(f fragment) error {
	if err := d.open(f); err != nil {
		return err
	}
	if err := d.copy(f.headerOffset, f.headerSize); err != nil {
		return err
	}
	tags := mkv.AppendTags(nil,
		mkv.Tag{Name: "AWS_KINESISVIDEO_FRAGMENT_NUMBER", Value: f.number},
		mkv.Tag{Name: "AWS_KINESISVIDEO_SERVER_TIMESTAMP", Value: seconds(f.server)},
		mkv.Tag{Name: "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", Value: seconds(f.producer)})
	if _, err := d.w.Write(tags); err != nil {
		return err
	}
	return d.copy(f.mediaOffset, f.mediaSize)
}

// behind writes the tags that come after a fragment in GetMedia.
func (d *sender) behind(f fragment) error {
	behind := max(0, d.s.Now().UnixMilli()-f.server)
	_, err := d.w.Write(mkv.AppendTags(nil,
		mkv.Tag{Name: "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", Value: strconv.FormatInt(behind, 10)},
		mkv.Tag{Name: "AWS_KINESISVIDEO_CONTINUATION_TOKEN", Value: f.number}))
	return err
}

func (d *sender) copy(offset, size int64) error {
	if d.buf == nil {
		d.buf = make([]byte, 32<<10)
	}
	n, err := io.CopyBuffer(d.w, struct{ io.Reader }{io.NewSectionReader(d.file, offset, size)}, d.buf)
	if err == nil && n != size {
		err = fmt.Errorf("chunk %s ends %d bytes early", d.chunk, size-n)
	}
	return err
}

// seconds is a time as AWS's tags have it: decimal seconds with three places.
func seconds(ms int64) string {
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}
