package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/pause"
)

const (
	defaultInFlight = 16
	defaultAttempts = 10
	attemptTimeout  = time.Minute
	maxAnswer       = 16 << 20
)

// state is what a client makes for itself at its first call.
type state struct {
	once      sync.Once
	http      *http.Client
	inFlight  *semaphore.Weighted
	endpoints endpoints
}

// NewHTTP is an HTTP client for calls: it keeps as many connections as calls
// are in flight, follows no redirects and trusts roots, nil being the system's.
// dial opens its connections, past any proxy; nil is the net package's, which
// goes by HTTPS_PROXY and its like.
func NewHTTP(roots *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	proxy := http.ProxyFromEnvironment
	if dial != nil {
		proxy = nil // where connections go is its business
	} else {
		dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: proxy, DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots},
			TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 2 * defaultInFlight, IdleConnTimeout: 90 * time.Second,
		},
	}
}

func (c *Client) prepare() {
	c.state.once.Do(func() {
		if c.state.http = c.HTTP; c.HTTP == nil {
			c.state.http = NewHTTP(nil, nil)
		}
		if c.state.inFlight = c.InFlight; c.InFlight == nil {
			c.state.inFlight = semaphore.NewWeighted(defaultInFlight)
		}
	})
}

// prepared is a call that lacks nothing but its signature.
type prepared struct {
	s      *awsapi.Service
	op     *awsapi.Operation
	wire   *awsapi.ClientRequest
	base   string
	region string // of the signature
	cred   sigv4.Credentials
}

// Do makes a call and answers the operation's result, a JSON object. What the
// service refused, and what could not be sent, is an *Error. Calls that were
// throttled are repeated, with longer and longer pauses; those that a server
// failed at or whose connection broke are, if repeating does no harm.
func (c *Client) Do(ctx context.Context, call Call) (json.RawMessage, error) {
	c.prepare()
	p, err := c.plan(ctx, call)
	if err != nil {
		return nil, err
	}
	attempts := c.Attempts
	if attempts <= 0 {
		attempts = defaultAttempts
	}
	if err := c.state.inFlight.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("%s %s: %w", p.s.Name, p.op.Name, err)
	}
	defer c.state.inFlight.Release(1)
	for n := 1; ; n++ {
		result, err := c.attempt(ctx, p)
		if err == nil {
			return result, nil
		}
		if n < attempts && ctx.Err() == nil && again(p.op, err) && pause.For(ctx, backOff(n-1)) == nil {
			continue
		}
		if e, ok := errors.AsType[*Error](err); ok {
			e.Attempts = n
			return nil, e
		}
		return nil, fmt.Errorf("%s %s: %w", p.s.Name, p.op.Name, err)
	}
}

// plan finds out all that a call needs.
func (c *Client) plan(ctx context.Context, call Call) (*prepared, error) {
	early := func(code string, err error) error {
		return &Error{Service: call.Service, Operation: call.Operation, Code: code, Message: err.Error()}
	}
	s, err := service(call.Service)
	if err != nil {
		return nil, early(CodeParameters, err)
	}
	op, err := operation(s, call.Operation)
	if err != nil {
		return nil, early(CodeParameters, err)
	}
	if op.Name == "PutMedia" || op.Name == "GetMedia" {
		return nil, early(CodeParameters, errors.New("it streams, and cannot be called like others"))
	}
	p := &prepared{s: s, op: op, region: call.Region, cred: call.Credentials}
	in, err := s.Input(op, call.Params)
	if err != nil {
		return nil, early(CodeParameters, err)
	}
	if p.wire, err = s.Request(op, in); err != nil {
		return nil, early(CodeParameters, err)
	}
	if p.cred.AccessKeyID == "" {
		p.cred = c.Credentials
	}
	if p.cred.AccessKeyID == "" && !op.Unsigned {
		return nil, early(CodeCredentials, errors.New("there is no access key to sign with"))
	}
	if p.region == "" {
		p.region = c.Region
	}
	if s.Name == "iam" {
		p.region = partitionOf(p.region).iamRegion
	}
	if !regionName.MatchString(p.region) {
		return nil, early(CodeParameters, fmt.Errorf("%.64q is no region", p.region))
	}
	if p.base = call.Endpoint; p.base == "" {
		p.base = c.Endpoint
	}
	if p.base == "" {
		p.base, err = c.awsEndpoint(ctx, s, op, call.Params, p.region, p.cred)
	}
	return p, err
}

// attempt makes a call once.
func (c *Client) attempt(ctx context.Context, p *prepared) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, p.wire.Method, strings.TrimSuffix(p.base, "/")+p.wire.Target, bytes.NewReader(p.wire.Body))
	if err != nil {
		return nil, err
	}
	req.Header = p.wire.Header.Clone()
	req.Header.Set("User-Agent", "thingd")
	if p.cred.AccessKeyID != "" {
		if err := sigv4.Sign(req, p.wire.Body, p.cred, p.region, p.s.SigningName, time.Now()); err != nil {
			return nil, err
		}
	}
	res, err := c.state.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, refusal(p.s, p.op, res.StatusCode, res.Header, body)
	}
	return p.s.Result(p.op, res.StatusCode, res.Header, body)
}
