package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/report"
)

// fleetProgress shows a run on standard error while it goes on: its log, a few lines a moment, and below them on a terminal one line
// that says how far it is; elsewhere such a line every ten seconds.
type fleetProgress struct {
	c        *CLI
	run      *engine.Run
	level    string
	terminal bool
	last     uint64 // number of the last line shown
}

const (
	progressEvery = 200 * time.Millisecond
	plainEvery    = 10 * time.Second
	linesAtOnce   = 20
	progressWidth = 150
	lineWidth     = 400
)

// levels are the levels of the log, the most important last.
var levels = []string{"debug", "info", "warn", "error"}

// show shows until done is closed.
func (p *fleetProgress) show(done <-chan struct{}) {
	if f, ok := p.c.Stderr.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	told := time.Now()
	for {
		ended := false
		select {
		case <-done:
			ended = true
		case <-tick.C:
		}
		p.log()
		switch {
		case p.terminal && ended:
			_, _ = fmt.Fprint(p.c.Stderr, "\r\x1b[K")
		case p.terminal:
			s := p.run.Snapshot()
			_, _ = fmt.Fprint(p.c.Stderr, "\r"+report.Line(&s, terminalWidth()-1)+"\x1b[K")
		case !ended && time.Since(told) >= plainEvery:
			told = time.Now()
			s := p.run.Snapshot()
			_, _ = fmt.Fprintln(p.c.Stderr, report.Line(&s, progressWidth))
		}
		if ended {
			return
		}
	}
}

// log shows new lines of the log.
func (p *fleetProgress) log() {
	if p.level == "off" {
		return
	}
	shown, left := 0, 0
	for {
		entries := p.run.Logs(p.last, 500)
		if len(entries) == 0 {
			break
		}
		left += int(entries[0].Seq - p.last - 1) // no longer kept
		p.last = entries[len(entries)-1].Seq
		for _, e := range entries {
			if !p.wanted(e.Level) {
				continue
			}
			if shown == linesAtOnce {
				left++
				continue
			}
			shown++
			p.line(e)
		}
	}
	if left > 0 {
		p.erase()
		_, _ = fmt.Fprintf(p.c.Stderr, "… and %d lines more\n", left)
	}
}

func (p *fleetProgress) wanted(level string) bool {
	for _, l := range levels {
		if l == p.level {
			return true
		}
		if l == level {
			return false
		}
	}
	return true
}

func (p *fleetProgress) line(e report.LogEntry) {
	p.erase()
	who := ""
	if e.Client >= 0 {
		who = fmt.Sprintf("device %d: ", e.Client)
	}
	text := clean(strings.TrimRight(e.Text, "\n"))
	if len(text) > lineWidth {
		text = strings.ToValidUTF8(text[:lineWidth], "") + "…"
	}
	_, _ = fmt.Fprintf(p.c.Stderr, "%-5s %s%s\n", e.Level, who, text)
}

func (p *fleetProgress) erase() {
	if p.terminal {
		_, _ = fmt.Fprint(p.c.Stderr, "\r\x1b[K")
	}
}

// terminalWidth is how many columns a line may have: 80, or what the shell says.
func terminalWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 20 {
		return n
	}
	return 80
}
