package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// greet is what stands for a broker: it says who came and how, and then sends
// back what it reads.
func greet(c net.Conn, state *tls.ConnectionState) {
	defer func() { _ = c.Close() }()
	if state == nil {
		fmt.Fprintf(c, "plain\n")
	} else {
		fmt.Fprintf(c, "tls %q %q %d\n", state.NegotiatedProtocol, state.ServerName, len(state.PeerCertificates))
	}
	_, _ = io.Copy(c, c)
}

// converse reads the greeting of a connection and has something sent back.
func converse(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "hello\n")
	if back, err := r.ReadString('\n'); err != nil || back != "hello\n" {
		t.Errorf("sent back %q, %v", back, err)
	}
	return strings.TrimSpace(line)
}

func TestMQTTListeners(t *testing.T) {
	s := start(t, &Server{MQTTAddress: "127.0.0.1:0", PlainMQTTAddress: "127.0.0.1:0", AWSAddress: "127.0.0.1:0", MQTT: greet})
	cert := deviceCert(t)
	for _, tt := range []struct {
		name, listener string
		config         *tls.Config // nil: no TLS
		want           string
	}{
		{"certificate", MQTT, &tls.Config{Certificates: []tls.Certificate{cert}}, `tls "" "localhost" 1`},
		{"no certificate", MQTT, &tls.Config{}, `tls "" "localhost" 0`},
		{"ALPN", MQTT, &tls.Config{NextProtos: []string{"x-amzn-mqtt-ca"}, Certificates: []tls.Certificate{cert}}, `tls "x-amzn-mqtt-ca" "localhost" 1`},
		{"ALPN, several", MQTT, &tls.Config{NextProtos: []string{"http/1.1", "mqtt"}}, `tls "mqtt" "localhost" 0`},
		{"ALPN, HTTP", MQTT, &tls.Config{NextProtos: []string{"http/1.1"}}, "no application protocol"},
		{"TLS 1.2", MQTT, &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}, `tls "" "localhost" 1`},
		{"Java 8", MQTT, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}, Certificates: []tls.Certificate{cert}}, `tls "" "localhost" 1`},
		{"TLS 1.1", MQTT, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
		{"device port", Device, &tls.Config{NextProtos: []string{"x-amzn-mqtt-ca"}, Certificates: []tls.Certificate{cert}}, `tls "x-amzn-mqtt-ca" "localhost" 1`},
		{"device port, custom authorizer", Device, &tls.Config{NextProtos: []string{"mqtt"}}, `tls "mqtt" "localhost" 0`},
		{"AWS's port", AWS, &tls.Config{NextProtos: []string{"mqtt"}, Certificates: []tls.Certificate{cert}}, `tls "mqtt" "localhost" 1`},
		{"plain", PlainMQTT, nil, "plain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := s.Addr(tt.listener).String()
			var c net.Conn
			var err error
			if tt.config == nil {
				c, err = net.Dial("tcp", address)
			} else {
				tt.config.RootCAs, tt.config.ServerName = roots(s.PKI), "localhost"
				c, err = tls.Dial("tcp", address, tt.config)
			}
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %s", err, tt.want)
				}
				return
			}
			defer func() { _ = c.Close() }()
			if got := converse(t, c); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if s.Addr("nothing") != nil {
		t.Error("an address of a listener that is none")
	}
}

// What Raw makes of a connection is under its TLS, and can be found there.
func TestRaw(t *testing.T) {
	type marked struct{ net.Conn }
	found := make(chan error, 3)
	s := start(t, &Server{MQTTAddress: "127.0.0.1:0", PlainMQTTAddress: "127.0.0.1:0",
		Raw: func(c *net.TCPConn) net.Conn { return &marked{c} },
		MQTT: func(c net.Conn, state *tls.ConnectionState) {
			under := c
			for {
				n, ok := under.(interface{ NetConn() net.Conn })
				if !ok {
					break
				}
				under = n.NetConn()
			}
			if _, ok := under.(*marked); !ok {
				found <- fmt.Errorf("under %T is %T", c, under)
			} else {
				found <- nil
			}
			_ = c.Close()
		}})
	for listener, config := range map[string]*tls.Config{MQTT: {}, PlainMQTT: nil, Device: {NextProtos: []string{"mqtt"}}} {
		c, err := net.Dial("tcp", s.Addr(listener).String())
		if err != nil {
			t.Fatal(err)
		}
		if config != nil {
			config.RootCAs, config.ServerName = roots(s.PKI), "localhost"
			c = tls.Client(c, config)
			if err := c.(*tls.Conn).Handshake(); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-found; err != nil {
			t.Errorf("%s: %v", listener, err)
		}
		_ = c.Close()
	}
}

// Clients that never finish their handshakes keep nobody out.
func TestSlowHandshakes(t *testing.T) {
	s := start(t, &Server{MQTTAddress: "127.0.0.1:0", MQTT: greet})
	for range 200 {
		c, err := net.Dial("tcp", s.Addr(MQTT).String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := c.Write([]byte{0x16, 3, 1, 2, 0, 1}); err != nil { // and no more
			t.Fatal(err)
		}
	}
	begun := time.Now()
	c, err := tls.Dial("tcp", s.Addr(MQTT).String(), &tls.Config{RootCAs: roots(s.PKI), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	converse(t, c)
	if took := time.Since(begun); took > handshakeTimeout/2 {
		t.Errorf("took %v", took)
	}
}

// Of too many who have not said what they want the oldest is closed that the server waits for; when all wait for the server, the
// newest.
func TestCrowd(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{name: MQTT, only: true, log: testLog(t), metrics: m}
	l.prepare(idleListener{})
	conns := make([]*rawConn, mostPending+2)
	for i := range conns {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = near.Close() })
		conns[i] = &rawConn{Conn: far, released: func() {}}
		if !l.track(conns[i]) {
			t.Fatal("not tracked")
		}
	}
	for i, c := range conns {
		if got, want := l.untrack(c), i < 2; got != want {
			t.Fatalf("connection %d of %d had to make room: %v", i, len(conns), got)
		}
		if err := c.SetDeadline(time.Time{}); errors.Is(err, io.ErrClosedPipe) != (i < 2) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if n := l.pending.Len(); n != 0 {
		t.Errorf("%d are left", n)
	}
	for i := range conns {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = near.Close() })
		conns[i] = &rawConn{Conn: far, released: func() {}}
		conns[i].served.Store(i != 1000)
		if !l.track(conns[i]) {
			t.Fatal("not tracked")
		}
	}
	for i, c := range conns {
		if got, want := l.untrack(c), i == 1000 || i == len(conns)-1; got != want {
			t.Fatalf("connection %d of %d, in line, had to make room: %v", i, len(conns), got)
		}
	}
}

func TestMQTTConnectionsAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := start(t, &Server{PlainMQTTAddress: "127.0.0.1:0", MQTT: greet, MaxConns: 2, Registerer: reg})
	var open []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", s.Addr(PlainMQTT).String())
		if err != nil {
			t.Fatal(err)
		}
		converse(t, c)
		open = append(open, c)
	}
	c, err := net.Dial("tcp", s.Addr(PlainMQTT).String())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("the third connection says %d bytes", n)
	}
	if n, err := testutil.GatherAndCount(reg, "thingd_connections_refused_total"); n != 1 || err != nil {
		t.Errorf("%d kinds of refusals, %v", n, err)
	}
	_ = open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; { // its slot comes back
		c, err := net.Dial("tcp", s.Addr(PlainMQTT).String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(deadline)
		if _, err = c.Read(make([]byte, 1)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no slot came back")
		}
	}
}

// keyring is an identity with one key.
type keyring struct{ cred sigv4.Credentials }

func (k keyring) Authenticate(_ context.Context, r *http.Request, sig *sigv4.Signature, payload sigv4.Payload) (*awsapi.Caller, error) {
	if sig.AccessKeyID == "broken" {
		return nil, errors.New("disk on fire")
	}
	if sig.AccessKeyID != k.cred.AccessKeyID || sig.Token != k.cred.SessionToken {
		return nil, sigv4.NewError(sigv4.UnknownKey)
	}
	key := sigv4.SigningKey(k.cred.SecretAccessKey, sig.Date, sig.Region, sig.Service)
	if err := sig.Verify(r, key, payload, time.Now()); err != nil {
		return nil, err
	}
	return &awsapi.Caller{Account: "123456789012", UserID: "AIDAEXAMPLE", AccessKeyID: sig.AccessKeyID}, nil
}

func TestWebSocket(t *testing.T) {
	cred := sigv4.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token+/="}
	ended := make(chan error, 100)
	ws := &WebSocket{Identity: keyring{cred}, Log: testLog(t), Now: time.Now, MQTT: func(c net.Conn, who Signer) {
		defer func() { _ = c.Close() }()
		if life := time.Until(who.Until); life < webSocketLife-time.Minute || life > webSocketLife {
			t.Errorf("lives %v", life)
		}
		fmt.Fprintf(c, "%s %s %s tls=%v %v\n", who.Caller.UserID, who.Region, who.ServerName, who.TLS, c.RemoteAddr() != nil)
		_, err := io.Copy(c, c) // nil at a close frame
		ended <- err
	}}
	s := start(t, &Server{Handler: &Router{WebSocket: ws, RootPEM: func() []byte { return []byte("PEM\n") }}})
	signer := func(service string) *sigv4.Signer {
		return &sigv4.Signer{Credentials: cred, Region: "eu-west-1", Service: service}
	}
	query := func(g *sigv4.Signer, expires time.Duration) func(r *http.Request) error {
		return func(r *http.Request) error { return g.Presign(r, nil, expires, time.Now()) }
	}
	unsignedToken := func(r *http.Request) error {
		g := signer("iotdevicegateway")
		g.UnsignedToken = true
		if err := g.Presign(r, nil, 0, time.Now()); err != nil {
			return err
		}
		q := r.URL.Query()
		q.Set("X-Amz-Security-Token", cred.SessionToken)
		r.URL.RawQuery = q.Encode()
		return nil
	}
	header := func(g *sigv4.Signer) func(r *http.Request) error {
		return func(r *http.Request) error { return g.Sign(r, nil, time.Now()) }
	}
	wrong := signer("iotdevicegateway")
	wrong.Credentials.SecretAccessKey = "other"
	stranger := signer("iotdevicegateway")
	stranger.Credentials = sigv4.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "x"}
	broken := signer("iotdevicegateway")
	broken.Credentials = sigv4.Credentials{AccessKeyID: "broken", SecretAccessKey: "x"}
	for _, tt := range []struct {
		name, listener, scheme string
		sign                   func(*http.Request) error
		protocol               string
		status                 int
		want                   string
	}{
		{"query", API, "http", query(signer("iotdevicegateway"), 0), "mqtt", 101, "AIDAEXAMPLE eu-west-1 127.0.0.1 tls=false true"},
		{"query, TLS", API, "https", query(signer("iotdevicegateway"), 24*time.Hour), "mqtt", 101, "AIDAEXAMPLE eu-west-1 localhost tls=true true"},
		{"query, token after signing", API, "https", unsignedToken, "mqtt", 101, "AIDAEXAMPLE eu-west-1 localhost tls=true true"},
		{"query, iotdata", API, "http", query(signer("iotdata"), time.Minute), "mqtt", 101, "AIDAEXAMPLE eu-west-1 127.0.0.1 tls=false true"},
		{"header", API, "http", header(signer("iotdevicegateway")), "mqtt", 101, "AIDAEXAMPLE eu-west-1 127.0.0.1 tls=false true"},
		{"MQTT 3.1's name", API, "http", query(signer("iotdevicegateway"), 0), "mqttv3.1", 101, "AIDAEXAMPLE eu-west-1 127.0.0.1 tls=false true"},
		{"device port", Device, "https", query(signer("iotdevicegateway"), 0), "mqtt", 101, "AIDAEXAMPLE eu-west-1 localhost tls=true true"},
		{"unsigned", API, "http", func(*http.Request) error { return nil }, "mqtt", 403, `{"message":"Missing Authentication Token","traceId":"`},
		{"other service", API, "http", query(signer("iot"), 0), "mqtt", 403, `{"message":"Credential should be scoped to correct service: 'iotdevicegateway', 'iotdata'.","traceId":"`},
		{"wrong secret", API, "http", query(wrong, 0), "mqtt", 403, `{"message":"The request signature we calculated does not match`},
		{"unknown key", API, "http", header(stranger), "mqtt", 403, `{"message":"The security token included in the request is invalid.","traceId":"`},
		{"fault", API, "http", header(broken), "mqtt", 500, `{"message":"Internal Failure","traceId":"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, s.url(tt.scheme, tt.listener, "/mqtt"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.sign(r); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r.Header.Set("Origin", "https://elsewhere.example")
			client := clientOf(t, &tls.Config{RootCAs: roots(s.PKI), ServerName: "localhost"})
			c, resp, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPClient: client, HTTPHeader: r.Header, Subprotocols: []string{tt.protocol}})
			if tt.status != 101 {
				if err == nil || resp == nil || resp.StatusCode != tt.status {
					t.Fatalf("dial: %v, %v, want status %d", resp, err, tt.status)
				}
				b, _ := io.ReadAll(resp.Body)
				if !bytes.HasPrefix(b, []byte(tt.want)) {
					t.Errorf("%s, want %s", b, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Subprotocol() != tt.protocol {
				t.Errorf("sub-protocol %q", c.Subprotocol())
			}
			conn := websocket.NetConn(ctx, c, websocket.MessageBinary)
			if got := converse(t, conn); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
			if err := <-ended; err != nil {
				t.Errorf("ended by %v, want a close frame", err)
			}
		})
	}

	t.Run("text frames", func(t *testing.T) {
		c := dialWebSocket(t, s, signer("iotdevicegateway"))
		defer func() { _ = c.CloseNow() }()
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("text was taken")
		}
	})
	t.Run("lost", func(t *testing.T) {
		_ = dialWebSocket(t, s, signer("iotdevicegateway")).CloseNow()
		if err := <-ended; err == nil {
			t.Error("no end without a close frame")
		}
	})
	t.Run("no upgrade", func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodGet, s.url("http", API, "/mqtt"), nil)
		if err := signer("iotdevicegateway").Sign(r, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, err := clientOf(t, nil).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func dialWebSocket(t *testing.T, s *Server, g *sigv4.Signer) *websocket.Conn {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url("http", API, "/mqtt"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Presign(r, nil, 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, _, err := websocket.Dial(t.Context(), r.URL.String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A server's close ends a Read soon, also when the client does not answer.
func TestWebSocketClose(t *testing.T) {
	cred := sigv4.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}
	took := make(chan time.Duration, 1)
	ws := &WebSocket{Identity: keyring{cred}, Log: testLog(t), Now: time.Now, MQTT: func(c net.Conn, _ Signer) {
		begun := time.Now()
		time.AfterFunc(10*time.Millisecond, func() { _ = c.Close() })
		_, _ = io.Copy(io.Discard, c)
		took <- time.Since(begun)
	}}
	s := start(t, &Server{Handler: &Router{WebSocket: ws}})
	c := dialWebSocket(t, s, &sigv4.Signer{Credentials: cred, Region: "us-east-1", Service: "iotdevicegateway"})
	defer func() { _ = c.CloseNow() }()
	if d := <-took; d > webSocketGoodbye+2*time.Second {
		t.Errorf("took %v", d)
	}
}

// Where keys are public, no page of another site may use them (--dev).
func TestWebSocketGuard(t *testing.T) {
	cred := sigv4.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}
	ws := &WebSocket{Identity: keyring{cred}, Log: testLog(t), Now: time.Now, MQTT: func(c net.Conn, _ Signer) { _ = c.Close() }}
	s := start(t, &Server{Handler: NewGuard([]string{"localhost"}).Wrap(&Router{WebSocket: ws})})
	for origin, want := range map[string]int{"": 101, s.url("http", API, ""): 101, "https://elsewhere.example": 403} {
		r, err := http.NewRequest(http.MethodGet, s.url("http", API, "/mqtt"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sigv4.Presign(r, nil, cred, "us-east-1", "iotdevicegateway", 0, time.Now()); err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		c, resp, err := websocket.Dial(t.Context(), r.URL.String(), &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{"mqtt"}})
		if err == nil {
			_ = c.CloseNow()
		}
		if resp == nil || resp.StatusCode != want {
			t.Errorf("origin %q: %v, %v, want %d", origin, resp, err, want)
		}
	}
}
