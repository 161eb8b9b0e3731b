package registry

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// CreateKeysAndCertificate makes an RSA key and a certificate for it. The
// private key is in the answer and nowhere else.
func (s *Service) CreateKeysAndCertificate(ctx context.Context, in *iot.CreateKeysAndCertificateRequest) (*iot.CreateKeysAndCertificateResponse, error) {
	at := placeOf(ctx)
	k, err := s.keys.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("create keys and certificate: %w", err)
	}
	cert, err := s.Issuer.issue(ctx, &k.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("create keys and certificate: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("create keys and certificate: %w", err)
	}
	id, err := s.register(ctx, at, cert, issuedStatus(in.SetAsActive), iot.CertificateModeDefault)
	if err != nil {
		return nil, fmt.Errorf("create keys and certificate: %w", err)
	}
	return &iot.CreateKeysAndCertificateResponse{
		CertificateArn: new(at.certificate(id)), CertificateId: &id, CertificatePem: new(string(certificatePEM(cert.Raw))),
		KeyPair: &iot.KeyPair{
			PublicKey:  new(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))),
			PrivateKey: new(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))),
		},
	}, nil
}

// CertificateID is the id of a certificate: the hexadecimal SHA-256 of its DER
// form.
func CertificateID(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// issuedStatus is the status of a new certificate.
func issuedStatus(setAsActive *bool) string {
	if isTrue(setAsActive) {
		return iot.CertificateStatusActive
	}
	return iot.CertificateStatusInactive
}

// register stores a certificate that the account does not have yet and that is
// of none of its CAs.
func (s *Service) register(ctx context.Context, at place, cert *x509.Certificate, status, mode string) (id string, err error) {
	id = CertificateID(cert.Raw)
	err = s.write(ctx, func(tx *db.Tx) error {
		return s.insertCertificate(ctx, tx, at, cert, status, mode, nil)
	}, certificateKey(id))
	return id, err
}

// insertCertificate stores a certificate that the account does not have yet,
// with the id of the CA of the account that signed it.
func (s *Service) insertCertificate(ctx context.Context, tx *db.Tx, at place, cert *x509.Certificate, status, mode string, ca *string) error {
	id := CertificateID(cert.Raw)
	n, err := tx.Exec(ctx, `INSERT INTO iot_certificates (account, region, id, status, mode, ca, pem, not_before, not_after, version, generation, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $11) ON CONFLICT (account, region, id) DO NOTHING`,
		at.account, at.region, id, status, mode, ca, string(certificatePEM(cert.Raw)), cert.NotBefore.UnixMilli(), cert.NotAfter.UnixMilli(), uuid.NewString(), s.now())
	if err == nil && n == 0 {
		return iot.ErrResourceAlreadyExistsException("The certificate is already provisioned or registered").
			With("resourceId", id).With("resourceArn", at.certificate(id))
	}
	return err
}
