package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
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
	return t, nil
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
