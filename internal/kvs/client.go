// Package kvs is a client of Kinesis Video Streams that needs nothing but AWS's own interfaces: a producer that sends
// Matroska through PutMedia and goes on after a broken connection, and a consumer of what is stored and what comes. It
// speaks to thingd and to AWS alike. Which server, whose keys and what is shown of it all is its caller's matter.
package kvs

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
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/pause"
)

const (
	callTimeout = time.Minute
	maxAnswer   = 16 << 20
)

// Client makes signed requests. It is safe for concurrent use.
type Client struct {
	Endpoint string // base URL of the control plane, without a slash at its end
	Region   string
	// Credentials answers what to sign with now; it is asked before each request.
	Credentials func(context.Context) (sigv4.Credentials, error)
	HTTP        *http.Client // of NewHTTP, or its like: HTTP/1.1, without a timeout
}

// NewHTTP is an HTTP client as PutMedia needs it: HTTP/1.1 alone, since the signature breaks on HTTP/2. roots are what
// servers are verified by, nil for those of the system; certificates are the client's own.
func NewHTTP(roots *x509.CertPool, certificates ...tls.Certificate) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: roots, Certificates: certificates, NextProtos: []string{"http/1.1"}},
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: 5 * time.Second,
			IdleConnTimeout:       30 * time.Second,
		},
		// The signature is of one address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Error is a refusal of the service's.
type Error struct {
	Operation string
	Status    int
	Code      string // such as ResourceNotFoundException, "" when the answer has none
	Message   string
}

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = http.StatusText(e.Status)
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return e.Operation + ": " + text
}

// IsCode says whether err is a refusal with a code.
func IsCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// lasting says whether the same request would be refused again.
func (e *Error) lasting() bool {
	switch e.Code {
	case "ClientLimitExceededException", "ConnectionLimitExceededException", "ThrottlingException", "RequestExpired",
		"ExpiredTokenException", "InvalidEndpointException":
		return false
	}
	return e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
}

// refusal reads a Error from an answer.
func refusal(operation string, res *http.Response) *Error {
	e := &Error{Operation: operation, Status: res.StatusCode}
	e.Code, _, _ = strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":")
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var m struct {
		Message string `json:"message"`
		Type    string `json:"__type"`
	}
	if err == nil && json.Unmarshal(body, &m) == nil {
		e.Message = m.Message // names of members match in any case
		if e.Code == "" {
			e.Code = m.Type[strings.LastIndexByte(m.Type, '#')+1:]
		}
	}
	return e
}

// request is a signed POST with a JSON body.
func (c *Client) request(ctx context.Context, base, path string, in any) (*http.Request, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	cred, err := c.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return req, sigv4.Sign(req, body, cred, c.Region, "kinesisvideo", time.Now())
}

// call runs one operation; its answer goes into out, unless that is nil.
func (c *Client) call(ctx context.Context, operation, base, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := c.open(ctx, operation, base, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", operation, err)
	}
	return nil
}

// maxThrottled is how often a call that is throttled is made again, after longer and longer pauses.
const maxThrottled = 8

// open runs one operation whose answer's body is to be read, and closed, by the caller.
func (c *Client) open(ctx context.Context, operation, base, path string, in any) (*http.Response, error) {
	wait := minBackOff
	for n := 0; ; n++ {
		res, err := c.once(ctx, operation, base, path, in)
		if n == maxThrottled || !IsCode(err, "ClientLimitExceededException") && !IsCode(err, "ThrottlingException") {
			return res, err
		}
		if pause.For(ctx, wait) != nil {
			return nil, err
		}
		wait = min(2*wait, maxBackOff)
	}
}

func (c *Client) once(ctx context.Context, operation, base, path string, in any) (*http.Response, error) {
	req, err := c.request(ctx, base, path, in)
	if err != nil {
		return nil, err
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if res.StatusCode != http.StatusOK {
		defer func() { _ = res.Body.Close() }()
		return nil, refusal(operation, res)
	}
	return res, nil
}

// StreamInfo is what is known of a stream.
type StreamInfo struct {
	StreamName           string
	StreamARN            string
	Status               string
	MediaType            string
	DataRetentionInHours int64
}

// DescribeStream asks for a stream; a missing one is an Error with the code ResourceNotFoundException.
func (c *Client) DescribeStream(ctx context.Context, stream string) (*StreamInfo, error) {
	var out struct{ StreamInfo StreamInfo }
	err := c.call(ctx, "DescribeStream", c.Endpoint, "/describeStream", map[string]string{"StreamName": stream}, &out)
	if err != nil {
		return nil, err
	}
	return &out.StreamInfo, nil
}

// CreateStream makes a stream and waits until it is active.
func (c *Client) CreateStream(ctx context.Context, stream, mediaType string, hours int64) (*StreamInfo, error) {
	in := map[string]any{"StreamName": stream, "DataRetentionInHours": hours}
	if mediaType != "" {
		in["MediaType"] = mediaType
	}
	if err := c.call(ctx, "CreateStream", c.Endpoint, "/createStream", in, nil); err != nil {
		return nil, err
	}
	for {
		info, err := c.DescribeStream(ctx, stream)
		if err != nil || info.Status == "ACTIVE" {
			return info, err
		}
		if err := pause.For(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// dataEndpoint is where an API of a stream is.
func (c *Client) dataEndpoint(ctx context.Context, stream, api string) (string, error) {
	var out struct{ DataEndpoint string }
	err := c.call(ctx, "GetDataEndpoint", c.Endpoint, "/getDataEndpoint", map[string]string{"StreamName": stream, "APIName": api}, &out)
	if err == nil && out.DataEndpoint == "" {
		err = errors.New("GetDataEndpoint answered none")
	}
	return out.DataEndpoint, err
}
