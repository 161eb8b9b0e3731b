package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/iotlog"
)

func errUnknownCertificate(id string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Certificate with Id %s not found", id)
}

// DescribeCertificate answers what is registered of one certificate.
func (s *Service) DescribeCertificate(ctx context.Context, in *iot.DescribeCertificateRequest) (*iot.DescribeCertificateResponse, error) {
	at := placeOf(ctx)
	d := &iot.CertificateDescription{
		CertificateId: &in.CertificateId, CertificateArn: new(at.certificate(in.CertificateId)), OwnedBy: &at.account,
		TransferData: &iot.TransferData{},
	}
	var created, modified, notBefore, notAfter int64
	err := s.DB.QueryRow(ctx, `SELECT status, mode, ca, pem, not_before, not_after, version, generation, created, modified
		FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, in.CertificateId).
		Scan(&d.Status, &d.CertificateMode, &d.CaCertificateId, &d.CertificatePem, &notBefore, &notAfter, &d.CustomerVersion, &d.GenerationId, &created, &modified)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errUnknownCertificate(in.CertificateId)
	}
	if err != nil {
		return nil, fmt.Errorf("describe certificate %s: %w", in.CertificateId, err)
	}
	d.CreationDate, d.LastModifiedDate = millis(created), millis(modified)
	d.Validity = &iot.CertificateValidity{NotBefore: millis(notBefore), NotAfter: millis(notAfter)}
	return &iot.DescribeCertificateResponse{CertificateDescription: d}, nil
}

// UpdateCertificate changes a certificate's status (certificates.md §4). It
// holds from the next request or connection on. REVOKED is final.
func (s *Service) UpdateCertificate(ctx context.Context, in *iot.UpdateCertificateRequest) (*iot.UpdateCertificateResponse, error) {
	at, id, status := placeOf(ctx), in.CertificateId, in.NewStatus
	switch status {
	case iot.CertificateStatusActive, iot.CertificateStatusInactive, iot.CertificateStatusRevoked:
	default:
		return nil, iot.ErrInvalidRequestException("A certificate's status can not be set to %s", status)
	}
	old := ""
	err := s.write(ctx, func(tx *db.Tx) (err error) {
		old, err = certificateStatus(ctx, tx, at, id)
		if err != nil || old == status {
			return err
		}
		switch old {
		case iot.CertificateStatusRevoked, iot.CertificateStatusPendingTransfer:
			return iot.ErrCertificateStateException("The status of a certificate that is %s can not be changed. Id: %s", old, id)
		}
		_, err = tx.Exec(ctx, `UPDATE iot_certificates SET status = $4, modified = $5, version = version + 1, generation = $6
			WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id, status, s.now(), uuid.NewString())
		return err
	}, certificateKey(id))
	if err != nil {
		return nil, fmt.Errorf("update certificate %s: %w", id, err)
	}
	if old == iot.CertificateStatusActive && old != status && s.Deactivated != nil {
		s.Deactivated(at.account, at.region, id)
	}
	if old != status {
		s.noteCertificate(ctx, at, iotlog.Info, id, "UpdateCertificate", old+" is now "+status)
	}
	return &iot.UpdateCertificateResponse{}, nil
}

// certificateKey is what is cached of a certificate in all accounts.
func certificateKey(id string) key { return key{kind: aCertificate, name: id} }

// certificateStatus reads the status of a certificate, which must exist.
func certificateStatus(ctx context.Context, q queryer, at place, id string) (status string, err error) {
	err = q.QueryRow(ctx, `SELECT status FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id).Scan(&status)
	if errors.Is(err, db.ErrNotFound) {
		return "", errUnknownCertificate(id)
	}
	return status, err
}

// DeleteCertificate removes a certificate that is not active and not attached
// to things. Attached policies are in the way too unless forceDelete says to
// detach them (certificates.md §5).
func (s *Service) DeleteCertificate(ctx context.Context, in *iot.DeleteCertificateRequest) (*iot.DeleteCertificateResponse, error) {
	at, id := placeOf(ctx), in.CertificateId
	err := s.write(ctx, func(tx *db.Tx) error {
		status, err := certificateStatus(ctx, tx, at, id)
		if err != nil {
			return err
		}
		switch status {
		case iot.CertificateStatusActive:
			return iot.ErrCertificateStateException("Certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		case iot.CertificateStatusPendingTransfer:
			return iot.ErrCertificateStateException("Certificate must not be in transfer before deletion. Id: %s", id)
		}
		things, err := existsRow(ctx, tx, `SELECT 1 FROM iot_thing_principals WHERE account = $1 AND region = $2 AND certificate = $3 LIMIT 1`, at.account, at.region, id)
		if err != nil {
			return err
		}
		if things {
			return iot.ErrDeleteConflictException("Things must be detached before deletion (arn: %s)", at.certificate(id))
		}
		if isTrue(in.ForceDelete) {
			if _, err := tx.Exec(ctx, `DELETE FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND certificate = $3`, at.account, at.region, id); err != nil {
				return err
			}
		}
		policies, err := existsRow(ctx, tx, `SELECT 1 FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND certificate = $3 LIMIT 1`, at.account, at.region, id)
		if err != nil {
			return err
		}
		if policies {
			return iot.ErrDeleteConflictException("Certificate policies must be detached before deletion (arn: %s)", at.certificate(id))
		}
		_, err = tx.Exec(ctx, `DELETE FROM iot_certificates WHERE account = $1 AND region = $2 AND id = $3`, at.account, at.region, id)
		return err
	}, certificateKey(id), at.key(aPolicyList, at.certificate(id), ""))
	if err != nil {
		return nil, fmt.Errorf("delete certificate %s: %w", id, err)
	}
	s.noteCertificate(ctx, at, iotlog.Info, id, "DeleteCertificate", "")
	return &iot.DeleteCertificateResponse{}, nil
}
