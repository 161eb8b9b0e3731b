package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/seal"
)

// Lifetimes. A leaf stays under the 398 and 825 days that Apple's TLS accepts
// (support.apple.com/103769, 103214), and is replaced well before its end, so
// that a server which runs for years and one that was stored away both work.
const (
	rootLife   = 20 * 365 * 24 * time.Hour
	leafLife   = 390 * 24 * time.Hour
	leafRenew  = 90 * 24 * time.Hour // before its end
	renewRetry = time.Hour
	backdating = 24 * time.Hour // devices' clocks run late
)

// Files in the data directory. The root's certificate is public and its path
// is the commands' to know: config.ServerRootFile.
const (
	rootKeyFile = "server-root.key"
	ecLeafFile  = "server-ecdsa"
	rsaLeafFile = "server-rsa"
)

// PKI is the server root and the server certificate under it. The root signs
// this server's certificates and nothing else: it is an issuer of server
// certificates only, and of no further issuers. Device certificates come from
// another issuer (DESIGN, "Keys and certificates"). Safe for concurrent use.
type PKI struct {
	dir   string
	box   *seal.Box
	names []string // sorted
	now   func() time.Time
	log   *slog.Logger

	root    atomic.Pointer[root]
	ec, rsa leaf

	reloading sync.Mutex // one Reload at a time
}

// root is the server root. Immutable.
type root struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// leaf is one server certificate and its renewal.
type leaf struct {
	file    string
	newKey  func() (crypto.Signer, error)
	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex // held while current is loaded or issued
	retry   time.Time  // no new attempt before; guarded by mu
}

// OpenPKI loads the server root from dir or makes it, and sees to it that there
// is a server certificate for exactly names (host names and IP addresses).
// What it makes it writes to dir, keys sealed by box.
func OpenPKI(dir string, box *seal.Box, names []string, now func() time.Time, log *slog.Logger) (*PKI, error) {
	p := &PKI{dir: dir, box: box, names: normalNames(names), now: now, log: log}
	p.ec = leaf{file: ecLeafFile, newKey: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }}
	p.rsa = leaf{file: rsaLeafFile, newKey: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }}
	r, err := p.openRoot()
	if err != nil {
		return nil, fmt.Errorf("server root: %w", err)
	}
	p.root.Store(r)
	if _, err := p.certificate(&p.ec); err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	return p, nil
}

// RootPEM is the root's certificate, which clients are to trust. The caller does
// not change it.
func (p *PKI) RootPEM() []byte { return p.root.Load().pem }

// openRoot loads the root, or makes it. The key is written before the
// certificate: a certificate without its key would be served and useless.
func (p *PKI) openRoot() (*root, error) {
	certPath, keyPath := p.rootFiles()
	r, err := p.loadRoot()
	if errors.Is(err, fs.ErrNotExist) && !exists(certPath) {
		return p.makeRoot(certPath, keyPath)
	}
	return r, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (p *PKI) rootFiles() (certPath, keyPath string) {
	return filepath.Join(p.dir, config.ServerRootFile), filepath.Join(p.dir, rootKeyFile)
}

// loadRoot reads the root; fs.ErrNotExist without one of its files.
func (p *PKI) loadRoot() (*root, error) {
	certPath, keyPath := p.rootFiles()
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, err
	}
	der, err := p.box.Open(rootKeyFile, sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", keyPath, err)
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", keyPath, err)
	}
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, fmt.Errorf("read %s: no certificate in it", certPath)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", certPath, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s is not the key of %s", keyPath, certPath)
	}
	return &root{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})}, nil
}

func (p *PKI) makeRoot(certPath, keyPath string) (*root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := p.now().UTC().Truncate(time.Second)
	t := &x509.Certificate{
		SerialNumber: serial,
		// Two servers' roots in one trust store need two names.
		Subject:               pkix.Name{Organization: []string{"thingd"}, CommonName: fmt.Sprintf("thingd server root %x", serial.Bytes()[:4])},
		NotBefore:             now.Add(-backdating),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	r := &root{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := config.WriteFile(keyPath, p.box.Seal(rootKeyFile, keyDER), 0o600); err != nil {
		return nil, err
	}
	if err := config.WriteFile(certPath, r.pem, 0o644); err != nil {
		return nil, err
	}
	return r, nil
}

// certificate answers the leaf that is good now: the one in memory, on disk,
// or a new one. While one is being replaced, or cannot be, it goes on serving
// as long as it is valid.
func (p *PKI) certificate(l *leaf) (*tls.Certificate, error) {
	current := l.current.Load()
	if current != nil && p.good(current) {
		return current, nil
	}
	if current != nil && p.now().Before(current.Leaf.NotAfter) {
		if !l.mu.TryLock() {
			return current, nil
		}
	} else {
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	if current = l.current.Load(); current != nil && p.good(current) {
		return current, nil
	}
	if current == nil {
		c, err := p.loadLeaf(l)
		if err != nil {
			return nil, err
		}
		if c != nil && p.good(c) && p.ours(c.Leaf) {
			l.current.Store(c)
			return c, nil
		}
	}
	if current != nil && p.now().Before(l.retry) && p.now().Before(current.Leaf.NotAfter) {
		return current, nil
	}
	c, err := p.issue(l)
	if err != nil && current != nil && p.now().Before(current.Leaf.NotAfter) {
		l.retry = p.now().Add(renewRetry)
		p.log.Error("server certificate not renewed", "kind", l.file, "expires", current.Leaf.NotAfter, "error", err)
		return current, nil
	}
	if err != nil {
		return nil, err
	}
	l.current.Store(c)
	return c, nil
}

// good says whether a leaf is not near its end.
func (p *PKI) good(c *tls.Certificate) bool {
	now := p.now()
	return !now.Before(c.Leaf.NotBefore) && now.Before(c.Leaf.NotAfter.Add(-leafRenew))
}

// ours says whether a leaf is of this root and for exactly these names.
func (p *PKI) ours(c *x509.Certificate) bool {
	have := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		have = append(have, ip.String())
	}
	return slices.Equal(normalNames(have), p.names) && c.CheckSignatureFrom(p.root.Load().cert) == nil
}

// loadLeaf reads the leaf's file: the certificate as PEM, then the sealed key.
// nil if there is none.
func (p *PKI) loadLeaf(l *leaf) (*tls.Certificate, error) {
	path := filepath.Join(p.dir, l.file)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, rest := pem.Decode(b)
	if cert == nil {
		return nil, fmt.Errorf("read %s: no certificate in it", path)
	}
	key, _ := pem.Decode(rest)
	if key == nil {
		return nil, fmt.Errorf("read %s: no key in it", path)
	}
	der, err := p.box.Open(l.file, key.Bytes)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read %s: not a signing key", path)
	}
	leafCert, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return serverCertificate(leafCert, signer), nil
}

// issue makes a leaf with a new key and writes both in one file.
func (p *PKI) issue(l *leaf) (*tls.Certificate, error) {
	key, err := l.newKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := p.now().UTC().Truncate(time.Second)
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"thingd"}, CommonName: "thingd server"},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	r := p.root.Load()
	if t.NotBefore.Before(r.cert.NotBefore) {
		t.NotBefore = r.cert.NotBefore
	}
	if t.NotAfter.After(r.cert.NotAfter) {
		t.NotAfter = r.cert.NotAfter
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment // suites without Diffie-Hellman
	}
	for _, n := range p.names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, r.cert, key.Public(), r.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	file = append(file, pem.EncodeToMemory(&pem.Block{Type: "SEALED PRIVATE KEY", Bytes: p.box.Seal(l.file, keyDER)})...)
	if err := config.WriteFile(filepath.Join(p.dir, l.file), file, 0o600); err != nil {
		return nil, err
	}
	p.log.Info("server certificate issued", "kind", l.file, "names", p.names, "expires", cert.NotAfter)
	return serverCertificate(cert, key), nil
}

// serverCertificate is what the server sends: the leaf alone, since clients
// have the root.
func serverCertificate(cert *x509.Certificate, key crypto.Signer) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// newSerial is a random positive serial number of 127 bits (RFC 5280, 4.1.2.2).
func newSerial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b), nil
}
