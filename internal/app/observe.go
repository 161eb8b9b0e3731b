package app

import (
	"log/slog"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/awsapi"
)

// newObserver counts and, at debug level, logs each API request.
func newObserver(reg prometheus.Registerer, log *slog.Logger) (func(awsapi.Outcome), error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "thingd_api_requests_total", Help: "API requests by service, operation and status.",
	}, []string{"service", "operation", "status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "thingd_api_request_seconds", Help: "Time to answer API requests, by service.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	}, []string{"service"})
	for _, c := range []prometheus.Collector{requests, seconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return func(o awsapi.Outcome) {
		operation := "unknown"
		if o.Request.Operation != nil {
			operation = o.Request.Operation.Name
		}
		service := o.Request.Service.Name
		requests.WithLabelValues(service, operation, strconv.Itoa(o.Status)).Inc()
		seconds.WithLabelValues(service).Observe(o.Duration.Seconds())
		if o.Error != nil {
			log.Debug("request refused", "request", o.Request.ID, "service", service, "operation", operation, "caller", o.Request.Caller.ARN, "status", o.Status, "code", o.Error.Code, "reason", o.Error.Message)
			return
		}
		log.Debug("request", "request", o.Request.ID, "service", service, "operation", operation, "caller", o.Request.Caller.ARN, "took", o.Duration)
	}, nil
}
