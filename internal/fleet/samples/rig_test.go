package samples_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/app"
	"github.com/thingd/thingd/internal/awsapi/client"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/samples"
)

// rig is a whole server in the test's process, its root user, and the glob
// that the runs of a test share.
type rig struct {
	*client.Client
	t     *testing.T
	at    config.Endpoints
	roots *x509.CertPool
	glob  *memory
	keys  sigv4.Credentials // of whom runs call AWS as
	runs  int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel() // most of their time they wait
	cfg := &config.Config{
		Data: t.TempDir(), API: "127.0.0.1:0", Device: "127.0.0.1:0", MQTT: "127.0.0.1:0", Ops: "127.0.0.1:0",
		Region: "eu-west-1", LogLevel: "warn", LogFormat: "text", Limits: "aws", Dev: true,
	}
	if err := cfg.Finish(func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var at config.Endpoints
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if at, err = config.ReadEndpoints(cfg.Data); err == nil {
			break
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the server does not come up")
		}
	}
	root, err := os.ReadFile(filepath.Join(cfg.Data, config.ServerRootFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	keys := sigv4.Credentials{AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey}
	return &rig{
		t: t, at: at, roots: roots, glob: &memory{m: map[string]json.RawMessage{}}, keys: keys,
		Client: &client.Client{Endpoint: at.API, Region: cfg.Region, Credentials: keys},
	}
}

// user makes an IAM user with a policy; runs call AWS by his key from then on.
func (r *rig) user(name string, policy []byte) {
	r.t.Helper()
	r.call("iam", "CreateUser", map[string]any{"UserName": name})
	r.allow(name, policy)
	key := r.call("iam", "CreateAccessKey", map[string]any{"UserName": name})["AccessKey"].(map[string]any)
	r.keys = sigv4.Credentials{AccessKeyID: key["AccessKeyId"].(string), SecretAccessKey: key["SecretAccessKey"].(string)}
}

func (r *rig) allow(name string, policy []byte) {
	r.t.Helper()
	r.call("iam", "PutUserPolicy", map[string]any{"UserName": name, "PolicyName": "p", "PolicyDocument": string(policy)})
}

// call calls AWS as the root user.
func (r *rig) call(service, operation string, params any) map[string]any {
	r.t.Helper()
	answer, err := r.Call(r.t.Context(), service, operation, params)
	if err != nil {
		r.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// texts are the strings at a member of the items of a list, in order; of the
// items themselves where member is "".
func texts(list any, member string) []string {
	var found []string
	items, _ := list.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			item = m[member]
		}
		found = append(found, fmt.Sprint(item))
	}
	slices.Sort(found)
	return found
}

// do runs a sample; edit may change it.
func (r *rig) do(sample string, run model.RunSettings, settings map[string]string, edit func(*model.Model)) (*engine.Run, *report.Result) {
	r.t.Helper()
	m, err := samples.Model(sample)
	if err != nil {
		r.t.Fatal(err)
	}
	if edit != nil {
		edit(m)
	}
	all := map[string]string{"region": "eu-west-1"}
	for _, s := range m.Settings {
		switch s.Name {
		case "accessKeyId":
			all[s.Name] = r.keys.AccessKeyID
		case "secretAccessKey":
			all[s.Name] = r.keys.SecretAccessKey
		}
	}
	maps.Copy(all, settings)
	r.runs++
	e, err := engine.New(engine.Options{
		Model: m, Settings: all, Run: run, RunID: fmt.Sprintf("run-%d", r.runs), Glob: r.glob, Endpoint: r.at.API, Region: "eu-west-1",
		MQTT: r.at.MQTT, Roots: r.roots, Log: func(l report.LogEntry) { r.t.Logf("%s %d: %s %s", sample, l.Client, l.Level, l.Text) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	result, err := e.Do(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return e, result
}

// succeed runs a sample that must come to a good end.
func (r *rig) succeed(sample string, run model.RunSettings, settings map[string]string) (*engine.Run, *report.Result) {
	r.t.Helper()
	e, result := r.do(sample, run, settings, nil)
	if result.Outcome != report.Succeeded { // faults of connections may be: a client identifier connects once a second
		r.t.Fatalf("%s: %s: %s %+v", sample, result.Outcome, result.Reason, result.Errors)
	}
	return e, result
}

func metric(result *report.Result, name string) float64 {
	for _, m := range result.Metrics {
		if m.Name == name {
			return m.Count
		}
	}
	return 0
}

// memory is a glob.
type memory struct {
	mu sync.Mutex
	m  map[string]json.RawMessage
}

func (g *memory) Get(_ context.Context, key string) (json.RawMessage, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.m[key]
	return v, ok, nil
}

func (g *memory) Set(_ context.Context, key string, value json.RawMessage) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.m[key] = slices.Clone(value)
	return nil
}

func (g *memory) Delete(_ context.Context, key string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.m, key)
	return nil
}

func (g *memory) List(_ context.Context, prefix, after string, limit int) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(g.m)) {
		if strings.HasPrefix(k, prefix) && k > after && len(keys) < limit {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// text is a string that a run left in the glob.
func (r *rig) text(key string) string {
	r.t.Helper()
	var s string
	if err := json.Unmarshal(r.glob.m[key], &s); err != nil {
		r.t.Fatalf("glob %s: %v", key, err)
	}
	return s
}
