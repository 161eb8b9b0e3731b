package engine

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// configs are the TLS configurations of a run: one for all devices that speak to the same host with the same roots. A
// device's certificate is not in it: it comes with the context of the handshake.
type configs struct {
	mu    sync.Mutex
	pools map[[32]byte]*x509.CertPool
	known map[configOf]*tls.Config
}

type configOf struct {
	host, alpn string
	roots      *x509.CertPool
}

const maxConfigs = 10_000

type pairKey struct{}

// withPair is a context by which handshakes of config present the certificate.
func withPair(ctx context.Context, pair *tls.Certificate) context.Context {
	if pair == nil {
		return ctx
	}
	return context.WithValue(ctx, pairKey{}, pair)
}

// of is the configuration for a host.
func (c *configs) of(host, alpn string, roots *x509.CertPool) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := configOf{host, alpn, roots}
	if known := c.known[key]; known != nil {
		return known
	}
	t := &tls.Config{
		RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true, // they would be kept for each device
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if pair, ok := r.Context().Value(pairKey{}).(*tls.Certificate); ok {
				return pair, nil
			}
			return &tls.Certificate{}, nil
		},
	}
	if alpn != "" {
		t.NextProtos = []string{alpn}
	}
	if c.known == nil || len(c.known) >= maxConfigs {
		c.known = map[configOf]*tls.Config{}
	}
	c.known[key] = t
	return t
}

// pool is the roots of a PEM text, one pool for all devices that have the same.
func (c *configs) pool(pem string) (*x509.CertPool, error) {
	sum := sha256.Sum256([]byte(pem))
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.pools[sum]; known != nil {
		return known, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("protocol.ca: there is no certificate in it (PEM)")
	}
	if c.pools == nil || len(c.pools) >= maxConfigs {
		c.pools = map[[32]byte]*x509.CertPool{}
	}
	c.pools[sum] = pool
	return pool, nil
}

// keyPair reads a device's certificate and key.
func keyPair(certificate, key string) (*tls.Certificate, error) {
	if strings.TrimSpace(certificate) == "" || strings.TrimSpace(key) == "" {
		return nil, errors.New("protocol: certificate and key are empty; stage init is to set what their templates read, or security is to be none")
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("protocol: certificate and key: %w", err)
	}
	pair.Leaf = nil // only the server looks at it
	return &pair, nil
}

// credentials are a device's certificate and key as texts, which it shares with its script. Read, they take kilobytes more and
// serve the handshake alone: then they are read again.
type credentials struct {
	certificate, key string
	pair             *tls.Certificate // as check read them, for the first handshake
}

// check reads them for the first time.
func (c *credentials) check() (err error) {
	c.pair, err = keyPair(c.certificate, c.key)
	return err
}

// take reads them for a handshake; nil of a device that needs none.
func (c *credentials) take() (*tls.Certificate, error) {
	if pair := c.pair; pair != nil || c.certificate == "" {
		c.pair = nil
		return pair, nil
	}
	return keyPair(c.certificate, c.key)
}

// hostPort takes an endpoint apart.
func hostPort(endpoint, port string) (host, address string, err error) {
	endpoint = strings.TrimSpace(endpoint)
	for _, scheme := range []string{"mqtts://", "mqtt://", "ssl://", "tls://", "tcp://", "https://"} {
		endpoint = strings.TrimPrefix(endpoint, scheme)
	}
	endpoint = strings.TrimSuffix(endpoint, "/")
	if endpoint == "" {
		return "", "", errors.New("protocol.endpoint is empty")
	}
	if h, p, splitErr := net.SplitHostPort(endpoint); splitErr == nil {
		return h, net.JoinHostPort(h, p), nil
	}
	host = strings.Trim(endpoint, "[]")
	if strings.ContainsAny(host, "/?#@ \t\r\n") {
		return "", "", fmt.Errorf("protocol.endpoint: %.100q is no host", endpoint)
	}
	return host, net.JoinHostPort(host, port), nil
}
