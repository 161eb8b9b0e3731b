package shadow

import "github.com/prometheus/client_golang/prometheus"

// metrics count requests.
type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thingd_shadow_requests_total", Help: "Requests for device shadows by operation and the code of their answer.",
		}, []string{"operation", "code"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(m.requests)
}
