package engine

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Options are what a run is made of.
type Options struct {
	Model    *model.Model
	Settings map[string]string // values of the model's settings
	Run      model.RunSettings
	RunID    string
	Glob     script.Glob
	// Endpoint is the URL of all AWS APIs; "" stands for AWS's own endpoints.
	Endpoint string
	// Region and Credentials are those of AWS calls that name none; the model's
	// settings accessKeyId, secretAccessKey, sessionToken and region come before.
	Region      string
	Credentials sigv4.Credentials
	// MQTT is host:port in place of the protocol's endpoint; "" is none.
	MQTT string
	// Roots verify servers; nil stands for the system's.
	Roots *x509.CertPool
	// Dial opens all connections; nil stands for the net package's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MemoryLimit is how many bytes the process may hold in its heap: beyond it
	// the device that holds most of it is stopped. 0 is no limit.
	MemoryLimit int64
	// States gives a device's kept state, nil for none. It may be nil.
	States func(client int) json.RawMessage
	// Log is told each line of the run's log as it is written; it must not wait.
	// It may be nil.
	Log func(report.LogEntry)

	proxies bool // of the environment, by which HTTP goes when nobody gave Dial
}

const (
	defaultConnectLimit = 100
	defaultRequestLimit = 16
)

// complete fills in what is not set and tells what cannot be: all of it.
func (o *Options) complete() (thresholds []report.Threshold, err error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	s := &o.Run
	if s.Clients == 0 {
		s.Clients = 1
	}
	if err := s.Validate(); err != nil {
		faults = append(faults, err)
	}
	if s.Iterations == 0 && s.Duration == 0 {
		s.Iterations = max(1, o.Model.MinIterations)
	}
	if s.Iterations > 0 && s.Iterations < o.Model.MinIterations {
		fault("iterations: %s needs %d, and %d are set", o.Model.Name, o.Model.MinIterations, s.Iterations)
	}
	if s.ConnectLimit == 0 {
		s.ConnectLimit = defaultConnectLimit
	}
	if s.RequestLimit == 0 {
		s.RequestLimit = defaultRequestLimit
	}
	if s.Seed == 0 {
		s.Seed = rand.Uint64N(1<<53-1) + 1 // which JavaScript counts exactly
	}
	if thresholds, err = report.ParseThresholds(s.Thresholds); err != nil {
		faults = append(faults, err)
	}
	for _, x := range o.Model.Settings {
		if x.Required && x.Default == "" && o.Settings[x.Name] == "" {
			fault("setting %s is missing%s", x.Name, described(x))
		}
	}
	if o.Endpoint != "" {
		if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			fault("endpoint: %q is no http or https URL", o.Endpoint)
		}
	}
	if o.Dial == nil {
		o.proxies = true
		o.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if o.Glob == nil {
		fault("glob: is missing")
	}
	return thresholds, errors.Join(faults...)
}

func described(s model.Setting) string {
	if s.Label != "" {
		return " (" + s.Label + ")"
	}
	return ""
}

// setting is the value of a setting of the model: given, or its default.
func (o *Options) setting(name string) string {
	if v := o.Settings[name]; v != "" {
		return v
	}
	for _, x := range o.Model.Settings {
		if x.Name == name {
			return x.Default
		}
	}
	return ""
}
