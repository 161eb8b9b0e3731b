package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/kvs"
	"github.com/thingd/thingd/internal/pause"
)

// mediaAnswer is the summary of acknowledgements that a script gets.
type mediaAnswer struct {
	Fragments   int    `json:"fragments"` // persisted
	Bytes       int64  `json:"bytes"`
	Refused     int    `json:"refused"`
	Connections int    `json:"connections"`
	First       string `json:"first,omitempty"` // fragment numbers
	Last        string `json:"last,omitempty"`
}

// PutMedia sends video to a stream: what the host makes as fast as it plays (at once in virtual time), a body of the script's
// as fast as it is taken.
func (h *host) PutMedia(ctx context.Context, m script.Media) (json.RawMessage, error) {
	d := h.device()
	q := &d.run.requests
	name := m.StreamName
	if name == "" { // arn:aws:kinesisvideo:REGION:ACCOUNT:stream/NAME/CREATED
		parts := strings.Split(m.StreamARN, "/")
		if len(parts) != 3 || !strings.HasPrefix(m.StreamARN, "arn:") {
			return nil, errors.New("putMedia: streamName or streamARN is missing")
		}
		name = parts[1]
	}
	region := cmp.Or(m.Region, q.aws.Region)
	endpoint := cmp.Or(m.Endpoint, q.aws.Endpoint)
	if endpoint == "" {
		endpoint = "https://kinesisvideo." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			endpoint += ".cn"
		}
	}
	keys := sigv4.Credentials{AccessKeyID: m.AccessKeyID, SecretAccessKey: m.SecretAccessKey, SessionToken: m.SessionToken}
	if keys.AccessKeyID == "" {
		keys = q.aws.Credentials
	}
	if keys.AccessKeyID == "" {
		return nil, errors.New("putMedia: there is no access key to sign with")
	}
	c := kvs.NewHTTP(d.run.o.Roots)
	t := c.Transport.(*http.Transport)
	if t.DialContext = d.run.o.Dial; !d.run.o.proxies {
		t.Proxy = nil // where connections go is Dial's business
	}
	defer c.CloseIdleConnections()
	c.Transport = &measured{t, d.run.metrics}
	p := &kvs.Producer{
		Client: &kvs.Client{
			Endpoint: strings.TrimSuffix(endpoint, "/"), Region: region, HTTP: c,
			Credentials: func(context.Context) (sigv4.Credentials, error) { return keys, nil },
		},
		Stream: name, Timecodes: kvs.Auto, Start: d.run.clock.Now(),
		Report: func(line string) { d.log("info", "putMedia "+name+": "+line) },
	}
	var source io.Reader = bytes.NewReader(m.Body)
	if m.Body == nil {
		f := newFilm(m, d.number)
		if d.run.o.Run.Time != "virtual" {
			begin := time.Now()
			f.wait = func(at time.Duration) error { return pause.For(ctx, time.Until(begin.Add(at))) }
		}
		source = f
	}
	done, err := p.Run(ctx, source)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if e, ok := errors.AsType[*kvs.Error](err); ok {
			return nil, d.failedAs(fmt.Errorf("%s: %s", e.Operation, cmp.Or(e.Code, http.StatusText(e.Status))), &script.AWSError{Code: e.Code, Message: e.Message, Status: e.Status})
		}
		return nil, d.failed(err)
	}
	d.run.metrics.attempts.Add(1)
	return json.Marshal(mediaAnswer{done.Fragments, done.Bytes, done.Refused, done.Connections, done.First, done.Last})
}
