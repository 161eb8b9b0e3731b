package kvs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/pause"
)

// Timecodes says what a source's timecodes count from.
type Timecodes string

// The timecodes that a source can have.
const (
	Auto     Timecodes = "auto"     // absolute when the first is of this century, else relative
	Absolute Timecodes = "absolute" // milliseconds since 1970
	Relative Timecodes = "relative" // the start of the source
)

// Producer sends a Matroska source to a stream. Set the exported fields, then Run once.
type Producer struct {
	Client    *Client
	Stream    string
	Timecodes Timecodes
	Start     time.Time // of relative timecodes; the time of Run when zero
	// Create makes the stream when it is not there, with so many hours of retention.
	Create    bool
	Retention int64
	// Realtime sends fragments no faster than they play.
	Realtime bool
	// RetryFor is how long to try without the service taking anything; 0 means 5 minutes.
	RetryFor time.Duration
	// Report is called with what is worth a line: a connection that broke, a fragment that was refused. May be nil.
	Report func(string)
	// Progress is called when a fragment is persisted. May be nil.
	Progress func(Progress)

	spool  *spool
	starts []time.Time // of each part of the source whose timecodes began anew
	info   *StreamInfo
	paced  time.Time // when the first fragment was sent, with Realtime
	first  int64     // its timecode
	done   Progress
	seen   int64     // what the source had given when it was last waited for
	moved  time.Time // when the service last took something
}

// Progress is how far a Producer is.
type Progress struct {
	Fragments   int   // that are persisted
	Bytes       int64 // of them
	Refused     int   // fragments that the service does not take
	DroppedTags int   // tags that PutMedia does not take
	Connections int
	First, Last string // fragment numbers
}

const (
	defaultRetry = 5 * time.Minute
	minBackOff   = 250 * time.Millisecond
	maxBackOff   = 10 * time.Second
)

// Run sends source until it ends and all of it is persisted, or refused, or ctx ends. A broken connection is taken up
// again with the oldest fragment that is not persisted. It answers what was done also with an error. When it gives up,
// the goroutine that reads source ends at the next byte that comes.
func (p *Producer) Run(ctx context.Context, source io.Reader) (Progress, error) {
	p.spool = newSpool()
	if p.Start.IsZero() {
		p.Start = time.Now()
	}
	p.starts = []time.Time{p.Start}
	if p.RetryFor <= 0 {
		p.RetryFor = defaultRetry
	}
	go p.spool.fill(source)
	defer p.spool.stop()
	defer context.AfterFunc(ctx, p.spool.stop)()
	err := p.run(ctx)
	p.spool.mu.Lock()
	defer p.spool.mu.Unlock()
	p.done.DroppedTags = p.spool.dropped
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil && p.spool.err != nil {
		err = fmt.Errorf("the source: %w", p.spool.err)
	}
	return p.done, err
}

func (p *Producer) run(ctx context.Context) error {
	p.moved = time.Now()
	wait := minBackOff
	for {
		f := p.spool.ready()
		if f == nil {
			return nil
		}
		before := p.moved
		err := p.connect(ctx, f)
		if lasting, ok := errors.AsType[*lastingError](err); ok {
			return lasting.err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			wait = minBackOff
			continue
		}
		if p.moved != before {
			wait = minBackOff
		}
		if time.Since(p.moved) > p.RetryFor {
			return fmt.Errorf("nothing was taken for %v: %w", p.RetryFor, err)
		}
		if errors.Is(err, errIdle) {
			p.spool.await(p.seen)
			continue
		}
		p.report("%v; trying again", err)
		if err := pause.For(ctx, wait/2+rand.N(wait)); err != nil {
			return err
		}
		wait = min(2*wait, maxBackOff)
	}
}

// lastingError is one that trying again does not help.
type lastingError struct{ err error }

func (e *lastingError) Error() string { return e.err.Error() }

func lasting(err error) error {
	if refused, ok := errors.AsType[*Error](err); ok && refused.lasting() {
		return &lastingError{err}
	}
	return err
}

func (p *Producer) report(format string, args ...any) {
	if p.Report != nil {
		p.Report(fmt.Sprintf(format, args...))
	}
}

// find finds the stream at the first connection, or makes it.
func (p *Producer) find(ctx context.Context, f *fragment) error {
	if p.info != nil {
		return nil
	}
	info, err := p.Client.DescribeStream(ctx, p.Stream)
	if IsCode(err, "ResourceNotFoundException") && p.Create {
		info, err = p.Client.CreateStream(ctx, p.Stream, mediaType(f), p.Retention)
		if err == nil {
			p.report("stream %s is made; it keeps %d hours", p.Stream, p.Retention)
		}
	}
	if err != nil {
		return lasting(err)
	}
	p.info = info
	return nil
}

// mediaType is what a stream made for a source is said to have, "" when a track's codec has no media type here.
func mediaType(f *fragment) string {
	var types []string
	for _, t := range f.header.Tracks {
		switch {
		case t.CodecID == "V_MPEG4/ISO/AVC":
			types = append(types, "video/h264")
		case t.CodecID == "V_MPEGH/ISO/HEVC":
			types = append(types, "video/h265")
		case strings.HasPrefix(t.CodecID, "A_AAC"):
			types = append(types, "audio/aac")
		case t.CodecID == "A_MS/ACM" && len(t.CodecPrivate) > 1 && t.CodecPrivate[0] == 6 && t.CodecPrivate[1] == 0:
			types = append(types, "audio/alaw")
		case t.CodecID == "A_MS/ACM" && len(t.CodecPrivate) > 1 && t.CodecPrivate[0] == 7 && t.CodecPrivate[1] == 0:
			types = append(types, "audio/mulaw")
		default:
			return ""
		}
	}
	return strings.Join(types, ",")
}

// thisCentury is the year 2001 in milliseconds since 1970: no file is played from its start for so long.
const thisCentury = 978_307_200_000

// headers are PutMedia's, for a connection that begins with f.
func (p *Producer) headers(f *fragment, h http.Header) {
	kind := p.Timecodes
	if kind == "" || kind == Auto {
		kind = Relative
		if f.timecode >= thisCentury {
			kind = Absolute
		}
	}
	for len(p.starts) <= f.part { // each part that begins anew begins now
		p.starts = append(p.starts, time.Now())
	}
	ms := p.starts[f.part].UnixMilli()
	h.Set("X-Amzn-Stream-Name", p.Stream)
	h.Set("X-Amzn-Fragment-Timecode-Type", strings.ToUpper(string(kind)))
	h.Set("X-Amzn-Producer-Start-Timestamp", fmt.Sprintf("%d.%03d", ms/1000, ms%1000))
	h.Set("X-Amzn-Fragment-Acknowledgment-Required", "1")
}
