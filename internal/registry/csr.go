package registry

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
)

// CreateCertificateFromCsr issues a certificate for the key of a certificate
// signing request, a new one each time. Of the request only the key is taken
// over, which its signature proves to be the sender's: neither subject nor
// extensions. A subject that the caller chose would be believed by policies
// (iot:Certificate.Subject.…), and could be a registration code, which makes a
// certificate the proof that its issuer's key is in the caller's hands.
func (s *Service) CreateCertificateFromCsr(ctx context.Context, in *iot.CreateCertificateFromCsrRequest) (*iot.CreateCertificateFromCsrResponse, error) {
	at := placeOf(ctx)
	key, err := parseCSR(in.CertificateSigningRequest)
	if err != nil {
		return nil, err
	}
	cert, err := s.Issuer.issue(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("create certificate from CSR: %w", err)
	}
	id, err := s.register(ctx, at, cert, issuedStatus(in.SetAsActive), iot.CertificateModeDefault)
	if err != nil {
		return nil, fmt.Errorf("create certificate from CSR: %w", err)
	}
	return &iot.CreateCertificateFromCsrResponse{
		CertificateArn: new(at.certificate(id)), CertificateId: &id, CertificatePem: new(string(certificatePEM(cert.Raw))),
	}, nil
}

// parseCSR reads the key of a signing request (PKCS #10, RFC 2986) in PEM
// format that is signed with it. Its errors are what AWS's API answers.
func parseCSR(text string) (crypto.PublicKey, error) {
	refuse := func(fault string) error {
		return iot.ErrInvalidRequestException("Invalid certificate signing request: %s", fault)
	}
	// keytool and older tools say NEW.
	der, fault := onePEM([]byte(text), "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if fault != "" {
		return nil, refuse(fault)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, refuse("it could not be parsed as PKCS #10")
	}
	if fault := keyFault(csr.PublicKey); fault != "" {
		return nil, refuse(fault)
	}
	if !foreignAlgorithms[csr.SignatureAlgorithm] {
		return nil, refuse(fmt.Sprintf("the signature algorithm %s is not supported", csr.SignatureAlgorithm))
	}
	if csr.CheckSignature() != nil {
		return nil, refuse("it is not signed with the key that it is for")
	}
	return csr.PublicKey, nil
}
