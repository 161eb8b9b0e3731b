package video

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/mkv"
)

// maxProducerTime is the end of the year 9999 in milliseconds: no later time can be written in a response.
const maxProducerTime = 253_402_300_799_999

// tagEndOfFragment is not metadata but a command: the producer waits for the fragment's PERSISTED.
const tagEndOfFragment = "AWS_KINESISVIDEO_END_OF_FRAGMENT"

// incoming is a fragment that is being received.
type incoming struct {
	fragment
	timecode int64 // milliseconds as the producer sent them
	complete bool  // its cluster has ended; only tags and cues may follow
	// What a body that goes on no more has brought whole: media up to the end of the cluster or of the last tags, and its sum.
	whole, wholeSum int64
	frames          []frames
	tags            int
}

// frames is what is known of the frames of one of a fragment's tracks.
type frames struct {
	track       uint64
	count       int64
	first, last int64  // least and greatest timecode, in ticks
	length      uint64 // given duration of the last, in ticks
	usual       int64  // the track's default, in nanoseconds
}

func newIncoming(h *mkv.Header) *incoming {
	in := &incoming{frames: make([]frames, len(h.Tracks))}
	for i, t := range h.Tracks {
		in.frames[i] = frames{track: t.Number, usual: int64(min(t.DefaultDuration, uint64(time.Hour)))}
	}
	return in
}

// block takes account of a block.
func (in *incoming) block(b mkv.Block, scale uint64, l Limits) error {
	i := slices.IndexFunc(in.frames, func(f frames) bool { return f.track == b.Track })
	if i < 0 {
		return ackErrorf(4010, "block of track %d, which the header does not have", b.Track)
	}
	if b.Lacing != mkv.LacingNone {
		return ackErrorf(4006, "block with lacing")
	}
	t := int64(b.Timecode)
	if t*int64(scale) > int64(l.FragmentDuration) {
		return ackErrorf(4002, "block %d ticks of %d ns behind its cluster's timecode", t, scale)
	}
	f := &in.frames[i]
	if f.count == 0 {
		f.first, f.last = t, t
	}
	f.first = min(f.first, t)
	if t >= f.last {
		f.last, f.length = t, b.Duration
	}
	f.count++
	return nil
}

// mark notes that the media are whole up to here.
func (in *incoming) mark() { in.whole, in.wholeSum = in.mediaSize, in.sum }

// hasFrames refuses a fragment that lacks frames of a track.
func (in *incoming) hasFrames() error {
	for _, f := range in.frames {
		if f.count == 0 {
			return ackErrorf(4011, "no frame of track %d", f.track)
		}
	}
	return nil
}

// length is from the first frame's start to the last one's end, in milliseconds. Where a last frame's own duration is
// not given, the track's mean distance between frames stands for it.
func (in *incoming) length(scale uint64) int64 {
	var start, end int64
	for i, f := range in.frames {
		own := int64(min(f.length, 1<<15)) * int64(scale)
		switch {
		case own > 0:
		case f.count > 1:
			own = (f.last - f.first) * int64(scale) / (f.count - 1)
		default:
			own = f.usual
		}
		if s := f.first * int64(scale); i == 0 || s < start {
			start = s
		}
		end = max(end, f.last*int64(scale)+own)
	}
	const ms = int64(time.Millisecond)
	return (max(end-start, 0) + ms/2) / ms
}

// metadata takes account of a Tags element behind the cluster and says whether it ends the fragment.
func (in *incoming) metadata(tags []mkv.Tag, l Limits) (end bool, err error) {
	for _, t := range tags {
		if t.Name == tagEndOfFragment {
			end = true
			continue
		}
		in.tags++
		switch {
		case in.tags > l.MetadataTags:
			return false, ackErrorf(4009, "more than %d tags", l.MetadataTags)
		case len(t.Name) > 128 || len(t.Value) > 256:
			return false, ackErrorf(4009, "tag %.20q: names have at most 128 bytes, values 256", t.Name)
		case strings.HasPrefix(t.Name, "AWS") && !slices.Contains(systemTags, t.Name):
			return false, ackErrorf(4009, "tag %.40q: names that start with AWS are reserved", t.Name)
		}
	}
	return end, nil
}

// systemTags are those of AWS's names that a producer may send.
var systemTags = []string{
	"AWS_KINESISVIDEO_IMAGE_GENERATION", "AWS_KINESISVIDEO_IMAGE_PREFIX", "AWS_KINESISVIDEO_NOTIFICATION",
}

// milliseconds converts a timecode; false when it is beyond all times.
func milliseconds(ticks, scale uint64) (int64, bool) {
	hi, lo := bits.Mul64(ticks, scale)
	if hi >= 1_000_000 {
		return 0, false
	}
	ms, _ := bits.Div64(hi, lo, 1_000_000)
	return int64(ms), ms <= maxProducerTime
}
