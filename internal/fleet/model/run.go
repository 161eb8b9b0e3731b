package model

import (
	"errors"
	"strings"
	"time"
)

// Limits of run settings.
const (
	maxClients    = 100_000
	maxIterations = 1_000_000_000
	maxAtOnce     = 10_000
	maxTime       = Duration(365 * 24 * time.Hour)
)

// RunSettings say how often and how fast a model is run. The zero value is one
// device that runs one iteration.
type RunSettings struct {
	// Clients is the number of devices, 1 to 100,000.
	Clients int `json:"clients,omitempty"`
	// Iterations is how often each device runs its stages; 0 with a Duration
	// means until that is over, else 1.
	Iterations int `json:"iterations,omitempty"`
	// Interval is between the starts of a device's iterations.
	Interval Duration `json:"interval,omitempty"`
	// Jitter is the most that is added to each interval, at random.
	Jitter Duration `json:"jitter,omitempty"`
	// RampUp spreads the devices' starts evenly over a time; Gap puts as much
	// between one and the next. One of them.
	RampUp Duration `json:"rampUp,omitempty"`
	Gap    Duration `json:"gap,omitempty"`
	// Offset is the number of the first device: client() of it.
	Offset int `json:"offset,omitempty"`
	// ConnectLimit is how many devices at most are connecting at once (100).
	ConnectLimit int `json:"connectLimit,omitempty"`
	// RequestLimit is how many AWS and HTTP calls are in flight at once (16).
	RequestLimit int `json:"requestLimit,omitempty"`
	// Duration ends the run after so long.
	Duration Duration `json:"duration,omitempty"`
	// Seed makes a run repeatable; 0 takes one at random, which the results name.
	Seed uint64 `json:"seed,omitempty"`
	// Time is "real" (default) or "virtual": then sleeps and intervals pass at
	// once, in the order in which they would have ended.
	Time    string  `json:"time,omitempty"`
	Network Network `json:"network,omitzero"`
	// Thresholds are conditions of success, such as "publish_ms p(99) < 50"
	// or "errors rate < 0.01".
	Thresholds []string `json:"thresholds,omitempty"`
	// KeepState keeps each device's state for the next run of the same test.
	KeepState bool `json:"keepState,omitempty"`
}

// Network is an impairment of each device's connections.
type Network struct {
	// Latency and Jitter delay what is sent and what is received.
	Latency Duration `json:"latency,omitempty"`
	Jitter  Duration `json:"jitter,omitempty"`
	// Loss is the share (0 to 1) of published messages of QoS 0 that vanish,
	// and of writes that are delayed by a retransmission's 200 ms otherwise.
	Loss float64 `json:"loss,omitempty"`
	// DisconnectEvery breaks each connection after that long on average.
	DisconnectEvery Duration `json:"disconnectEvery,omitempty"`
}

// Validate tells all faults of run settings at once.
func (r *RunSettings) Validate() error {
	var f faults
	r.validate("", &f)
	return errors.Join(f...)
}

func (r *RunSettings) validate(at string, f *faults) {
	f.upTo(at+"clients", r.Clients, maxClients)
	f.upTo(at+"iterations", r.Iterations, maxIterations)
	f.upTo(at+"offset", r.Offset, maxIterations)
	f.upTo(at+"connectLimit", r.ConnectLimit, maxAtOnce)
	f.upTo(at+"requestLimit", r.RequestLimit, maxAtOnce)
	for _, x := range []struct {
		member string
		value  Duration
	}{
		{"interval", r.Interval}, {"jitter", r.Jitter}, {"rampUp", r.RampUp}, {"gap", r.Gap}, {"duration", r.Duration},
		{"network.latency", r.Network.Latency}, {"network.jitter", r.Network.Jitter}, {"network.disconnectEvery", r.Network.DisconnectEvery},
	} {
		if x.value < 0 || x.value > maxTime {
			f.add(at+x.member, "is %s, it must be between 0s and %s", x.value, maxTime)
		}
	}
	if r.RampUp > 0 && r.Gap > 0 {
		f.add(at+"gap", "rampUp says already when devices start: give one of them")
	}
	if !(r.Network.Loss >= 0 && r.Network.Loss <= 1) {
		f.add(at+"network.loss", "is %v, it is a share from 0 to 1", r.Network.Loss)
	}
	if r.Time != "" {
		f.oneOf(at+"time", r.Time, "real", "virtual")
	}
	if len(r.Thresholds) > maxThresholds {
		f.add(at+"thresholds", "are %d, at most %d can be", len(r.Thresholds), maxThresholds)
	}
	for _, t := range r.Thresholds {
		if strings.TrimSpace(t) == "" || len(t) > maxThreshold {
			f.add(at+"thresholds", `%s is no condition such as "publish_ms p(99) < 50"`, quoted(t))
		}
	}
}
