package engine

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

// The built-in metrics. Times are in milliseconds of real time, but iteration_ms, which is of the run's clock.
const (
	mConnects   = "connects"   // connections that were accepted, the first of a device and later ones
	mReconnects = "reconnects" // those of them that were not the first
	mDisconnect = "disconnects"
	mConnectMs  = "connect_ms" // dial, TLS and CONNECT until CONNACK
	mPublishes  = "publishes"  // sent with QoS 0, or acknowledged: each once
	mPublishMs  = "publish_ms" // until sent with QoS 0, else until acknowledged
	mReceived   = "messages_received"
	mDropped    = "messages_dropped" // received while too many waited for the script
	mIterations = "iterations"
	mIteration  = "iteration_ms"
	mRequests   = "requests"   // HTTP requests, AWS's among them, each attempt
	mRequestMs  = "request_ms" // until the answer was read
	mLost       = "lost"       // messages of QoS 1 and 2 that were sent and never acknowledged
	mVanished   = "network_lost"
	mFailed     = "devices_failed"
	mErrors     = "errors" // of all connections, publications, subscriptions, requests and iterations, the share that failed
)

// maxMetrics bounds how many metrics a model may make up.
const maxMetrics = 100

// maxMetricValue bounds the values of metrics: no sum of them is infinite, for
// which JSON has no number.
const maxMetricValue = 1e100

// measures are the metrics of a run's. They are safe for concurrent use.
type measures struct {
	connects, reconnects, disconnects, publishes, received, dropped, iterations, requests, lost, vanished, failed atomic.Uint64
	attempts, faults                                                                                              atomic.Uint64 // of mErrors

	connectMs, publishMs, iterationMs, requestMs histogram
	// Of the second that passes, for the series.
	connectNow, publishNow, requestNow histogram

	mu      sync.Mutex
	own     map[string]*ownMetric
	reasons map[string]*reason
	recent  map[string]rated // as the sampler saw it last
}

type ownMetric struct {
	kind     string
	count    float64 // a counter's sum, else how many
	yes      uint64
	value    float64
	min, max float64
	trend    histogram
}

type reason struct {
	count  uint64
	client int
}

// rated is a count at the sampler's last second.
type rated struct{ count, recent float64 }

func newMeasures() *measures {
	return &measures{own: map[string]*ownMetric{}, reasons: map[string]*reason{}, recent: map[string]rated{}}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (m *measures) connected(d time.Duration) {
	m.attempts.Add(1)
	m.connects.Add(1)
	m.connectMs.add(ms(d))
	m.connectNow.add(ms(d))
}

func (m *measures) published(d time.Duration) {
	m.attempts.Add(1)
	m.publishes.Add(1)
	m.publishMs.add(ms(d))
	m.publishNow.add(ms(d))
}

func (m *measures) requested(d time.Duration) {
	m.requests.Add(1)
	m.requestMs.add(ms(d))
	m.requestNow.add(ms(d))
}

// fault counts an attempt that failed.
func (m *measures) fault(client int, text string) {
	m.attempts.Add(1)
	m.faults.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.reasons[text]
	if r == nil {
		if len(m.reasons) >= report.MaxReasons-1 {
			text = "other"
		}
		if r = m.reasons[text]; r == nil {
			r = &reason{client: client}
			m.reasons[text] = r
		}
	}
	r.count++
}

// add takes a value of a model's own metric; it is false for a name that is taken by another kind or cannot be one.
func (m *measures) add(v script.Metric) bool {
	if v.Name == "" || len(v.Name) > 128 || isBuiltIn(v.Name) || !(math.Abs(v.Value) <= maxMetricValue) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.own[v.Name]
	if o == nil {
		if len(m.own) >= maxMetrics {
			return false
		}
		o = &ownMetric{kind: v.Kind}
		m.own[strings.Clone(v.Name)] = o
	}
	if o.kind != v.Kind {
		return false
	}
	switch v.Kind {
	case report.Counter:
		o.count += v.Value
		return true
	case report.Trend:
		o.trend.add(v.Value)
	case report.Rate:
		if v.Value != 0 {
			o.yes++
		}
	case report.Gauge:
		if o.count == 0 {
			o.min, o.max = v.Value, v.Value
		}
		o.value, o.min, o.max = v.Value, min(o.min, v.Value), max(o.max, v.Value)
	default:
		return false
	}
	o.count++
	return true
}

// counters are the built-in counters by name, in the order in which they are shown.
func (m *measures) counters() []counter {
	return []counter{
		{mConnects, &m.connects}, {mReconnects, &m.reconnects}, {mDisconnect, &m.disconnects}, {mPublishes, &m.publishes},
		{mReceived, &m.received}, {mDropped, &m.dropped}, {mIterations, &m.iterations}, {mRequests, &m.requests},
		{mLost, &m.lost}, {mVanished, &m.vanished}, {mFailed, &m.failed},
	}
}

type counter struct {
	name string
	at   *atomic.Uint64
}

func (m *measures) trends() []trend {
	return []trend{{mConnectMs, &m.connectMs}, {mPublishMs, &m.publishMs}, {mRequestMs, &m.requestMs}, {mIteration, &m.iterationMs}}
}

type trend struct {
	name string
	at   *histogram
}

func isBuiltIn(name string) bool {
	m := &measures{}
	return name == mErrors || slices.ContainsFunc(m.counters(), func(c counter) bool { return c.name == name }) ||
		slices.ContainsFunc(m.trends(), func(t trend) bool { return t.name == name })
}

// all are all metrics that have a value, as a report has them.
func (m *measures) all(elapsed time.Duration) []report.Metric {
	var out []report.Metric
	add := func(r report.Metric) {
		r.Recent = m.recent[r.Name].recent
		if elapsed > 0 {
			r.Rate = r.Count / elapsed.Seconds()
		}
		out = append(out, r)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.counters() {
		if n := c.at.Load(); n > 0 {
			add(report.Metric{Name: c.name, Kind: report.Counter, Count: float64(n)})
		}
	}
	if n := m.attempts.Load(); n > 0 {
		add(report.Metric{Name: mErrors, Kind: report.Rate, Count: float64(n), Value: float64(m.faults.Load()) / float64(n)})
	}
	for _, t := range m.trends() {
		if r := distributed(t.name, t.at); r.Count > 0 {
			add(r)
		}
	}
	own := make([]string, 0, len(m.own))
	for name := range m.own {
		own = append(own, name)
	}
	slices.Sort(own)
	for _, name := range own {
		o := m.own[name]
		r := report.Metric{Name: name, Kind: o.kind, Count: o.count}
		switch o.kind {
		case report.Trend:
			r = distributed(name, &o.trend)
		case report.Gauge:
			r.Value, r.Min, r.Max = o.value, o.min, o.max
		case report.Rate:
			r.Value = float64(o.yes) / max(o.count, 1)
		}
		add(r)
	}
	return out
}

func distributed(name string, h *histogram) report.Metric {
	d := h.read(50, 90, 95, 99)
	return report.Metric{
		Name: name, Kind: report.Trend, Count: float64(d.count), Min: d.min, Avg: d.avg, Max: d.max,
		P50: d.at[0], P90: d.at[1], P95: d.at[2], P99: d.at[3],
	}
}

// errors are the reasons, the most frequent first.
func (m *measures) errors() []report.ErrorCount {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]report.ErrorCount, 0, len(m.reasons))
	for text, r := range m.reasons {
		out = append(out, report.ErrorCount{Reason: text, Count: r.count, Client: r.client})
	}
	slices.SortFunc(out, func(a, b report.ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// judge says how thresholds stand.
func (m *measures) judge(thresholds []report.Threshold, elapsed time.Duration) []report.ThresholdStatus {
	if len(thresholds) == 0 {
		return nil
	}
	all := m.all(elapsed)
	out := make([]report.ThresholdStatus, len(thresholds))
	for i, t := range thresholds {
		out[i] = t.Judge(m.value(t, all))
	}
	return out
}

func (m *measures) value(t report.Threshold, all []report.Metric) (v float64, known bool) {
	i := slices.IndexFunc(all, func(r report.Metric) bool { return r.Name == t.Metric })
	if i < 0 {
		// A counter that nothing was counted in is 0, whoever asks.
		return 0, slices.ContainsFunc(m.counters(), func(c counter) bool { return c.name == t.Metric }) && (t.Aggregate == "count" || t.Aggregate == "rate")
	}
	r := all[i]
	switch t.Aggregate {
	case "count":
		return r.Count, true
	case "rate":
		if r.Kind == report.Rate {
			return r.Value, true
		}
		return r.Rate, true
	case "value":
		return r.Value, r.Kind == report.Gauge || r.Kind == report.Rate
	case "min":
		return r.Min, r.Kind != report.Counter && r.Kind != report.Rate
	case "max":
		return r.Max, r.Kind != report.Counter && r.Kind != report.Rate
	case "avg":
		return r.Avg, r.Kind == report.Trend
	}
	h := m.histogram(t.Metric)
	if h == nil {
		return 0, false
	}
	return h.read(t.Percentile).at[0], true
}

func (m *measures) histogram(name string) *histogram {
	for _, t := range m.trends() {
		if t.name == name {
			return t.at
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.own[name]; o != nil && o.kind == report.Trend {
		return &o.trend
	}
	return nil
}

// sample is called about once a second: it notes rates since it was called last, and hands out the point of a series.
func (m *measures) sample(step time.Duration) report.Point {
	seconds := step.Seconds()
	m.mu.Lock()
	rate := func(name string, count float64) float64 {
		before := m.recent[name]
		now := rated{count, (count - before.count) / seconds}
		m.recent[name] = now
		return now.recent
	}
	for _, c := range m.counters() {
		rate(c.name, float64(c.at.Load()))
	}
	for _, t := range m.trends() {
		rate(t.name, float64(t.at.read().count))
	}
	for name, o := range m.own {
		n := o.count
		if o.kind == report.Trend {
			n = float64(o.trend.read().count)
		}
		rate(name, n)
	}
	rate(mErrors, float64(m.attempts.Load()))
	p := report.Point{
		Iterations: m.recent[mIterations].recent, Publishes: m.recent[mPublishes].recent, Received: m.recent[mReceived].recent,
		Requests: m.recent[mRequests].recent, Lost: m.recent[mLost].recent, Reconnects: m.recent[mReconnects].recent,
		Errors: rate("\x00faults", float64(m.faults.Load())),
	}
	m.mu.Unlock()
	c, u, r := m.connectNow.read(99), m.publishNow.read(50, 99), m.requestNow.read(50, 99)
	m.connectNow.reset()
	m.publishNow.reset()
	m.requestNow.reset()
	p.ConnectP99, p.PublishP50, p.PublishP99, p.RequestP50, p.RequestP99 = c.at[0], u.at[0], u.at[1], r.at[0], r.at[1]
	return p
}
