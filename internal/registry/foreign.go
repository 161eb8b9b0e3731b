package registry

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
)

// foreignAlgorithms are the signature algorithms of certificates that may be
// registered (AWS IoT Developer Guide, "X.509 client certificates").
var foreignAlgorithms = map[x509.SignatureAlgorithm]bool{
	x509.SHA256WithRSA: true, x509.SHA384WithRSA: true, x509.SHA512WithRSA: true,
	x509.SHA256WithRSAPSS: true, x509.SHA384WithRSAPSS: true, x509.SHA512WithRSAPSS: true,
	x509.ECDSAWithSHA256: true, x509.ECDSAWithSHA384: true, x509.ECDSAWithSHA512: true,
	x509.DSAWithSHA256: true,
}

// The sizes of RSA keys that devices can have. AWS says the least; crypto/tls
// takes no certificate with a larger one.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// keyFault says what is wrong with the key of a device or a CA, if anything.
func keyFault(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSABits || n > maxRSABits {
			return fmt.Sprintf("an RSA key must have %d to %d bits, and this one has %d", minRSABits, maxRSABits, n)
		}
		return ""
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return ""
		}
		return fmt.Sprintf("the curve of an ECC key must be P-256, P-384 or P-521, and this one is %s", k.Params().Name)
	}
	return "the key must be of type RSA or ECC"
}

// onePEM reads a PEM text of one block of one of some types. Text before the
// block is passed over, as openssl writes some.
func onePEM(text []byte, types ...string) (der []byte, fault string) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, "it is not in PEM format"
	}
	for _, typ := range types {
		if block.Type != typ {
			continue
		}
		if len(bytes.TrimSpace(rest)) > 0 {
			return nil, "there is something after the end of " + typ
		}
		return block.Bytes, ""
	}
	return nil, fmt.Sprintf("its PEM block is a %.40s, not a %s", block.Type, types[0])
}

// parseForeign reads the one certificate of a PEM text. Its errors are what
// AWS's API answers; what is how they call the certificate.
func parseForeign(what, text string) (*x509.Certificate, error) {
	der, fault := onePEM([]byte(text), "CERTIFICATE")
	if fault != "" {
		return nil, iot.ErrCertificateValidationException("Invalid %s: %s", what, fault)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, iot.ErrCertificateValidationException("Invalid %s: it could not be parsed as X.509", what)
	}
	if fault := foreignFault(cert); fault != "" {
		return nil, iot.ErrCertificateValidationException("Invalid %s: %s", what, fault)
	}
	return cert, nil
}

// foreignFault says what keeps a certificate from being registered, if
// anything.
func foreignFault(cert *x509.Certificate) string {
	if !foreignAlgorithms[cert.SignatureAlgorithm] {
		return fmt.Sprintf("the signature algorithm %s is not supported", cert.SignatureAlgorithm)
	}
	return keyFault(cert.PublicKey)
}
