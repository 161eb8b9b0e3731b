package identity

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

const (
	samlNamespace = "urn:oasis:names:tc:SAML:2.0:metadata"
	maxSAMLDepth  = 64
	// samlForever is how long metadata without a validUntil is valid.
	samlForever = 100 // years
)

// errMetadata: the document is no metadata of a SAML identity provider.
var errMetadata = iam.ErrInvalidInputException("Could not parse metadata")

// samlMetadata checks that a document is one EntityDescriptor of an identity
// provider, and reads until when it is valid; zero: it does not say. Document
// types, and so entities, are refused.
func samlMetadata(document string) (validUntil time.Time, err error) {
	dec := xml.NewDecoder(strings.NewReader(document))
	depth, roots, idp := 0, 0, false
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return time.Time{}, errMetadata
		}
		switch t := tok.(type) {
		case xml.Directive:
			return time.Time{}, errMetadata
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return time.Time{}, errMetadata
			}
		case xml.StartElement:
			depth++
			switch {
			case depth > maxSAMLDepth:
				return time.Time{}, errMetadata
			case depth == 1:
				roots++
				if t.Name.Space != samlNamespace || t.Name.Local != "EntityDescriptor" || xmlAttr(t, "entityID") == "" {
					return time.Time{}, errMetadata
				}
			case depth == 2 && t.Name.Space == samlNamespace && t.Name.Local == "IDPSSODescriptor":
				idp = true
			default:
				continue
			}
			until, err := samlTime(xmlAttr(t, "validUntil"))
			if err != nil {
				return time.Time{}, errMetadata
			}
			if !until.IsZero() && (validUntil.IsZero() || until.Before(validUntil)) {
				validUntil = until
			}
		case xml.EndElement:
			depth--
		}
	}
	if roots != 1 || !idp {
		return time.Time{}, errMetadata
	}
	return validUntil, nil
}

func xmlAttr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// samlTime reads an xs:dateTime; one without a zone is in UTC.
func samlTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	return time.Parse("2006-01-02T15:04:05", text)
}

// samlValidity is samlMetadata in the form of its column.
func samlValidity(document string, now time.Time) (int64, error) {
	until, err := samlMetadata(document)
	if err != nil {
		return 0, err
	}
	if until.IsZero() {
		until = now.AddDate(samlForever, 0, 0)
	}
	return until.UnixMilli(), nil
}

// CreateSAMLProvider records a SAML identity provider by its metadata, which
// roles can then name in their trust policies.
func (s *Service) CreateSAMLProvider(ctx context.Context, in *iam.CreateSAMLProviderRequest) (*iam.CreateSAMLProviderResponse, error) {
	account, now := awsapi.Account(ctx), s.now()
	until, err := samlValidity(in.SAMLMetadataDocument, now)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	p := &provider{providerSAML, account, providerARN(account, providerSAML, in.Name)}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		return insertProvider(ctx, tx, p, in.Tags, iam.ErrEntityAlreadyExistsException("SAMLProvider with name %s already exists.", in.Name),
			`INSERT INTO iam_saml_providers (account, arn, name, metadata, valid_until, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			account, p.arn, in.Name, in.SAMLMetadataDocument, until, now.UnixMilli())
	})
	if err != nil {
		return nil, fmt.Errorf("create SAML provider %s: %w", in.Name, err)
	}
	return &iam.CreateSAMLProviderResponse{SAMLProviderArn: &p.arn, Tags: in.Tags}, nil
}

// GetSAMLProvider answers one provider's metadata and until when it is valid.
func (s *Service) GetSAMLProvider(ctx context.Context, in *iam.GetSAMLProviderRequest) (*iam.GetSAMLProviderResponse, error) {
	p, err := providerTarget(ctx, providerSAML, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	out := &iam.GetSAMLProviderResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		var metadata string
		var until, created int64
		err := tx.QueryRow(ctx, `SELECT metadata, valid_until, created FROM iam_saml_providers WHERE account = $1 AND arn = $2`, p.account, p.arn).
			Scan(&metadata, &until, &created)
		if err != nil {
			return p.kind.found(err, p.arn)
		}
		out.SAMLMetadataDocument, out.ValidUntil, out.CreateDate = &metadata, new(fromMillis(until)), new(fromMillis(created))
		out.Tags, err = tagsOf(ctx, tx, p.account, p.arn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get SAML provider %s: %w", p.arn, err)
	}
	return out, nil
}

// UpdateSAMLProvider replaces a provider's metadata.
func (s *Service) UpdateSAMLProvider(ctx context.Context, in *iam.UpdateSAMLProviderRequest) (*iam.UpdateSAMLProviderResponse, error) {
	p, err := providerTarget(ctx, providerSAML, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	until, err := samlValidity(in.SAMLMetadataDocument, s.now())
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, p.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE iam_saml_providers SET metadata = $1, valid_until = $2 WHERE account = $3 AND arn = $4`,
			in.SAMLMetadataDocument, until, p.account, p.arn)
		if err == nil && n == 0 {
			return p.kind.missing(p.arn)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update SAML provider %s: %w", p.arn, err)
	}
	return &iam.UpdateSAMLProviderResponse{SAMLProviderArn: &p.arn}, nil
}

// ListSAMLProviders answers all providers by ARN.
func (s *Service) ListSAMLProviders(ctx context.Context, _ *iam.ListSAMLProvidersRequest) (*iam.ListSAMLProvidersResponse, error) {
	all, err := queryAll(ctx, s.DB, func(rows *db.Rows) (iam.SAMLProviderListEntry, error) {
		var a string
		var until, created int64
		err := rows.Scan(&a, &until, &created)
		return iam.SAMLProviderListEntry{Arn: &a, ValidUntil: new(fromMillis(until)), CreateDate: new(fromMillis(created))}, err
	}, `SELECT arn, valid_until, created FROM iam_saml_providers WHERE account = $1 ORDER BY arn`, awsapi.Account(ctx))
	if err != nil {
		return nil, fmt.Errorf("list SAML providers: %w", err)
	}
	return &iam.ListSAMLProvidersResponse{SAMLProviderList: notNil(all)}, nil
}

// DeleteSAMLProvider deletes a provider.
func (s *Service) DeleteSAMLProvider(ctx context.Context, in *iam.DeleteSAMLProviderRequest) (*iam.DeleteSAMLProviderResponse, error) {
	if err := s.deleteProvider(ctx, providerSAML, in.SAMLProviderArn, providerSAML.missing(in.SAMLProviderArn)); err != nil {
		return nil, err
	}
	return &iam.DeleteSAMLProviderResponse{}, nil
}

// TagSAMLProvider adds tags to a provider.
func (s *Service) TagSAMLProvider(ctx context.Context, in *iam.TagSAMLProviderRequest) (*iam.TagSAMLProviderResponse, error) {
	if err := s.tagProvider(ctx, providerSAML, in.SAMLProviderArn, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagSAMLProviderResponse{}, nil
}

// UntagSAMLProvider removes tags from a provider.
func (s *Service) UntagSAMLProvider(ctx context.Context, in *iam.UntagSAMLProviderRequest) (*iam.UntagSAMLProviderResponse, error) {
	if err := s.untagProvider(ctx, providerSAML, in.SAMLProviderArn, in.TagKeys); err != nil {
		return nil, err
	}
	return &iam.UntagSAMLProviderResponse{}, nil
}

// ListSAMLProviderTags answers a provider's tags by key.
func (s *Service) ListSAMLProviderTags(ctx context.Context, in *iam.ListSAMLProviderTagsRequest) (*iam.ListSAMLProviderTagsResponse, error) {
	var err error
	out := &iam.ListSAMLProviderTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.providerTags(ctx, providerSAML, in.SAMLProviderArn, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}
