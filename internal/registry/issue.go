package registry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
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
	status := iot.CertificateStatusInactive
	if isTrue(in.SetAsActive) {
		status = iot.CertificateStatusActive
	}
	id, err := s.register(ctx, at, cert, status, iot.CertificateModeDefault)
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

// register stores a certificate that the account does not have yet.
func (s *Service) register(ctx context.Context, at place, cert *x509.Certificate, status, mode string) (id string, err error) {
	id, now := CertificateID(cert.Raw), s.now()
	err = s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iot_certificates (account, region, id, status, mode, ca, pem, not_before, not_after, version, generation, created, modified)
			VALUES ($1, $2, $3, $4, $5, NULL, $6, $7, $8, 1, $9, $10, $10) ON CONFLICT (account, region, id) DO NOTHING`,
			at.account, at.region, id, status, mode, string(certificatePEM(cert.Raw)), cert.NotBefore.UnixMilli(), cert.NotAfter.UnixMilli(), uuid.NewString(), now)
		if err == nil && n == 0 {
			return iot.ErrResourceAlreadyExistsException("The certificate is already provisioned or registered").
				With("resourceId", id).With("resourceArn", at.certificate(id))
		}
		return err
	}, certificateKey(id))
	return id, err
}

// RegisterCertificateWithoutCA registers a certificate of any issuer. INACTIVE
// unless the request says ACTIVE or REVOKED.
func (s *Service) RegisterCertificateWithoutCA(ctx context.Context, in *iot.RegisterCertificateWithoutCARequest) (*iot.RegisterCertificateWithoutCAResponse, error) {
	at, status := placeOf(ctx), iot.CertificateStatusInactive
	if in.Status != nil {
		switch status = *in.Status; status {
		case iot.CertificateStatusActive, iot.CertificateStatusInactive, iot.CertificateStatusRevoked:
		default:
			return nil, iot.ErrInvalidRequestException("A certificate can not be registered with the status %s", status)
		}
	}
	cert, err := parseForeign([]byte(in.CertificatePem))
	if err != nil {
		return nil, err
	}
	if s.Now().After(cert.NotAfter) {
		return nil, iot.ErrCertificateValidationException("The certificate has expired")
	}
	id, err := s.register(ctx, at, cert, status, iot.CertificateModeSniOnly)
	if err != nil {
		return nil, fmt.Errorf("register certificate: %w", err)
	}
	return &iot.RegisterCertificateWithoutCAResponse{CertificateArn: new(at.certificate(id)), CertificateId: &id}, nil
}

// foreignAlgorithms are the signature algorithms of certificates that may be
// registered (AWS IoT Developer Guide, "X.509 client certificates").
var foreignAlgorithms = map[x509.SignatureAlgorithm]bool{
	x509.SHA256WithRSA: true, x509.SHA384WithRSA: true, x509.SHA512WithRSA: true,
	x509.SHA256WithRSAPSS: true, x509.SHA384WithRSAPSS: true, x509.SHA512WithRSAPSS: true,
	x509.ECDSAWithSHA256: true, x509.ECDSAWithSHA384: true, x509.ECDSAWithSHA512: true,
	x509.DSAWithSHA256: true,
}

// parseForeign reads the one certificate of a PEM text. Its errors are what
// AWS's API answers.
func parseForeign(text []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, iot.ErrCertificateValidationException("The certificate is not in PEM format")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, iot.ErrCertificateValidationException("The PEM text must hold one certificate and nothing after it")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, iot.ErrCertificateValidationException("The certificate could not be parsed")
	}
	if !foreignAlgorithms[cert.SignatureAlgorithm] {
		return nil, iot.ErrCertificateValidationException("The signature algorithm %s is not supported", cert.SignatureAlgorithm)
	}
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return nil, iot.ErrCertificateValidationException("The RSA key must have at least 2048 bits")
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return nil, iot.ErrCertificateValidationException("The curve of the key is not supported")
		}
	default:
		return nil, iot.ErrCertificateValidationException("The type of the key is not supported")
	}
	return cert, nil
}
