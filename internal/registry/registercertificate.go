package registry

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// RegisterCertificate registers a certificate that an active CA of the account
// has signed, in the CA's mode. INACTIVE unless the request says ACTIVE or
// REVOKED. The CA is found by the certificate's issuer and authority key id;
// the request has to give it where several come into question.
func (s *Service) RegisterCertificate(ctx context.Context, in *iot.RegisterCertificateRequest) (*iot.RegisterCertificateResponse, error) {
	at := placeOf(ctx)
	status, err := registeredStatus(in.Status, in.SetAsActive)
	if err != nil {
		return nil, err
	}
	cert, err := s.parseDevice(in.CertificatePem)
	if err != nil {
		return nil, err
	}
	var given string
	if in.CaCertificatePem != nil {
		ca, err := s.parseCA(*in.CaCertificatePem)
		if err != nil {
			return nil, err
		}
		if given = CertificateID(ca.Raw); !signedBy(cert, ca) {
			return nil, iot.ErrCertificateValidationException("The certificate is not signed by the CA certificate that was given")
		}
	}
	ca, err := s.signerOf(ctx, at, cert, given)
	if err != nil {
		return nil, fmt.Errorf("register certificate: %w", err)
	}
	id := CertificateID(cert.Raw)
	err = s.write(ctx, func(tx *db.Tx) error {
		d, _, err := caRow(ctx, tx, at, ca.id)
		switch {
		case isNotFound(err):
			return errUnregisteredCA()
		case err != nil:
			return err
		case *d.Status != iot.CACertificateStatusActive:
			return errInactiveCA(ca.id)
		}
		return s.insertCertificate(ctx, tx, at, cert, status, ca.mode, &ca.id)
	}, certificateKey(id))
	if err != nil {
		return nil, fmt.Errorf("register certificate: %w", err)
	}
	return &iot.RegisterCertificateResponse{CertificateArn: new(at.certificate(id)), CertificateId: &id}, nil
}

// RegisterCertificateWithoutCA registers a certificate of any issuer. INACTIVE
// unless the request says ACTIVE or REVOKED.
func (s *Service) RegisterCertificateWithoutCA(ctx context.Context, in *iot.RegisterCertificateWithoutCARequest) (*iot.RegisterCertificateWithoutCAResponse, error) {
	at := placeOf(ctx)
	status, err := registeredStatus(in.Status, nil)
	if err != nil {
		return nil, err
	}
	cert, err := s.parseDevice(in.CertificatePem)
	if err != nil {
		return nil, err
	}
	id, err := s.register(ctx, at, cert, status, iot.CertificateModeSniOnly)
	if err != nil {
		return nil, fmt.Errorf("register certificate: %w", err)
	}
	return &iot.RegisterCertificateWithoutCAResponse{CertificateArn: new(at.certificate(id)), CertificateId: &id}, nil
}

// registeredStatus is the status of a certificate that comes from elsewhere.
// setAsActive is the older way to say ACTIVE.
func registeredStatus(status *string, setAsActive *bool) (string, error) {
	if status == nil {
		return issuedStatus(setAsActive), nil
	}
	switch *status {
	case iot.CertificateStatusActive, iot.CertificateStatusInactive, iot.CertificateStatusRevoked:
		return *status, nil
	}
	return "", iot.ErrInvalidRequestException("A certificate can not be registered with the status %s", *status)
}

// parseDevice reads the certificate of a device, which must not have expired.
func (s *Service) parseDevice(text string) (*x509.Certificate, error) {
	cert, err := parseForeign("certificate", text)
	if err != nil {
		return nil, err
	}
	if s.Now().After(cert.NotAfter) {
		return nil, iot.ErrCertificateValidationException("The certificate has expired")
	}
	return cert, nil
}

// signer is a registered CA that can have signed a certificate.
type signer struct {
	account, region  string
	id, status, mode string
	cert             *x509.Certificate
}

// named says that nothing in the key ids of both speaks against c.
func (c *signer) named(cert *x509.Certificate) bool {
	want, has := cert.AuthorityKeyId, c.cert.SubjectKeyId
	return len(want) == 0 || len(has) == 0 || bytes.Equal(want, has)
}

// signers are the CAs of a query for account, region, id, status, mode and
// pem, in its order.
func (s *Service) signers(ctx context.Context, query string, args ...any) ([]signer, error) {
	rows, err := s.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []signer
	for rows.Next() {
		var c signer
		var text string
		if err := rows.Scan(&c.account, &c.region, &c.id, &c.status, &c.mode, &text); err != nil {
			return nil, err
		}
		if c.cert, err = parseStored([]byte(text)); err != nil {
			return nil, fmt.Errorf("CA certificate %s: %w", c.id, err)
		}
		out = append(out, c)
	}
	return out, rows.Close()
}

// signerOf is the one active CA of an account that has signed a certificate:
// the given one, or the only one that comes into question.
func (s *Service) signerOf(ctx context.Context, at place, cert *x509.Certificate, given string) (*signer, error) {
	all, err := s.signers(ctx, `SELECT account, region, id, status, mode, pem FROM iot_ca_certificates
		WHERE account = $1 AND region = $2 AND subject = $3 ORDER BY created, id`, at.account, at.region, cert.RawIssuer)
	if err != nil {
		return nil, err
	}
	var active []signer
	inactive := ""
	for _, c := range all {
		switch {
		case given != "" && c.id != given, given == "" && !c.named(cert):
		case c.status == iot.CACertificateStatusActive:
			active = append(active, c)
		default:
			inactive = c.id
		}
	}
	switch {
	case len(active) > 1:
		return nil, iot.ErrCertificateConflictException("Several registered CA certificates have the subject of the certificate's issuer: give the one that signed it as caCertificatePem")
	case len(active) == 0 && inactive != "":
		return nil, errInactiveCA(inactive)
	case len(active) == 0:
		return nil, errUnregisteredCA()
	}
	ca := &active[0]
	switch {
	case !signedBy(cert, ca.cert):
		return nil, iot.ErrCertificateValidationException("The certificate is not signed by the registered CA certificate of its issuer")
	case s.Now().After(ca.cert.NotAfter):
		return nil, iot.ErrCertificateValidationException("The CA certificate has expired")
	}
	return ca, nil
}

func errUnregisteredCA() error {
	return iot.ErrCertificateValidationException("The CA certificate of the certificate's issuer is not registered")
}

func errInactiveCA(id string) error {
	return iot.ErrCertificateStateException("The CA certificate must be ACTIVE to register certificates. Id: %s", id)
}
