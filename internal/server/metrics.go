package server

import "github.com/prometheus/client_golang/prometheus"

// metrics count connections, by listener.
type metrics struct {
	open        *prometheus.GaugeVec
	total, drop *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "thingd_connections_open", Help: "Connections that are open."}, []string{"listener"}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thingd_connections_total", Help: "Connections that were accepted."}, []string{"listener"}),
		drop: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thingd_connections_refused_total", Help: "Connections that were closed before a request, and why."}, []string{"listener", "reason"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.open, m.total, m.drop} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) opened(listener string) {
	m.open.WithLabelValues(listener).Inc()
	m.total.WithLabelValues(listener).Inc()
}

func (m *metrics) closed(listener string) { m.open.WithLabelValues(listener).Dec() }

func (m *metrics) refused(listener, reason string) { m.drop.WithLabelValues(listener, reason).Inc() }
