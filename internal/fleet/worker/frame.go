// Package worker is both ends of the process that does one run: the server
// starts itself as `thingd fleet worker`, gives it the run on standard input
// and is told on standard output, in JSON lines. The worker begins with an
// emptied environment, in a process group of its own, holds no credentials but
// what the person who made the test gave, dials only where its Egress lets it,
// and is killed when it exceeds its limits or when the server ends.
package worker

import (
	"encoding/json"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// Bounds of a line: to a worker it may have the states of all devices.
const (
	maxToWorker   = 128 << 20
	maxFromWorker = 16 << 20
)

// Start is the run that a worker is to do, or with Check a model that it is to
// compile and nothing more.
type Start struct {
	Check    bool              `json:"check,omitempty"`
	Model    json.RawMessage   `json:"model"`
	Settings map[string]string `json:"settings,omitempty"`
	Run      model.RunSettings `json:"run"`
	RunID    string            `json:"runId,omitempty"`
	// Endpoint is the URL of all AWS APIs, MQTT host:port in place of the
	// protocol's endpoint.
	Endpoint string `json:"endpoint,omitempty"`
	MQTT     string `json:"mqtt,omitempty"`
	Region   string `json:"region,omitempty"`
	Roots    string `json:"roots,omitempty"` // PEM, beside the system's
	Egress   Egress `json:"egress"`
	// Memory is how many bytes the process may have.
	Memory int64 `json:"memory"`
	// DeviceBytes bounds what is told of the devices at the end.
	DeviceBytes int `json:"deviceBytes,omitempty"`
	// States are kept states by the devices' numbers.
	States map[int]json.RawMessage `json:"states,omitempty"`
}

// toWorker is a line to the worker: one of its members.
type toWorker struct {
	Start *Start     `json:"start,omitempty"`
	Glob  *GlobReply `json:"glob,omitempty"`
	Ask   *ask       `json:"ask,omitempty"`
	Stop  bool       `json:"stop,omitempty"`
}

// fromWorker is a line from the worker: one of its members.
type fromWorker struct {
	Snapshot json.RawMessage `json:"snapshot,omitempty"`
	Series   json.RawMessage `json:"series,omitempty"`
	Logs     json.RawMessage `json:"logs,omitempty"`
	Devices  json.RawMessage `json:"devices,omitempty"`
	States   []State         `json:"states,omitempty"`
	Answer   *answer         `json:"answer,omitempty"`
	Glob     *GlobOp         `json:"glob,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Checked  json.RawMessage `json:"checked,omitempty"`
	Failed   string          `json:"failed,omitempty"` // there was no run
}

// State is what a device keeps for the next run.
type State struct {
	Client int             `json:"client"`
	State  json.RawMessage `json:"state"`
}

// Operations on glob storage.
const (
	GlobGet    = "get"
	GlobSet    = "set"
	GlobDelete = "delete"
	GlobList   = "list"
)

// GlobOp is what a script asks of glob storage.
type GlobOp struct {
	ID     uint64          `json:"id"`
	Op     string          `json:"op"`
	Key    string          `json:"key,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
	Prefix string          `json:"prefix,omitempty"`
	After  string          `json:"after,omitempty"`
	Limit  int             `json:"limit,omitempty"`
}

// GlobReply answers a GlobOp.
type GlobReply struct {
	ID    uint64          `json:"id"`
	Value json.RawMessage `json:"value,omitempty"`
	Found bool            `json:"found,omitempty"`
	Keys  []string        `json:"keys,omitempty"`
	Error string          `json:"error,omitempty"`
}

// ask asks a run under way about its devices: those from a place in it on, in a
// phase if there is one, or all of the one of a number.
type ask struct {
	ID     uint64             `json:"id"`
	From   int                `json:"from,omitempty"`
	Limit  int                `json:"limit,omitempty"`
	Phase  report.DevicePhase `json:"phase,omitempty"`
	Client *int               `json:"client,omitempty"`
}

// answer answers an ask.
type answer struct {
	ID      uint64          `json:"id"`
	Devices json.RawMessage `json:"devices"`
}

// Fault is what is wrong with a model.
type Fault struct {
	Message string `json:"message"`
	// Place is "script", "stage NAME" or the member that a template is of; Line
	// and Column are in its code, from 1. Empty and 0: not known.
	Place  string `json:"place,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// logLines is how many log lines a frame has at most.
const logLines = 1000

// slim leaves of a device what a list shows.
func slim(d report.DeviceStatus) report.DeviceStatus {
	d.State, d.Logs, d.LastTopic, d.LastPayload, d.LastPayloadHex = nil, nil, "", "", false
	return d
}
