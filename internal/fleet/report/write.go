package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// JSON writes the whole result.
func JSON(w io.Writer, r *Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// CSV writes a line for each metric, in columns that all kinds share: what a kind does not have is empty.
func CSV(w io.Writer, r *Result) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"metric", "kind", "count", "rate", "value", "min", "avg", "p50", "p90", "p95", "p99", "max"}}
	for _, m := range r.Metrics {
		row := []string{cell(m.Name), m.Kind, plain(m.Count), plain(m.Rate), "", "", "", "", "", "", "", ""}
		switch m.Kind {
		case Gauge:
			row[4], row[5], row[11] = plain(m.Value), plain(m.Min), plain(m.Max)
		case Rate:
			row[4] = plain(m.Value)
		case Trend:
			for i, v := range []float64{m.Min, m.Avg, m.P50, m.P90, m.P95, m.P99, m.Max} {
				row[5+i] = plain(v)
			}
		}
		rows = append(rows, row)
	}
	return c.WriteAll(rows)
}

// SeriesCSV writes the run over time: a line for each step.
func SeriesCSV(w io.Writer, r *Result) error {
	c := csv.NewWriter(w)
	rows := [][]string{{
		"t", "connected", "running", "iterations_per_s", "publishes_per_s", "received_per_s", "requests_per_s", "errors_per_s", "lost_per_s",
		"reconnects_per_s", "connect_p99_ms", "publish_p50_ms", "publish_p99_ms", "request_p50_ms", "request_p99_ms", "memory_bytes",
	}}
	for _, p := range r.Series.Points {
		row := []string{plain(p.T), strconv.Itoa(p.Connected), strconv.Itoa(p.Running)}
		for _, v := range []float64{p.Iterations, p.Publishes, p.Received, p.Requests, p.Errors, p.Lost, p.Reconnects, p.ConnectP99, p.PublishP50, p.PublishP99, p.RequestP50, p.RequestP99} {
			row = append(row, plain(v))
		}
		rows = append(rows, append(row, strconv.FormatUint(p.MemoryBytes, 10)))
	}
	return c.WriteAll(rows)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// cell keeps spreadsheets from taking a text of a script for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// The elements of JUnit's format, as CI systems read it.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string          `xml:"name,attr"`
		Tests     int             `xml:"tests,attr"`
		Failures  int             `xml:"failures,attr"`
		Errors    int             `xml:"errors,attr"`
		Time      string          `xml:"time,attr"`
		Timestamp string          `xml:"timestamp,attr"`
		Property  []junitProperty `xml:"properties>property"`
		Cases     []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a suite of test cases: the run itself, each threshold, and each device that failed.
func JUnit(w io.Writer, r *Result) error {
	seconds := strconv.FormatFloat(r.Elapsed().Seconds(), 'f', 3, 64)
	class := "fleet." + r.Model
	s := junitSuite{
		Name: "fleet " + r.Model, Time: seconds, Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Property: []junitProperty{{"seed", strconv.FormatUint(r.Seed, 10)}, {"devices", strconv.Itoa(r.Devices.Total)}, {"runId", r.RunID}},
	}
	add := func(name string, failure *junitFailure) {
		c := junitCase{Class: class, Name: name, Time: "0", Failure: failure}
		if s.Tests == 0 {
			c.Time = seconds
		}
		if s.Tests++; failure != nil {
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	var failure *junitFailure
	if r.Outcome == Failed || r.Outcome == Stopped {
		var text strings.Builder
		for _, e := range r.Errors {
			fmt.Fprintf(&text, "%d times: %s\n", e.Count, e.Reason)
		}
		failure = &junitFailure{r.Reason, text.String()}
	}
	add("run", failure)
	for _, t := range r.Thresholds {
		failure = nil
		if !t.OK {
			got := "nothing was observed"
			if t.Known {
				got = "it is " + number(t.Value)
			}
			failure = &junitFailure{Message: t.Expression + ": " + got}
		}
		add("threshold "+t.Expression, failure)
	}
	for _, d := range r.FailedDevices {
		var lines strings.Builder
		for _, l := range d.Logs {
			fmt.Fprintf(&lines, "%s %s %s\n", l.Time.UTC().Format(time.RFC3339Nano), l.Level, l.Text)
		}
		add("device "+strconv.Itoa(d.Client), &junitFailure{d.LastError, lines.String()})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w) // escapes, and replaces what XML cannot hold
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
