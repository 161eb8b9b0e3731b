package registry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/thingd/thingd/internal/db/dbtest"
)

// request makes a signing request with a subject and extensions that are worth
// having.
func request(t testing.TB, key crypto.Signer, algorithm x509.SignatureAlgorithm) string {
	t.Helper()
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:            pkix.Name{CommonName: "thingd.test", Organization: []string{"Acme"}},
		DNSNames:           []string{"thingd.test"},
		SignatureAlgorithm: algorithm,
		ExtraExtensions:    []pkix.Extension{{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}, // CA:TRUE
	}, key))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func curveKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(c, rand.Reader))(t)
}

func TestCreateCertificateFromCsr(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		roots := x509.NewCertPool()
		roots.AddCert(must(w.Issuer.Certificate(ctx))(t))
		for name, key := range map[string]crypto.Signer{
			"RSA 2048": must(rsa.GenerateKey(rand.Reader, 2048))(t),
			"P-256":    curveKey(t, elliptic.P256()), "P-384": curveKey(t, elliptic.P384()), "P-521": curveKey(t, elliptic.P521()),
		} {
			csr := request(t, key, 0)
			out := must(w.Client.CreateCertificateFromCsr(ctx, &sdk.CreateCertificateFromCsrInput{CertificateSigningRequest: &csr}))(t)
			cert := must(parseStored([]byte(*out.CertificatePem)))(t)
			if *out.CertificateId != CertificateID(cert.Raw) || !strings.HasSuffix(*out.CertificateArn, ":cert/"+*out.CertificateId) {
				t.Errorf("%s: got %s %s", name, *out.CertificateId, *out.CertificateArn)
			}
			if cert.Subject.String() != "CN=AWS IoT Certificate" || cert.IsCA || len(cert.DNSNames) > 0 || len(cert.Extensions) != 4 || cert.NotAfter != notAfter {
				t.Errorf("%s: something of the request is in the certificate: %+v", name, cert)
			}
			if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(cert.PublicKey) {
				t.Errorf("%s: it has another key", name)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
				t.Errorf("%s: it is good for servers", name)
			}
			d := must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: out.CertificateId}))(t).CertificateDescription
			if d.Status != "INACTIVE" || d.CertificateMode != "DEFAULT" || *d.CertificatePem != *out.CertificatePem {
				t.Errorf("%s: got %+v", name, d)
			}
			// Once more gives another certificate; keytool says NEW.
			csr = "some text\n" + strings.ReplaceAll(csr, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST") + "\n"
			again := must(w.Client.CreateCertificateFromCsr(ctx, &sdk.CreateCertificateFromCsrInput{CertificateSigningRequest: &csr, SetAsActive: true}))(t)
			if *again.CertificateId == *out.CertificateId {
				t.Errorf("%s: the same certificate again", name)
			}
			d = must(w.Client.DescribeCertificate(ctx, &sdk.DescribeCertificateInput{CertificateId: again.CertificateId}))(t).CertificateDescription
			if d.Status != "ACTIVE" {
				t.Errorf("%s: status %s", name, d.Status)
			}
		}
	})
}

func TestBadCsr(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	good := request(t, curveKey(t, elliptic.P256()), 0)
	block, _ := pem.Decode([]byte(good))
	forged := append([]byte{}, block.Bytes...)
	forged[len(forged)-1] ^= 1
	armour := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	}
	for name, c := range map[string]struct{ csr, text string }{
		"no PEM":        {"hello", "it is not in PEM format"},
		"a certificate": {strings.ReplaceAll(good, "CERTIFICATE REQUEST", "CERTIFICATE"), "its PEM block is a CERTIFICATE, not a CERTIFICATE REQUEST"},
		"a key":         {strings.ReplaceAll(good, "CERTIFICATE REQUEST", "PRIVATE KEY"), "its PEM block is a PRIVATE KEY"},
		"two":           {good + good, "there is something after the end of CERTIFICATE REQUEST"},
		"no DER":        {armour([]byte("hello")), "it could not be parsed as PKCS #10"},
		"longer DER":    {armour(append(block.Bytes, 0)), "it could not be parsed as PKCS #10"},
		"forged":        {armour(forged), "it is not signed with the key that it is for"},
		"small RSA":     {request(t, smallRSA(t), 0), "an RSA key must have 2048 to 8192 bits, and this one has 1024"},
		"curve P-224":   {request(t, curveKey(t, elliptic.P224()), 0), "the curve of an ECC key must be P-256, P-384 or P-521, and this one is P-224"},
		"Ed25519":       {request(t, ed, 0), "the key must be of type RSA or ECC"},
		"too long":      {good + strings.Repeat(" ", 4097), "certificateSigningRequest"},
	} {
		_, err := w.Client.CreateCertificateFromCsr(t.Context(), &sdk.CreateCertificateFromCsrInput{CertificateSigningRequest: &c.csr})
		t.Log(name)
		refused(t, err, "InvalidRequestException", 400, c.text)
	}
	list := must(w.Client.ListCertificates(t.Context(), &sdk.ListCertificatesInput{}))(t)
	if len(list.Certificates) != 0 {
		t.Errorf("%d certificates", len(list.Certificates))
	}
}
