package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/thingd/thingd/internal/seal"
)

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func testBox(t testing.TB, dir string) *seal.Box {
	t.Helper()
	box, err := seal.LoadOrCreate(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func testPKI(t testing.TB, names ...string) *PKI {
	t.Helper()
	dir := t.TempDir()
	p, err := OpenPKI(dir, testBox(t, dir), CertificateNames(names, "", false, "us-east-1"), time.Now, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs a server on free ports of the loopback address until the test's
// end, and fails the test if it does not stop cleanly.
func start(t testing.TB, s *Server) *Server {
	t.Helper()
	if s.PKI == nil {
		s.PKI = testPKI(t)
	}
	for _, a := range []*string{&s.APIAddress, &s.DeviceAddress, &s.OpsAddress} {
		if *a == "" {
			*a = "127.0.0.1:0"
		}
	}
	if s.Handler == nil {
		s.Handler = http.HandlerFunc(echo)
	}
	if s.OpsHandler == nil {
		s.OpsHandler = http.NotFoundHandler()
	}
	if s.Registerer == nil {
		s.Registerer = prometheus.NewRegistry()
	}
	if s.Log == nil {
		s.Log = testLog(t)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// echo tells what a request looks like to a handler.
func echo(w http.ResponseWriter, r *http.Request) {
	tlsOf, clients := "plain", 0
	if r.TLS != nil {
		tlsOf, clients = "tls "+r.TLS.NegotiatedProtocol, len(r.TLS.PeerCertificates)
	}
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %s %d clients, body %q %v", r.Method, r.URL.EscapedPath(), r.Proto, strings.TrimSpace(tlsOf), clients, body, err)
}

func (s *Server) url(scheme, listener, path string) string {
	return scheme + "://" + s.Addr(listener).String() + path
}

func roots(p *PKI) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.RootPEM())
	return pool
}

func clientOf(t testing.TB, c *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: c}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// deviceCert is a client certificate that nobody we know has signed.
func deviceCert(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "camera"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestOnePortForPlainAndTLS(t *testing.T) {
	s := start(t, &Server{})
	c := clientOf(t, &tls.Config{RootCAs: roots(s.PKI)})
	for _, tt := range []struct{ url, want string }{
		{s.url("http", API, "/a//b%2Fc"), `GET /a//b%2Fc HTTP/1.1 plain 0 clients, body "" <nil>`},
		{s.url("https", API, "/x"), `GET /x HTTP/1.1 tls 0 clients, body "" <nil>`},
		{s.url("https", Device, "/x"), `GET /x HTTP/1.1 tls 0 clients, body "" <nil>`},
	} {
		if status, body := get(t, c, tt.url); status != 200 || body != tt.want {
			t.Errorf("GET %s: %d %s, want %s", tt.url, status, body, tt.want)
		}
	}
	resp, err := c.Post(s.url("http", API, "/p"), "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if want := `POST /p HTTP/1.1 plain 0 clients, body "hello" <nil>`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}

func TestALPN(t *testing.T) {
	mqtt := make(chan string, 10)
	s := start(t, &Server{MQTT: func(c net.Conn, _ *tls.ConnectionState) {
		tc := c.(*tls.Conn)
		mqtt <- tc.ConnectionState().NegotiatedProtocol + fmt.Sprint(len(tc.ConnectionState().PeerCertificates))
		_ = tc.Close()
	}})
	cert := deviceCert(t)
	for _, tt := range []struct {
		listener string
		offer    []string
		want     string // of HTTP; "mqtt": handed over; "alert": refused in the handshake
	}{
		{API, nil, "tls 0 clients"},
		{API, []string{"h2", "http/1.1"}, "tls http/1.1 0 clients"},
		{API, []string{"x-amzn-http-ca"}, "alert"},
		{API, []string{"h2"}, "alert"},
		{Device, nil, "tls 1 clients"},
		{Device, []string{"h2", "http/1.1"}, "tls http/1.1 1 clients"},
		{Device, []string{"x-amzn-http-ca"}, "tls x-amzn-http-ca 1 clients"},
		{Device, []string{"x-amzn-mqtt-ca"}, "mqtt"},
		{Device, []string{"mqtt"}, "mqtt"},
		{Device, []string{"spdy"}, "alert"},
	} {
		t.Run(fmt.Sprint(tt.listener, tt.offer), func(t *testing.T) {
			c, err := tls.Dial("tcp", s.Addr(tt.listener).String(), &tls.Config{
				RootCAs: roots(s.PKI), NextProtos: tt.offer, Certificates: []tls.Certificate{cert},
			})
			if tt.want == "alert" {
				if err == nil || !strings.Contains(err.Error(), "no application protocol") {
					t.Fatalf("got %v, want an alert", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if tt.want == "mqtt" {
				if got, want := <-mqtt, tt.offer[0]+"1"; got != want {
					t.Errorf("handed over %q, want %q", got, want)
				}
				return
			}
			for range 2 { // the connection is kept
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				if want := "GET / HTTP/1.1 " + tt.want + `, body "" <nil>`; string(b) != want {
					t.Errorf("got %s, want %s", b, want)
				}
			}
		})
	}
}

func TestMQTTWithoutBrokerIsClosed(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := start(t, &Server{Registerer: reg})
	c, err := tls.Dial("tcp", s.Addr(Device).String(), &tls.Config{RootCAs: roots(s.PKI), NextProtos: []string{"mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v, want EOF", err)
	}
}

func TestNoResumptionOnDevicePort(t *testing.T) {
	s := start(t, &Server{})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := &tls.Config{RootCAs: roots(s.PKI), ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: version,
			Certificates: []tls.Certificate{deviceCert(t)}}
		for range 2 {
			conn, err := tls.Dial("tcp", s.Addr(Device).String(), c)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
			_, _ = io.ReadAll(conn)
			if st := conn.ConnectionState(); st.DidResume {
				t.Errorf("version %x: session resumed", version)
			} else if st.Version != version {
				t.Errorf("version %x, want %x", st.Version, version)
			}
			_ = conn.Close()
		}
	}
}

// A machine of another name: connections through its outside address.
func outside(t *testing.T) string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

func TestPlainHTTPFromOutside(t *testing.T) {
	ip := outside(t)
	router := &Router{RootPEM: func() []byte { return []byte("root\n") }, Credentials: http.HandlerFunc(echo),
		Services: map[string]http.Handler{"iot": http.HandlerFunc(echo)}}
	at := func(s *Server, name string) string {
		_, port, _ := net.SplitHostPort(s.Addr(name).String())
		return "http://" + net.JoinHostPort(ip, port)
	}
	c := clientOf(t, nil)
	s := start(t, &Server{APIAddress: ":0", DeviceAddress: ":0", Handler: router})
	for _, url := range []string{at(s, API), at(s, Device), s.url("http", Device, "")} {
		url = strings.Replace(url, "[::]", "127.0.0.1", 1)
		if status, body := get(t, c, url+"/x"); status != 400 || !strings.Contains(body, "TLS only") || strings.Count(body, "\n") != 1 {
			t.Errorf("GET %s: %d %q, want a refusal of one line", url, status, body)
		}
		if status, body := get(t, c, url+"/repository/SFSRootCAG2.pem"); status != 200 || body != "root\n" {
			t.Errorf("GET %s/repository/…: %d %q, want the root", url, status, body)
		}
	}
	_, port, _ := net.SplitHostPort(s.Addr(API).String())
	if status, body := get(t, c, "http://127.0.0.1:"+port+"/x"); status != 403 {
		t.Errorf("from the machine itself: %d %q, want the service's own refusal", status, body)
	}
	s = start(t, &Server{APIAddress: ":0", Handler: router, InsecureHTTP: true})
	if status, body := get(t, c, at(s, API)+"/x"); status != 403 {
		t.Errorf("--insecure-http: %d %q, want the service's own refusal", status, body)
	}
}

// Connections that say nothing, half of something or rubbish keep nobody
// waiting.
func TestNoHeadOfLineBlocking(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := start(t, &Server{Registerer: reg})
	for _, first := range []string{"", "\x16", "\x16\x03\x01", "G", "\x10\x20MQTT", "\x00"} {
		c, err := net.Dial("tcp", s.Addr(Device).String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, first); err != nil {
			t.Fatal(err)
		}
		if first == "\x10\x20MQTT" || first == "\x00" {
			if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil {
				t.Errorf("%q: read %d bytes, %v; want a close", first, n, err)
			}
		}
	}
	c := clientOf(t, &tls.Config{RootCAs: roots(s.PKI)})
	if status, _ := get(t, c, s.url("https", Device, "/")); status != 200 {
		t.Errorf("status %d", status)
	}
	if n := testutil.ToFloat64(mustMetric(t, s).drop.WithLabelValues(Device, "protocol")); n != 2 {
		t.Errorf("%v connections counted as neither TLS nor HTTP, want 2", n)
	}
}

func mustMetric(t *testing.T, s *Server) *metrics {
	t.Helper()
	return s.listeners[0].metrics
}

func TestConnectionLimit(t *testing.T) {
	s := start(t, &Server{MaxConns: 2})
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", s.Addr(API).String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	third, err := net.Dial("tcp", s.Addr(API).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = third.Close() }()
	if n, err := third.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("third connection: %d bytes, %v; want a close", n, err)
	}
	_ = held[0].Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", s.Addr(API).String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET / HTTP/1.0\r\n\r\n")
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
		_ = c.Close()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no slot came back: %v", err)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	s := start(t, &Server{})
	req, _ := http.NewRequest("GET", s.url("http", API, "/"), nil)
	req.Header.Set("X-Big", strings.Repeat("x", 80<<10))
	resp, err := clientOf(t, nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", resp.StatusCode)
	}
}

// Streaming both ways at once, as PutMedia does: an ack comes while the body
// still runs.
func TestFullDuplex(t *testing.T) {
	s := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(200)
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			fmt.Fprintf(w, "ack %s\n", buf[:n])
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
			if err != nil {
				return
			}
		}
	})})
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", s.url("https", API, "/putMedia"), pr)
	go func() { _, _ = io.WriteString(pw, "one") }()
	resp, err := clientOf(t, &tls.Config{RootCAs: roots(s.PKI)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	br := bufio.NewReader(resp.Body)
	for _, next := range []string{"two", "three", ""} {
		got, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got, "ack ") {
			t.Errorf("got %q", got)
		}
		if next == "" {
			_ = pw.Close()
		} else {
			_, _ = io.WriteString(pw, next)
		}
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	s := &Server{APIAddress: "127.0.0.1:0", DeviceAddress: ln.Addr().String(), OpsAddress: "127.0.0.1:0", PKI: testPKI(t), Log: testLog(t)}
	err = s.Listen()
	want := "--device " + ln.Addr().String() + ": the port is in use by another program"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	s = &Server{APIAddress: "192.0.2.1:0", PKI: testPKI(t), Log: testLog(t)}
	if err := s.Listen(); err == nil || !strings.HasPrefix(err.Error(), "--api 192.0.2.1:0: ") {
		t.Errorf("got %v", err)
	}
}

// Shutdown lets a running request end and cuts off what outlasts its grace.
func TestShutdown(t *testing.T) {
	started, release := make(chan struct{}, 2), make(chan struct{})
	s := &Server{APIAddress: "127.0.0.1:0", DeviceAddress: "127.0.0.1:0", OpsAddress: "127.0.0.1:0", PKI: testPKI(t), Log: testLog(t),
		Grace: 500 * time.Millisecond, OpsHandler: http.NotFoundHandler(),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			started <- struct{}{}
			if r.URL.Path == "/endless" {
				<-r.Context().Done()
				return
			}
			<-release
			fmt.Fprint(w, "done")
		})}
	s.OnShutdown = func() { close(release) }
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	answers, endless := make(chan string), make(chan error)
	go func() {
		_, body := get(t, clientOf(t, nil), s.url("http", API, "/"))
		answers <- body
	}()
	go func() {
		_, err := clientOf(t, nil).Get(s.url("http", API, "/endless"))
		endless <- err
	}()
	silent, err := net.Dial("tcp", s.Addr(API).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	<-started
	<-started
	cancel()
	if got := <-answers; got != "done" {
		t.Errorf("running request: %q, want done", got)
	}
	if err := <-endless; err == nil {
		t.Error("endless request: answered, want a cut")
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr(API).String()); err == nil {
		t.Error("the port still answers")
	}
	if n := testutil.ToFloat64(mustMetric(t, s).open.WithLabelValues(API)); n != 0 {
		t.Errorf("%v connections open after the end", n)
	}
}

func TestListenerFailureEndsServe(t *testing.T) {
	s := &Server{APIAddress: "127.0.0.1:0", DeviceAddress: "127.0.0.1:0", OpsAddress: "127.0.0.1:0", PKI: testPKI(t), Log: testLog(t),
		OpsHandler: http.NotFoundHandler(), Handler: http.NotFoundHandler()}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve after close: %v", err)
	}
}
