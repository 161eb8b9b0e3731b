package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/rlimit"
)

// Limits of a connection. What lasts for hours, PutMedia and GetMedia, sets its
// own deadlines as it goes.
const (
	handshakeTimeout  = 10 * time.Second  // first byte and TLS handshake together
	readHeaderTimeout = 10 * time.Second  //
	idleTimeout       = 120 * time.Second // between requests
	writeTimeout      = bodyLongest + time.Minute
	maxHeaderBytes    = 64 << 10 //
	mostConns         = 16384    // of HTTP, a listener's; further ones are closed at once
	mostMQTT          = 1 << 20  // the same of MQTT
	mostPending       = 2048     // of a listener that have not said yet what they want
)

// plainHTTP says what becomes of HTTP without TLS.
type plainHTTP int

const (
	plainNever    plainHTTP = iota // root certificates only
	plainLoopback                  // from this machine only
	plainAlways
)

// listener serves one address: HTTP, with TLS and without on the same port
// (the first byte of a connection tells which) and MQTT by its ALPN names; or
// MQTT only. The TLS handshake is done here
// and not by net/http, which would close a connection whose negotiated ALPN
// name it does not know, in silence; so x-amzn-http-ca is served as the
// HTTP/1.1 that it is, and MQTT goes to whoever speaks it.
type listener struct {
	name     string // the option that set it: for errors, logs and metrics
	address  string
	handler  http.Handler
	tls      *tls.Config // nil: no TLS
	plain    plainHTTP
	only     bool                                 // MQTT, without TLS where tls is nil
	mqtt     func(net.Conn, *tls.ConnectionState) // Server.MQTT
	raw      func(*net.TCPConn) net.Conn          // Server.Raw
	gate     gate
	maxConns int
	log      *slog.Logger
	metrics  *metrics

	ln    net.Listener
	http  *http.Server
	ready chan net.Conn // to http.Server's Accept
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu      sync.Mutex
	pending list.List // of *rawConn, not yet handed on; the oldest first
}

// ErrPortInUse is in errors of Bind and Listen.
var ErrPortInUse = errors.New("the port is in use by another program")

// bind binds an option's address.
func bind(name, address string) (net.Listener, error) {
	config := net.ListenConfig{}
	if name == MQTT || name == PlainMQTT {
		// MQTT has its own way to find out who is gone; this is for clients
		// that ask it not to.
		config.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: time.Minute, Count: 4}
	}
	ln, err := config.Listen(context.Background(), "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s %s: %w", name, address, ErrPortInUse)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("--%s %s: no right to use this port (ports below 1024 need root or CAP_NET_BIND_SERVICE)", name, address)
	case err != nil:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return nil, fmt.Errorf("--%s %s: %w", name, address, err)
	}
	return ln, nil
}

// prepare makes what serve needs.
func (l *listener) prepare(ln net.Listener) {
	if l.maxConns == 0 {
		l.maxConns = defaultConns(l.only)
	}
	l.ln = ln
	l.ready = make(chan net.Conn)
	l.slots = make(chan struct{}, l.maxConns)
	l.done = make(chan struct{})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	l.http = &http.Server{
		Handler:           l.front(l.handler),
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ConnContext:       connContext,
		ErrorLog:          slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
}

// defaultConns leaves the other listeners, and the files of the database and of
// video, their share of the process's descriptors. Five in eight are for devices,
// which are always connected.
func defaultConns(mqtt bool) int {
	limit, ok := rlimit.Files()
	if !ok {
		return mostConns
	}
	n := min(limit, 1<<31)
	if mqtt {
		return int(min(mostMQTT, n/8*5))
	}
	return int(min(mostConns, max((n-4096)/6, n/12)))
}

// serve takes connections until shutdown or close.
func (l *listener) serve() error {
	if l.only {
		l.acceptAll()
		return nil
	}
	l.wg.Go(l.acceptAll)
	err := l.http.Serve((*readyListener)(l))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// shutdown stops taking connections, lets running requests end until ctx does,
// and then closes what is left. MQTT connections are not its own any more.
func (l *listener) shutdown(ctx context.Context) {
	l.stop()
	if l.http.Shutdown(ctx) != nil {
		_ = l.http.Close()
	}
	l.wg.Wait()
}

// stop closes the port and the connections that have said nothing yet.
func (l *listener) stop() {
	l.once.Do(func() {
		close(l.done)
		_ = l.ln.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for e := l.pending.Front(); e != nil; e = e.Next() {
			_ = e.Value.(*rawConn).Close()
		}
	})
}

func (l *listener) acceptAll() {
	var delay time.Duration
	for {
		c, err := l.ln.Accept()
		if err != nil {
			select {
			case <-l.done:
				return
			default:
			}
			// Out of file descriptors, mostly: wait for some to come back.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.log.Warn("accept", "listener", l.name, "error", err, "retry", delay)
			select {
			case <-l.done:
				return
			case <-time.After(delay):
			}
			continue
		}
		delay = 0
		select {
		case l.slots <- struct{}{}:
		default:
			l.metrics.refused(l.name, "limit")
			_ = c.Close()
			continue
		}
		if t, ok := c.(*net.TCPConn); ok && l.raw != nil {
			c = l.raw(t)
		}
		raw := &rawConn{Conn: c, released: func() {
			<-l.slots
			l.metrics.closed(l.name)
		}}
		l.metrics.opened(l.name)
		if !l.track(raw) {
			_ = raw.Close()
			return
		}
		l.wg.Go(func() { l.begin(raw) })
	}
}

// track notes a connection that is to be identified. Of too many the oldest is
// closed that the server waits for: whoever is slow on purpose is, and those who
// are not are soon through. Those who wait for the server stay, else nobody would
// get in when more come than it can serve: the new one goes then.
func (l *listener) track(c *rawConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
		return false
	default:
	}
	if l.pending.Len() >= mostPending {
		oldest := l.pending.Front()
		for oldest != nil && oldest.Value.(*rawConn).served.Load() {
			oldest = oldest.Next()
		}
		out := c
		if oldest != nil {
			out = l.pending.Remove(oldest).(*rawConn)
		}
		out.pending, out.crowdedOut = nil, true
		_ = out.Close()
		if out == c {
			return true
		}
	}
	c.pending = l.pending.PushBack(c)
	return true
}

// untrack says whether a connection had to make room.
func (l *listener) untrack(c *rawConn) (crowdedOut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.pending != nil {
		l.pending.Remove(c.pending)
		c.pending = nil
	}
	return c.crowdedOut
}

// begin finds out what a connection is for, does the handshake if it is TLS's,
// and hands the connection on.
func (l *listener) begin(c *rawConn) {
	conn, mqtt, reason, err := l.identify(c)
	if l.untrack(c) {
		reason = "crowd"
	}
	if reason != "" {
		l.metrics.refused(l.name, reason)
		l.log.Debug("connection refused", "listener", l.name, "remote", c.RemoteAddr(), "reason", reason, "error", err)
		_ = c.Close()
		return
	}
	if mqtt != nil {
		go mqtt() // the broker's own to wait for
		return
	}
	select {
	case l.ready <- conn:
	case <-l.done:
		_ = conn.Close()
	}
}

// identify answers the connection on which HTTP is to be served, or what is to
// be done with one of MQTT, or why it is refused.
func (l *listener) identify(c *rawConn) (conn net.Conn, mqtt func(), reason string, err error) {
	if l.only && l.tls == nil {
		return l.handOn(c, nil)
	}
	c.due = time.Now().Add(handshakeTimeout)
	if err := c.SetDeadline(c.due); err != nil {
		return nil, nil, "closed", err
	}
	first := byte(0x16)
	if !l.only {
		if first, err = c.peek(); err != nil {
			return nil, nil, "closed", err
		}
	}
	switch {
	case first == 0x16 && l.tls != nil: // a TLS record of type handshake
		t := tls.Server(c, l.tls)
		if err := c.handshake(t, l.gate); err != nil {
			return nil, nil, "handshake", err
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			return nil, nil, "closed", err
		}
		state := t.ConnectionState()
		if p := state.NegotiatedProtocol; l.only || p == alpnMQTT || p == alpnMQTTCert {
			return l.handOn(t, &state)
		}
		return &httpConn{Conn: t, tls: &state, device: l.name == Device}, nil, "", nil
	case first >= 'A' && first <= 'Z': // a method
		if err := c.SetDeadline(time.Time{}); err != nil {
			return nil, nil, "closed", err
		}
		return &plainConn{httpConn{Conn: c, refused: !l.allowsPlain(c)}}, nil, "", nil
	}
	return nil, nil, "protocol", fmt.Errorf("neither TLS nor HTTP: first byte 0x%02x", first)
}

// handOn is identify's answer for a connection on which MQTT is to be spoken.
func (l *listener) handOn(conn net.Conn, state *tls.ConnectionState) (net.Conn, func(), string, error) {
	if l.mqtt == nil {
		_ = conn.Close()
		return nil, nil, "alpn", errors.New("MQTT is not served here")
	}
	return nil, func() { l.mqtt(conn, state) }, "", nil
}

func (l *listener) allowsPlain(c net.Conn) bool {
	switch l.plain {
	case plainAlways:
		return true
	case plainLoopback:
		return isLoopback(c.LocalAddr()) && isLoopback(c.RemoteAddr())
	}
	return false
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// readyListener is the listener as http.Server sees it.
type readyListener listener

// Accept answers the next connection on which HTTP is spoken.
func (r *readyListener) Accept() (net.Conn, error) {
	select {
	case c := <-r.ready:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

// Close stops the listener.
func (r *readyListener) Close() error {
	(*listener)(r).stop()
	return nil
}

// Addr is the bound address.
func (r *readyListener) Addr() net.Addr { return r.ln.Addr() }

// rawConn is an accepted connection whose first byte can be looked at, and
// which gives its slot back when it is closed.
type rawConn struct {
	net.Conn
	first    [1]byte
	peeked   bool      // first is yet to be read
	gate     gate      // that the handshake under way has passed; nil: none is
	due      time.Time // when the handshake has to be over
	released func()
	once     sync.Once

	served     atomic.Bool   // its handshake is in the server's hands, at the gate or past it
	pending    *list.Element // of listener.pending, guarded by its mu
	crowdedOut bool          // the same
}

// NetConn is the connection as it was accepted, or what Server.Raw made of it.
func (c *rawConn) NetConn() net.Conn { return c.Conn }

func (c *rawConn) peek() (byte, error) {
	if _, err := io.ReadFull(c.Conn, c.first[:]); err != nil {
		return 0, err
	}
	c.peeked = true
	return c.first[0], nil
}

// handshake does the TLS handshake of a connection.
func (c *rawConn) handshake(t *tls.Conn, g gate) error {
	c.enter(g)
	c.gate = g
	defer func() {
		c.gate = nil
		g.leave()
	}()
	return t.Handshake()
}

// enter passes the gate. What the server keeps a client waiting does not count
// as the client's: in a storm those who have waited longest would be dropped.
func (c *rawConn) enter(g gate) {
	began := time.Now()
	c.served.Store(true)
	g.enter()
	if waited := time.Since(began); waited > 50*time.Millisecond {
		c.due = c.due.Add(waited)
		_ = c.SetDeadline(c.due) // a connection that is gone says so when it is read
	}
}

// Read reads on, from the first byte.
func (c *rawConn) Read(p []byte) (int, error) {
	if c.peeked && len(p) > 0 {
		c.peeked = false
		p[0] = c.first[0]
		return 1, nil
	}
	if c.gate != nil {
		c.gate.leave()
		c.served.Store(false)
		defer c.enter(c.gate)
	}
	return c.Conn.Read(p)
}

// ReadFrom keeps sendfile and splice within net/http's reach.
func (c *rawConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite is net.TCPConn's.
func (c *rawConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite tells a connection's peer that nothing more comes.
func closeWrite(c net.Conn) error {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Close closes the connection and gives its slot back, once.
func (c *rawConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.released)
	return err
}

// httpConn is a connection on which HTTP is spoken. It hides *tls.Conn from
// net/http.
type httpConn struct {
	net.Conn
	tls     *tls.ConnectionState // nil: plain
	refused bool                 // plain, where that is not allowed
	device  bool                 // on the device port
}

func (c *httpConn) base() *httpConn { return c }

// CloseWrite lets net/http tell a client that its answer has ended while it is
// still sending.
func (c *httpConn) CloseWrite() error { return closeWrite(c.Conn) }

// plainConn is one without TLS, for which net/http can use sendfile.
type plainConn struct{ httpConn }

// ReadFrom is net.TCPConn's.
func (c *plainConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

type connKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	if h, ok := c.(interface{ base() *httpConn }); ok {
		return context.WithValue(ctx, connKey{}, h.base())
	}
	return ctx
}

func connOf(r *http.Request) *httpConn {
	c, _ := r.Context().Value(connKey{}).(*httpConn)
	return c
}

func onDevicePort(r *http.Request) bool {
	c := connOf(r)
	return c != nil && c.device
}
