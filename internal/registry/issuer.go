package registry

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/thingd/thingd/internal/seal"
)

// Issuer signs the device certificates of one server, for all of its accounts.
// It is another root than the servers' own: it is for client authentication
// only, so that nothing it signs can pass for a server. Set the fields; the
// Service that has it opens it.
type Issuer struct {
	Dir  string // where the certificate and the sealed key are kept
	Seal *seal.Box
	Log  *slog.Logger
	Now  func() time.Time

	ready chan struct{} // closed when the rest is set
	cert  *x509.Certificate
	key   *rsa.PrivateKey
	err   error
}

const (
	issuerCertificate = "device-ca.pem"
	issuerKey         = "device-ca.key"
	issuerPurpose     = "device issuer"
)

// issuerName is what AWS's certificates have for an issuer: all of it is the
// value of one attribute.
var issuerName = pkix.Name{OrganizationalUnit: []string{"Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US"}}

// notAfter is the end of every certificate that AWS IoT issues.
var notAfter = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)

// open reads the issuer, and says whether there is one. Without one, create
// has to follow.
func (i *Issuer) open() (found bool, err error) {
	i.ready = make(chan struct{})
	text, err := os.ReadFile(filepath.Join(i.Dir, issuerCertificate))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // a key without a certificate has signed nothing yet
	}
	if err != nil {
		return false, fmt.Errorf("read device issuer: %w", err)
	}
	sealed, err := os.ReadFile(filepath.Join(i.Dir, issuerKey))
	if err != nil {
		return false, fmt.Errorf("read key of device issuer: %w", err)
	}
	if err := i.parse(text, sealed); err != nil {
		return false, fmt.Errorf("device issuer %s: %w", filepath.Join(i.Dir, issuerCertificate), err)
	}
	close(i.ready)
	return true, nil
}

func (i *Issuer) parse(text, sealed []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("not a PEM file")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	der, err := i.Seal.Open(issuerPurpose, sealed)
	if err != nil {
		return fmt.Errorf("its key: %w", err)
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return fmt.Errorf("its key: %w", err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return errors.New("its key is another certificate's")
	}
	i.cert, i.key = cert, key
	return nil
}

// create makes an issuer and writes it down. A failure is logged, and is what
// everybody who waits for the issuer gets.
func (i *Issuer) create() {
	defer close(i.ready)
	begin := time.Now()
	if i.err = i.make(); i.err != nil {
		i.err = fmt.Errorf("make device issuer: %w", i.err)
		i.Log.Error("no device certificates can be issued", "err", i.err)
		return
	}
	i.Log.Debug("device issuer made", "dir", i.Dir, "took", time.Since(begin))
}

func (i *Issuer) make() error {
	key, err := rsa.GenerateKey(rand.Reader, deviceKeyBits)
	if err != nil {
		return err
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               issuerName,
		SubjectKeyId:          id,
		NotBefore:             i.Now().Add(-time.Hour).UTC(),
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(i.Dir, 0o700); err != nil {
		return err
	}
	// The key first: only with its certificate is it an issuer.
	if err := writeFile(filepath.Join(i.Dir, issuerKey), i.Seal.Seal(issuerPurpose, x509.MarshalPKCS1PrivateKey(key))); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(i.Dir, issuerCertificate), certificatePEM(der)); err != nil {
		return err
	}
	i.cert, i.key = cert, key
	return nil
}

// Certificate returns the issuer's own certificate, as soon as there is one.
func (i *Issuer) Certificate(ctx context.Context) (*x509.Certificate, error) {
	select {
	case <-i.ready:
		return i.cert, i.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// issue signs a device certificate as AWS IoT does (certificates.md §1). It
// waits for the issuer to be made. Nothing but the key is the caller's choice.
func (i *Issuer) issue(ctx context.Context, key crypto.PublicKey) (*x509.Certificate, error) {
	if _, err := i.Certificate(ctx); err != nil {
		return nil, err
	}
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "AWS IoT Certificate"},
		SubjectKeyId:          id,
		NotBefore:             i.Now().Add(-2 * time.Minute).UTC(),
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, key, i.key)
	if err != nil {
		return nil, fmt.Errorf("sign device certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// keyID is a subject key identifier (after RFC 7093 §2, method 4).
func keyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

// newSerial is a random positive number of at most 20 bytes (RFC 5280
// §4.1.2.2).
func newSerial() *big.Int {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// writeFile makes a file (0600) appear whole and on disk, in place of an older
// one.
func writeFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
