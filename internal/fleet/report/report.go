// Package report is what a run of the fleet tells, as values: snapshots while
// it runs, its result, the state of its devices, its log; and how they are
// written: as a summary for people, JSON, CSV, JUnit and in Prometheus' text
// format. Every text in it may come from a script: writers escape.
package report

import (
	"encoding/json"
	"time"
)

// Phase is where a run is.
type Phase string

// The phases of a run, in their order.
const (
	Starting  Phase = "starting"  // devices are still being started (ramp-up, gap)
	Running   Phase = "running"   // all devices are started
	Finishing Phase = "finishing" // the run was stopped, or its duration is over: devices run stage finished
	Done      Phase = "done"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run. A threshold that is not met counts before devices that
// failed; being stopped counts before both.
const (
	Succeeded  Outcome = "succeeded"
	Thresholds Outcome = "thresholds" // ran to its end, but a threshold is not met
	Failed     Outcome = "failed"     // did not run, or devices failed (and no threshold is about devices_failed)
	Stopped    Outcome = "stopped"    // by a person
)

// ExitCode is that of the command that ran it: 0, 99, 1 and 130.
func (o Outcome) ExitCode() int {
	switch o {
	case Succeeded:
		return 0
	case Thresholds:
		return 99
	case Stopped:
		return 130
	default:
		return 1
	}
}

// Snapshot is a run at a moment. Its size is bounded whatever the number of
// devices and however long the run.
type Snapshot struct {
	RunID     string    `json:"runId,omitempty"`
	Model     string    `json:"model"`
	Seed      uint64    `json:"seed"` // below 2^53 unless a person gave another
	Phase     Phase     `json:"phase"`
	Started   time.Time `json:"started"`
	ElapsedMs int64     `json:"elapsedMs"`
	// Progress is the share of the run that is done, 0 to 1: by iterations or by
	// duration, whichever is further.
	Progress float64 `json:"progress"`
	// Virtual says that the run's time is virtual; VirtualMs is how much of it passed.
	Virtual   bool    `json:"virtual,omitempty"`
	VirtualMs int64   `json:"virtualMs,omitempty"`
	Devices   Devices `json:"devices"`
	// Metrics are the built-in ones that have a value, then the model's own, by name.
	Metrics []Metric `json:"metrics,omitempty"`
	// Errors are counted by reason, the most frequent first: at most MaxReasons,
	// the rest under the reason "other".
	Errors []ErrorCount `json:"errors,omitempty"`
	// Thresholds are as they stand now.
	Thresholds []ThresholdStatus `json:"thresholds,omitempty"`
	// MemoryBytes is what the process holds in its heap.
	MemoryBytes uint64 `json:"memoryBytes"`
}

// MaxReasons is how many reasons of errors a run tells apart.
const MaxReasons = 100

// Devices counts devices: each by one phase, and those connected now.
type Devices struct {
	Total      int `json:"total"`
	Waiting    int `json:"waiting"`    // for their turn to start
	Starting   int `json:"starting"`   // in stage init
	Connecting int `json:"connecting"` // for the first time, or again
	Running    int `json:"running"`    // in their iterations, waiting for the next included
	Finishing  int `json:"finishing"`  // in stage finished
	Finished   int `json:"finished"`
	Failed     int `json:"failed"`  // ended by an error
	Stopped    int `json:"stopped"` // ended before their time with the run
	Connected  int `json:"connected"`
}

// DevicePhase is where a device is.
type DevicePhase string

// The phases of a device, as Devices counts them.
const (
	DeviceWaiting    DevicePhase = "waiting"
	DeviceStarting   DevicePhase = "starting"
	DeviceConnecting DevicePhase = "connecting"
	DeviceRunning    DevicePhase = "running"
	DeviceFinishing  DevicePhase = "finishing"
	DeviceFinished   DevicePhase = "finished"
	DeviceFailed     DevicePhase = "failed"
	DeviceStopped    DevicePhase = "stopped"
)

// Kinds of metrics, as k6 has them.
const (
	Counter = "counter" // Count, Rate and Recent
	Gauge   = "gauge"   // Value, Min and Max
	Rate    = "rate"    // Count observations, of which the share Value was true
	Trend   = "trend"   // Count, and the distribution
)

// Metric is a measurement so far.
type Metric struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Count is a counter's sum (a model may add fractions), or how often was
	// observed; Rate is that a second of the run; Recent since the snapshot before.
	Count  float64 `json:"count"`
	Rate   float64 `json:"rate"`
	Recent float64 `json:"recent"`
	// Value is a gauge's last value, or the share of a rate, 0 to 1.
	Value float64 `json:"value,omitempty"`
	// Of trends; exact to one part in 64. Min and Max are exact.
	Min float64 `json:"min,omitempty"`
	Avg float64 `json:"avg,omitempty"`
	P50 float64 `json:"p50,omitempty"`
	P90 float64 `json:"p90,omitempty"`
	P95 float64 `json:"p95,omitempty"`
	P99 float64 `json:"p99,omitempty"`
	Max float64 `json:"max,omitempty"`
}

// ErrorCount is how often something went wrong for one reason.
type ErrorCount struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
	// Client is the number of the device that it happened to first.
	Client int `json:"client"`
}

// ThresholdStatus is how a threshold stands.
type ThresholdStatus struct {
	Expression string `json:"expression"`
	OK         bool   `json:"ok"`
	// Value is what the metric has; Known is false while nothing was observed
	// (at the end a threshold on nothing is not met, but those of counts are on 0).
	Value float64 `json:"value"`
	Known bool    `json:"known"`
}

// DeviceStatus is one device of a run.
type DeviceStatus struct {
	Client    int         `json:"client"`
	Phase     DevicePhase `json:"phase"`
	Iteration int         `json:"iteration"` // how many it has begun
	Connected bool        `json:"connected"`
	Published uint64      `json:"published"`
	Received  uint64      `json:"received"`
	Errors    uint64      `json:"errors"`
	LastError string      `json:"lastError,omitempty"`
	// State is the script's, without names that begin with __$; left out of lists.
	State json.RawMessage `json:"state,omitempty"`
	// LastTopic and LastPayload are of the last message that it published; a
	// payload that is no UTF-8 is given in hex, LastPayloadHex is true then. The
	// payload is cut at 1 KiB.
	LastTopic      string `json:"lastTopic,omitempty"`
	LastPayload    string `json:"lastPayload,omitempty"`
	LastPayloadHex bool   `json:"lastPayloadHex,omitempty"`
	// Logs are its latest lines (up to 50, fewer in big fleets), the oldest first.
	Logs []LogEntry `json:"logs,omitempty"`
}

// LogEntry is a line of a run's log.
type LogEntry struct {
	// Seq grows by one with each line of the run, from 1.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"` // the run's clock: virtual if that is
	// Client is the device's number; -1 is the run itself.
	Client int    `json:"client"`
	Level  string `json:"level"` // debug, info, warn, error
	Text   string `json:"text"`  // cut at 2 KiB
}

// Result is a run that is over.
type Result struct {
	Snapshot
	Outcome Outcome `json:"outcome"`
	// Reason says in a sentence why the outcome is not success.
	Reason string `json:"reason,omitempty"`
	// Notes are what the person should know beside it, and do about it.
	Notes []string  `json:"notes,omitempty"`
	Ended time.Time `json:"ended"`
	// FailedDevices are those that ended by an error, the first MaxFailedDevices.
	FailedDevices []DeviceStatus `json:"failedDevices,omitempty"`
	Series        Series         `json:"series"`
}

// MaxFailedDevices is how many failed devices a result names.
const MaxFailedDevices = 100

// Metric finds a metric by its name.
func (s *Snapshot) Metric(name string) (Metric, bool) {
	for _, m := range s.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// ExitCode is that of the outcome.
func (r *Result) ExitCode() int { return r.Outcome.ExitCode() }

// Elapsed is how long the run has taken, in real time.
func (s *Snapshot) Elapsed() time.Duration { return time.Duration(s.ElapsedMs) * time.Millisecond }
