// Package model is what people write for the fleet: device models and run
// settings, as values. A model is one JSON document; on disk it is a folder
// (model.json and a file of JavaScript for each stage) or one JavaScript file.
package model

import "encoding/json"

// Model is a device model: what each virtual device of a run does.
type Model struct {
	// Name is that of the model: 1 to 128 of [a-zA-Z0-9:_-].
	Name string `json:"name"`
	// Description is for people, up to 2,028 characters.
	Description string `json:"description,omitempty"`
	// Settings are what a run asks its person for, such as an access key.
	Settings []Setting `json:"settings,omitempty"`
	// Protocol is how devices connect; nil for devices that only call APIs.
	Protocol *Protocol `json:"protocol,omitempty"`
	// Script runs once for each device before everything else: functions and
	// constants for the stages.
	Script string `json:"script,omitempty"`
	// Stages are bodies of functions by the name of their stage: "init" once
	// at the start, "running" at each iteration, "finished" once at the end,
	// "message" for each message received (as the variable message). Others
	// are named by Sequence. What a stage returns is published, if there is
	// a protocol with a topic.
	Stages map[string]string `json:"stages"`
	// Sequence are the stages that iterations run in turn, in place of
	// "running": iteration n runs the nth, and the last from then on.
	Sequence []string `json:"sequence,omitempty"`
	// Run are the run settings that the model comes with.
	Run *RunSettings `json:"run,omitempty"`
	// MinIterations is below what number of iterations the model is of no use.
	MinIterations int `json:"minIterations,omitempty"`

	source *source // nil: no file
}

// Names of the stages that every model may have.
const (
	StageInit     = "init"
	StageRunning  = "running"
	StageFinished = "finished"
	StageMessage  = "message"
)

// Setting is a value that the person who runs a model gives, read in scripts as
// settings.NAME and in templates as {{settings.NAME}}.
type Setting struct {
	Name        string `json:"name"`
	Label       string `json:"label,omitempty"`
	Description string `json:"description,omitempty"`
	Default     string `json:"default,omitempty"`
	Required    bool   `json:"required,omitempty"`
	// Secret values are never shown, logged or given back.
	Secret bool `json:"secret,omitempty"`
}

// Protocol is how a device speaks. Every text in it is a template: what stands
// between {{ and }} is an expression of the device's script, evaluated after
// stage init (topic: at each message).
type Protocol struct {
	// Type is "mqtt" or "https".
	Type string `json:"type"`
	// Endpoint is a host, with or without :port (8883; 1883 without security; 8443 for https).
	Endpoint string `json:"endpoint,omitempty"`
	// Version is "3.1.1" (default) or "5".
	Version string `json:"version,omitempty"`
	// Security is "certificate" (default) or "none".
	Security string `json:"security,omitempty"`
	// Certificate and Key are PEM; CA too: without it the run's roots hold.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
	CA          string `json:"ca,omitempty"`
	// ClientID is the MQTT client identifier.
	ClientID string `json:"clientId,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// KeepAlive is in seconds: "0" to "65535".
	KeepAlive string `json:"keepAlive,omitempty"`
	// CleanSession is of MQTT 3.1.1, clean start of 5 (default true).
	CleanSession *bool `json:"cleanSession,omitempty"`
	// Topic is where what a stage returns is published.
	Topic  string `json:"topic,omitempty"`
	QoS    int    `json:"qos,omitempty"`
	Retain bool   `json:"retain,omitempty"`
	// Subscribe are filters that a device subscribes to once connected.
	Subscribe []Subscription `json:"subscribe,omitempty"`
	Will      *Will          `json:"will,omitempty"`
}

// Subscription is a topic filter with its QoS.
type Subscription struct {
	Filter string `json:"filter"`
	QoS    int    `json:"qos,omitempty"`
}

// Will is what the broker publishes when a device's connection breaks.
type Will struct {
	Topic   string `json:"topic"`
	Payload string `json:"payload,omitempty"`
	QoS     int    `json:"qos,omitempty"`
	Retain  bool   `json:"retain,omitempty"`
}

// Parse reads a model's JSON document. Unknown members are errors: they are
// most often misspelt ones. All faults of the model are told at once.
func Parse(document []byte) (*Model, error) {
	var m Model
	if err := strict(document, &m); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return &m, nil
}

// JSON is the model's document.
func (m *Model) JSON() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings, numbers and booleans alone
	}
	return b
}
