package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/kvs"
)

type videoPutCmd struct {
	File   string `arg:"" name:"file" help:"Matroska (MKV) to send; - for the standard input."`
	Stream string `required:"" placeholder:"NAME" help:"Stream to send to."`

	Create    bool          `help:"Make the stream if it is not there."`
	Retention int64         `default:"24" placeholder:"HOURS" help:"How long a stream made by --create keeps its video (24)."`
	Timecodes string        `default:"auto" enum:"auto,absolute,relative" placeholder:"KIND" help:"What the timecodes are: absolute (since 1970), relative (to the start), or auto, which tells by the first (auto)."`
	Start     string        `placeholder:"TIME" help:"When relative timecodes began: 2006-01-02T15:04:05Z, or so long ago: 90m, 12h (now)."`
	Realtime  bool          `help:"Send no faster than it plays, as a camera does."`
	RetryFor  time.Duration `default:"5m" placeholder:"DURATION" help:"How long to try again when nothing is taken (5m)."`
	Quiet     bool          `short:"q" help:"Show no progress."`

	videoAccess
}

// Run sends the file.
func (p *videoPutCmd) Run(ctx context.Context, c *CLI) error {
	start, err := moment(p.Start, time.Now())
	if err != nil {
		return fmt.Errorf("--start: %w", err)
	}
	in, size, err := openSource(p.File)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	client, err := p.client(os.Getenv)
	if err != nil {
		return err
	}
	began := time.Now()
	show := newProgress(c, p.Quiet)
	producer := &kvs.Producer{
		Client: client, Stream: p.Stream, Timecodes: kvs.Timecodes(p.Timecodes), Start: start,
		Create: p.Create, Retention: p.Retention, Realtime: p.Realtime, RetryFor: p.RetryFor,
		Report: func(line string) { show.clear(); c.report(line) },
		Progress: func(d kvs.Progress) {
			show.line(fmt.Sprintf("%d fragments persisted, %s%s", d.Fragments, bytesText(d.Bytes), share(d.Bytes, size)))
		},
	}
	done, err := producer.Run(ctx, in)
	show.clear()
	if text := p.summary(&done, time.Since(began)); text != "" {
		if _, err := io.WriteString(c.Stdout, text); err != nil {
			return err
		}
	}
	return p.explain(err, &done)
}

// summary says what is in the stream now.
func (p *videoPutCmd) summary(d *kvs.Progress, took time.Duration) string {
	var b strings.Builder
	if d.Fragments > 0 {
		fmt.Fprintf(&b, "%d %s (%s) of stream %s persisted in %v, %s to %s\n", d.Fragments, oneOr(d.Fragments, "fragment", "fragments"),
			bytesText(d.Bytes), p.Stream, took.Round(10*time.Millisecond), d.First, d.Last)
	}
	if d.Connections > 1 {
		fmt.Fprintf(&b, "It took %d connections.\n", d.Connections)
	}
	if d.DroppedTags > 0 {
		fmt.Fprintf(&b, "%d tags were left out: a fragment takes ten, with values of 256 bytes.\n", d.DroppedTags)
	}
	return b.String()
}

// explain says what can be done about what went wrong.
func (p *videoPutCmd) explain(err error, d *kvs.Progress) error {
	switch {
	case kvs.IsCode(err, "ResourceNotFoundException") && !p.Create:
		return fmt.Errorf("%w\n--create makes a stream that is not there yet", err)
	case errors.Is(err, kvs.ErrNotMatroska):
		return fmt.Errorf("%w\nffmpeg makes Matroska of most: ffmpeg -i FILE -map 0:v:0 -map 0:a:0? -c copy -f matroska - | thingd video put - --stream %s", err, p.Stream)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: what is not persisted yet was given up")
	case err != nil:
		return err
	case d.Refused > 0:
		return fmt.Errorf("%d %s refused", d.Refused, oneOr(d.Refused, "fragment was", "fragments were"))
	case d.Fragments == 0:
		return errors.New("there was no video in it: nothing was sent")
	}
	return nil
}

// openSource opens a file, or the standard input; size is 0 where it is not
// known.
func openSource(file string) (in io.ReadCloser, size int64, err error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", file)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}

func share(n, of int64) string {
	if of <= 0 {
		return ""
	}
	return fmt.Sprintf(", %d %%", min(100*n/of, 100))
}

// progress is a line on a terminal that is written over, or one now and then
// elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	quiet    bool
	shown    bool // a line that is to be written over
	last     time.Time
}

func newProgress(c *CLI, quiet bool) *progress {
	p := &progress{w: c.Stderr, quiet: quiet, last: time.Now()}
	if f, ok := c.Stderr.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) line(text string) {
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if p.quiet || time.Since(p.last) < every {
		return
	}
	p.last = time.Now()
	if !p.terminal {
		_, _ = fmt.Fprintln(p.w, "thingd: "+text)
		return
	}
	p.shown = true
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", text)
}

// clear makes room for other lines.
func (p *progress) clear() {
	if p.shown {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
		p.shown = false
	}
}
