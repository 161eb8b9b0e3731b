package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
)

// What the keys of a provider may be.
const (
	maxProviderKeys  = 20
	maxProviderBytes = 64 << 10
	minRSABits       = 2048
	maxRSABits       = 8192
)

// tokenIssuer is an OpenID Connect provider as its tokens are verified. It is
// immutable.
type tokenIssuer struct {
	arn       string
	url       string // the issuer without https://
	clientIDs []string
	keys      []jose.JSONWebKey // that tokens can be verified by
}

// issuerRef is what a provider is looked up by.
type issuerRef struct{ account, url string }

// tokenIssuer finds the provider of an issuer in an account. db.ErrNotFound
// when there is none.
func (s *Service) tokenIssuer(ctx context.Context, account, issuer string) (*tokenIssuer, error) {
	url, ok := issuerURL(issuer)
	if !ok {
		return nil, db.ErrNotFound
	}
	p, _, err := fresh.Load(&s.gens, &s.issuers, issuerRef{account, url}, account, func() (*tokenIssuer, bool, error) {
		p := &tokenIssuer{url: url}
		var ids, keys string
		err := s.DB.QueryRow(ctx, `SELECT arn, client_ids, keys FROM iam_oidc_providers WHERE account = $1 AND url = $2`, account, url).
			Scan(&p.arn, &ids, &keys)
		if err != nil {
			return nil, false, err
		}
		if err := stdjson.Unmarshal([]byte(ids), &p.clientIDs); err != nil {
			return nil, false, fmt.Errorf("provider %s: client_ids: %w", p.arn, err)
		}
		if keys != "" {
			if p.keys, err = parseKeySet(keys); err != nil {
				return nil, false, fmt.Errorf("provider %s: keys: %w", p.arn, err)
			}
		}
		return p, true, nil
	})
	return p, err
}

// PutOpenIDConnectProviderKeys sets the keys by which the tokens of a provider
// are verified: a JSON web key set (RFC 7517) of 1 to 20 public keys. RSA keys
// of 2048 to 8192 bits and those on the curves P-256, P-384 and P-521 are made
// use of, others and those for encryption are passed over: the answer counts
// the former.
func (s *Service) PutOpenIDConnectProviderKeys(ctx context.Context, in *thingd.PutOpenIDConnectProviderKeysRequest) (*thingd.PutOpenIDConnectProviderKeysResponse, error) {
	keys, err := parseKeySet(in.Keys)
	if err != nil {
		return nil, thingd.ErrInvalidRequestException("Invalid Keys: %s.", err.Error())
	}
	account := awsapi.Account(ctx)
	err = s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE iam_oidc_providers SET keys = $1 WHERE account = $2 AND arn = $3`, in.Keys, account, in.OpenIDConnectProviderArn)
		if err == nil && n == 0 {
			return thingd.ErrResourceNotFoundException("OpenIDConnect Provider not found for arn %s", in.OpenIDConnectProviderArn)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("put keys of provider %s: %w", in.OpenIDConnectProviderArn, err)
	}
	return &thingd.PutOpenIDConnectProviderKeysResponse{KeyCount: int64(len(keys))}, nil
}

// parseKeySet reads a JSON web key set and answers the keys that signatures of
// tokens can be verified by. Errors are for whoever gave them.
func parseKeySet(text string) ([]jose.JSONWebKey, error) {
	if len(text) > maxProviderBytes {
		return nil, fmt.Errorf("more than %d bytes", maxProviderBytes)
	}
	var set map[string]json.RawMessage
	var raws []json.RawMessage
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, errors.New("not a JSON web key set")
	}
	if err := json.Unmarshal(set["keys"], &raws); err != nil {
		return nil, errors.New("not a JSON web key set")
	}
	if len(raws) < 1 || len(raws) > maxProviderKeys {
		return nil, fmt.Errorf("%d keys, there must be 1 to %d", len(raws), maxProviderKeys)
	}
	var keys []jose.JSONWebKey
	for i, raw := range raws {
		k, err := parseKey(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d %w", i+1, err)
		}
		if k != nil {
			keys = append(keys, *k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("none of the keys is for the signatures of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512")
	}
	return keys, nil
}

// parseKey reads one key, nil for one that is of no use here. Whatever it is,
// it must not be secret.
func parseKey(raw json.RawMessage) (*jose.JSONWebKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, errors.New("is not a JSON web key")
	}
	if string(members["kty"]) == `"oct"` {
		return nil, errors.New("is a symmetric key")
	}
	for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := members[secret]; ok {
			return nil, fmt.Errorf("is a private key: it has the member %q", secret)
		}
	}
	k := &jose.JSONWebKey{}
	err := k.UnmarshalJSON(raw)
	if errors.Is(err, jose.ErrUnsupportedKeyType) {
		return nil, nil
	}
	if err != nil || !k.Valid() || !k.IsPublic() {
		return nil, errors.New("is not a valid public key")
	}
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && !slices.Contains(idTokenAlgorithms(), jose.SignatureAlgorithm(k.Algorithm)) {
		return nil, nil
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
			return nil, fmt.Errorf("is an RSA key of %d bits, it must have %d to %d", n, minRSABits, maxRSABits)
		}
		return k, nil
	case *ecdsa.PublicKey:
		return k, nil
	}
	return nil, nil
}
