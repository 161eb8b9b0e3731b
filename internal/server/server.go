// Package server is the edge: it listens, speaks TLS, decides which service a
// request means, and shows health and metrics. It has the server's own root
// and certificates. What a request is about, who sent it and whether they may
// is for those it hands the request to.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Names of the listeners, which are those of the options.
const (
	API       = "api"
	Device    = "device"
	MQTT      = "mqtt"
	PlainMQTT = "plain-mqtt"
	Ops       = "ops"
	AWS       = "aws-names"
)

// Server is all listeners of the process. Fields are set before Listen.
type Server struct {
	APIAddress       string // AWS APIs: plain HTTP and TLS
	DeviceAddress    string // client certificates
	MQTTAddress      string // MQTT over TLS; empty: not listened on
	PlainMQTTAddress string // MQTT without TLS; empty: not listened on
	OpsAddress       string // health, metrics; plain HTTP
	AWSAddress       string // API and device in one, ":443"; empty: not listened on

	InsecureHTTP bool // plain HTTP from other machines too
	PKI          *PKI
	Handler      http.Handler // of the API, device and AWS addresses: a Router
	OpsHandler   http.Handler // of the ops address: Ops.Handler

	// MQTT serves a connection on which MQTT is to be spoken: a *tls.Conn whose
	// handshake is done, with its state, or without TLS one of the plain
	// address. It owns the connection, in a goroutine of its own. nil: they are
	// closed.
	MQTT func(net.Conn, *tls.ConnectionState)
	// Raw makes of an accepted connection that may come to speak MQTT what its
	// TLS, if any, is to read from and write to; nil leaves it. NetConn of a
	// connection's NetConn is that again.
	Raw func(*net.TCPConn) net.Conn

	MaxConns int // of each listener; 0: what the process's descriptors allow, for HTTP 16,384 at most

	OnShutdown func()        // called when shutdown begins: ends endless requests; nil: none
	Grace      time.Duration // what running requests get at shutdown; 0: 10 s
	Registerer prometheus.Registerer
	Log        *slog.Logger

	bound     map[string]net.Listener // by Bind, until Listen takes them over
	listeners []*listener
}

// Bind binds all addresses, or none, and nothing else: a port that is taken
// shows before anything is made. Its errors are for the user: they name the
// option and the address.
func (s *Server) Bind() error {
	s.bound = map[string]net.Listener{}
	for _, a := range []struct{ name, address string }{
		{API, s.APIAddress}, {Device, s.DeviceAddress}, {MQTT, s.MQTTAddress}, {PlainMQTT, s.PlainMQTTAddress}, {Ops, s.OpsAddress}, {AWS, s.AWSAddress},
	} {
		if a.address == "" {
			continue
		}
		ln, err := bind(a.name, a.address)
		if err != nil {
			s.unbind()
			return err
		}
		s.bound[a.name] = ln
	}
	return nil
}

func (s *Server) unbind() {
	for _, ln := range s.bound {
		_ = ln.Close()
	}
	s.bound = nil
}

// Listen makes the bound addresses ready for Serve, and binds them first if
// that is not done.
func (s *Server) Listen() error {
	if s.bound == nil {
		if err := s.Bind(); err != nil {
			return err
		}
	}
	m, err := newMetrics(s.Registerer)
	if err != nil {
		return fmt.Errorf("server metrics: %w", err)
	}
	plain := plainLoopback
	if s.InsecureHTTP {
		plain = plainAlways
	}
	gate := newGate()
	var all []*listener
	for _, l := range []*listener{
		{name: API, address: s.APIAddress, handler: s.Handler, tls: s.PKI.APITLS(), plain: plain},
		{name: Device, address: s.DeviceAddress, handler: s.Handler, tls: s.PKI.DeviceTLS(), plain: plainNever, mqtt: s.MQTT},
		{name: MQTT, address: s.MQTTAddress, tls: s.PKI.MQTTTLS(), only: true, mqtt: s.MQTT},
		{name: PlainMQTT, address: s.PlainMQTTAddress, only: true, mqtt: s.MQTT},
		{name: Ops, address: s.OpsAddress, handler: s.OpsHandler, plain: plainAlways},
		{name: AWS, address: s.AWSAddress, handler: s.Handler, tls: s.PKI.DeviceTLS(), plain: plainNever, mqtt: s.MQTT},
	} {
		if l.address == "" {
			continue
		}
		l.log, l.metrics, l.maxConns, l.gate = s.Log, m, s.MaxConns, gate
		if l.mqtt != nil {
			l.raw = s.Raw
		}
		l.prepare(s.bound[l.name])
		all = append(all, l)
	}
	s.listeners, s.bound = all, nil
	return nil
}

// Addr is the bound address of a listener, by its name, after Listen; nil if
// it is not listened on.
func (s *Server) Addr(name string) net.Addr {
	for _, l := range s.listeners {
		if l.name == name {
			return l.ln.Addr()
		}
	}
	return nil
}

// Serve answers requests until ctx ends, then stops taking new ones, gives the
// running ones Grace, and returns when all are done. The ops address stops
// last. It returns an error only if a listener fails by itself.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() {
			err := l.serve()
			if err != nil {
				err = fmt.Errorf("--%s: %w", l.name, err)
				cancel()
			}
			failed <- err
		}()
	}
	<-ctx.Done()
	grace := s.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	stop, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancelStop()
	done := make(chan struct{})
	n := 0
	for _, l := range s.listeners {
		if l.name != Ops {
			n++
			go func() { l.shutdown(stop); done <- struct{}{} }()
		}
	}
	if s.OnShutdown != nil {
		s.OnShutdown()
	}
	for range n {
		<-done
	}
	for _, l := range s.listeners {
		if l.name == Ops {
			l.shutdown(stop)
		}
	}
	var errs []error
	for range s.listeners {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// Close unbinds the addresses if Serve is not going to be called.
func (s *Server) Close() {
	s.unbind()
	for _, l := range s.listeners {
		l.stop()
	}
}
