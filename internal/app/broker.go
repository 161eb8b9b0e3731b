package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/msglog"
)

// startBroker begins to take MQTT connections, which the edge hands over.
func (a *App) startBroker(ctx context.Context) error {
	if err := a.openBroker(ctx); err != nil {
		return err
	}
	a.onClose(a.closeBroker)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); a.releaseMemory(watching) }()
	a.onClose(func() error { stop(); <-done; return nil })
	a.registry.Events = bus{a.broker.Load}
	a.registry.Deactivated = func(account, region, certificateID string) {
		a.broker.Load().Disconnect(account, region, certificateID, broker.ForbiddenAccess)
	}
	return a.metrics.Register(newMQTTMetrics(func() broker.Stats { return a.broker.Load().Stats() }))
}

// openBroker makes a broker and its log, and starts it.
func (a *App) openBroker(ctx context.Context) error {
	messages, err := msglog.Open(ctx, a.db, msglog.Options{Logger: a.logger("msglog")})
	if err != nil {
		return fmt.Errorf("open the log of messages: %w", err)
	}
	b := &broker.Broker{
		Authority: &authority{
			registry: a.registry, identity: a.identity, log: a.logger("authority"), now: a.now, account: a.root.AccountID, region: a.cfg.Region,
		},
		Limits: a.mqttLimits(), Store: messages, Log: a.logger("broker"), Devices: a.devices, Now: a.now,
	}
	routeShadows(b, a.shadows)
	if err := b.Start(ctx); err != nil {
		return errors.Join(fmt.Errorf("start the broker: %w", err), messages.Close())
	}
	a.messages = messages
	a.broker.Store(b)
	return nil
}

// messaging serves the operations on messages and connections.
func (a *App) messaging() *broker.Service {
	return &broker.Service{Broker: a.broker.Load, Thing: func(ctx context.Context, name string) error {
		_, err := a.registry.DescribeThing(ctx, &iot.DescribeThingRequest{ThingName: name})
		return err
	}}
}

// closeBroker ends the connections, and the log of messages once nobody writes.
func (a *App) closeBroker() error {
	return errors.Join(a.broker.Load().Close(), a.messages.Close())
}

// mqttLimits are those of an account, as --limits says.
func (a *App) mqttLimits() func(account string) *broker.Limits {
	sets, err := a.cfg.MQTTLimits()
	if err != nil { // which Check has told
		sets = config.Limits{Default: config.LimitsAWS}
	}
	aws, standard := broker.AWS(), broker.Standard()
	if most := a.cfg.MaxKeepAlive(); most > 0 {
		standard.KeepAliveMax, standard.KeepAliveTold = most, true
	}
	aws.Unexplained, standard.Unexplained = a.cfg.Unexplained(), a.cfg.Unexplained()
	return func(account string) *broker.Limits {
		if sets.Of(account) == config.LimitsMQTT {
			return standard
		}
		return aws
	}
}

// mqttMetrics are what the broker counts, for Prometheus.
type mqttMetrics struct {
	stats                                       func() broker.Stats
	connections, messages, bytes, droppedOfSlow *prometheus.Desc
}

func newMQTTMetrics(stats func() broker.Stats) *mqttMetrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("thingd_mqtt_"+name, help, labels, nil)
	}
	return &mqttMetrics{
		stats:         stats,
		connections:   describe("connections", "MQTT connections that are open."),
		messages:      describe("messages_total", "PUBLISH packets, from clients (in) and to clients (out).", "direction"),
		bytes:         describe("bytes_total", "Bytes of packets from clients (in), and of PUBLISH packets to clients (out).", "direction"),
		droppedOfSlow: describe("dropped_total", "Messages that were not delivered, since their receiver was too slow or its queue full."),
	}
}

// Describe is prometheus.Collector.
func (m *mqttMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.connections, m.messages, m.bytes, m.droppedOfSlow} {
		ch <- d
	}
}

// Collect is prometheus.Collector.
func (m *mqttMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.stats()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	ch <- prometheus.MustNewConstMetric(m.connections, prometheus.GaugeValue, float64(s.Connections))
	counter(m.messages, s.In, "in")
	counter(m.messages, s.Out, "out")
	counter(m.bytes, s.BytesIn, "in")
	counter(m.bytes, s.BytesOut, "out")
	counter(m.droppedOfSlow, s.Dropped)
}
