package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

func errUnknownCA(id string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("CA certificate with Id %s not found", id)
}

// caRow reads a CA certificate, which must exist, without its dates of validity.
func caRow(ctx context.Context, q queryer, at place, id string) (d *iot.CACertificateDescription, config string, err error) {
	d = &iot.CACertificateDescription{CertificateId: &id, CertificateArn: new(at.ca(id)), OwnedBy: &at.account}
	var created, modified, notBefore, notAfter int64
	err = q.QueryRow(ctx, `SELECT status, auto_registration, mode, pem, registration_config, not_before, not_after, version, generation, created, modified
		FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id).
		Scan(&d.Status, &d.AutoRegistrationStatus, &d.CertificateMode, &d.CertificatePem, &config, &notBefore, &notAfter, &d.CustomerVersion, &d.GenerationId, &created, &modified)
	if errors.Is(err, db.ErrNotFound) {
		return nil, "", errUnknownCA(id)
	}
	d.CreationDate, d.LastModifiedDate = millis(created), millis(modified)
	d.Validity = &iot.CertificateValidity{NotBefore: millis(notBefore), NotAfter: millis(notAfter)}
	return d, config, err
}

// DescribeCACertificate answers what is registered of one CA certificate.
func (s *Service) DescribeCACertificate(ctx context.Context, in *iot.DescribeCACertificateRequest) (*iot.DescribeCACertificateResponse, error) {
	d, config, err := caRow(ctx, s.DB, placeOf(ctx), in.CertificateId)
	if err != nil {
		return nil, fmt.Errorf("describe CA certificate %s: %w", in.CertificateId, err)
	}
	out := &iot.DescribeCACertificateResponse{CertificateDescription: d}
	if out.RegistrationConfig, err = readRegistrationConfig(config); err != nil {
		return nil, fmt.Errorf("describe CA certificate %s: %w", in.CertificateId, err)
	}
	return out, nil
}

// UpdateCACertificate changes what a CA certificate may be used for. It holds
// for what is registered from now on; device certificates stay as they are. To
// remove auto registration is to forget its template and to disable it.
func (s *Service) UpdateCACertificate(ctx context.Context, in *iot.UpdateCACertificateRequest) (*iot.UpdateCACertificateResponse, error) {
	at, id := placeOf(ctx), in.CertificateId
	enable := in.NewAutoRegistrationStatus != nil && *in.NewAutoRegistrationStatus == iot.AutoRegistrationStatusEnable
	if isTrue(in.RemoveAutoRegistration) && (enable || in.RegistrationConfig != nil) {
		return nil, iot.ErrInvalidRequestException("Auto registration can not be removed and set in one request")
	}
	if err := at.checkRegistrationConfig(in.RegistrationConfig); err != nil {
		return nil, err
	}
	err := s.write(ctx, func(tx *db.Tx) error {
		d, config, err := caRow(ctx, tx, at, id)
		if err != nil {
			return err
		}
		status, auto, newConfig := *d.Status, *d.AutoRegistrationStatus, config
		if in.NewStatus != nil {
			status = *in.NewStatus
		}
		if in.NewAutoRegistrationStatus != nil {
			auto = *in.NewAutoRegistrationStatus
		}
		if in.RegistrationConfig != nil {
			if newConfig, err = registrationConfigText(in.RegistrationConfig); err != nil {
				return err
			}
		}
		if isTrue(in.RemoveAutoRegistration) {
			auto, newConfig = iot.AutoRegistrationStatusDisable, ""
		}
		if status == *d.Status && auto == *d.AutoRegistrationStatus && newConfig == config {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE iot_ca_certificates SET status = $4, auto_registration = $5, registration_config = $6, modified = $7, version = version + 1, generation = $8
			WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id, status, auto, newConfig, s.now(), uuid.NewString())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update CA certificate %s: %w", id, err)
	}
	return &iot.UpdateCACertificateResponse{}, nil
}

// DeleteCACertificate removes a CA certificate that is not active. The device
// certificates that were registered by it stay.
func (s *Service) DeleteCACertificate(ctx context.Context, in *iot.DeleteCACertificateRequest) (*iot.DeleteCACertificateResponse, error) {
	at, id := placeOf(ctx), in.CertificateId
	err := s.write(ctx, func(tx *db.Tx) error {
		d, _, err := caRow(ctx, tx, at, id)
		if err != nil {
			return err
		}
		if *d.Status == iot.CACertificateStatusActive {
			return iot.ErrCertificateStateException("CA certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM iot_ca_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id); err != nil {
			return err
		}
		return deleteTags(ctx, tx, at, "cacert/"+id)
	})
	if err != nil {
		return nil, fmt.Errorf("delete CA certificate %s: %w", id, err)
	}
	return &iot.DeleteCACertificateResponse{}, nil
}

// ListCACertificates lists CA certificates by creation, newest first unless
// asked otherwise. None has a provisioning template that it names, as
// checkRegistrationConfig sees to.
func (s *Service) ListCACertificates(ctx context.Context, in *iot.ListCACertificatesRequest) (*iot.ListCACertificatesResponse, error) {
	const list = "ca-certificates"
	at, size := placeOf(ctx), pageSize(in.PageSize)
	after, set, err := cursorOf(list, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &iot.ListCACertificatesResponse{Certificates: []iot.CACertificate{}}
	if in.TemplateName != nil {
		return out, nil
	}
	tail, args := byCreation("id", in.AscendingOrder, after, set, size, at.account, at.region)
	rows, err := s.DB.Query(ctx, `SELECT id, status, created FROM iot_ca_certificates WHERE account = $1 AND region = $2`+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("list CA certificates: %w", err)
	}
	defer rows.Close()
	var last cursor
	for rows.Next() {
		if int64(len(out.Certificates)) == size {
			out.NextMarker = last.token(list)
			break
		}
		var c iot.CACertificate
		if err := rows.Scan(&last.name, &c.Status, &last.created); err != nil {
			return nil, fmt.Errorf("list CA certificates: %w", err)
		}
		c.CertificateId, c.CertificateArn, c.CreationDate = new(last.name), new(at.ca(last.name)), millis(last.created)
		out.Certificates = append(out.Certificates, c)
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("list CA certificates: %w", err)
	}
	return out, nil
}
