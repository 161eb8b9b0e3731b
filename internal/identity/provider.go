package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// providerKind is what sort of identity provider a row is, and the first part
// of its ARN's resource.
type providerKind string

const (
	providerOIDC providerKind = "oidc-provider"
	providerSAML providerKind = "saml-provider"
)

// maxProviders is how many identity providers of a kind an account may have.
const maxProviders = 100

// table is where providers of the kind are.
func (k providerKind) table() string {
	if k == providerOIDC {
		return "iam_oidc_providers"
	}
	return "iam_saml_providers"
}

// quotaName is as in OpenIdConnectProvidersPerAccount.
func (k providerKind) quotaName() string {
	if k == providerOIDC {
		return "OpenIdConnectProvider"
	}
	return "SAMLProvider"
}

// missing is AWS's answer for an ARN that no provider has.
func (k providerKind) missing(a string) error {
	if k == providerOIDC {
		return iam.ErrNoSuchEntityException("OpenIDConnect Provider not found for arn %s", a)
	}
	return iam.ErrNoSuchEntityException("Manifest not found for arn %s", a)
}

// provider is an identity provider that a request is about. It has no unique
// id: it owns tags by its ARN.
type provider struct {
	kind         providerKind
	account, arn string
}

func providerARN(account string, k providerKind, name string) string {
	return arn.New("iam", "", account, string(k)+"/"+name)
}

// providerExists fails with db.ErrNotFound for an ARN that no provider has.
func providerExists(ctx context.Context, r reader, a string) error {
	parts, ok := arn.Split(a)
	kind, _, _ := strings.Cut(parts[5], "/")
	k := providerKind(kind)
	if !ok || k != providerOIDC && k != providerSAML {
		return db.ErrNotFound
	}
	var one int
	return r.QueryRow(ctx, `SELECT 1 FROM `+k.table()+` WHERE account = $1 AND arn = $2`, parts[4], a).Scan(&one)
}

// stillThere makes a transaction fail for a provider that was deleted since it
// was resolved.
func (p *provider) stillThere(ctx context.Context, tx *db.Tx) error {
	return p.kind.found(providerExists(ctx, tx, p.arn), p.arn)
}

// found turns db.ErrNotFound into AWS's answer.
func (k providerKind) found(err error, a string) error {
	if errors.Is(err, db.ErrNotFound) {
		return k.missing(a)
	}
	return err
}

// provider is for operations on an identity provider by its ARN.
func (r *resolution) provider(ctx context.Context, k providerKind, a string) error {
	account, err := iamARN(a, string(k)+"/")
	if err != nil {
		return err
	}
	err = db.ErrNotFound
	if account == r.account {
		err = providerExists(ctx, r.s.DB, a)
	}
	if errors.Is(err, db.ErrNotFound) {
		r.checks = append(r.checks, awsapi.Check{Resource: a})
		return nil
	}
	if err != nil {
		return err
	}
	tags, err := tagsOf(ctx, r.s.DB, account, a)
	if err != nil {
		return err
	}
	r.checks = append(r.checks, awsapi.Check{Resource: a, Keys: params{}.keys(tags)})
	r.target = &provider{k, account, a}
	return nil
}

// providerTarget is the provider that the request was resolved to.
func providerTarget(ctx context.Context, k providerKind, a string) (*provider, error) {
	if p, ok := awsapi.Target(ctx).(*provider); ok {
		return p, nil
	}
	return nil, k.missing(a)
}

// insertProvider runs the insertion of a provider, of which an account may have
// so many, and tags it.
func insertProvider(ctx context.Context, tx *db.Tx, p *provider, tags []iam.Tag, exists error, insert string, args ...any) error {
	n, err := tx.Exec(ctx, insert+` ON CONFLICT DO NOTHING`, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return exists
	}
	err = underQuota(ctx, tx, p.kind.quotaName()+"sPerAccount", maxProviders,
		`SELECT COUNT(*) - 1 FROM `+p.kind.table()+` WHERE account = $1`, p.account)
	if err != nil {
		return err
	}
	return putTags(ctx, tx, p.account, p.arn, tags)
}

// deleteProvider deletes a provider. Roles that trust it stay as they are.
func (s *Service) deleteProvider(ctx context.Context, k providerKind, a string, missing error) error {
	p, ok := awsapi.Target(ctx).(*provider)
	if !ok {
		return missing
	}
	err := s.write(ctx, p.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM `+k.table()+` WHERE account = $1 AND arn = $2`, p.account, p.arn)
		if err != nil {
			return err
		}
		if n == 0 {
			return missing
		}
		return dropOwned(ctx, tx, p.account, p.arn)
	})
	if err != nil {
		return fmt.Errorf("delete provider %s: %w", a, err)
	}
	return nil
}

func (s *Service) tagProvider(ctx context.Context, k providerKind, a string, tags []iam.Tag) error {
	p, err := providerTarget(ctx, k, a)
	if err != nil {
		return err
	}
	err = s.tagOwner(ctx, p.account, p.arn, k.quotaName(), tags, func(tx *db.Tx) error { return p.stillThere(ctx, tx) })
	if err != nil {
		return fmt.Errorf("tag provider %s: %w", a, err)
	}
	return nil
}

func (s *Service) untagProvider(ctx context.Context, k providerKind, a string, keys []string) error {
	p, err := providerTarget(ctx, k, a)
	if err != nil {
		return err
	}
	err = s.untagOwner(ctx, p.account, p.arn, keys, func(tx *db.Tx) error { return p.stillThere(ctx, tx) })
	if err != nil {
		return fmt.Errorf("untag provider %s: %w", a, err)
	}
	return nil
}

func (s *Service) providerTags(ctx context.Context, k providerKind, a string, marker *string, items *int64) (tags []iam.Tag, truncated *bool, next *string, err error) {
	p, err := providerTarget(ctx, k, a)
	if err != nil {
		return nil, nil, nil, err
	}
	if tags, truncated, next, err = s.pageTags(ctx, p.account, p.arn, marker, items); err != nil {
		return nil, nil, nil, fmt.Errorf("list tags of provider %s: %w", a, err)
	}
	return tags, truncated, next, nil
}
