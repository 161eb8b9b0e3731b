package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/thingd/thingd/internal/awsapi/client"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// fault is a transport that fails until a number of attempts were made.
type fault struct {
	until int
	fail  func() (*http.Response, error)
	n     atomic.Int64
}

func (f *fault) RoundTrip(r *http.Request) (*http.Response, error) {
	if n := f.n.Add(1); int(n) <= f.until {
		return f.fail()
	}
	return answers(func(*http.Request) (int, string, string) { return 200, "", `{}` }).RoundTrip(r)
}

func status(code int, errorType string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return answers(func(*http.Request) (int, string, string) { return code, errorType, `{"message":"m"}` }).RoundTrip(nil)
	}
}

func fails(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

// TestRetry: what is made again, and what is not.
func TestRetry(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	refusedConn := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		operation string
		until     int
		fail      func() (*http.Response, error)
		want      int // attempts
		ok        bool
	}{
		{"CreateKeysAndCertificate", 3, status(400, "ThrottlingException"), 4, true},
		{"CreateKeysAndCertificate", 3, status(429, "LimitExceededException"), 4, true},
		{"CreateKeysAndCertificate", 99, status(429, "TooManyRequestsException"), 10, false},
		{"CreateKeysAndCertificate", 1, status(500, "InternalFailureException"), 1, false},
		{"CreateKeysAndCertificate", 1, fails(reset), 1, false},
		{"CreateKeysAndCertificate", 2, fails(refusedConn), 3, true},
		{"CreatePolicy", 1, fails(io.ErrUnexpectedEOF), 1, false},
		{"ListThings", 2, status(503, "ServiceUnavailableException"), 3, true},
		{"ListThings", 2, status(500, ""), 3, true},
		{"ListThings", 1, status(501, "NotImplementedException"), 1, false},
		{"ListThings", 1, status(400, "InvalidRequestException"), 1, false},
		{"ListThings", 1, status(410, "LimitExceededException"), 1, false},
		{"ListThings", 2, fails(reset), 3, true},
		{"ListThings", 2, fails(io.EOF), 3, true},
		{"ListThings", 1, fails(errors.New("x509: certificate signed by unknown authority")), 1, false},
		{"ListThings", 1, fails(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}), 1, false},
		{"ListThings", 2, fails(&net.DNSError{IsTemporary: true}), 3, true},
		{"CreateThing", 2, fails(reset), 3, true},
		{"DeleteCertificate", 2, fails(reset), 3, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fault{until: tt.until, fail: tt.fail}
			c := &client.Client{Endpoint: "http://aws.example", Region: "eu-west-1", Credentials: key, HTTP: &http.Client{Transport: f}}
			params := map[string]string{"CreateThing": `{"thingName":"a"}`, "DeleteCertificate": `{"certificateId":"` + strings.Repeat("a", 64) + `"}`, "CreatePolicy": `{"policyName":"a","policyDocument":"{}"}`}
			_, err := c.Do(t.Context(), client.Call{Service: "iot", Operation: tt.operation, Params: json.RawMessage(params[tt.operation])})
			if int(f.n.Load()) != tt.want || (err == nil) != tt.ok {
				t.Errorf("%s: %d attempts, %v; want %d", tt.operation, f.n.Load(), err, tt.want)
			}
			if e, ok := errors.AsType[*client.Error](err); ok && e.Attempts != tt.want {
				t.Errorf("%s: the error tells of %d attempts", tt.operation, e.Attempts)
			}
		})
	}
}

// TestPauses: they grow, differ, and end with the context.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fault{until: 9, fail: status(429, "ThrottlingException")}
		c := &client.Client{Endpoint: "http://aws.example", Region: "eu-west-1", Credentials: key, HTTP: &http.Client{Transport: f}}
		start := time.Now()
		if _, err := c.Call(t.Context(), "iot", "ListThings", nil); err != nil {
			t.Fatal(err)
		}
		// A quarter of 0.1+0.2+…+12.8+20 s at least, five quarters at most.
		if d := time.Since(start); d < 11*time.Second || d > 57*time.Second {
			t.Errorf("nine pauses took %v", d)
		}
		f.n.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		_, err := c.Call(ctx, "iot", "ListThings", nil)
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "ThrottlingException" || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestInFlight: as many calls are on their way as the bound says, and no more.
func TestInFlight(t *testing.T) {
	for _, own := range []*semaphore.Weighted{nil, semaphore.NewWeighted(3)} {
		want := int64(16)
		if own != nil {
			want = 3
		}
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			slow := answers(func(*http.Request) (int, string, string) {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				return 200, "", `{}`
			})
			c := &client.Client{Endpoint: "http://aws.example", Region: "eu-west-1", Credentials: key, HTTP: &http.Client{Transport: slow}, InFlight: own}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := c.Call(t.Context(), "iot", "ListThings", nil); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if most.Load() != want {
				t.Errorf("%d at once, want %d", most.Load(), want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := c.Call(ctx, "iot", "ListThings", nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// TestBrokenConnections: a server that cuts, over real sockets.
func TestBrokenConnections(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1: // before the answer
			panic(http.ErrAbortHandler)
		case 2: // within it
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"things":[`)
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"things":[{"thingName":"a"}]}`)
	}))
	defer srv.Close()
	c := &client.Client{Endpoint: srv.URL, Region: "eu-west-1", Credentials: key}
	got, err := c.Call(t.Context(), "iot", "ListThings", nil)
	if err != nil || string(got) != `{"things":[{"thingName":"a"}]}` || n.Load() != 3 {
		t.Errorf("%s, %v after %d", got, err, n.Load())
	}
	n.Store(0)
	if _, err = c.Call(t.Context(), "iot", "CreateKeysAndCertificate", nil); err == nil || n.Load() != 1 {
		t.Errorf("%v after %d", err, n.Load())
	}
}

func TestLargeAnswers(t *testing.T) {
	big := answers(func(*http.Request) (int, string, string) { return 200, "", strings.Repeat(" ", 17<<20) })
	c := &client.Client{Endpoint: "http://aws.example", Region: "eu-west-1", Credentials: key, HTTP: &http.Client{Transport: big}}
	if _, err := c.Call(t.Context(), "iot", "ListThings", nil); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Error(err)
	}
}

// TestAWSHosts: without an endpoint a call goes to AWS's own, by service,
// region and partition; data endpoints are asked for, once.
func TestAWSHosts(t *testing.T) {
	var hosts []string
	aws := answers(func(r *http.Request) (int, string, string) {
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		hosts = append(hosts, fmt.Sprintf("%s://%s%s %s", r.URL.Scheme, r.URL.Host, r.URL.Path, scope[2]))
		switch {
		case strings.HasSuffix(r.URL.Path, "/endpoint"):
			return 200, "", `{"endpointAddress":"a1-` + r.URL.Query().Get("endpointType")[4:] + `.iot.example"}`
		case strings.HasSuffix(r.URL.Path, "/getDataEndpoint"):
			body, _ := io.ReadAll(r.Body)
			var in struct{ StreamName, APIName string }
			_ = json.Unmarshal(body, &in)
			return 200, "", `{"DataEndpoint":"https://s-1.example/` + in.StreamName + "/" + in.APIName + `"}`
		case strings.Contains(r.URL.Host, "iam"):
			return 200, "", `<ListUsersResponse><ListUsersResult><Users/></ListUsersResult></ListUsersResponse>`
		case strings.Contains(r.URL.Host, "sts"):
			return 200, "", `<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>`
		}
		return 200, "", `{}`
	})
	c := &client.Client{Credentials: key, HTTP: &http.Client{Transport: aws}}
	for _, tt := range []struct{ service, operation, params, region, want string }{
		{"iot", "ListThings", ``, "eu-west-1", "https://iot.eu-west-1.amazonaws.com/things eu-west-1"},
		{"iot", "ListThings", ``, "cn-north-1", "https://iot.cn-north-1.amazonaws.com.cn/things cn-north-1"},
		{"iam", "ListUsers", ``, "eu-west-1", "https://iam.amazonaws.com/ us-east-1"},
		{"iam", "ListUsers", ``, "us-gov-east-1", "https://iam.us-gov.amazonaws.com/ us-gov-west-1"},
		{"iam", "ListUsers", ``, "cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn/ cn-north-1"},
		{"sts", "GetCallerIdentity", ``, "eu-west-1", "https://sts.eu-west-1.amazonaws.com/ eu-west-1"},
		{"kinesisvideo", "ListStreams", ``, "eu-west-1", "https://kinesisvideo.eu-west-1.amazonaws.com/listStreams eu-west-1"},
		{"iot-data", "GetThingShadow", `{"thingName":"t"}`, "eu-west-1", "https://iot.eu-west-1.amazonaws.com/endpoint eu-west-1, https://a1-Data-ATS.iot.example/things/t/shadow eu-west-1"},
		{"iot-data", "Publish", `{"topic":"a"}`, "eu-west-1", "https://a1-Data-ATS.iot.example/topics/a eu-west-1"},
		{"iot-data", "Publish", `{"topic":"a"}`, "eu-west-2", "https://iot.eu-west-2.amazonaws.com/endpoint eu-west-2, https://a1-Data-ATS.iot.example/topics/a eu-west-2"},
		{"iot-jobs-data", "GetPendingJobExecutions", `{"thingName":"t"}`, "eu-west-1", "https://iot.eu-west-1.amazonaws.com/endpoint eu-west-1, https://a1-Jobs.iot.example/things/t/jobs eu-west-1"},
		{"kvarchive", "ListFragments", `{"StreamName":"s"}`, "eu-west-1", "https://kinesisvideo.eu-west-1.amazonaws.com/getDataEndpoint eu-west-1, https://s-1.example/s/LIST_FRAGMENTS/listFragments eu-west-1"},
		{"kvarchive", "ListFragments", `{"StreamName":"s"}`, "eu-west-1", "https://s-1.example/s/LIST_FRAGMENTS/listFragments eu-west-1"},
		{"kvarchive", "GetHLSStreamingSessionURL", `{"StreamName":"s"}`, "eu-west-1", "https://kinesisvideo.eu-west-1.amazonaws.com/getDataEndpoint eu-west-1, https://s-1.example/s/GET_HLS_STREAMING_SESSION_URL/getHLSStreamingSessionURL eu-west-1"},
	} {
		hosts = nil
		_, err := c.Do(t.Context(), client.Call{Service: tt.service, Operation: tt.operation, Params: json.RawMessage(tt.params), Region: tt.region})
		if got := strings.Join(hosts, ", "); err != nil || got != tt.want {
			t.Errorf("%s %s: %v\n got %s\nwant %s", tt.service, tt.operation, err, got, tt.want)
		}
	}
	hosts = nil
	if _, err := c.Do(t.Context(), client.Call{Service: "iot", Operation: "ListThings", Endpoint: "http://own.example/base", Region: "eu-west-1", Credentials: sigv4.Credentials{AccessKeyID: "a"}}); err != nil || hosts[0] != "http://own.example/base/things eu-west-1" {
		t.Errorf("%v %v", hosts, err)
	}
}
