package kvs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mkv"
	"github.com/thingd/thingd/internal/video"
)

// identity knows one key, verifies what it signed, and allows everything
// unless it refuses for now.
type identity struct {
	key    sigv4.Credentials
	mu     sync.Mutex
	refuse error
}

func (i *identity) Recognize(context.Context, *sigv4.Signature) error { return nil }

func (i *identity) Authenticate(_ context.Context, r *http.Request, s *sigv4.Signature, p sigv4.Payload) (*awsapi.Caller, error) {
	if err := s.Verify(r, sigv4.SigningKey(i.key.SecretAccessKey, s.Date, s.Region, s.Service), p, time.Now()); err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return &awsapi.Caller{Type: awsapi.Root, Account: "123456789012"}, i.refuse
}

func (i *identity) Authorize(context.Context, *awsapi.Request, []awsapi.Check) error { return nil }

// rig is Kinesis Video, behind a wire that breaks when it is told to.
type rig struct {
	*video.Service
	identity *identity
	wire     *wire
	client   *Client
	lines    []string // reported
}

type endpoint struct{ url string }

func (e *endpoint) VideoData(bool) string { return e.url }

// newRig makes one, for a test that goes on beside others: they wait more than
// they compute.
func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	blobs, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := &endpoint{}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &video.Service{DB: dbtest.SQLite(t), Blobs: blobs, Now: time.Now, Endpoints: at, Log: log, IdleGet: 200 * time.Millisecond, IdlePut: 2 * time.Second}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := &identity{key: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}}
	g := &awsapi.Gateway{Identity: id, Log: log, Now: time.Now}
	srv := httptest.NewServer(g.Handler(kinesisvideo.Service.Bind(s), kvmedia.Service.Bind(s), kvarchive.Service.Bind(s)))
	t.Cleanup(func() {
		s.Interrupt()
		srv.Close()
		if err := errors.Join(s.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	w := newWire(t, strings.TrimPrefix(srv.URL, "http://"))
	at.url = "http://" + w.listener.Addr().String()
	return &rig{Service: s, identity: id, wire: w, client: &Client{
		Endpoint: at.url, Region: "eu-west-1", HTTP: NewHTTP(nil),
		Credentials: func(context.Context) (sigv4.Credentials, error) { return id.key, nil },
	}}
}

func (r *rig) report(line string) { r.lines = append(r.lines, line) }

func (r *rig) producer() *Producer {
	return &Producer{Client: r.client, Stream: "cam", Create: true, Retention: 24, Report: r.report, RetryFor: 10 * time.Second}
}

// put sends a source that has to be taken whole.
func (r *rig) put(t *testing.T, source []byte) Progress {
	t.Helper()
	done, err := r.producer().Run(t.Context(), bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// get is what is kept, in the order in which it came.
func (r *rig) get(t *testing.T) []*Fragment {
	t.Helper()
	c := &Consumer{Client: r.client, Stream: "cam", Report: r.report, RetryFor: 10 * time.Second}
	list, err := c.List(t.Context(), ServerClock, time.Unix(0, 0), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []*Fragment
	if err := c.Media(t.Context(), list, func(f *Fragment) error { got = append(got, f); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(list) {
		t.Fatalf("%d of %d fragments came", len(got), len(list))
	}
	return got
}

// wire passes connections on. Each may bring so many bytes as budgets say, in
// their order, in the direction that they say; then it is cut.
type wire struct {
	listener net.Listener
	mu       sync.Mutex
	up, down []int
	cuts     int
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			cut := sync.OnceFunc(func() { _ = a.Close(); _ = b.Close() })
			go w.pass(b, a, &w.up, cut)
			go w.pass(a, b, &w.down, cut)
		}
	}()
	return w
}

// pass copies until an end, or until a budget is used up. Short conversations,
// such as control operations, are under every budget.
func (w *wire) pass(to io.Writer, from io.Reader, budgets *[]int, cut func()) {
	defer cut()
	buf := make([]byte, 4096)
	for total := 0; ; {
		n, err := from.Read(buf)
		w.mu.Lock()
		if len(*budgets) > 0 && total+n > (*budgets)[0] {
			n = max((*budgets)[0]-total, 0)
			*budgets = (*budgets)[1:]
			w.cuts++
			err = io.EOF
		}
		w.mu.Unlock()
		total += n
		if _, e := to.Write(buf[:n]); e != nil || err != nil {
			return
		}
	}
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../mkv/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// split gives the media of each fragment of a source as a producer sends them.
func clusters(t *testing.T, source []byte) [][]byte {
	t.Helper()
	s := newSpool()
	s.limit = 1 << 40
	s.fill(bytes.NewReader(source))
	var all [][]byte
	for _, f := range s.list {
		all = append(all, f.data)
	}
	return all
}

func el(id string, body ...[]byte) []byte {
	n := 0
	for _, b := range body {
		n += len(b)
	}
	return slices.Concat([]byte(id), []byte{0x10 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)}, slices.Concat(body...))
}

func header(tracks ...byte) []byte {
	var entries []byte
	for _, n := range tracks {
		entries = append(entries, el("\xAE", el("\xD7", []byte{n}), el("\x83", []byte{1}), el("\x86", []byte("V_MPEG4/ISO/AVC")))...)
	}
	return slices.Concat(el("\x1A\x45\xDF\xA3", el("\x42\x82", []byte("matroska"))), []byte("\x18\x53\x80\x67\xFF"), el("\x16\x54\xAE\x6B", entries))
}

func block(track byte, ticks int16, size int) []byte {
	return el("\xA3", []byte{0x80 | track, byte(uint16(ticks) >> 8), byte(ticks), 0x80}, make([]byte, size))
}

func cluster(ms int64, blocks ...[]byte) []byte {
	var t [8]byte
	for i := range t {
		t[7-i] = byte(ms >> (8 * i))
	}
	return el("\x1F\x43\xB6\x75", el("\xE7", t[:]), slices.Concat(blocks...))
}

func metadata10(name, value string) []byte {
	return mkv.AppendTags(nil, mkv.Tag{Name: name, Value: value})
}
