package identity

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // it refuses members that are there twice, and tells them apart by case

	"github.com/thingd/thingd/internal/api/sts"
)

const (
	// idTokenLeeway is how far the clocks of identity providers may be off.
	idTokenLeeway = time.Minute
	maxSubject    = 255
	maxTagKey     = 128
	maxTagValue   = 256
)

// Claims that are AWS's own (IAM User Guide, "Pass session tags in AWS STS" and
// "Monitor and control actions taken with assumed roles").
const (
	claimTags           = "https://aws.amazon.com/tags"
	claimSourceIdentity = "https://aws.amazon.com/source_identity"
)

// idTokenAlgorithms are those that a token may be signed with: none that takes
// a secret.
func idTokenAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
	}
}

// idToken is what an OpenID Connect ID token says. Nothing of it is true before
// verify.
type idToken struct {
	jws        *jose.JSONWebSignature
	issuer     string
	subject    string
	audiences  []string
	authorized string // azp
	amr        []string
	email      string
	expires    float64 // seconds, as all times here
	issued     float64
	notBefore  float64 // 0: none

	sourceIdentity string
	tags           []sts.Tag
	transitive     []string
}

func errNoJWT() error {
	return sts.ErrInvalidIdentityTokenException("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
}

// parseIDToken reads a token. It verifies nothing.
func parseIDToken(token string) (*idToken, error) {
	for part := range strings.SplitSeq(token, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, errNoJWT()
		}
	}
	jws, err := jose.ParseSignedCompact(token, idTokenAlgorithms())
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, sts.ErrInvalidIdentityTokenException("The ID Token provided is not signed with an algorithm that is supported: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512.")
	}
	if err != nil {
		return nil, errNoJWT()
	}
	var c idClaims
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c); err != nil || c == nil {
		return nil, errNoJWT()
	}
	t := &idToken{jws: jws}
	if err := t.standard(c); err != nil {
		return nil, err
	}
	return t, t.aws(c)
}

// standard reads the claims of OpenID Connect.
func (t *idToken) standard(c idClaims) error {
	for name, into := range map[string]any{
		"iss": &t.issuer, "sub": &t.subject, "exp": &t.expires, "iat": &t.issued, "nbf": &t.notBefore, "azp": &t.authorized,
	} {
		if _, err := c.read(name, into); err != nil {
			return errNoJWT()
		}
	}
	var err error
	if t.audiences, err = c.strings("aud"); err != nil {
		return errNoJWT()
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat"} {
		if raw, ok := c[name]; !ok || slices.Contains([]string{`null`, `""`, `[]`}, string(raw)) {
			return sts.ErrInvalidIdentityTokenException("Missing a required claim: %s", name)
		}
	}
	if t.amr, err = c.strings("amr"); err != nil {
		return errNoJWT()
	}
	if _, err := c.read("email", &t.email); err != nil {
		return errNoJWT()
	}
	if utf8.RuneCountInString(t.subject) > maxSubject || strings.ContainsFunc(t.subject, unicode.IsControl) {
		return sts.ErrIDPRejectedClaimException("The claim sub must be of at most %d characters, none of them a control character.", maxSubject)
	}
	return nil
}

// verify checks the signature by the keys that were given for a provider.
// Keys that the token brings along count for nothing.
func (t *idToken) verify(p *tokenIssuer) error {
	const noKey = "Couldn't retrieve verification key from your identity provider"
	if len(p.keys) == 0 {
		return sts.ErrInvalidIdentityTokenException("%s: no keys were given for %s. thingd fetches none: set them with: thingd oidc-keys %s FILE", noKey, p.arn, p.arn)
	}
	header := t.jws.Signatures[0].Protected
	if _, ok := header.ExtraHeaders["crit"]; ok {
		return errNoJWT()
	}
	tried := false
	for i := range p.keys {
		k := &p.keys[i]
		if header.KeyID != "" && k.KeyID != "" && k.KeyID != header.KeyID || k.Algorithm != "" && k.Algorithm != header.Algorithm {
			continue
		}
		tried = true
		if _, err := t.jws.Verify(k.Key); err == nil {
			return nil
		}
	}
	if !tried {
		return sts.ErrInvalidIdentityTokenException("%s: none of those given for %s is for the key id %q and the algorithm %s.", noKey, p.arn, header.KeyID, header.Algorithm)
	}
	return sts.ErrInvalidIdentityTokenException("The signature of the ID Token provided is not valid.")
}

// current checks the token's times.
func (t *idToken) current(now time.Time) error {
	leeway, at := idTokenLeeway.Seconds(), float64(now.UnixMilli())/1000
	switch {
	case at >= t.expires+leeway:
		return sts.ErrExpiredTokenException("Token expired: current date/time %d must be before the expiration date/time %.0f", now.Unix(), t.expires)
	case at < t.notBefore-leeway:
		return sts.ErrInvalidIdentityTokenException("Token not yet valid: current date/time %d must not be before %.0f", now.Unix(), t.notBefore)
	case at < t.issued-leeway:
		return sts.ErrInvalidIdentityTokenException("Token issued in the future: current date/time %d must not be before %.0f", now.Unix(), t.issued)
	}
	return nil
}

// aws reads the claims that become session tags and source identity.
func (t *idToken) aws(c idClaims) error {
	if _, err := c.read(claimSourceIdentity, &t.sourceIdentity); err != nil || !validSourceIdentity(t.sourceIdentity) {
		return sts.ErrIDPRejectedClaimException("The claim %s must be a string of 2 to 64 characters that satisfies the pattern [\\w+=,.@-]*", claimSourceIdentity)
	}
	tags, transitive, err := c.tags()
	if err != nil {
		return sts.ErrIDPRejectedClaimException("The claim %s must be of the form {\"principal_tags\": {\"key\": [\"value\"]}, \"transitive_tag_keys\": [\"key\"]}, with keys of 1 to %d and values of at most %d characters that tags may have.",
			claimTags, maxTagKey, maxTagValue)
	}
	t.tags, t.transitive = tags, transitive
	return nil
}

// validSourceIdentity is the pattern of the API model.
func validSourceIdentity(s string) bool {
	if s == "" {
		return true
	}
	return len(s) >= 2 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_+=,.@-", r)
	})
}

// idClaims are the claims of a token by name.
type idClaims map[string]json.RawMessage

var errClaim = errors.New("claim is not of its form")

// read reads a claim into a value, which it leaves as it is if there is none.
func (c idClaims) read(name string, into any) (ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(raw, into)
}

// strings reads a claim that is a string or a list of them.
func (c idClaims) strings(name string) ([]string, error) {
	var one string
	if ok, err := c.read(name, &one); !ok || err == nil {
		if one == "" {
			return nil, nil
		}
		return []string{one}, nil
	}
	var list []string
	if _, err := c.read(name, &list); err != nil || slices.Contains(list, "") {
		return nil, errClaim
	}
	return list, nil
}

// tags reads AWS's claim for session tags, nested or, for providers that cannot
// nest, one claim a tag: https://aws.amazon.com/tags/principal_tags/KEY. They
// are in the order of their keys.
func (c idClaims) tags() (tags []sts.Tag, transitive []string, err error) {
	var nested, principal idClaims
	if _, err := c.read(claimTags, &nested); err != nil {
		return nil, nil, err
	}
	if _, err := nested.read("principal_tags", &principal); err != nil {
		return nil, nil, err
	}
	if transitive, err = nested.strings("transitive_tag_keys"); err != nil {
		return nil, nil, err
	}
	flat, err := c.strings(claimTags + "/transitive_tag_keys")
	if err != nil {
		return nil, nil, err
	}
	add := func(from idClaims, claim, key string) error {
		v, err := from.strings(claim)
		if err != nil || len(v) > 1 {
			return errClaim
		}
		t := sts.Tag{Key: key}
		if len(v) == 1 {
			t.Value = v[0]
		}
		if key == "" || !validTagText(key, maxTagKey) || !validTagText(t.Value, maxTagValue) {
			return errClaim
		}
		tags = append(tags, t)
		return nil
	}
	for key := range principal {
		if err := add(principal, key, key); err != nil {
			return nil, nil, err
		}
	}
	for name := range c {
		if key, ok := strings.CutPrefix(name, claimTags+"/principal_tags/"); ok {
			if err := add(c, name, key); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortFunc(tags, func(a, b sts.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags, append(transitive, flat...), nil
}

// validTagText is the pattern of the API model for keys and values of tags.
func validTagText(s string, most int) bool {
	return utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}
