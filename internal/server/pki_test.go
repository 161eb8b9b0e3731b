package server

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/config"
)

func TestRootIsForServersOnly(t *testing.T) {
	p := testPKI(t)
	r := p.root.Load().cert
	if !r.IsCA || !r.MaxPathLenZero || r.MaxPathLen != 0 {
		t.Errorf("CA %v, path length %d %v", r.IsCA, r.MaxPathLen, r.MaxPathLenZero)
	}
	if !slices.Equal(r.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("extended key usage %v", r.ExtKeyUsage)
	}
	if r.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("key usage %b", r.KeyUsage)
	}
	// A device certificate under this root would not verify anywhere.
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: r.NotBefore, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, r, key.Public(), p.root.Load().key)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := x509.ParseCertificate(der)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots(p), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("a client certificate verifies under the server root")
	}
}

func TestLeaf(t *testing.T) {
	p := testPKI(t, "things.example.com", "10.1.2.3")
	c, err := p.certificate(&p.ec)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "things.example.com", "10.1.2.3"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots(p), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.Leaf.VerifyHostname("other.example.com") == nil {
		t.Error("valid for a name that was not asked for")
	}
	if life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("lives %v, more than clients take", life)
	}
}

// reopen opens the PKI in dir again, as a restarted server does.
func reopen(t *testing.T, dir string, now func() time.Time, names ...string) *PKI {
	t.Helper()
	p, err := OpenPKI(dir, testBox(t, dir), names, now, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serial(t *testing.T, p *PKI) *big.Int {
	t.Helper()
	c, err := p.certificate(&p.ec)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber
}

func TestReissue(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	p := reopen(t, dir, clock, "localhost", "a.example.com")
	first, root := serial(t, p), p.RootPEM()

	p = reopen(t, dir, clock, "A.example.com", "localhost", "localhost")
	if serial(t, p).Cmp(first) != 0 {
		t.Error("the same names in another order: reissued")
	}
	p = reopen(t, dir, clock, "localhost", "b.example.com")
	second := serial(t, p)
	if second.Cmp(first) == 0 {
		t.Error("other names: not reissued")
	}
	now = now.Add(leafLife - leafRenew - time.Hour)
	if serial(t, p).Cmp(second) != 0 {
		t.Error("renewed too early")
	}
	now = now.Add(2 * time.Hour)
	third := serial(t, p)
	if third.Cmp(second) == 0 {
		t.Error("near its end: not renewed in the running server")
	}
	if p = reopen(t, dir, clock, "localhost", "b.example.com"); serial(t, p).Cmp(third) != 0 {
		t.Error("the renewed one was not kept")
	}
	if !bytes.Equal(p.RootPEM(), root) {
		t.Error("the root changed")
	}
	for name, mode := range map[string]fs.FileMode{rootKeyFile: 0o600, ecLeafFile: 0o600, config.ServerRootFile: 0o644} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != mode {
			t.Errorf("%s: mode %o, want %o", name, fi.Mode().Perm(), mode)
		}
	}
	// No private key lies there in the clear.
	for _, name := range []string{rootKeyFile, ecLeafFile} {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		der, _ := x509.MarshalPKCS8PrivateKey(p.root.Load().key)
		if bytes.Contains(b, []byte("PRIVATE KEY-----\nMH")) || bytes.Contains(b, der) {
			t.Errorf("%s is not sealed", name)
		}
	}
}

// When renewal fails the certificate in use goes on until it ends.
func TestRenewalFails(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	p := reopen(t, dir, func() time.Time { return now }, "localhost")
	first := serial(t, p)
	works := p.ec.newKey
	p.ec.newKey = func() (crypto.Signer, error) { return nil, errors.New("no entropy") }
	now = now.Add(leafLife - time.Hour)
	if serial(t, p).Cmp(first) != 0 {
		t.Error("another certificate")
	}
	now = now.Add(2 * time.Hour)
	if _, err := p.certificate(&p.ec); err == nil {
		t.Error("an expired certificate is served")
	}
	p.ec.newKey = works
	if serial(t, p).Cmp(first) == 0 {
		t.Error("not renewed when it could be")
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"root key missing", func(d string) error { return os.Remove(filepath.Join(d, rootKeyFile)) }, "server root: "},
		{"root key spoiled", func(d string) error { return os.WriteFile(filepath.Join(d, rootKeyFile), []byte("x"), 0o600) }, "server root: open "},
		{"root spoiled", func(d string) error { return os.WriteFile(filepath.Join(d, config.ServerRootFile), []byte("x"), 0o600) }, "no certificate in it"},
		{"leaf spoiled", func(d string) error { return os.WriteFile(filepath.Join(d, ecLeafFile), []byte("x"), 0o600) }, "no certificate in it"},
		{"another master key", func(d string) error { return os.Remove(filepath.Join(d, "master.key")) }, "server root: open "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			reopen(t, dir, time.Now, "localhost")
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := OpenPKI(dir, testBox(t, dir), []string{"localhost"}, time.Now, testLog(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Clients of TLS 1.2 with RSA suites alone get an RSA certificate, which is
// made once however many come at once.
func TestRSAClients(t *testing.T) {
	s := start(t, &Server{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	serials := map[string]bool{}
	for _, suite := range []uint16{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	} {
		wg.Go(func() {
			c, err := tls.Dial("tcp", s.Addr(Device).String(), &tls.Config{RootCAs: roots(s.PKI), MaxVersion: tls.VersionTLS12,
				CipherSuites: []uint16{suite}, ServerName: "localhost", Certificates: []tls.Certificate{deviceCert(t)}})
			if err != nil {
				t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
				return
			}
			defer func() { _ = c.Close() }()
			leaf := c.ConnectionState().PeerCertificates[0]
			if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
				t.Errorf("%s: %T", tls.CipherSuiteName(suite), leaf.PublicKey)
			}
			mu.Lock()
			serials[leaf.SerialNumber.String()] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(serials) != 1 {
		t.Errorf("%d RSA certificates, want 1", len(serials))
	}
	// Whoever can, gets ECDSA, under whatever name it calls us.
	for _, c := range []*tls.Config{{}, {MaxVersion: tls.VersionTLS12}, {ServerName: "unheard.of"}} {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", s.Addr(Device).String(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := conn.ConnectionState().PeerCertificates[0].PublicKey.(*ecdsa.PublicKey); !ok {
			t.Errorf("%T", conn.ConnectionState().PeerCertificates[0].PublicKey)
		}
		_ = conn.Close()
	}
}

func TestTLSVersions(t *testing.T) {
	s := start(t, &Server{})
	for _, name := range []string{API, Device} {
		_, err := tls.Dial("tcp", s.Addr(name).String(), &tls.Config{RootCAs: roots(s.PKI), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err == nil {
			t.Errorf("%s: TLS 1.1 works", name)
		}
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("%s: %v, want an alert", name, err)
		}
	}
}

func TestAWSNames(t *testing.T) {
	dir := t.TempDir()
	p, err := OpenPKI(dir, testBox(t, dir), CertificateNames(nil, "host1", true, "eu-west-1"), time.Now, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, &Server{PKI: p, AWSAddress: "127.0.0.1:0", Handler: testRouter()})
	for _, name := range []string{"a1b2c3-ats.iot.eu-west-1.amazonaws.com", "c0ffee.credentials.iot.eu-west-1.amazonaws.com",
		"kinesisvideo.eu-west-1.amazonaws.com", "s-12345678.kinesisvideo.eu-west-1.amazonaws.com", "iot.eu-west-1.amazonaws.com",
		"iam.amazonaws.com", "sts.amazonaws.com", "sts.eu-west-1.amazonaws.com", "www.amazontrust.com", "www.symantec.com", "host1"} {
		c, err := tls.Dial("tcp", s.Addr(AWS).String(), &tls.Config{RootCAs: roots(p), ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = c.Close()
	}
	device := clientOf(t, &tls.Config{RootCAs: roots(p), Certificates: []tls.Certificate{deviceCert(t)}})
	if status, body := get(t, device, s.url("https", AWS, "/role-aliases/A/credentials")); status != 200 || !strings.HasPrefix(body, "credentials ") {
		t.Errorf("credentials: %d %s", status, body)
	}
	if status, body := get(t, clientOf(t, &tls.Config{RootCAs: roots(p)}), s.url("https", AWS, "/things")); status != 403 || !strings.Contains(body, "Missing Authentication Token") {
		t.Errorf("API: %d %s", status, body)
	}

	lines := HostsLines("192.0.2.7", "eu-west-1", []string{"c0ffee.credentials.iot.eu-west-1.amazonaws.com:8443"})
	for _, want := range []string{"192.0.2.7 c0ffee.credentials.iot.eu-west-1.amazonaws.com\n", "192.0.2.7 iam.amazonaws.com\n"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	if strings.Contains(lines, "*") {
		t.Errorf("a hosts file knows no wildcards:\n%s", lines)
	}
}

func BenchmarkMutualHandshake(b *testing.B) {
	s := start(b, &Server{})
	c := &tls.Config{RootCAs: roots(s.PKI), Certificates: []tls.Certificate{deviceCert(b)}}
	for b.Loop() {
		conn, err := tls.Dial("tcp", s.Addr(Device).String(), c)
		if err != nil {
			b.Fatal(err)
		}
		_ = conn.Close()
	}
}
