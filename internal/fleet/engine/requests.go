package engine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/thingd/thingd/internal/awsapi/client"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/fleet/script"
)

const (
	httpTimeout   = 30 * time.Second
	maxHTTPAnswer = 1 << 20
)

// requests are the HTTP and AWS calls of a run, of which so many are in flight at once.
type requests struct {
	inFlight *semaphore.Weighted
	aws      *client.Client
	http     *http.Client
}

func (q *requests) init(r *Run) {
	q.inFlight = semaphore.NewWeighted(int64(r.o.Run.RequestLimit))
	// Scripts' requests may follow redirects, signed ones may not.
	dial := r.o.Dial
	if r.o.proxies {
		dial = nil
	}
	base := client.NewHTTP(r.o.Roots, dial)
	base.Transport = &measured{base.Transport, r.metrics}
	q.http = &http.Client{Transport: base.Transport}
	q.aws = &client.Client{
		Endpoint: strings.TrimSuffix(r.o.Endpoint, "/"), Region: cmp.Or(r.o.setting("region"), r.o.Region), Credentials: r.o.Credentials,
		HTTP: base, InFlight: q.inFlight,
	}
	if id := r.o.setting("accessKeyId"); id != "" {
		q.aws.Credentials = sigv4.Credentials{AccessKeyID: id, SecretAccessKey: r.o.setting("secretAccessKey"), SessionToken: r.o.setting("sessionToken")}
	}
}

func (q *requests) close() { q.http.CloseIdleConnections() }

// measured counts each request and how long its answer took.
type measured struct {
	http.RoundTripper
	metrics *measures
}

func (t *measured) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	res, err := t.RoundTripper.RoundTrip(req)
	t.metrics.requested(time.Since(begin))
	return res, err
}

// Around is the same around another transport: package kvs asks for it, which
// changes that of a PutMedia.
func (t *measured) Around(change func(http.RoundTripper) http.RoundTripper) http.RoundTripper {
	return &measured{change(t.RoundTripper), t.metrics}
}

// CloseIdleConnections is asked for by http.Client.
func (t *measured) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// AWS calls an operation of an AWS API.
func (h *host) AWS(ctx context.Context, c script.Call) (json.RawMessage, error) {
	d := h.device()
	answer, err := d.run.requests.aws.Do(ctx, client.Call{
		Service: c.Service, Operation: c.Operation, Params: c.Params, Region: c.Region, Endpoint: c.Endpoint,
		Credentials: sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken},
	})
	if err == nil {
		d.run.metrics.attempts.Add(1)
		return answer, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		refused := &script.AWSError{Code: e.Code, Message: e.Message, Status: e.Status}
		if e.Status >= 500 || e.Status == http.StatusTooManyRequests {
			return nil, d.failedAs(fmt.Errorf("%s %s: %s", e.Service, e.Operation, e.Code), refused)
		}
		d.run.hint(throttledBy(refused))
		return nil, refused // often expected: that something is there, or is not. Uncaught, it is counted with the stage.
	}
	return nil, d.failed(err)
}

// failedAs counts one error and hands another to the script.
func (d *device) failedAs(count, give error) error {
	d.fault(count)
	return &counted{give}
}

// HTTP makes a request.
func (h *host) HTTP(ctx context.Context, r script.HTTPRequest) (*script.HTTPResponse, error) {
	d := h.device()
	q := &d.run.requests
	if err := q.inFlight.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer q.inFlight.Release(1)
	timed, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, httpTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(timed, cmp.Or(r.Method, http.MethodGet), r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("http: %.200q is no http or https URL", r.URL)
	}
	for name, value := range r.Header {
		if strings.EqualFold(name, "host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	c := q.http
	if r.Certificate != "" {
		pair, err := keyPair(r.Certificate, r.Key)
		if err != nil {
			return nil, err
		}
		own := d.certified(pair)
		defer own.CloseIdleConnections()
		c = own
	}
	res, err := c.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, d.failed(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHTTPAnswer+1))
	if err == nil && len(body) > maxHTTPAnswer {
		err = fmt.Errorf("the answer is larger than %d KiB", maxHTTPAnswer>>10)
	}
	if err != nil {
		return nil, d.failed(err)
	}
	d.run.metrics.attempts.Add(1)
	out := &script.HTTPResponse{Status: res.StatusCode, Header: map[string]string{}, Body: body}
	for name, values := range res.Header {
		out.Header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return out, nil
}

// certified is an HTTP client that presents a device's certificate.
func (d *device) certified(pair *tls.Certificate) *http.Client {
	base := &http.Transport{
		DialContext:     d.run.o.Dial,
		TLSClientConfig: &tls.Config{RootCAs: d.run.o.Roots, Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12},
		MaxIdleConns:    1, IdleConnTimeout: httpTimeout, TLSHandshakeTimeout: 10 * time.Second,
	}
	return &http.Client{Transport: &measured{base, d.run.metrics}}
}
