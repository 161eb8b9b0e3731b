// Package kit makes the zip that a new device is set up with: its certificate
// and private key in the forms that device software takes them in, the root
// that it is to trust, and a README whose lines have every value filled in. It
// takes values and gives bytes: making the key, registering the certificate and
// knowing the endpoints are the registry's.
package kit

import (
	"archive/zip"
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Device is what goes into a kit.
type Device struct {
	Account, Region string
	Thing           string // its name, and the MQTT client id
	Policies        []string
	RoleAlias       string // empty: the kit has no lines for the credentials provider
	Stream          string // of Kinesis Video

	Certificate    *x509.Certificate
	CertificateARN string
	Key            *rsa.PrivateKey
	Root           *x509.Certificate // that the server's certificates are signed by
	Endpoints      Endpoints

	Password string // of the PKCS #12 file and of the Java key store; printable ASCII
	Now      time.Time
}

// Endpoints are where the device finds its server.
type Endpoints struct {
	Host        string // of MQTT and of HTTPS with a client certificate
	HTTPS       string // host:port
	MQTTPort    int
	MQTT        bool   // there is a listener
	Credentials string // host, or host:port where it is not 443
	API         string // base URL of the AWS APIs; empty where AWS's own names lead there
}

// Alias is the name of the device's entry in the Java key store: what the
// instructions of Eclipse Kura call the storage alias.
const Alias = "aws-ssl"

// RootFile is the name of the root, as AWS's instructions have it.
const RootFile = "AmazonRootCA1.pem"

// Files are the names of a kit's files. AWS's console names the first three
// the same: by the first ten digits of the certificate's id.
type Files struct {
	Certificate, PrivateKey, PublicKey string // PEM; the private key as PKCS #1
	PKCS8, PKCS12, JKS                 string
	Root, Readme                       string
}

func (d *Device) files() Files {
	id := d.CertificateID()[:10]
	return Files{
		Certificate: id + "-certificate.pem.crt", PrivateKey: id + "-private.pem.key", PublicKey: id + "-public.pem.key",
		PKCS8: id + "-private.pkcs8.key", PKCS12: id + ".p12", JKS: id + ".jks", Root: RootFile, Readme: "README.md",
	}
}

// CertificateID is the hexadecimal SHA-256 of the certificate.
func (d *Device) CertificateID() string {
	sum := sha256.Sum256(d.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// FileName is what to call the zip.
func (d *Device) FileName() string {
	return strings.ReplaceAll(d.Thing, ":", "_") + "-" + d.CertificateID()[:10] + "-kit.zip"
}

// Zip makes the kit. Its files are for their owner alone (0600).
func (d *Device) Zip() ([]byte, error) {
	public, err := x509.MarshalPKIXPublicKey(&d.Key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(d.Key)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	p12, err := d.pkcs12()
	if err != nil {
		return nil, fmt.Errorf("PKCS #12 file: %w", err)
	}
	jks, err := d.jks(private)
	if err != nil {
		return nil, fmt.Errorf("key store of Java: %w", err)
	}
	readme, err := d.readme()
	if err != nil {
		return nil, fmt.Errorf("README: %w", err)
	}
	names := d.files()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{names.Readme, readme},
		{names.Certificate, pemOf("CERTIFICATE", d.Certificate.Raw)},
		{names.PrivateKey, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(d.Key))},
		{names.PublicKey, pemOf("PUBLIC KEY", public)},
		{names.PKCS8, pemOf("PRIVATE KEY", private)},
		{names.PKCS12, p12},
		{names.JKS, jks},
		{names.Root, pemOf("CERTIFICATE", d.Root.Raw)},
	} {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: d.Now}
		h.SetMode(fs.FileMode(0o600))
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(f.content)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
