package engine_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// pair is a self-signed certificate with its key, as PEM.
type pair struct{ certificate, key string }

func newPair(t testing.TB, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"iot.example.com"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
}

func (p pair) pool() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(p.certificate))
	return roots
}

// site is AWS IoT's HTTPS endpoint: it notes who publishes what, and answers as it is told.
type site struct {
	pair
	address string
	answer  http.HandlerFunc // nil: 200 to all

	mu          sync.Mutex
	connections int
	requests    map[string][]string // by who the certificate is of: "path?query body"
	protocol    string              // that TLS agreed on
}

type secured struct{ conn *tls.Conn }

// hidden keeps net/http from seeing TLS, whose protocols it would ask for handlers.
type hidden struct{ *secured }

func (h hidden) Read(p []byte) (int, error)         { return h.conn.Read(p) }
func (h hidden) Write(p []byte) (int, error)        { return h.conn.Write(p) }
func (h hidden) Close() error                       { return h.conn.Close() }
func (h hidden) LocalAddr() net.Addr                { return h.conn.LocalAddr() }
func (h hidden) RemoteAddr() net.Addr               { return h.conn.RemoteAddr() }
func (h hidden) SetDeadline(t time.Time) error      { return h.conn.SetDeadline(t) }
func (h hidden) SetReadDeadline(t time.Time) error  { return h.conn.SetReadDeadline(t) }
func (h hidden) SetWriteDeadline(t time.Time) error { return h.conn.SetWriteDeadline(t) }

type tlsListener struct {
	net.Listener
	config *tls.Config
}

func (l *tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return hidden{&secured{tls.Server(conn, l.config)}}, nil
}

// newSite makes one that takes the certificates of trusted, of anybody if that is nil.
func newSite(t *testing.T, trusted *x509.CertPool) *site {
	t.Helper()
	s := &site{pair: newPair(t, "site"), requests: map[string][]string{}}
	own, err := tls.X509KeyPair([]byte(s.certificate), []byte(s.key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"x-amzn-http-ca"}, MinVersion: tls.VersionTLS12}
	if trusted != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, trusted
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	type key struct{}
	server := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connections++
			return context.WithValue(ctx, key{}, c.(hidden).secured)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			state := r.Context().Value(key{}).(*secured).conn.ConnectionState()
			who := state.PeerCertificates[0].Subject.CommonName
			s.mu.Lock()
			s.protocol = state.NegotiatedProtocol
			s.requests[who] = append(s.requests[who], r.Method+" "+r.RequestURI+" "+string(body))
			s.mu.Unlock()
			if s.answer != nil {
				s.answer(w, r)
			}
		}),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(&tlsListener{l, config}) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// of is what somebody has sent.
func (s *site) of(who string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[who]
}

// clients is a model whose devices publish to the site, device N by the certificate of name dN.
func (s *site) clients(t *testing.T, n int) (*model.Model, engine.Options) {
	t.Helper()
	m := &model.Model{
		Protocol: &model.Protocol{
			Type: "https", Endpoint: s.address, Certificate: "{{state.__$cert}}", Key: "{{state.__$key}}", Topic: "t/{{client()}}", QoS: 1,
		},
		Stages: map[string]string{"init": "state.__$cert = settings['c' + client()]; state.__$key = settings['k' + client()]", "running": "return 'x'"},
	}
	o := engine.Options{Model: m, Roots: s.pool(), Settings: map[string]string{}, Run: model.RunSettings{Clients: n}}
	for i := range n {
		p := newPair(t, fmt.Sprint("d", i))
		for name, value := range map[string]string{"c": p.certificate, "k": p.key} {
			m.Settings = append(m.Settings, model.Setting{Name: fmt.Sprint(name, i)})
			o.Settings[fmt.Sprint(name, i)] = value
		}
	}
	return m, o
}

// Devices publish with their own certificates: what a stage returns by the protocol's settings, what a script publishes by its
// own; each over one connection.
func TestWeb(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	m, o := s.clients(t, 3)
	m.Protocol.Topic, m.Protocol.Retain = "a/{{client()}}/b c?d%e/ü", true
	m.Stages["running"] = "publish('$aws/rules/x//y', new Uint8Array([65, 66]), {qos: 0}); return {n: iteration()}"
	o.Run.Iterations = 2
	res := do(t, o)
	want(t, res, map[string]float64{"publishes": 12, "publish_ms": 12, "lost": 0, "iterations": 6, "connects": 3, "connect_ms": 3})
	for i := range 3 {
		var all []string
		for n := range 2 {
			all = append(all, "POST /topics/$aws/rules/x//y?qos=0&retain=false AB", fmt.Sprintf(`POST /topics/a/%d/b%%20c%%3Fd%%25e/%%C3%%BC?qos=1&retain=true {"n":%d}`, i, n))
		}
		if got := s.of(fmt.Sprint("d", i)); !slices.Equal(got, all) {
			t.Errorf("device %d sent\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(all, "\n"))
		}
	}
	if s.connections != 3 || faults(res) != 0 || res.Outcome != report.Succeeded {
		t.Errorf("%d connections, %s: %s", s.connections, res.Outcome, res.Reason)
	}
}

// An endpoint without a port stands for 8443; on 443 the protocol is asked for that AWS IoT wants there.
func TestWebPorts(t *testing.T) {
	t.Parallel()
	for endpoint, x := range map[string]struct{ dialled, protocol string }{
		"iot.example.com": {"iot.example.com:8443", ""}, "https://iot.example.com:443/": {"iot.example.com:443", "x-amzn-http-ca"},
	} {
		s := newSite(t, nil)
		m, o := s.clients(t, 1)
		m.Protocol.Endpoint = "{{'" + endpoint + "'}}"
		dialled := make(chan string, 9)
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled <- address
			return new(net.Dialer).DialContext(ctx, network, s.address)
		}
		want(t, do(t, o), map[string]float64{"publishes": 1, "lost": 0})
		if got := <-dialled; got != x.dialled || s.protocol != x.protocol || len(s.of("d0")) != 1 {
			t.Errorf("%s: dialled %s with protocol %q, sent %q", endpoint, got, s.protocol, s.of("d0"))
		}
	}
}

// What is refused is the script's to handle: it is not sent again.
func TestWebRefused(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		status     int
		body, says string
	}{
		{403, `{"message":"Forbidden","traceId":"1"}`, "403 Forbidden: Forbidden"},
		{413, `{"message":"The payload exceeds the maximum size"}`, "413 Request Entity Too Large: The payload exceeds the maximum size"},
		{429, ``, "429 Too Many Requests"},
		{500, `<html>no JSON</html>`, "500 Internal Server Error"},
	} {
		s := newSite(t, nil)
		s.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(x.status)
			_, _ = io.WriteString(w, x.body)
		}
		m, o := s.clients(t, 1)
		m.Stages["running"] = "try { publish('t', 'x') } catch (e) { log(e.message) }"
		run := prepare(t, o)
		res := finish(t, run)
		want(t, res, map[string]float64{"publishes": 0, "lost": 0, "iterations": 1, "devices_failed": 0})
		if n := logged(run, "publish over https: "+x.says); n != 1 || len(s.of("d0")) != 1 || len(res.Errors) != 1 || faults(res) != 1 || res.Errors[0].Reason != "publish over https: "+x.says {
			t.Errorf("%d: said %d times, sent %q, errors %+v", x.status, n, s.of("d0"), res.Errors)
		}
		// Not caught, it ends the device, and is counted once.
		m.Stages["running"] = "return 'x'"
		res = do(t, o)
		want(t, res, map[string]float64{"publishes": 0, "devices_failed": 1})
		if faults(res) != 1 || len(res.FailedDevices) != 1 || !strings.Contains(res.FailedDevices[0].LastError, x.says) {
			t.Errorf("%d: %+v", x.status, res.FailedDevices)
		}
	}
}

// A connection that breaks is tried again; a message that does not get through is lost, and counted once.
func TestWebBroken(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		broken, sent   int // the first so many requests; how many there are of three messages
		counts         map[string]float64
		faults, failed int
	}{
		{2, 5, map[string]float64{"publishes": 3, "lost": 0}, 2, 0},
		{5, 7, map[string]float64{"publishes": 2, "lost": 1}, 5, 0},
		{15, 15, map[string]float64{"publishes": 0, "lost": 3}, 15, 1},
	} {
		t.Run(fmt.Sprint(x.broken), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			s.answer = func(http.ResponseWriter, *http.Request) {
				if len(s.of("d0")) <= x.broken {
					panic(http.ErrAbortHandler)
				}
			}
			_, o := s.clients(t, 1)
			o.Run.Iterations = 3
			res := do(t, o)
			want(t, res, x.counts)
			if len(s.of("d0")) != x.sent || faults(res) != x.faults || res.Devices.Failed != x.failed || res.Devices.Finished != 1-x.failed {
				t.Errorf("sent %q; %+v", s.of("d0"), res.Devices)
			}
			for _, e := range res.Errors {
				if strings.Contains(e.Reason, s.address) || strings.Contains(e.Reason, "topics") {
					t.Errorf("a reason that is each device's own: %s", e.Reason)
				}
			}
			if x.failed > 0 && !strings.Contains(res.FailedDevices[0].LastError, "none of its 3 messages was acknowledged") {
				t.Errorf("%+v", res.FailedDevices)
			}
		})
	}
}

// Certificates that are missing, or that one of both sides does not take, end a device with the reason, and nothing is tried
// again.
func TestWebCertificates(t *testing.T) {
	t.Parallel()
	stranger := newPair(t, "stranger")
	for name, x := range map[string]struct {
		trusted *x509.CertPool
		edit    func(*model.Model, *engine.Options)
		says    string
		most    int // connections
	}{
		"none":           {nil, func(m *model.Model, _ *engine.Options) { m.Stages["init"] = "state.__$cert = ''; state.__$key = ''" }, "certificate and key are empty", 0},
		"no PEM":         {nil, func(m *model.Model, _ *engine.Options) { m.Stages["init"] = "state.__$cert = 'x'; state.__$key = 'y'" }, "protocol: certificate and key: tls: ", 0},
		"no CA":          {nil, func(m *model.Model, _ *engine.Options) { m.Protocol.CA = "{{'x'}}" }, "protocol.ca: there is no certificate in it", 0},
		"unknown server": {nil, func(_ *model.Model, o *engine.Options) { o.Roots = stranger.pool() }, "certificate signed by unknown authority", 1},
		"unknown device": {stranger.pool(), func(*model.Model, *engine.Options) {}, "remote error: tls: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, x.trusted)
			m, o := s.clients(t, 1)
			x.edit(m, &o)
			res := do(t, o)
			want(t, res, map[string]float64{"publishes": 0, "devices_failed": 1})
			if len(res.FailedDevices) != 1 || !strings.Contains(res.FailedDevices[0].LastError, x.says) || s.connections > x.most || len(s.requests) != 0 {
				t.Errorf("%d connections, %v; %+v", s.connections, slices.Collect(maps.Keys(s.requests)), res.FailedDevices)
			}
		})
	}
}

// A protocol's own CA holds in place of the run's roots; without security HTTP is spoken, and no certificate is asked for.
func TestWebTrust(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	m, o := s.clients(t, 1)
	m.Settings, o.Settings["ca"] = append(m.Settings, model.Setting{Name: "ca"}), s.certificate
	m.Protocol.CA, o.Roots = "{{settings.ca}}", newPair(t, "stranger").pool()
	want(t, do(t, o), map[string]float64{"publishes": 1, "lost": 0})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 9)
	plain := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.RequestURI })} //nolint:gosec // of a test
	go func() { _ = plain.Serve(l) }()
	t.Cleanup(func() { _ = plain.Close() })
	m = &model.Model{Protocol: &model.Protocol{Type: "https", Endpoint: l.Addr().String(), Security: "none", Topic: "t"}, Stages: map[string]string{"running": "return 'x'"}}
	want(t, do(t, engine.Options{Model: m}), map[string]float64{"publishes": 1, "lost": 0})
	if got := <-heard; got != "/topics/t?qos=0&retain=false" {
		t.Error(got)
	}
}
