package report

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Threshold is a condition of success, in k6's manner: METRIC AGGREGATE OPERATOR
// NUMBER, such as "publish_ms p(99) < 50", "errors rate < 0.01" or
// "iterations count >= 5".
type Threshold struct {
	Expression string
	Metric     string
	Aggregate  string  // count, rate, value, avg, min, max, or p
	Percentile float64 // with p: 0 to 100
	Operator   string  // < <= > >= == !=
	Limit      float64
}

var thresholdForm = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_.-]{0,127})\s*:?\s+(count|rate|value|avg|min|max|med|p\(\s*([0-9.]+)\s*\))\s*(<=|>=|==|===|!=|<|>)\s*([-+0-9.eE]+)\s*$`)

// ParseThreshold reads a threshold.
func ParseThreshold(text string) (Threshold, error) {
	m := thresholdForm.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("threshold %q is not of the form METRIC AGGREGATE OPERATOR NUMBER, such as \"publish_ms p(99) < 50\" (aggregates: count, rate, value, avg, min, max, med, p(N))", text)
	}
	t := Threshold{Expression: strings.TrimSpace(text), Metric: m[1], Aggregate: m[2], Operator: strings.Replace(m[4], "===", "==", 1)}
	switch {
	case t.Aggregate == "med":
		t.Aggregate, t.Percentile = "p", 50
	case m[3] != "":
		p, err := strconv.ParseFloat(m[3], 64)
		if err != nil || p > 100 {
			return Threshold{}, fmt.Errorf("threshold %q: %s is no percentile from 0 to 100", text, m[3])
		}
		t.Aggregate, t.Percentile = "p", p
	}
	limit, err := strconv.ParseFloat(m[5], 64)
	if err != nil || math.IsInf(limit, 0) || math.IsNaN(limit) {
		return Threshold{}, fmt.Errorf("threshold %q: %q is no number", text, m[5])
	}
	t.Limit = limit
	if kind := builtin(t.Metric); !fits(kind, t.Aggregate) {
		return Threshold{}, fmt.Errorf("threshold %q: %s is a %s, which has no %s: it has %s", text, t.Metric, kind, m[2], strings.Join(aggregates[kind], ", "))
	}
	return t, nil
}

// builtins are the metrics of every run, by their kinds.
var builtins = map[string][]string{
	Counter: {"connects", "reconnects", "disconnects", "publishes", "messages_received", "messages_dropped", "iterations", "requests", "lost", "network_lost", "devices_failed"},
	Trend:   {"connect_ms", "publish_ms", "iteration_ms", "request_ms"},
	Rate:    {"errors"},
}

// aggregates are those that a kind has.
var aggregates = map[string][]string{
	Counter: {"count", "rate"},
	Trend:   {"count", "rate", "min", "max", "avg", "med", "p"},
	Rate:    {"count", "rate", "value"},
}

// builtin is the kind of a metric that every run has, "" of others.
func builtin(name string) string {
	for kind, names := range builtins {
		if slices.Contains(names, name) {
			return kind
		}
	}
	return ""
}

func fits(kind, aggregate string) bool {
	return kind == "" || slices.Contains(aggregates[kind], aggregate)
}

// missing says that a run had no such metric as a threshold is about, and which may be meant: "" if it had.
func missing(expression string, observed []Metric) string {
	t, err := ParseThreshold(expression)
	if err != nil || builtin(t.Metric) != "" {
		return ""
	}
	names := slices.Concat(slices.Collect(maps.Values(builtins))...)
	for _, m := range observed {
		if m.Name == t.Metric {
			return ""
		}
		names = append(names, m.Name)
	}
	return "there is no metric " + t.Metric + strings.ReplaceAll(model.Meant(t.Metric, names), `"`, "")
}

// ParseThresholds reads a list of them; the error tells all that are wrong.
func ParseThresholds(texts []string) ([]Threshold, error) {
	var out []Threshold
	var faults []string
	for _, text := range texts {
		t, err := ParseThreshold(text)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		out = append(out, t)
	}
	if faults != nil {
		return nil, fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return out, nil
}

// Judge says how the threshold stands with a value of its metric. What was not
// observed meets no condition, but a count of it is 0.
func (t Threshold) Judge(value float64, known bool) ThresholdStatus {
	if !known && t.Aggregate == "count" {
		value, known = 0, true
	}
	s := ThresholdStatus{Expression: t.Expression, Value: value, Known: known}
	if !known {
		return s
	}
	switch t.Operator {
	case "<":
		s.OK = value < t.Limit
	case "<=":
		s.OK = value <= t.Limit
	case ">":
		s.OK = value > t.Limit
	case ">=":
		s.OK = value >= t.Limit
	case "==":
		s.OK = value == t.Limit
	case "!=":
		s.OK = value != t.Limit
	}
	return s
}
