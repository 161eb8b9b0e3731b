package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
)

func TestThreshold(t *testing.T) {
	for _, tt := range []struct {
		text  string
		value float64
		known bool
		ok    bool
	}{
		{"publish_ms p(99) < 50", 49.9, true, true},
		{"publish_ms p(99) < 50", 50, true, false},
		{"publish_ms: p(99.9)<=50", 50, true, true},
		{"publish_ms med < 50", 1, false, false},
		{"errors rate < 0.01", 0.009, true, true},
		{"iterations count >= 5", 5, true, true},
		{"iterations count >= 5", 0, false, false},
		{"lost count == 0", 0, false, true},
		{"my.own-metric max != -1e3", -1000, true, false},
		{"x value > .5", 0.6, true, true},
	} {
		th, err := report.ParseThreshold(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := th.Judge(tt.value, tt.known); got.OK != tt.ok {
			t.Errorf("%s with %v (%v): %v", tt.text, tt.value, tt.known, got)
		}
	}
	if th, _ := report.ParseThreshold("a p(99) < 1"); th.Percentile != 99 || th.Aggregate != "p" || th.Metric != "a" {
		t.Errorf("%+v", th)
	}
	for _, wrong := range []string{"", "publish_ms < 50", "publish_ms p(101) < 50", "publish_ms p99 < 50", "a count < b", "a count <", "1a count < 1", "a count < 1 b", "a count < 1e999",
		"publishes p(99) < 5", "lost max < 1", "errors avg < 1", "connect_ms value < 1"} {
		if _, err := report.ParseThreshold(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	if _, err := report.ParseThresholds([]string{"a count < 1", "b", "c"}); err == nil || !strings.Contains(err.Error(), `"b"`) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("all faults are told at once: %v", err)
	}
}

// TestThresholdOnNothing names metrics that there are none of.
func TestThresholdOnNothing(t *testing.T) {
	var b strings.Builder
	res := &report.Result{Snapshot: report.Snapshot{Metrics: []report.Metric{{Name: "mine", Kind: report.Trend}}}}
	for _, x := range []string{"publish_mss p(99) < 50", "min count < 1", "other_thing max < 1", "publish_ms p(99) < 50", "mine max < 1"} {
		res.Thresholds = append(res.Thresholds, report.ThresholdStatus{Expression: x})
	}
	if err := report.Summary(&b, res); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"✗ publish_mss p(99) < 50   (there is no metric publish_mss; is publish_ms meant?)\n", "✗ min count < 1   (there is no metric min; is mine meant?)\n",
		"✗ other_thing max < 1   (there is no metric other_thing)\n", "✗ publish_ms p(99) < 50   (nothing was observed)\n", "✗ mine max < 1   (nothing was observed)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

// A series stays small, and its means right, however long a run goes on.
func TestSeries(t *testing.T) {
	var s report.Series
	const seconds = 10_000
	for i := range seconds {
		s.Add(report.Point{T: float64(i + 1), Publishes: float64(i % 10), PublishP99: float64(i), Connected: i})
		if len(s.All().Points) > report.MaxPoints {
			t.Fatalf("%d points", len(s.All().Points))
		}
	}
	all := s.All()
	if all.StepSeconds != 32 || len(all.Points) != (seconds+31)/32 {
		t.Errorf("%d points each %v s", len(all.Points), all.StepSeconds)
	}
	sum := 0.0
	for i, p := range all.Points {
		step := all.StepSeconds
		if i == len(all.Points)-1 {
			step = seconds - float64(len(all.Points)-1)*step
		}
		sum += p.Publishes * step
		if p.PublishP99 != p.T-1 || float64(p.Connected) != p.T-1 {
			t.Fatalf("point %d: %+v", i, p)
		}
	}
	if sum < 44_999 || sum > 45_001 {
		t.Errorf("%v messages, want 45,000", sum)
	}
}

func result() *report.Result {
	return &report.Result{
		Snapshot: report.Snapshot{
			RunID: "r1", Model: "sensor", Seed: 42, Phase: report.Done, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ElapsedMs: 12_345, Progress: 1,
			Devices: report.Devices{Total: 3, Finished: 2, Failed: 1},
			Metrics: []report.Metric{
				{Name: "publishes", Kind: report.Counter, Count: 1234, Rate: 99.959},
				{Name: "errors", Kind: report.Rate, Count: 1300, Value: 0.0125},
				{Name: "publish_ms", Kind: report.Trend, Count: 1234, Min: 0.1, Avg: 2, P50: 1.5, P90: 3, P95: 4, P99: 12.345, Max: 1234.5},
				{Name: "=cmd()\x1b[2J", Kind: report.Gauge, Count: 1, Value: 21.5, Min: -3, Max: 30},
			},
			Errors:     []report.ErrorCount{{Reason: "connection \"lost\"\nnow", Count: 7, Client: 2}},
			Thresholds: []report.ThresholdStatus{{Expression: "errors rate < 0.01", Value: 0.0125, Known: true}, {Expression: "publishes count > 3", OK: true, Value: 1234, Known: true}},
		},
		Outcome: report.Thresholds, Reason: "1 of 2 thresholds is not met",
		FailedDevices: []report.DeviceStatus{{Client: 2, Iteration: 9, LastError: "stage running, line 4: TypeError: <no>", Logs: []report.LogEntry{{Level: "info", Text: "hello \x00"}}}},
		Series:        report.Series{StepSeconds: 1, Points: []report.Point{{T: 1, Publishes: 100}}},
	}
}

func TestSummary(t *testing.T) {
	var b bytes.Buffer
	if err := report.Summary(&b, result()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"model: sensor   devices: 3   seed: 42   time: 12s", "✗ errors rate < 0.01   (0.01)", "✓ publishes count > 3   (1234)",
		"publishes...............: 1234         99.96/s", "errors..................: 1.25%        of 1300",
		"publish_ms..............: avg=2 min=0.10 med=1.50 p(90)=3 p(95)=4 p(99)=12.35 max=1234",
		`       7  connection "lost" now (first: device 2)`, "device 2, iteration 9: stage running, line 4: TypeError: <no>",
		"devices: 2 finished, 1 failed, 0 stopped", "thresholds: 1 of 2 thresholds is not met",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("there is no %q in\n%s", line, b.String())
		}
	}
	if strings.ContainsRune(b.String(), '\x1b') {
		t.Error("a script's text reaches the terminal as it is")
	}
	s := result().Snapshot
	if line := report.Line(&s, 80); len([]rune(line)) != 80 || !strings.HasPrefix(line, "done [====================] 100%  12s  3/3 devices") {
		t.Errorf("%q", line)
	}
}

func TestWriters(t *testing.T) {
	r := result()
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var back report.Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, r) {
		t.Errorf("%v\n%+v\n%+v", err, &back, r)
	}

	b.Reset()
	if err := report.CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 5 || fmt.Sprint(rows[3]) != "[publish_ms trend 1234 0  0.1 2 1.5 3 4 12.345 1234.5]" || rows[4][0] != "'=cmd()\x1b[2J" {
		t.Errorf("%v %q", err, rows)
	}
	b.Reset()
	if err := report.SeriesCSV(&b, r); err != nil {
		t.Fatal(err)
	}
	if rows, err = csv.NewReader(&b).ReadAll(); err != nil || len(rows) != 2 || rows[1][4] != "100" {
		t.Errorf("%v %q", err, rows)
	}

	b.Reset()
	if err := report.JUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	s := suites.Suite
	if s.Tests != 4 || s.Failures != 2 || s.Cases[0].Failure != nil || s.Cases[1].Failure.Message != "errors rate < 0.01: it is 0.01" || s.Cases[3].Name != "device 2" {
		t.Errorf("%+v\n%s", s, b.String())
	}

	b.Reset()
	if err := report.Prometheus(&b, &r.Snapshot); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"# TYPE fleet_publishes_total counter", "fleet_publishes_total 1234", `fleet_devices{phase="failed"} 1`, `fleet_publish_ms{quantile="0.99"} 12.345`,
		"fleet_publish_ms_sum 2468", "fleet_errors_ratio 0.0125", "fleet__cmd____2J 21.5", `fleet_faults_total{reason="connection \"lost\"\nnow"} 7`,
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("there is no %q in\n%s", line, b.String())
		}
	}
}

func TestExitCodes(t *testing.T) {
	for o, code := range map[report.Outcome]int{report.Succeeded: 0, report.Thresholds: 99, report.Failed: 1, report.Stopped: 130} {
		if got := o.ExitCode(); got != code {
			t.Errorf("%s: %d", o, got)
		}
	}
}
