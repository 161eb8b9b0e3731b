package registry

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIssuerIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	open := func() (*Issuer, bool, error) {
		i := &Issuer{Dir: dir, Seal: testBox(), Log: testLog(t), Now: time.Now}
		found, err := i.open()
		return i, found, err
	}
	first, found, err := open()
	if found || err != nil {
		t.Fatal(found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := first.Certificate(ctx); err == nil { // who asks waits
		t.Fatal("there is a certificate before it was made")
	}
	first.create()
	cert := must(first.Certificate(t.Context()))(t)
	if !cert.IsCA || !cert.MaxPathLenZero || !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || cert.NotAfter.Year() != 2049 {
		t.Errorf("got %+v", cert)
	}
	for _, name := range []string{issuerCertificate, issuerKey} {
		fi := must(os.Stat(filepath.Join(dir, name)))(t)
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, fi.Mode().Perm())
		}
	}
	if entries := must(os.ReadDir(dir))(t); len(entries) != 2 {
		t.Errorf("%d files", len(entries))
	}
	if text := must(os.ReadFile(filepath.Join(dir, issuerKey)))(t); strings.Contains(string(text), string(x509.MarshalPKCS1PrivateKey(first.key)[:32])) {
		t.Error("the key lies open")
	}
	second, found, err := open()
	if !found || err != nil || !second.cert.Equal(cert) {
		t.Fatal(found, err)
	}
	for name, damage := range map[string]func() error{
		"other key": func() error {
			return writeFile(filepath.Join(dir, issuerKey), testBox().Seal(issuerPurpose, x509.MarshalPKCS1PrivateKey(smallRSA(t))))
		},
		"other seal": func() error {
			return writeFile(filepath.Join(dir, issuerKey), testBox().Seal("else", x509.MarshalPKCS1PrivateKey(first.key)))
		},
		"no key":      func() error { return os.Remove(filepath.Join(dir, issuerKey)) },
		"certificate": func() error { return writeFile(filepath.Join(dir, issuerCertificate), []byte("hello")) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := open(); err == nil {
			t.Errorf("%s: opened", name)
		}
		if err := writeFile(filepath.Join(dir, issuerKey), testBox().Seal(issuerPurpose, x509.MarshalPKCS1PrivateKey(first.key))); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(filepath.Join(dir, issuerCertificate), certificatePEM(cert.Raw)); err != nil {
			t.Fatal(err)
		}
	}
	// A crash between the two files leaves a key that has signed nothing.
	if err := os.Remove(filepath.Join(dir, issuerCertificate)); err != nil {
		t.Fatal(err)
	}
	third, found, err := open()
	if found || err != nil {
		t.Fatal(found, err)
	}
	third.create()
	if c := must(third.Certificate(t.Context()))(t); c.Equal(cert) {
		t.Error("not a new issuer")
	}
	// Where no file can be made, requests learn that there is no issuer.
	fourth := &Issuer{Dir: filepath.Join(dir, issuerKey), Seal: testBox(), Log: testLog(t), Now: time.Now, ready: make(chan struct{})}
	fourth.create()
	if _, err := fourth.issue(t.Context(), &first.key.PublicKey); err == nil {
		t.Error("issued without an issuer")
	}
}
