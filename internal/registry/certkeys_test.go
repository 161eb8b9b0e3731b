package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"testing"
)

func TestCertificateKeys(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	text := selfSigned(t, key, func(c *x509.Certificate) {
		c.Subject = pkix.Name{
			Country: []string{"DE"}, Organization: []string{"Acme, Inc."}, OrganizationalUnit: []string{"a", "b"},
			Province: []string{"BY"}, CommonName: "cam1", SerialNumber: "sn-1",
		}
		c.DNSNames = []string{"cam1.test", "cam1b.test"}
		c.EmailAddresses = []string{"a@b.test"}
		c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1), net.ParseIP("2001:db8::1")}
		c.URIs = []*url.URL{{Scheme: "urn", Opaque: "x"}}
	})
	cert := must(parseStored([]byte(text)))(t)
	keys := certificateKeys("the id", cert)
	for name, want := range map[string]string{
		"iot:CertificateId":                                                 "[the id]",
		"iot:Certificate.SerialNumber":                                      "[" + cert.SerialNumber.String() + "]",
		"iot:Certificate.Subject.Country":                                   "[DE]",
		"iot:Certificate.Subject.Organization":                              `[Acme\, Inc.]`,
		"iot:Certificate.Subject.OrganizationalUnit":                        "[a]",
		"iot:Certificate.Subject.OrganizationalUnit.1":                      "[b]",
		"iot:Certificate.Subject.State":                                     "[BY]",
		"iot:Certificate.Subject.CommonName":                                "[cam1]",
		"iot:Certificate.Subject.SerialNumber":                              "[sn-1]",
		"iot:Certificate.Issuer.CommonName":                                 "[cam1]",
		"iot:Certificate.Subject.AlternativeName.DNSName.List":              "[cam1.test cam1b.test]",
		"iot:Certificate.Subject.AlternativeName.RFC822Name":                "[a@b.test]",
		"iot:Certificate.Subject.AlternativeName.IPAddress":                 "[10.0.0.1]",
		"iot:Certificate.Subject.AlternativeName.IPAddress.1":               "[2001:db8::1]",
		"iot:Certificate.Subject.AlternativeName.UniformResourceIdentifier": "[urn:x]",
	} {
		k, ok := keys.Lookup(name)
		if got := fmt.Sprint(k.Values()); !ok || got != want {
			t.Errorf("%s: got %s %t, want %s", name, got, ok, want)
		}
	}
	if _, ok := keys.Lookup("iot:Certificate.Issuer.AlternativeName.DNSName"); ok {
		t.Error("the subject's names are the issuer's")
	}
}
