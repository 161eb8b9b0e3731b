package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Summary writes a result for people, in k6's manner.
func Summary(w io.Writer, r *Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  model: %s   devices: %d   seed: %d   time: %s", clean(r.Model), r.Devices.Total, r.Seed, duration(r.Elapsed()))
	if r.Virtual {
		fmt.Fprintf(&b, " (%s of virtual time)", duration(time.Duration(r.VirtualMs)*time.Millisecond))
	}
	b.WriteString("\n\n")
	if len(r.Thresholds) > 0 {
		b.WriteString("  thresholds\n")
		for _, t := range r.Thresholds {
			mark := "✓"
			if !t.OK {
				mark = "✗"
			}
			got := "nothing was observed"
			if t.Known {
				got = number(t.Value)
			}
			if none := missing(t.Expression, r.Metrics); none != "" {
				got = none
			}
			fmt.Fprintf(&b, "    %s %s   (%s)\n", mark, clean(t.Expression), got)
		}
		b.WriteString("\n")
	}
	metricLines(&b, r.Metrics)
	if len(r.Errors) > 0 {
		b.WriteString("\n  errors, by reason\n")
		for i, e := range r.Errors {
			if i == maxReasonLines {
				fmt.Fprintf(&b, "    … and %d reasons more\n", len(r.Errors)-i)
				break
			}
			fmt.Fprintf(&b, "    %8d  %s (first: device %d)\n", e.Count, clean(e.Reason), e.Client)
		}
	}
	if len(r.FailedDevices) > 0 {
		b.WriteString("\n  devices that failed\n")
		for i, d := range r.FailedDevices {
			if i == maxReasonLines {
				fmt.Fprintf(&b, "    … and %d more\n", r.Devices.Failed-i)
				break
			}
			fmt.Fprintf(&b, "    device %d, iteration %d: %s\n", d.Client, d.Iteration, clean(d.LastError))
		}
	}
	d := r.Devices
	fmt.Fprintf(&b, "\n  devices: %d finished, %d failed, %d stopped", d.Finished, d.Failed, d.Stopped)
	if d.Waiting > 0 {
		fmt.Fprintf(&b, ", %d not started", d.Waiting)
	}
	fmt.Fprintf(&b, "\n  %s", r.Outcome)
	if r.Reason != "" {
		fmt.Fprintf(&b, ": %s", clean(r.Reason))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n  note: %s", clean(note))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

const maxReasonLines = 20

// metricLines are k6's: the name with dots to the widest, then what the kind has.
func metricLines(b *strings.Builder, metrics []Metric) {
	width := 24
	for _, m := range metrics {
		width = max(width, min(utf8.RuneCountInString(m.Name), 48)+3)
	}
	for _, m := range metrics {
		name := clean(m.Name)
		dots := strings.Repeat(".", max(width-utf8.RuneCountInString(name), 3))
		fmt.Fprintf(b, "    %s%s: ", name, dots)
		switch m.Kind {
		case Counter:
			fmt.Fprintf(b, "%-12s %s/s\n", number(m.Count), number(m.Rate))
		case Gauge:
			fmt.Fprintf(b, "%-12s min=%s max=%s\n", number(m.Value), number(m.Min), number(m.Max))
		case Rate:
			fmt.Fprintf(b, "%-12s of %s\n", number(m.Value*100)+"%", number(m.Count))
		default:
			fmt.Fprintf(b, "avg=%s min=%s med=%s p(90)=%s p(95)=%s p(99)=%s max=%s\n",
				number(m.Avg), number(m.Min), number(m.P50), number(m.P90), number(m.P95), number(m.P99), number(m.Max))
		}
	}
}

// number is a value in as many digits as say something.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e15:
		return fmt.Sprintf("%.0f", v)
	case a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.01:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func duration(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// clean is a text in one line that does nothing to a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7F && r < 0xA0 || r == 0x2028 || r == 0x2029 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069:
			return '�'
		}
		return r
	}, s)
}

// Line is a snapshot in one line of at most width columns, for the terminal while a run goes on.
func Line(s *Snapshot, width int) string {
	d := s.Devices
	done := d.Finished + d.Failed + d.Stopped
	bar := strings.Repeat("=", int(s.Progress*20+0.5))
	if len(bar) < 20 {
		bar += ">"
	}
	text := fmt.Sprintf("%s [%-20.20s] %3.0f%%  %s  %d/%d devices, %d connected, %d done",
		s.Phase, bar, s.Progress*100, duration(s.Elapsed().Truncate(100*time.Millisecond)), d.Total-d.Waiting, d.Total, d.Connected, done)
	for _, name := range []string{"iterations", "publishes", "requests"} {
		if m, ok := s.Metric(name); ok {
			text += fmt.Sprintf("  %s %s (%s/s)", name, number(m.Count), number(m.Recent))
		}
	}
	for _, name := range []string{"lost", "devices_failed"} {
		if m, ok := s.Metric(name); ok {
			text += fmt.Sprintf("  %s %s", name, number(m.Count))
		}
	}
	if m, ok := s.Metric("errors"); ok && m.Value > 0 {
		text += fmt.Sprintf("  errors %s%%", number(m.Value*100))
	}
	if utf8.RuneCountInString(text) > width {
		runes := []rune(text)
		text = string(runes[:max(width-1, 0)]) + "…"
	}
	return text
}
