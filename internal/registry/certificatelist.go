package registry

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
)

// ListCertificates lists certificates by creation, newest first unless asked
// otherwise.
func (s *Service) ListCertificates(ctx context.Context, in *iot.ListCertificatesRequest) (*iot.ListCertificatesResponse, error) {
	list, next, err := s.certificatePage(ctx, "certificates", nil, in.AscendingOrder, in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	return &iot.ListCertificatesResponse{Certificates: list, NextMarker: next}, nil
}

// ListCertificatesByCA lists the certificates that were registered by a CA of
// the account, in the order of ListCertificates. That the CA is gone, or was
// never there, makes no difference.
func (s *Service) ListCertificatesByCA(ctx context.Context, in *iot.ListCertificatesByCARequest) (*iot.ListCertificatesByCAResponse, error) {
	list, next, err := s.certificatePage(ctx, "certificates-by-ca", &in.CaCertificateId, in.AscendingOrder, in.Marker, in.PageSize)
	if err != nil {
		return nil, fmt.Errorf("list certificates by CA %s: %w", in.CaCertificateId, err)
	}
	return &iot.ListCertificatesByCAResponse{Certificates: list, NextMarker: next}, nil
}

// certificatePage is a page of all certificates, or of those of a CA.
func (s *Service) certificatePage(ctx context.Context, list string, ca *string, ascending *bool, marker *string, max *int64) (out []iot.Certificate, next *string, err error) {
	at, size := placeOf(ctx), pageSize(max)
	after, set, err := cursorOf(list, marker)
	if err != nil {
		return nil, nil, err
	}
	query, args := `SELECT id, status, mode, created FROM iot_certificates WHERE account = $1 AND region = $2`, []any{at.account, at.region}
	if ca != nil {
		query += ` AND ca = $3`
		args = append(args, *ca)
	}
	tail, args := byCreation("id", ascending, after, set, size, args...)
	rows, err := s.DB.Query(ctx, query+tail, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	out = []iot.Certificate{}
	var last cursor
	for rows.Next() {
		if int64(len(out)) == size {
			next = last.token(list)
			break
		}
		var c iot.Certificate
		if err := rows.Scan(&last.name, &c.Status, &c.CertificateMode, &last.created); err != nil {
			return nil, nil, err
		}
		c.CertificateId, c.CertificateArn, c.CreationDate = new(last.name), new(at.certificate(last.name)), millis(last.created)
		out = append(out, c)
	}
	return out, next, rows.Close()
}
