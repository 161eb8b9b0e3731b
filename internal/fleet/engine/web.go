package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/pause"
)

// web is a device that publishes over HTTPS with its certificate, as AWS IoT has it: POST /topics/NAME?qos=N.
type web struct {
	d    *device
	base string
	http *http.Client
}

const webAttempts = 5

// newWeb expands the protocol's templates.
func newWeb(d *device) (*web, error) {
	p := d.run.o.Model.Protocol
	var faults []error
	expand := func(name, text string) string {
		v, err := d.script.Expand(text)
		if err != nil {
			faults = append(faults, ofMember(name, err))
		}
		return v
	}
	host, address, err := hostPort(expand("endpoint", p.Endpoint), "8443")
	if err != nil {
		faults = append(faults, err)
	}
	roots := d.run.o.Roots
	if ca := expand("ca", p.CA); ca != "" {
		if roots, err = d.run.configs.pool(ca); err != nil {
			faults = append(faults, err)
		}
	}
	scheme, alpn := "https", ""
	if strings.HasSuffix(address, ":443") {
		alpn = "x-amzn-http-ca" // as AWS IoT wants it there
	}
	var pair *tls.Certificate
	if p.Security == "none" {
		scheme = "http"
	} else if certificate, key := expand("certificate", p.Certificate), expand("key", p.Key); len(faults) == 0 {
		if pair, err = keyPair(certificate, key); err != nil {
			return nil, err
		}
	}
	if len(faults) > 0 {
		return nil, joined(faults)
	}
	r := d.run
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		if err := r.connects.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer r.connects.Release(1)
		begin := time.Now()
		conn, err := r.o.Dial(ctx, network, to)
		if err != nil {
			return nil, err
		}
		conn = impair(conn, r.o.Run.Network, random(r.o.Run.Seed, d.number, forNetwork))
		if scheme == "https" {
			t := tls.Client(conn, r.configs.of(host, alpn, roots))
			if err := t.HandshakeContext(withPair(ctx, pair)); err != nil {
				_ = conn.Close()
				return nil, err
			}
			conn = t
		}
		r.metrics.connected(time.Since(begin))
		return conn, nil
	}
	base := &http.Transport{DialContext: dial, DialTLSContext: dial, MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	return &web{d: d, base: scheme + "://" + address, http: &http.Client{Transport: &measured{base, r.metrics}, Timeout: httpTimeout}}, nil
}

func (w *web) close() { w.http.CloseIdleConnections() }

// publish publishes a message. A connection's fault is tried again; a message that does not get through is lost, and the
// device goes on.
func (w *web) publish(ctx context.Context, m script.Message) error {
	d := w.d
	// Levels are escaped one by one: slashes are the topic's own.
	levels := strings.Split(m.Topic, "/")
	for i := range levels {
		levels[i] = url.PathEscape(levels[i])
	}
	target := fmt.Sprintf("%s/topics/%s?qos=%d&retain=%t", w.base, strings.Join(levels, "/"), min(m.QoS, 1), m.Retain)
	wait := firstPause
	for n := 1; ; n++ {
		begin := time.Now()
		err := w.post(target, m.Payload)
		if err == nil {
			d.published.Add(1)
			d.acknowledged++
			d.run.metrics.published(time.Since(begin))
			return nil
		}
		if _, refused := errors.AsType[*httpRefusal](err); refused {
			return d.failed(fmt.Errorf("publish over https: %w", err))
		}
		if n == webAttempts || certificateFault(err) {
			d.lose(m.Topic, err)
			return nil
		}
		d.fault(err)
		if pause.For(ctx, wait) != nil {
			d.lose(m.Topic, err)
			return context.Cause(ctx)
		}
		wait *= 2
	}
}

// httpRefusal is an answer that is no success.
type httpRefusal struct {
	status  int
	message string
}

func (e *httpRefusal) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%d %s: %s", e.status, http.StatusText(e.status), e.message), ": ")
}

func (w *web) post(target string, payload []byte) error {
	req, err := http.NewRequestWithContext(w.d.run.hard, http.MethodPost, target, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		var answer struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &answer) // a proxy's page has none
		return &httpRefusal{res.StatusCode, cut(answer.Message, maxReason)}
	}
	return nil
}
