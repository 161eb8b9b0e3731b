package audit

import "github.com/prometheus/client_golang/prometheus"

// metrics count records.
type metrics struct {
	records prometheus.Counter
	lost    *prometheus.CounterVec
	failing prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thingd_audit_records_total", Help: "Records written to the audit trail."}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thingd_audit_records_lost_total", Help: "Records that are not in the audit trail, and why."}, []string{"reason"}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thingd_audit_failing", Help: "1 while the audit trail cannot be written."}),
	}
	for _, c := range []prometheus.Collector{m.records, m.lost, m.failing} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
