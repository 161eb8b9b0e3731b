package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/config"
)

// served is the certificate that a client is shown.
func served(t *testing.T, p *PKI, rsa bool) *x509.Certificate {
	t.Helper()
	hello := &tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS12}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}
	if !rsa {
		hello = &tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256}}
	}
	c, err := p.getCertificate(hello)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestReload(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	box := testBox(t, dir)
	open := func(dir string) *PKI {
		p, err := OpenPKI(dir, box, []string{"localhost"}, time.Now, testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p, q := open(dir), open(other)
	reload := func() {
		t.Helper()
		if err := p.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	first := served(t, p, false)
	reload()
	if !served(t, p, false).Equal(first) || p.rsa.current.Load() != nil {
		t.Error("something changed that is not another")
	}

	// A server certificate that was removed is made anew, under the same root.
	rsa := served(t, p, true)
	if err := os.Remove(filepath.Join(dir, ecLeafFile)); err != nil {
		t.Fatal(err)
	}
	root := string(p.RootPEM())
	reload()
	second := served(t, p, false)
	if second.Equal(first) || string(p.RootPEM()) != root || !served(t, p, true).Equal(rsa) {
		t.Error("not exactly the removed certificate is another")
	}

	// Half of a new root changes nothing.
	copyFile(t, filepath.Join(other, rootKeyFile), filepath.Join(dir, rootKeyFile))
	if err := p.Reload(); err == nil {
		t.Error("a key without its certificate is taken")
	}
	if err := os.Remove(filepath.Join(dir, config.ServerRootFile)); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a root: %v", err)
	}
	if string(p.RootPEM()) != root || !served(t, p, false).Equal(second) {
		t.Error("half of a root was taken")
	}

	// A whole one gives both certificates anew.
	copyFile(t, filepath.Join(other, config.ServerRootFile), filepath.Join(dir, config.ServerRootFile))
	reload()
	for _, kind := range []bool{false, true} {
		if _, err := served(t, p, kind).Verify(x509.VerifyOptions{Roots: roots(q), DNSName: "localhost"}); err != nil {
			t.Errorf("RSA %v: %v", kind, err)
		}
	}
	if string(p.RootPEM()) != string(q.RootPEM()) {
		t.Error("the root is the old one")
	}

	// What cannot be read changes nothing.
	third := served(t, p, false)
	if err := os.WriteFile(filepath.Join(dir, ecLeafFile), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); err == nil || !served(t, p, false).Equal(third) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestWatch(t *testing.T) {
	dir, now := t.TempDir(), time.Now() // the bubbles' clocks begin in another year
	p, err := OpenPKI(dir, testBox(t, dir), []string{"localhost"}, func() time.Time { return now }, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, signalled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan os.Signal, 1)
			go p.Watch(ctx, asked)
			before := served(t, p, false)
			time.Sleep(10 * watchEvery)
			if !served(t, p, false).Equal(before) {
				t.Error("exchanged without a change")
			}
			if err := os.Remove(filepath.Join(dir, ecLeafFile)); err != nil {
				t.Fatal(err)
			}
			if signalled {
				asked <- os.Interrupt
				synctest.Wait()
			} else {
				time.Sleep(watchEvery + time.Millisecond)
				synctest.Wait()
			}
			if served(t, p, false).Equal(before) {
				t.Errorf("not exchanged (asked: %v)", signalled)
			}
			cancel()
		})
	}
}

// Connections that are there outlive the certificate they began with.
func TestReloadKeepsConnections(t *testing.T) {
	s := start(t, &Server{MQTTAddress: "127.0.0.1:0", MQTT: greet})
	c, err := tls.Dial("tcp", s.Addr(MQTT).String(), &tls.Config{RootCAs: roots(s.PKI), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := os.Remove(filepath.Join(s.PKI.dir, ecLeafFile)); err != nil {
		t.Fatal(err)
	}
	if err := s.PKI.Reload(); err != nil {
		t.Fatal(err)
	}
	converse(t, c)
	d, err := tls.Dial("tcp", s.Addr(MQTT).String(), &tls.Config{RootCAs: roots(s.PKI), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if c.ConnectionState().PeerCertificates[0].Equal(d.ConnectionState().PeerCertificates[0]) {
		t.Error("a new connection sees the old certificate")
	}
}
