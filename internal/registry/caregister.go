package registry

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// maxSameSubject is how many CA certificates of one subject an account can have
// in a region (AWS IoT Core quotas).
const maxSameSubject = 10

// RegisterCACertificate makes the certificates that a CA signs known to the
// account. In mode DEFAULT a verification certificate proves that the caller
// has the CA's key: the CA has signed it, and its common name is the account's
// registration code; the CA is this account's alone in the region. In mode
// SNI_ONLY nothing is proved, and devices have to name the account's endpoint.
// The CA is the direct issuer of the devices' certificates, whoever signed it.
func (s *Service) RegisterCACertificate(ctx context.Context, in *iot.RegisterCACertificateRequest) (*iot.RegisterCACertificateResponse, error) {
	at := placeOf(ctx)
	mode := iot.CertificateModeDefault
	if in.CertificateMode != nil {
		mode = *in.CertificateMode
	}
	switch {
	case mode == iot.CertificateModeDefault && in.VerificationCertificate == nil:
		return nil, iot.ErrInvalidRequestException("A verification certificate is required in certificate mode DEFAULT")
	case mode == iot.CertificateModeSniOnly && in.VerificationCertificate != nil:
		return nil, iot.ErrInvalidRequestException("A verification certificate must not be given in certificate mode SNI_ONLY")
	}
	if err := at.checkRegistrationConfig(in.RegistrationConfig); err != nil {
		return nil, err
	}
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	config, err := registrationConfigText(in.RegistrationConfig)
	if err != nil {
		return nil, fmt.Errorf("register CA certificate: %w", err)
	}
	ca, err := s.parseCA(in.CaCertificate)
	if err != nil {
		return nil, err
	}
	var code *string
	if in.VerificationCertificate != nil {
		verification, err := s.parseVerification(*in.VerificationCertificate, ca)
		if err != nil {
			return nil, err
		}
		code = &verification.Subject.CommonName
	}
	row := &caRegistration{cert: ca, mode: mode, config: config, status: iot.CACertificateStatusInactive, auto: iot.AutoRegistrationStatusDisable}
	if isTrue(in.SetAsActive) {
		row.status = iot.CACertificateStatusActive
	}
	if isTrue(in.AllowAutoRegistration) {
		row.auto = iot.AutoRegistrationStatusEnable
	}
	id := CertificateID(ca.Raw)
	err = s.write(ctx, func(tx *db.Tx) error {
		if code != nil {
			if err := checkRegistrationCode(ctx, tx, at, *code); err != nil {
				return err
			}
		}
		if err := s.insertCA(ctx, tx, at, row); err != nil {
			return err
		}
		return insertTags(ctx, tx, at, "cacert/"+id, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("register CA certificate: %w", err)
	}
	return &iot.RegisterCACertificateResponse{CertificateArn: new(at.ca(id)), CertificateId: &id}, nil
}

// parseCA reads the certificate of a CA.
func (s *Service) parseCA(text string) (*x509.Certificate, error) {
	ca, err := parseForeign("CA certificate", text)
	if err != nil {
		return nil, err
	}
	switch {
	case !ca.BasicConstraintsValid || !ca.IsCA:
		return nil, iot.ErrCertificateValidationException("The CA certificate does not have the basicConstraints extension as true")
	case ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, iot.ErrCertificateValidationException("The keyUsage extension of the CA certificate does not allow it to sign certificates")
	case len(ca.Subject.Names) == 0:
		return nil, iot.ErrCertificateValidationException("The CA certificate has no subject")
	case s.Now().After(ca.NotAfter):
		return nil, iot.ErrCertificateValidationException("The CA certificate has expired")
	}
	return ca, nil
}

// parseVerification reads a certificate that a CA must have signed.
func (s *Service) parseVerification(text string, ca *x509.Certificate) (*x509.Certificate, error) {
	cert, err := parseForeign("verification certificate", text)
	if err != nil {
		return nil, err
	}
	if !signedBy(cert, ca) {
		return nil, iot.ErrCertificateValidationException("The verification certificate is not signed by the CA certificate")
	}
	if s.Now().After(cert.NotAfter) {
		return nil, iot.ErrCertificateValidationException("The verification certificate has expired")
	}
	return cert, nil
}

// signedBy says that ca has issued cert, by name and by signature.
func signedBy(cert, ca *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, ca.RawSubject) && cert.CheckSignatureFrom(ca) == nil
}

// caRegistration is a CA certificate to be stored.
type caRegistration struct {
	cert                       *x509.Certificate
	status, auto, mode, config string
}

// insertCA stores a CA certificate that the account does not have yet.
func (s *Service) insertCA(ctx context.Context, tx *db.Tx, at place, r *caRegistration) error {
	id := CertificateID(r.cert.Raw)
	there, err := existsRow(ctx, tx, `SELECT 1 FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id)
	if err != nil {
		return err
	}
	if there {
		return iot.ErrResourceAlreadyExistsException("The CA certificate is already registered").With("resourceId", id).With("resourceArn", at.ca(id))
	}
	var same int64
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND subject = $3`, at.account, at.region, r.cert.RawSubject).Scan(&same)
	if err != nil {
		return err
	}
	if same >= maxSameSubject {
		return iot.ErrLimitExceededException("At most %d CA certificates with the same subject can be registered", maxSameSubject)
	}
	keyID := r.cert.SubjectKeyId
	if keyID == nil {
		keyID = []byte{}
	}
	// The account does not have it, so a conflict is that of mode DEFAULT.
	n, err := tx.Exec(ctx, `INSERT INTO iot_ca_certificates
		(account, region, id, status, auto_registration, mode, subject, key_id, pem, registration_config, not_before, not_after, version, generation, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $14) ON CONFLICT DO NOTHING`,
		at.account, at.region, id, r.status, r.auto, r.mode, r.cert.RawSubject, keyID, string(certificatePEM(r.cert.Raw)), r.config,
		r.cert.NotBefore.UnixMilli(), r.cert.NotAfter.UnixMilli(), uuid.NewString(), s.now())
	if err == nil && n == 0 {
		return iot.ErrResourceAlreadyExistsException("The CA certificate is registered in certificate mode DEFAULT by another account in this region").With("resourceId", id)
	}
	return err
}
