package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Prometheus writes a snapshot in Prometheus' text format (version 0.0.4). Names are fleet_NAME, those of the model's own metrics
// with what Prometheus does not take replaced; the device's number is in no label.
func Prometheus(w io.Writer, s *Snapshot) error {
	var b strings.Builder
	seen := map[string]bool{}
	head := func(name, kind, help string) bool {
		if seen[name] {
			return false // two names of a model's that become the same
		}
		seen[name] = true
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		return true
	}
	head("fleet_devices", "gauge", "Devices by phase.")
	d := s.Devices
	for _, p := range []struct {
		phase DevicePhase
		n     int
	}{
		{DeviceWaiting, d.Waiting}, {DeviceStarting, d.Starting}, {DeviceConnecting, d.Connecting}, {DeviceRunning, d.Running},
		{DeviceFinishing, d.Finishing}, {DeviceFinished, d.Finished}, {DeviceFailed, d.Failed}, {DeviceStopped, d.Stopped},
	} {
		fmt.Fprintf(&b, "fleet_devices{phase=%q} %d\n", p.phase, p.n)
	}
	for _, g := range []struct {
		name, help string
		value      float64
	}{
		{"fleet_devices_connected", "Devices with a connection.", float64(d.Connected)},
		{"fleet_progress_ratio", "Share of the run that is done.", s.Progress},
		{"fleet_elapsed_seconds", "Real time since the start of the run.", float64(s.ElapsedMs) / 1000},
		{"fleet_memory_bytes", "What the process holds in its heap.", float64(s.MemoryBytes)},
	} {
		head(g.name, "gauge", g.help)
		fmt.Fprintf(&b, "%s %s\n", g.name, sample(g.value))
	}
	for _, m := range s.Metrics {
		name := "fleet_" + metricName(m.Name)
		help := "Metric " + escape(m.Name) + "."
		switch m.Kind {
		case Counter:
			if head(name+"_total", "counter", help) {
				fmt.Fprintf(&b, "%s_total %s\n", name, sample(m.Count))
			}
		case Gauge:
			if head(name, "gauge", help) {
				fmt.Fprintf(&b, "%s %s\n", name, sample(m.Value))
			}
		case Rate:
			if head(name+"_ratio", "gauge", help) {
				fmt.Fprintf(&b, "%s_ratio %s\n", name, sample(m.Value))
			}
		case Trend:
			if head(name, "summary", help) {
				for _, q := range []struct {
					quantile string
					value    float64
				}{{"0.5", m.P50}, {"0.9", m.P90}, {"0.95", m.P95}, {"0.99", m.P99}} {
					fmt.Fprintf(&b, "%s{quantile=%q} %s\n", name, q.quantile, sample(q.value))
				}
				fmt.Fprintf(&b, "%s_sum %s\n%s_count %s\n", name, sample(m.Avg*m.Count), name, sample(m.Count))
			}
		}
	}
	if len(s.Errors) > 0 && head("fleet_faults_total", "counter", "Errors by reason.") {
		for _, e := range s.Errors {
			fmt.Fprintf(&b, "fleet_faults_total{reason=\"%s\"} %d\n", escape(e.Reason), e.Count)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func sample(v float64) string {
	if math.IsNaN(v) {
		return "NaN"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// metricName is a name as Prometheus takes it.
func metricName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// escape escapes a label's value, and a help text, which needs less.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "�"))
}
