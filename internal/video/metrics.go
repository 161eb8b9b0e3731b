package video

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell how long fragments wait for the disk.
type metrics struct {
	synced, indexed prometheus.Observer
}

// newMetrics registers the metrics, but for a nil reg.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	persist := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "thingd_video_persist_seconds",
		Help:    "Time to make complete fragments durable, by step: sync is their bytes, index their rows.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // to four seconds
	}, []string{"step"})
	m := &metrics{synced: persist.WithLabelValues("sync"), indexed: persist.WithLabelValues("index")}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(persist)
}

func observe(o prometheus.Observer, since time.Time) { o.Observe(time.Since(since).Seconds()) }
