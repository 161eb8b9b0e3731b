package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/globfile"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

type fleetRunCmd struct {
	fleetAccess
	Model string            `arg:"" help:"Folder or file of a device model, or the name of a sample."`
	Set   map[string]string `placeholder:"NAME=VALUE" mapsep:"none" help:"A setting of the model (also from THINGD_FLEET_NAME: secretAccessKey from THINGD_FLEET_SECRET_ACCESS_KEY). Access key and region are those that the run signs with, if nothing else is said."`
	MQTT  string            `name:"mqtt" placeholder:"HOST:PORT" help:"Connect devices here instead of to the model's endpoint."`

	RunSettings string `name:"run-settings" group:"How often and how fast, in place of what the model says:" placeholder:"FILE" help:"Run settings as JSON."`
	runOptions

	Out     []string `group:"Results:" placeholder:"FORMAT=FILE" sep:"none" help:"Write results: json, csv (metrics), series (over time, CSV) or junit. Repeatable."`
	Metrics string   `group:"Results:" placeholder:"ADDRESS" help:"Serve /metrics for Prometheus here while it runs, such as 127.0.0.1:9465."`
	Quiet   bool     `short:"q" group:"Results:" help:"No progress and no log, the summary alone."`
	Log     string   `enum:"debug,info,warn,error,off" default:"info" group:"Results:" help:"What of the devices' log is shown: debug, info, warn, error or off."`

	MemoryLimit string `name:"memory-limit" default:"1GiB" placeholder:"SIZE" help:"How much memory the run may hold: the device that holds most is stopped beyond it (1GiB)."`
}

// runOptions are run settings as options; zero values leave what there is.
type runOptions struct {
	Clients         *int          `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"Devices (1)."`
	Iterations      int           `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"How often each runs its stages."`
	Duration        time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"End the run after so long."`
	Interval        time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"Between the starts of a device's iterations."`
	Jitter          time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"The most that is added to each interval, at random."`
	RampUp          time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"Spread the devices' starts over this time."`
	Gap             time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"Between the start of one device and the next."`
	Offset          int           `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"Number of the first device (0)."`
	ConnectLimit    int           `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"Devices that connect at once (100)."`
	RequestLimit    int           `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"AWS and HTTP requests in flight at once (16)."`
	Seed            uint64        `group:"How often and how fast, in place of what the model says:" placeholder:"N" help:"Makes a run repeatable."`
	Virtual         bool          `group:"How often and how fast, in place of what the model says:" help:"Virtual time: intervals and sleeps pass at once."`
	Latency         time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"Delay what devices send and receive."`
	NetworkJitter   time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"The most that is added to each delay, at random."`
	Loss            float64       `group:"How often and how fast, in place of what the model says:" placeholder:"SHARE" help:"Share of messages of QoS 0 that vanish, 0 to 1; others are delayed."`
	DisconnectEvery time.Duration `group:"How often and how fast, in place of what the model says:" placeholder:"TIME" help:"Break each connection after that long on average."`
	Threshold       []string      `group:"How often and how fast, in place of what the model says:" sep:"none" placeholder:"TEXT" help:"Condition of success, such as 'publish_ms p(99) < 50' (else exit code 99). Repeatable."`
	KeepState       bool          `group:"How often and how fast, in place of what the model says:" help:"Begin with the devices' states of the last run, and keep them for the next."`
}

// apply puts what is set over s.
func (o *runOptions) apply(s *model.RunSettings) {
	for _, x := range []struct {
		to *int
		v  int
	}{{&s.Iterations, o.Iterations}, {&s.Offset, o.Offset}, {&s.ConnectLimit, o.ConnectLimit}, {&s.RequestLimit, o.RequestLimit}} {
		if x.v != 0 {
			*x.to = x.v
		}
	}
	if o.Clients != nil {
		s.Clients = *o.Clients
	}
	for _, x := range []struct {
		to *model.Duration
		v  time.Duration
	}{
		{&s.Duration, o.Duration}, {&s.Interval, o.Interval}, {&s.Jitter, o.Jitter}, {&s.RampUp, o.RampUp}, {&s.Gap, o.Gap},
		{&s.Network.Latency, o.Latency}, {&s.Network.Jitter, o.NetworkJitter}, {&s.Network.DisconnectEvery, o.DisconnectEvery},
	} {
		if x.v != 0 {
			*x.to = model.Duration(x.v)
		}
	}
	switch { // of these two, and of these, the one that is said counts
	case o.RampUp != 0 && o.Gap == 0:
		s.Gap = 0
	case o.Gap != 0 && o.RampUp == 0:
		s.RampUp = 0
	}
	if o.Duration != 0 && o.Iterations == 0 {
		s.Iterations = 0
	}
	if o.Seed != 0 {
		s.Seed = o.Seed
	}
	if o.Virtual {
		s.Time = "virtual"
	}
	if o.Loss != 0 {
		s.Network.Loss = o.Loss
	}
	s.Thresholds = append(s.Thresholds, o.Threshold...)
	s.KeepState = s.KeepState || o.KeepState
}

// settings are the run settings: the model's, those of the file, the options.
func (f *fleetRunCmd) settings(m *model.Model) (model.RunSettings, error) {
	var s model.RunSettings
	if m.Run != nil {
		s = *m.Run
		s.Thresholds = append([]string(nil), s.Thresholds...)
	}
	if f.RunSettings != "" {
		b, err := os.ReadFile(f.RunSettings)
		if err != nil {
			return s, err
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return s, fmt.Errorf("%s: %w", f.RunSettings, err)
		}
	}
	if f.Clients != nil && *f.Clients < 1 {
		return s, fmt.Errorf("--clients: it is %d, a run has at least one device", *f.Clients)
	}
	f.apply(&s)
	return s, nil
}

// values are the model's settings: said, of the environment, or what the run signs with.
func (f *fleetRunCmd) values(m *model.Model, t *fleetTarget, getenv func(string) string) (map[string]string, error) {
	known := map[string]bool{}
	out := map[string]string{}
	signing := map[string]string{
		"accessKeyId": t.keys.AccessKeyID, "secretAccessKey": t.keys.SecretAccessKey, "sessionToken": t.keys.SessionToken, "region": t.region,
	}
	ownKey, err := f.ownKey(m, getenv)
	if err != nil {
		return nil, err
	}
	for _, s := range m.Settings {
		known[s.Name] = true
		v, said := f.Set[s.Name]
		if !said {
			v = getenv("THINGD_FLEET_" + upperSnake(s.Name))
		}
		if v == "" && !said && (s.Name == "region" || !ownKey) {
			v = signing[s.Name]
		}
		if v != "" {
			out[s.Name] = v
		}
	}
	for name := range f.Set {
		if !known[name] {
			return nil, fmt.Errorf("--set %s: the model has no such setting", name)
		}
	}
	return out, nil
}

// ownKey tells whether an access key is set for the run. It refuses one of which a half is set: the identifier of one key and the
// secret of another sign nothing.
func (f *fleetRunCmd) ownKey(m *model.Model, getenv func(string) string) (bool, error) {
	const id, secret = "accessKeyId", "secretAccessKey"
	by := map[string]string{}
	for _, s := range m.Settings {
		if s.Name != id && s.Name != secret {
			continue
		}
		if v, said := f.Set[s.Name]; said && v == "" {
			return true, nil // none is wanted
		} else if said {
			by[s.Name] = "--set"
		} else if variable := "THINGD_FLEET_" + upperSnake(s.Name); getenv(variable) != "" {
			by[s.Name] = variable
		} else if s.Default != "" {
			by[s.Name] = "the model"
		} else {
			by[s.Name] = ""
		}
	}
	set := func(name string) bool { return by[name] != "" && by[name] != "the model" }
	for _, x := range [][2]string{{id, secret}, {secret, id}} {
		if missing, there := by[x[0]]; there && missing == "" && set(x[1]) {
			return true, fmt.Errorf("%s is the run's own but %s is set by %s: set both or neither", x[0], x[1], by[x[1]])
		}
	}
	return set(id) || set(secret), nil
}

// upperSnake is secretAccessKey as SECRET_ACCESS_KEY.
func upperSnake(name string) string {
	var b strings.Builder
	before := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
		before = r
	}
	return b.String()
}

// Run runs the model.
func (f *fleetRunCmd) Run(ctx context.Context, c *CLI) error {
	time.Local = time.UTC // of Date in scripts: a run is the same wherever it runs
	m, err := loadModel(f.Model)
	if err != nil {
		return err
	}
	settings, err := f.settings(m)
	if err != nil {
		return err
	}
	limit, err := byteSize(f.MemoryLimit)
	if err != nil {
		return fmt.Errorf("--memory-limit: %w", err)
	}
	// A model that names where its devices connect may need no AWS.
	literal := m.Protocol != nil && m.Protocol.Endpoint != "" && !strings.Contains(m.Protocol.Endpoint, "{{")
	t, err := f.resolve(os.Getenv, f.AWS || f.EndpointURL != "" || f.MQTT == "" && !literal && m.Protocol != nil)
	if err != nil {
		return err
	}
	if f.MQTT == "" && !literal {
		f.MQTT = t.mqtt
	}
	values, err := f.values(m, t, os.Getenv)
	if err != nil {
		return err
	}
	outputs, err := openOutputs(f.Out)
	if err != nil {
		return err
	}
	defer outputs.close()
	glob, err := t.openGlob()
	if err != nil {
		return err
	}
	defer func() { _ = glob.Close() }()
	o := engine.Options{
		Model: m, Settings: values, Run: settings, RunID: uuid.NewString(), Glob: glob, Endpoint: t.endpoint, Region: t.region,
		Credentials: t.keys, MQTT: f.MQTT, Roots: t.roots, MemoryLimit: limit,
	}
	if settings.KeepState {
		o.States = func(client int) json.RawMessage {
			state, err := glob.State(ctx, m.Name, client)
			if err != nil {
				c.report(fmt.Sprintf("state of device %d: %v", client, err))
			}
			if err == nil && len(state) > 0 && !keepable(state) { // of a version that kept what is none
				c.report(fmt.Sprintf("state of device %d: what is kept is no state", client))
				return nil
			}
			return state
		}
	}
	run, err := engine.New(o)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(limit) // the collector works harder before the watchdog bites
	run.SpareMemory()
	if f.Metrics != "" {
		stop, err := serveMetrics(f.Metrics, run)
		if err != nil {
			return err
		}
		defer stop()
	}
	done := make(chan struct{})
	showing := make(chan struct{})
	go func() {
		defer close(showing)
		if !f.Quiet {
			(&fleetProgress{c: c, run: run, level: f.Log}).show(done)
		}
	}()
	unsaid := context.AfterFunc(ctx, func() {
		_, _ = fmt.Fprintln(c.Stderr, "\nthingd: stopping; again to end at once") // behind the ^C of a terminal, below its line
	})
	res, err := run.Do(ctx)
	unsaid()
	close(done)
	<-showing
	if err != nil {
		return err
	}
	if settings.KeepState {
		err = c.keepStates(run, glob, m.Name)
	}
	if err := errors.Join(err, report.Summary(c.Stdout, res), outputs.write(res)); err != nil {
		return err
	}
	if code := res.ExitCode(); code != 0 {
		return exitCode(code)
	}
	return nil
}

// keepable tells a state from what stands for one that cannot be shown.
func keepable(state json.RawMessage) bool { return len(state) > 0 && state[0] == '{' }

// keepStates keeps the devices' states for the next run, also of one that was stopped. The last good one of a device stays
// where there is none that can be kept.
func (c *CLI) keepStates(run *engine.Run, glob *globfile.File, name string) error {
	for from := 0; ; from += 1000 {
		devices := run.Devices(from, 1000, "")
		if len(devices) == 0 {
			return nil
		}
		for _, d := range devices {
			whole, ok := run.Device(d.Client)
			if !ok || len(whole.State) == 0 || whole.Phase == report.DeviceFailed {
				continue
			}
			if !keepable(whole.State) {
				c.report(fmt.Sprintf("state of device %d is not kept, the one before stays: %s", d.Client, clean(string(whole.State))))
				continue
			}
			if err := glob.KeepState(context.Background(), name, d.Client, whole.State); err != nil {
				return fmt.Errorf("keep the state of device %d: %w", d.Client, err)
			}
		}
	}
}

// outputs are the files that results go to. They are made before the run: who waits for an hour wants to have them.
type outputs []output

type output struct {
	file  *os.File
	write func(io.Writer, *report.Result) error
}

func openOutputs(options []string) (outputs, error) {
	formats := map[string]func(io.Writer, *report.Result) error{"json": report.JSON, "csv": report.CSV, "series": report.SeriesCSV, "junit": report.JUnit}
	var all outputs
	for _, option := range options {
		format, file, ok := strings.Cut(option, "=")
		write := formats[format]
		if !ok || write == nil || file == "" {
			all.close()
			return nil, fmt.Errorf("--out %s: it is FORMAT=FILE, and the formats are json, csv, series and junit", option)
		}
		w, err := os.Create(file)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, output{w, write})
	}
	return all, nil
}

func (o outputs) write(res *report.Result) error {
	var all error
	for _, out := range o {
		all = errors.Join(all, out.write(out.file, res), out.file.Sync())
	}
	return all
}

func (o outputs) close() {
	for _, out := range o {
		_ = out.file.Close()
	}
}

// serveMetrics serves Prometheus while a run goes on.
func serveMetrics(address string, run *engine.Run) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s := run.Snapshot()
		_ = report.Prometheus(w, &s)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(l) // until it is closed
	}()
	return func() { _ = srv.Close(); <-ended }, nil
}

// byteSize reads 512MiB, 1GiB, 2GB and plain numbers.
func byteSize(text string) (int64, error) {
	units := []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}}
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = rest, u.size
			break
		}
	}
	var v float64
	if _, err := fmt.Sscanf(cmp.Or(number, "x"), "%g", &v); err != nil || v <= 0 || v*float64(factor) > 1<<50 {
		return 0, fmt.Errorf("%q is no size such as 1GiB", text)
	}
	return int64(v * float64(factor)), nil
}
