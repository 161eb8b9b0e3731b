// Package server is the edge: it listens, speaks TLS, decides which service a
// request means, and shows health and metrics. It has the server's own root
// and certificates. What a request is about, who sent it and whether they may
// is for those it hands the request to.
package server

import (
	"context"
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
	API    = "api"
	Device = "device"
	Ops    = "ops"
	AWS    = "aws-names"
)

// Server is all HTTP listeners of the process. Fields are set before Listen.
type Server struct {
	APIAddress    string // AWS APIs: plain HTTP and TLS
	DeviceAddress string // client certificates
	OpsAddress    string // health, metrics; plain HTTP
	AWSAddress    string // both of the first two, ":443"; empty: not listened on

	InsecureHTTP bool // plain HTTP from other machines too
	PKI          *PKI
	Handler      http.Handler   // of the API, device and AWS addresses: a Router
	OpsHandler   http.Handler   // of the ops address: Ops.Handler
	MQTT         func(net.Conn) // owns *tls.Conn whose ALPN is MQTT; nil: they are closed
	MaxConns     int            // of each listener; 0: what the process's descriptors allow, 16,384 at most

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
		{API, s.APIAddress}, {Device, s.DeviceAddress}, {Ops, s.OpsAddress}, {AWS, s.AWSAddress},
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
	all := []*listener{
		{name: API, address: s.APIAddress, handler: s.Handler, tls: s.PKI.APITLS(), plain: plain},
		{name: Device, address: s.DeviceAddress, handler: s.Handler, tls: s.PKI.DeviceTLS(), plain: plainNever, mqtt: s.MQTT},
		{name: Ops, address: s.OpsAddress, handler: s.OpsHandler, plain: plainAlways},
	}
	if s.AWSAddress != "" {
		all = append(all, &listener{name: AWS, address: s.AWSAddress, handler: s.Handler, tls: s.PKI.DeviceTLS(), plain: plainNever, mqtt: s.MQTT})
	}
	for _, l := range all {
		l.log, l.metrics, l.maxConns = s.Log, m, s.MaxConns
		l.prepare(s.bound[l.name])
	}
	s.listeners, s.bound = all, nil
	return nil
}

// Addr is the bound address of a listener (API, Device, Ops, AWS), after
// Listen; nil if it is not listened on.
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
