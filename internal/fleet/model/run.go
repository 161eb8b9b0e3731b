package model

import (
	"encoding/json"
	"fmt"
	"time"
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

// Duration is a time.Duration, in JSON as text: "1.5s", "2m".
type Duration time.Duration

// MarshalJSON writes the duration as time.Duration spells it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads what time.ParseDuration takes, or a number of seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s is no duration such as \"1.5s\"", b)
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration such as \"1.5s\"", text)
	}
	*d = Duration(v)
	return nil
}
