package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/kvs"
)

type videoGetCmd struct {
	File   string `arg:"" name:"file" help:"New file for the Matroska (MKV); - for the standard output."`
	Stream string `required:"" placeholder:"NAME" help:"Stream to read."`

	From   string `placeholder:"TIME" help:"From this time on: 2006-01-02T15:04:05Z, 2006-01-02 15:04, 2006-01-02, or so long ago: 90m, 12h, 7d (all that is kept)."`
	Until  string `placeholder:"TIME" help:"Up to this time (now)."`
	Clock  string `default:"producer" enum:"producer,server" placeholder:"CLOCK" help:"Whose time that is: the producer's or the server's (producer)."`
	After  string `placeholder:"NUMBER" help:"Only what comes behind the fragment of this number."`
	Max    int    `placeholder:"N" help:"At most so many fragments (no bound)."`
	Raw    bool   `help:"Write what the service sends: a header and AWS's tags with each fragment."`
	Follow bool   `short:"f" help:"Go on with what comes, until interrupted: from --from, --after, --token or --earliest, else from now on."`

	Earliest bool   `help:"Follow from the first fragment that is kept."`
	Token    string `placeholder:"TOKEN" help:"Follow from behind the fragment that had this continuation token."`

	RetryFor time.Duration `default:"5m" placeholder:"DURATION" help:"How long to try again when nothing comes (5m)."`
	Quiet    bool          `short:"q" help:"Show no progress."`

	videoAccess
}

// errEnough ends a reading.
var errEnough = errors.New("enough")

// Run reads the stream.
func (g *videoGetCmd) Run(ctx context.Context, c *CLI) (err error) {
	now := time.Now()
	from, err := moment(g.From, now)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	until, err := moment(g.Until, now)
	if err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	if err := g.checkOptions(from, until); err != nil {
		return err
	}
	client, err := g.client(os.Getenv)
	if err != nil {
		return err
	}
	out := &videoFile{name: g.File, raw: g.Raw, show: newProgress(c, g.Quiet), max: g.Max}
	if g.File == "-" {
		out.w = bufio.NewWriterSize(c.Stdout, 256<<10)
		out.flush = g.Follow
	}
	consumer := &kvs.Consumer{Client: client, Stream: g.Stream, RetryFor: g.RetryFor, Report: func(line string) { out.show.clear(); c.report(line) }}
	if g.Follow {
		err = consumer.Follow(ctx, g.selector(from), out.write)
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = nil // as one ends it
		}
	} else {
		err = g.stored(ctx, consumer, from, until, out)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	out.show.clear()
	err = errors.Join(err, out.close())
	if out.n > 0 {
		w := c.Stdout
		if g.File == "-" {
			w = c.Stderr
		}
		_, _ = fmt.Fprintf(w, "%d %s (%s) of stream %s, %s to %s\n", out.n, oneOr(out.n, "fragment", "fragments"), bytesText(out.bytes), g.Stream, out.first, out.last)
	}
	return err
}

func (g *videoGetCmd) checkOptions(from, until time.Time) error {
	switch {
	case !g.Follow && (g.Earliest || g.Token != ""):
		return errors.New("--earliest and --token are of --follow; without it all that is kept is read, and then the command ends")
	case g.Follow && !until.IsZero():
		return errors.New("--until and --follow do not go together")
	case !until.IsZero() && until.Before(from):
		return errors.New("--until is before --from")
	case g.Max < 0:
		return fmt.Errorf("--max: %d is less than 0", g.Max)
	case strings.Trim(g.After, "0123456789") != "":
		return fmt.Errorf("--after: %q is no fragment number", g.After)
	}
	n := 0
	for _, set := range []bool{g.Earliest, g.Token != "", g.After != "", g.From != ""} {
		if set {
			n++
		}
	}
	if g.Follow && n > 1 {
		return errors.New("--from, --after, --token and --earliest: one of them says where to begin")
	}
	return nil
}

func (g *videoGetCmd) clock() kvs.Clock {
	if g.Clock == "server" {
		return kvs.ServerClock
	}
	return kvs.ProducerClock
}

func (g *videoGetCmd) selector(from time.Time) kvs.Selector {
	return kvs.Selector{Earliest: g.Earliest, After: g.After, Token: g.Token, Clock: g.clock(), From: from}
}

// endOfTime is later than all fragments that can be asked for.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// stored reads what is kept of a range of time.
func (g *videoGetCmd) stored(ctx context.Context, consumer *kvs.Consumer, from, until time.Time, out *videoFile) error {
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	if until.IsZero() {
		until = endOfTime
	}
	list, err := consumer.List(ctx, g.clock(), from, until)
	if err != nil {
		return err
	}
	if g.After != "" {
		kept := list[:0]
		for _, f := range list {
			if len(f.Number) > len(g.After) || len(f.Number) == len(g.After) && f.Number > g.After {
				kept = append(kept, f)
			}
		}
		list = kept
	}
	if g.Max > 0 && len(list) > g.Max {
		list = list[:g.Max]
	}
	if len(list) == 0 {
		return fmt.Errorf("the stream %s keeps no fragment of that time (one without retention can be followed: --follow)", g.Stream)
	}
	out.of = len(list)
	return consumer.Media(ctx, list, out.write)
}

// videoFile is where fragments go: one document as long as the header stays
// the same, so that players take it for one recording.
type videoFile struct {
	name   string
	raw    bool
	max    int
	of     int // how many there will be, 0 when that is not known
	flush  bool
	show   *progress
	file   *os.File // nil for the standard output
	w      *bufio.Writer
	header []byte

	n           int
	bytes       int64
	first, last string // fragment numbers
}

// open makes the file when the first fragment is there, never over another.
func (v *videoFile) open() error {
	f, err := os.OpenFile(v.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; it is left as it is", v.name)
	}
	if err != nil {
		return err
	}
	v.file, v.w = f, bufio.NewWriterSize(f, 256<<10)
	return nil
}

func (v *videoFile) write(f *kvs.Fragment) error {
	if v.w == nil {
		if err := v.open(); err != nil {
			return err
		}
	}
	parts := [][]byte{f.Raw}
	if !v.raw {
		parts = [][]byte{f.Header, f.Media}
		if bytes.Equal(v.header, f.Header) {
			parts = parts[1:]
		}
		v.header = f.Header
	}
	for _, p := range parts {
		n, err := v.w.Write(p)
		v.bytes += int64(n)
		if err != nil {
			return err
		}
	}
	if v.flush {
		if err := v.w.Flush(); err != nil {
			return err
		}
	}
	v.n++
	if v.first == "" {
		v.first = f.Number
	}
	v.last = f.Number
	v.show.line(fmt.Sprintf("%d fragments, %s%s", v.n, bytesText(v.bytes), share(int64(v.n), int64(v.of))))
	if v.n == v.max {
		return errEnough
	}
	return nil
}

func (v *videoFile) close() error {
	if v.w == nil {
		return nil
	}
	err := v.w.Flush()
	if v.file != nil {
		err = errors.Join(err, v.file.Close())
	}
	return err
}
