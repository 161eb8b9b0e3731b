package video

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// anyone is an identity that lets everyone in as one account and notes what they are authorized on.
type anyone struct{ resources chan string }

func (anyone) Authenticate(context.Context, *http.Request, *sigv4.Signature, sigv4.Payload) (*awsapi.Caller, error) {
	return &awsapi.Caller{Type: awsapi.Root, Account: account}, nil
}

func (a anyone) Authorize(_ context.Context, _ *awsapi.Request, checks []awsapi.Check) error {
	for _, c := range checks {
		a.resources <- c.Resource
	}
	return nil
}

// overHTTP serves a fixture as awsapi serves it.
func overHTTP(t *testing.T, f *fixture) (url string, resources chan string) {
	t.Helper()
	id := anyone{make(chan string, 100)}
	g := &awsapi.Gateway{Identity: id, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now}
	srv := httptest.NewServer(g.Handler(
		kinesisvideo.Service.Bind(f.Service), kvmedia.Service.Bind(f.Service), kvarchive.Service.Bind(f.Service)))
	t.Cleanup(func() {
		f.Interrupt()
		srv.Close()
	})
	return srv.URL, id.resources
}

// request is signed in form: the headers of a signature that anyone accepts.
func request(t *testing.T, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	signed := []string{"host", "x-amz-date"}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		signed = append(signed, strings.ToLower(headers[i]))
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"+now.Format("20060102")+"/"+region+
		"/kinesisvideo/aws4_request, SignedHeaders="+strings.Join(signed, ";")+", Signature="+strings.Repeat("0", 64))
	return r
}

// A producer and a consumer on real connections: acknowledgements come while the body is still being sent.
func TestOverHTTP(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.IdleGet = 100 * time.Millisecond })
	st := f.create(t, "cam", 24)
	url, resources := overHTTP(t, f)
	body := file(t, "kvssink-av-30s.mkv")

	for range 2 { // the second time, it is all sent again
		r, w := io.Pipe()
		put := request(t, url+"/putMedia", r, "x-amzn-stream-name", "cam", "x-amzn-fragment-timecode-type", "ABSOLUTE",
			"x-amzn-producer-start-timestamp", "1795303731.355", "x-amzn-fragment-acknowledgment-required", "1")
		put.Header.Set("Content-Type", "application/json")
		sent := make(chan bool)
		go func() { // all but the end: the body stays open until everything is acknowledged
			defer close(sent)
			if _, err := io.Copy(w, &piecewise{body, func() int { return 8000 }}); err != nil {
				t.Error(err)
			}
		}()
		res, err := http.DefaultClient.Do(put)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 200 || res.TransferEncoding[0] != "chunked" {
			t.Fatalf("%s, %v", res.Status, res.TransferEncoding)
		}
		lines := bufio.NewScanner(res.Body)
		var list []ack
		for persisted := 0; persisted < 15 && lines.Scan(); {
			a := parseAck(lines.Text())
			list = append(list, a)
			if a.EventType == "PERSISTED" {
				persisted++
			}
		}
		checkAcks(t, list, 15)
		<-sent
		w.Close()
		if lines.Scan() {
			t.Errorf("after the end: %s", lines.Text())
		}
		res.Body.Close()
		if got := <-resources; got != st.ARN() {
			t.Errorf("authorized on %s", got)
		}
	}

	get := request(t, url+"/getMedia", strings.NewReader(`{"StreamName":"cam","StartSelector":{"StartSelectorType":"EARLIEST"}}`))
	res, err := http.DefaultClient.Do(get)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "video/webm" {
		t.Fatalf("%s, %v, %v", res.Status, res.Header, err)
	}
	want := parseMedia(t, body).clusters
	sameClusters(t, parseMedia(t, raw).clusters, append(want, want...))
	<-resources

	// A refusal, of a stream that does not exist, is a 404.
	res, err = http.DefaultClient.Do(request(t, url+"/getMedia", strings.NewReader(`{"StreamName":"none","StartSelector":{"StartSelectorType":"EARLIEST"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := <-resources; res.StatusCode != 404 || got != streamName(region, account, "none", 0) {
		t.Errorf("%s, authorized on %s", res.Status, got)
	}
}

// A producer that sends what cannot be taken gets the ERROR although it is still sending.
func TestErrorOverHTTP(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	f.create(t, "cam", 24)
	url, _ := overHTTP(t, f)
	body := append(header(1), bytes.Repeat(cluster(5, block(2, 0, 1000)), 2000)...)
	res, err := http.DefaultClient.Do(request(t, url+"/putMedia", io.MultiReader(bytes.NewReader(body)),
		"x-amzn-stream-name", "cam", "x-amzn-fragment-timecode-type", "ABSOLUTE"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if lines := strings.Split(string(raw), "\r\n"); len(lines) != 3 || !strings.Contains(lines[1], `"ErrorId":4010`) {
		t.Errorf("answer %q, %v", raw, err)
	}
}

func (anyone) Recognize(context.Context, *sigv4.Signature) error { return nil }
