package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

const (
	maxClientIDs   = 100
	maxThumbprints = 5
)

// oidcProvider is what is kept of an OpenID Connect provider. Its tokens are
// verified by keys that are given to it, so that thumbprints of its server are a
// record and nothing more.
type oidcProvider struct {
	url         string // without https://
	clientIDs   []string
	thumbprints []string
	created     time.Time
}

// oidcByARN finds a provider. db.ErrNotFound when there is none.
func oidcByARN(ctx context.Context, r reader, account, a string) (*oidcProvider, error) {
	o := &oidcProvider{}
	var clients, thumbs string
	var created int64
	err := r.QueryRow(ctx, `SELECT url, client_ids, thumbprints, created FROM iam_oidc_providers WHERE account = $1 AND arn = $2`, account, a).
		Scan(&o.url, &clients, &thumbs, &created)
	if err != nil {
		return nil, err
	}
	o.created = fromMillis(created)
	if err := json.Unmarshal([]byte(clients), &o.clientIDs); err != nil {
		return nil, fmt.Errorf("provider %s: client_ids: %w", a, err)
	}
	if err := json.Unmarshal([]byte(thumbs), &o.thumbprints); err != nil {
		return nil, fmt.Errorf("provider %s: thumbprints: %w", a, err)
	}
	return o, nil
}

// columns are the lists in the form of their columns.
func (o *oidcProvider) columns() (clients, thumbs string, err error) {
	c, err := json.Marshal(notNil(o.clientIDs))
	if err != nil {
		return "", "", err
	}
	t, err := json.Marshal(notNil(o.thumbprints))
	return string(c), string(t), err
}

// oidcHost is the form of a provider's host: no port, no address in brackets.
var oidcHost = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)

// oidcName checks a provider's URL and returns it without https://.
func oidcName(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "", errValidation("Invalid Open ID Connect Provider URL")
	case !strings.HasPrefix(text, "https://"):
		return "", iam.ErrInvalidInputException("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
	case strings.ContainsAny(text, "?#") || u.User != nil || !oidcHost.MatchString(u.Host) ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", iam.ErrInvalidInputException("Invalid Open ID Connect Provider URL.")
	}
	return strings.TrimPrefix(text, "https://"), nil
}

// setThumbprints replaces the thumbprints.
func (o *oidcProvider) setThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return iam.ErrInvalidInputException("Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	o.thumbprints = nil
	for _, t := range list {
		o.thumbprints = append(o.thumbprints, strings.ToLower(t))
	}
	return nil
}

// addClientIDs adds those that are not there.
func (o *oidcProvider) addClientIDs(list ...string) error {
	for _, id := range list {
		if !slices.Contains(o.clientIDs, id) {
			o.clientIDs = append(o.clientIDs, id)
		}
	}
	if len(o.clientIDs) > maxClientIDs {
		return errQuota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	}
	return nil
}

// CreateOpenIDConnectProvider records a provider of tokens by its URL, which is
// their issuer. Without thumbprints AWS fetches the provider's; thingd, which
// calls nobody, keeps none.
func (s *Service) CreateOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderRequest) (*iam.CreateOpenIDConnectProviderResponse, error) {
	name, err := oidcName(in.Url)
	if err != nil {
		return nil, err
	}
	o := &oidcProvider{url: name, created: s.now()}
	if err := o.addClientIDs(in.ClientIDList...); err != nil {
		return nil, err
	}
	if err := o.setThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	clients, thumbs, err := o.columns()
	if err != nil {
		return nil, fmt.Errorf("create provider %s: %w", in.Url, err)
	}
	account := awsapi.Account(ctx)
	p := &provider{providerOIDC, account, providerARN(account, providerOIDC, name)}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		return insertProvider(ctx, tx, p, in.Tags, iam.ErrEntityAlreadyExistsException("Provider with url %s already exists.", in.Url),
			`INSERT INTO iam_oidc_providers (account, arn, url, client_ids, thumbprints, keys, created) VALUES ($1, $2, $3, $4, $5, '', $6)`,
			account, p.arn, o.url, clients, thumbs, o.created.UnixMilli())
	})
	if err != nil {
		return nil, fmt.Errorf("create provider %s: %w", in.Url, err)
	}
	return &iam.CreateOpenIDConnectProviderResponse{OpenIDConnectProviderArn: &p.arn, Tags: in.Tags}, nil
}

// GetOpenIDConnectProvider answers one provider, its URL without https://.
func (s *Service) GetOpenIDConnectProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderRequest) (*iam.GetOpenIDConnectProviderResponse, error) {
	p, err := providerTarget(ctx, providerOIDC, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	out := &iam.GetOpenIDConnectProviderResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		o, err := oidcByARN(ctx, tx, p.account, p.arn)
		if err != nil {
			return p.kind.found(err, p.arn)
		}
		out.Url, out.ClientIDList, out.ThumbprintList, out.CreateDate = &o.url, notNil(o.clientIDs), notNil(o.thumbprints), &o.created
		out.Tags, err = tagsOf(ctx, tx, p.account, p.arn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get provider %s: %w", p.arn, err)
	}
	return out, nil
}

// ListOpenIDConnectProviders answers the ARNs of all providers.
func (s *Service) ListOpenIDConnectProviders(ctx context.Context, _ *iam.ListOpenIDConnectProvidersRequest) (*iam.ListOpenIDConnectProvidersResponse, error) {
	all, err := queryAll(ctx, s.DB, scanText, `SELECT arn FROM iam_oidc_providers WHERE account = $1 ORDER BY arn`, awsapi.Account(ctx))
	if err != nil {
		return nil, fmt.Errorf("list OpenID Connect providers: %w", err)
	}
	out := &iam.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: []iam.OpenIDConnectProviderListEntry{}}
	for _, a := range all {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, iam.OpenIDConnectProviderListEntry{Arn: &a})
	}
	return out, nil
}

// changeOIDC changes a provider's lists.
func (s *Service) changeOIDC(ctx context.Context, a string, change func(*oidcProvider) error) error {
	p, err := providerTarget(ctx, providerOIDC, a)
	if err != nil {
		return err
	}
	err = s.write(ctx, p.account, func(tx *db.Tx) error {
		o, err := oidcByARN(ctx, tx, p.account, p.arn)
		if err != nil {
			return p.kind.found(err, p.arn)
		}
		if err := change(o); err != nil {
			return err
		}
		clients, thumbs, err := o.columns()
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE iam_oidc_providers SET client_ids = $1, thumbprints = $2 WHERE account = $3 AND arn = $4`,
			clients, thumbs, p.account, p.arn)
		return err
	})
	if err != nil {
		return fmt.Errorf("change provider %s: %w", a, err)
	}
	return nil
}

// AddClientIDToOpenIDConnectProvider adds an audience of tokens; one that is
// there already changes nothing.
func (s *Service) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderRequest) (*iam.AddClientIDToOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(o *oidcProvider) error { return o.addClientIDs(in.ClientID) })
	if err != nil {
		return nil, err
	}
	return &iam.AddClientIDToOpenIDConnectProviderResponse{}, nil
}

// RemoveClientIDFromOpenIDConnectProvider removes an audience of tokens; one
// that is not there is no error.
func (s *Service) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderRequest) (*iam.RemoveClientIDFromOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(o *oidcProvider) error {
		o.clientIDs = slices.DeleteFunc(o.clientIDs, func(id string) bool { return id == in.ClientID })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.RemoveClientIDFromOpenIDConnectProviderResponse{}, nil
}

// UpdateOpenIDConnectProviderThumbprint replaces a provider's thumbprints.
func (s *Service) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintRequest) (*iam.UpdateOpenIDConnectProviderThumbprintResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(o *oidcProvider) error { return o.setThumbprints(in.ThumbprintList) })
	if err != nil {
		return nil, err
	}
	return &iam.UpdateOpenIDConnectProviderThumbprintResponse{}, nil
}

// DeleteOpenIDConnectProvider deletes a provider. AWS's documentation calls it
// idempotent, which it is not.
func (s *Service) DeleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderRequest) (*iam.DeleteOpenIDConnectProviderResponse, error) {
	missing := iam.ErrNoSuchEntityException("OpenId connect Provider %s cannot be found.", in.OpenIDConnectProviderArn)
	if err := s.deleteProvider(ctx, providerOIDC, in.OpenIDConnectProviderArn, missing); err != nil {
		return nil, err
	}
	return &iam.DeleteOpenIDConnectProviderResponse{}, nil
}

// TagOpenIDConnectProvider adds tags to a provider.
func (s *Service) TagOpenIDConnectProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderRequest) (*iam.TagOpenIDConnectProviderResponse, error) {
	if err := s.tagProvider(ctx, providerOIDC, in.OpenIDConnectProviderArn, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagOpenIDConnectProviderResponse{}, nil
}

// UntagOpenIDConnectProvider removes tags from a provider.
func (s *Service) UntagOpenIDConnectProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderRequest) (*iam.UntagOpenIDConnectProviderResponse, error) {
	if err := s.untagProvider(ctx, providerOIDC, in.OpenIDConnectProviderArn, in.TagKeys); err != nil {
		return nil, err
	}
	return &iam.UntagOpenIDConnectProviderResponse{}, nil
}

// ListOpenIDConnectProviderTags answers a provider's tags by key.
func (s *Service) ListOpenIDConnectProviderTags(ctx context.Context, in *iam.ListOpenIDConnectProviderTagsRequest) (*iam.ListOpenIDConnectProviderTagsResponse, error) {
	var err error
	out := &iam.ListOpenIDConnectProviderTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.providerTags(ctx, providerOIDC, in.OpenIDConnectProviderArn, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}
