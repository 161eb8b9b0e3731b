package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/video"
)

type videoVerifyCmd struct {
	config.Stopped `embed:""`
	DryRun         bool `name:"dry-run" help:"Only say what is wrong; exit 1 if anything is."`
	Quiet          bool `short:"q" help:"Show no progress."`
}

// Run checks the video of a stopped server.
func (v *videoVerifyCmd) Run(ctx context.Context, c *CLI) error {
	if err := v.Finish(os.Getenv); err != nil {
		return err
	}
	show := newProgress(c, v.Quiet)
	report, err := c.VerifyVideo(ctx, &v.Stopped, video.VerifyOptions{
		Mend:  !v.DryRun,
		Fault: func(text string) { show.clear(); c.report(text) },
		Progress: func(p video.VerifyProgress) {
			show.line(fmt.Sprintf("%d of %d files, %s%s", p.Files, p.AllFiles, bytesText(p.Bytes), share(p.Bytes, p.AllBytes)))
		},
	})
	show.clear()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c.Stdout, verifyText(report, v.DryRun)); err != nil {
		return err
	}
	if v.DryRun && report.Faults > 0 {
		return exitCode(1)
	}
	return nil
}

// verifyText is the summary.
func verifyText(r *video.VerifyReport, dry bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s of %d %s in %d %s (%s) checked\n", r.Fragments, oneOr(r.Fragments, "fragment", "fragments"),
		r.Streams, oneOr(r.Streams, "stream", "streams"), r.Files, oneOr(r.Files, "file", "files"), bytesText(r.Bytes))
	if r.Faults == 0 {
		b.WriteString("All of it is whole.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "%d %s found\n", r.Faults, oneOr(r.Faults, "fault", "faults"))
	for _, line := range []struct {
		n    int
		what string
	}{
		{r.Damaged, "damaged or missing fragments, taken out of the index"},
		{r.Recovered, "whole fragments that the index had lost, and has again"},
		{r.Unindexed, "files without a row in the index, which have one again"},
		{r.Corrected, "rows of files corrected"},
		{r.Ownerless, "streams that are gone and had left something, which is removed when the server starts"},
		{r.Unknown, "files that nothing refers to, left as they are"},
		{r.Tails, "files cut to what belongs to fragments"},
	} {
		if line.n > 0 {
			fmt.Fprintf(&b, "  %d %s\n", line.n, line.what)
		}
	}
	if dry {
		b.WriteString("Nothing was changed: without --dry-run the index is mended.\n")
	}
	return b.String()
}
