package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/worker"
	"github.com/thingd/thingd/internal/seal"
)

const (
	account = "123456789012"
	other   = "210987654321"
	region  = "us-east-1"
)

// This test's program is its workers' too.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"fleet", "worker"}) {
		if err := worker.Main(context.Background(), os.Stdin, os.Stdout, testEngine()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// world is a fleet service behind the real protocol. Who may do what is up to
// the test; signatures are parsed but not verified.
type world struct {
	*Service
	t       testing.TB
	url     string
	account string
	region  string
	guard   *guard
	log     *logged
}

// logged is what the service has logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func testBox() *seal.Box {
	box, err := seal.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	return box
}

func newWorld(t testing.TB, d *db.DB, change func(*Service)) *world {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, account: account, region: region, guard: &guard{}, log: &logged{}}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(w.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.Service = &Service{
		DB: d, Seal: testBox(), Log: log, Now: time.Now, Samples: []Sample{
			{Model: &model.Model{Name: "first", Description: "The first.", Stages: map[string]string{"running": "1"}, MinIterations: 5,
				Settings: []model.Setting{{Name: "key", Label: "Key", Required: true}, {Name: "secret", Secret: true}, {Name: "region", Default: "us-east-1"}}}, Policy: `{"Version":"2012-10-17"}`},
			{Model: &model.Model{Name: "another", Stages: map[string]string{"running": "2"}}},
			{Model: &model.Model{Name: "third", Stages: map[string]string{"running": "3"}}},
		},
	}
	w.Workers = Workers{
		Config: worker.Config{Path: exe, Args: []string{exe, "fleet", "worker"}, Memory: 512 << 20, Grace: 12 * time.Second},
		Roots:  func() []byte { return nil },
	}
	if change != nil {
		change(w.Service)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	gateway := &awsapi.Gateway{Identity: w.guard, Log: log, Now: time.Now}
	server := httptest.NewServer(gateway.Handler(fleet.Service.Bind(w.Service)))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// each runs fn with a world on both databases; with AtOnce of -1, so that runs
// wait, unless change says otherwise.
func each(t *testing.T, change func(*Service), fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fn(t, newWorld(t, d, func(s *Service) {
			s.Limits.AtOnce = -1
			if change != nil {
				change(s)
			}
		}))
	})
}

// as is the same world for another account or region.
func (w *world) as(account, region string) *world {
	c := *w
	c.account, c.region = account, region
	return &c
}

// refusal is an error of the API.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.status, r.code, r.message) }

// do makes a request and answers the body of its answer.
func (w *world) do(method, path string, body any) (answer, error) {
	w.t.Helper()
	b := []byte{}
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), method, w.url+path, bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := sigv4.Sign(r, b, sigv4.Credentials{AccessKeyID: "AKIA" + w.account, SecretAccessKey: "secret"}, w.region, "fleet", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	if resp.StatusCode != http.StatusOK {
		message, _ := a["message"].(string)
		return nil, &refusal{resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), message}
	}
	return a, nil
}

// answer is a JSON answer.
type answer map[string]any

// at is what a path of member names and indexes leads to, nil if there is nothing.
func (a answer) at(path ...any) any {
	var v any = map[string]any(a)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

// names are a member of each item of a list.
func (a answer) names(list, member string) string {
	items, _ := a[list].([]any)
	var out []string
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, fmt.Sprint(m[member]))
	}
	return strings.Join(out, " ")
}

// must is do that has to succeed.
func (w *world) must(method, path string, body any) answer {
	w.t.Helper()
	a, err := w.do(method, path, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// refused is do that has to fail with a code, its status and a text in its message.
func (w *world) refused(method, path string, body any, code, text string) {
	w.t.Helper()
	statuses := map[string]int{
		"InvalidRequestException": 400, "ResourceNotFoundException": 404, "ConflictException": 409, "ResourceAlreadyExistsException": 409,
		"LimitExceededException": 429, "AccessDeniedException": 403,
	}
	a, err := w.do(method, path, body)
	r, ok := err.(*refusal)
	if !ok {
		w.t.Errorf("%s %s: %v, want %s", method, path, a, code)
		return
	}
	if r.code != code || r.status != statuses[code] || !strings.Contains(r.message, text) {
		w.t.Errorf("%s %s: %v, want %d %s: %s", method, path, r, statuses[code], code, text)
	}
}

type m = map[string]any

// document is a model's, with settings and stages.
func document(change func(*model.Model)) string {
	d := &model.Model{Name: "m", Description: "A model.", Stages: map[string]string{"running": "return 1"}, Settings: []model.Setting{
		{Name: "open"}, {Name: "token", Secret: true}, {Name: "standard", Default: "of the model"},
	}}
	if change != nil {
		change(d)
	}
	return string(d.JSON())
}

// dump is all that the database holds of the fleet, as bytes.
func (w *world) dump() string {
	w.t.Helper()
	var b strings.Builder
	for table, columns := range map[string]string{
		"fleet_tests": "name || description, model, settings", "fleet_run_settings": "name || settings, NULL, NULL", "fleet_runs": "id || settings || reason, NULL, NULL",
		"fleet_run_documents": "kind, body, NULL", "fleet_run_devices": "run, body, NULL", "fleet_states": "test, state, NULL", "fleet_glob": "key, value, NULL",
	} {
		rows, err := w.DB.Query(context.WithoutCancel(w.t.Context()), "SELECT "+columns+" FROM "+table)
		if err != nil {
			w.t.Fatal(err)
		}
		for rows.Next() {
			var text string
			var one, two []byte
			if err := rows.Scan(&text, &one, &two); err != nil {
				w.t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s|%s|%s|%s\n", table, text, one, two)
		}
		if err := rows.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	return b.String()
}

// guard is an Identity that takes everybody for who they say they are, and
// notes what it was asked to allow.
type guard struct {
	mu     sync.Mutex
	checks []string
}

func (g *guard) Authenticate(_ context.Context, _ *http.Request, sig *sigv4.Signature, _ sigv4.Payload) (*awsapi.Caller, error) {
	a := strings.TrimPrefix(sig.AccessKeyID, "AKIA")
	return &awsapi.Caller{Type: awsapi.Root, Account: a, ARN: "arn:aws:iam::" + a + ":root"}, nil
}

func (g *guard) Authorize(_ context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checks = nil
	for _, c := range checks {
		action := c.Action
		if action == "" {
			action = req.Service.FullAction(req.Operation)
		}
		g.checks = append(g.checks, action+" "+c.Resource)
	}
	return nil
}

// Recognize is awsapi.Identity.
func (*guard) Recognize(context.Context, *sigv4.Signature) error { return nil }

func (g *guard) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.checks, "; ")
}
