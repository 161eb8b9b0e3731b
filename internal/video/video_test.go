package video

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mkv"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
)

type endpoints struct{}

func (endpoints) VideoData(secure bool) string {
	if secure {
		return "https://video.example:4566"
	}
	return "http://video.example:4566"
}

// clock is a time that tests set.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fixture is a service on a fresh database and directory.
type fixture struct {
	*Service
	clock *testClock
	dir   string
}

func newFixture(t testing.TB, d *db.DB, set func(*Service)) *fixture {
	t.Helper()
	f := &fixture{clock: &testClock{t: time.UnixMilli(1_795_303_800_123)}, dir: t.TempDir()}
	f.start(t, d, set)
	return f
}

// start opens the fixture's directory with a new service, as a new process would.
func (f *fixture) start(t testing.TB, d *db.DB, set func(*Service)) {
	t.Helper()
	blobs, err := blob.Open(f.dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{
		DB: d, Blobs: blobs, Now: f.clock.now, Endpoints: endpoints{}, Limits: Unlimited(),
		Log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		IdleGet: time.Nanosecond, // GetMedia ends when it has given what there is
		// Tests call the reaper themselves.
		ReapEvery: time.Hour,
	}
	s.Limits.ChunkIdle = -1
	if set != nil {
		set(s)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Service = s
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
}

// each runs a test on all databases.
func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newFixture(t, d, nil)) })
}

// as is a context with a caller of an account.
func as(ctx context.Context, account string) context.Context {
	return awsapi.WithRequest(ctx, &awsapi.Request{Caller: &awsapi.Caller{Type: awsapi.Root, Account: account}, Region: region})
}

// call resolves an input's stream, as awsapi does, and calls the method.
func call[I, O any](t testing.TB, f *fixture, method func(context.Context, *I) (*O, error), in *I) (*O, error) {
	t.Helper()
	out, _, err := callAs(t, f, account, method, in)
	return out, err
}

func callAs[I, O any](t testing.TB, f *fixture, account string, method func(context.Context, *I) (*O, error), in *I) (*O, *awsapi.Resolution, error) {
	t.Helper()
	ctx := as(t.Context(), account)
	if _, _, ok := streamOf(in); !ok {
		out, err := method(ctx, in)
		return out, nil, err
	}
	res, err := f.Resolve(ctx, &awsapi.Operation{}, in)
	if err != nil {
		return nil, nil, err
	}
	req := *awsapi.RequestOf(ctx)
	req.Target = res.Target
	out, err := method(awsapi.WithRequest(ctx, &req), in)
	return out, res, err
}

// must is the value of a call that cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// code is the AWS code of an error, "" when it is nil.
func code(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		t.Fatalf("not a modelled error: %v", err)
	}
	return e.Code
}

// create makes a stream with a retention and returns it.
func (f *fixture) create(t testing.TB, name string, hours int64) *Stream {
	t.Helper()
	if _, err := call(t, f, f.CreateStream, &kinesisvideo.CreateStreamInput{StreamName: name, DataRetentionInHours: &hours}); err != nil {
		t.Fatal(err)
	}
	return must(f.stream(t.Context(), account, region, name))
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ack is an acknowledgement as a producer reads it.
type ack struct {
	EventType        string
	FragmentTimecode *int64
	FragmentNumber   string
	ErrorID          int `json:"ErrorId"`
	ErrorCode        string
}

// wire is the producer's end of a PutMedia: it keeps each flushed write.
type wire struct {
	mu     sync.Mutex
	buf    []byte
	writes []string
	on     func(ack) // called with each acknowledgement
	err    error     // of writing
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *wire) Flush() error {
	w.mu.Lock()
	text := string(w.buf)
	w.buf = nil
	w.writes = append(w.writes, text)
	on, err := w.on, w.err
	w.mu.Unlock()
	if on != nil {
		on(parseAck(text))
	}
	return err
}

func parseAck(text string) ack {
	var a ack
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		panic(err)
	}
	return a
}

func (w *wire) acks(t testing.TB) []ack {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []ack
	for _, text := range w.writes {
		if !strings.HasSuffix(text, "}\r\n") || strings.Count(text, "\n") != 1 || len(text) > 1024 {
			t.Errorf("write %q is not one line", text)
		}
		list = append(list, parseAck(text))
	}
	return list
}

// events is acknowledgements as text: their first letters in order, ERROR with its id.
func events(list []ack) string {
	var b strings.Builder
	for _, a := range list {
		b.WriteByte(a.EventType[0])
		if a.EventType == "ERROR" {
			b.WriteString(" " + a.ErrorCode)
		}
	}
	return b.String()
}

// put sends a body as one PutMedia and returns its acknowledgements.
func (f *fixture) put(t testing.TB, st *Stream, body io.Reader) []ack {
	t.Helper()
	w := &wire{}
	if err := f.ingest(t.Context(), st, false, 0, body, w); err != nil {
		t.Logf("ingest: %v", err)
	}
	return w.acks(t)
}

// piecewise reads in pieces of the sizes that cut gives.
type piecewise struct {
	b   []byte
	cut func() int
}

func (p *piecewise) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(len(p.b), p.cut())])
	p.b = p.b[n:]
	return n, nil
}

// got is what a consumer reads.
type got struct {
	raw      []byte
	headers  [][]byte
	tags     []map[string]string // before each cluster
	clusters [][]byte
	behind   [][]map[string]string // Tags elements after each cluster
}

// parseMedia takes an answer of GetMedia apart.
func parseMedia(t testing.TB, raw []byte) *got {
	t.Helper()
	g := &got{raw: raw}
	open := false
	p := mkv.NewParser(func(e *mkv.Event) error {
		switch e.Kind {
		case mkv.KindHeader:
			g.headers = append(g.headers, e.Header.Raw)
			g.tags = append(g.tags, tagMap(e.Header.Tags))
		case mkv.KindCluster:
			open = true
			g.clusters = append(g.clusters, nil)
			g.behind = append(g.behind, nil)
		case mkv.KindClusterEnd:
			open = false
		case mkv.KindData:
			if open {
				g.clusters[len(g.clusters)-1] = append(g.clusters[len(g.clusters)-1], e.Raw...)
			}
		case mkv.KindTags:
			n := len(g.behind) - 1
			g.behind[n] = append(g.behind[n], tagMap(e.Tags))
		}
		return nil
	})
	if _, err := p.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return g
}

func tagMap(tags []mkv.Tag) map[string]string {
	m := map[string]string{}
	for _, tag := range tags {
		m[tag.Name] = tag.Value
	}
	return m
}

// read is what GetMedia answers from after on until there is no more.
func (f *fixture) read(t testing.TB, st *Stream, after string) *got {
	t.Helper()
	var out sink
	if err := f.send(t.Context(), st, after, &out); err != nil {
		t.Fatal(err)
	}
	return parseMedia(t, out.Bytes())
}

type sink struct{ bytes.Buffer }

func (*sink) Flush() error { return nil }

func sameClusters(t testing.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d clusters, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("cluster %d is not what was sent (%d bytes, want %d)", i, len(got[i]), len(want[i]))
		}
	}
}
