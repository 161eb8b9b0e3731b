package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// macToken is a token that is signed with a secret.
func macToken(secret []byte, header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	m := hmac.New(crypto.SHA256.New, secret)
	m.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func publicPEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Tokens that somebody without the provider's keys could make up.
func TestForgedIDTokens(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	k := testKeys()
	g.issuer(k.set(), "app")
	r := g.role("web", webTrust(`{}`), "")
	evil, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	evilEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := g.claimsJSON(nil)
	goodToken := g.token(nil)
	parts := strings.Split(goodToken, ".")
	embedded := map[string]any{"kid": "p256", "jwk": jose.JSONWebKey{Key: evilEC.Public(), KeyID: "p256"}}
	swap := func(old, with string) string {
		return parts[0] + "." + b64(strings.Replace(good, old, with, 1)) + "." + parts[2]
	}
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat("[", 7000) + strings.Repeat("]", 7000)
	for name, token := range map[string]string{
		"none":                      b64(`{"alg":"none"}`) + "." + b64(good) + ".",
		"none, in another case":     b64(`{"alg":"nOnE"}`) + "." + b64(good) + ".",
		"none with a signature":     b64(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"no algorithm":              b64(`{}`) + "." + parts[1] + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"HMAC by the public key":    macToken(publicPEM(t, k.rsa.Public()), `{"alg":"HS256","kid":"rsa"}`, good),
		"HMAC by its DER":           macToken(der, `{"alg":"HS256","kid":"rsa"}`, good),
		"HMAC by the key set":       macToken([]byte(k.set()), `{"alg":"HS256"}`, good),
		"HMAC by nothing":           macToken(nil, `{"alg":"HS256"}`, good),
		"HMAC that says RS256":      macToken(publicPEM(t, k.rsa.Public()), `{"alg":"RS256","kid":"rsa"}`, good),
		"EdDSA":                     b64(`{"alg":"EdDSA"}`) + "." + parts[1] + "." + parts[2],
		"another key":               sign(t, jose.RS256, evil, map[string]any{"kid": "rsa"}, good),
		"another key, no id":        sign(t, jose.ES256, evilEC, nil, good),
		"key embedded":              sign(t, jose.ES256, evilEC, embedded, good),
		"key at a URL":              sign(t, jose.ES256, evilEC, map[string]any{"kid": "p256", "jku": "https://evil.example/keys", "x5u": "https://evil.example/x"}, good),
		"unknown key id":            sign(t, jose.ES256, k.p256, map[string]any{"kid": "../../p256"}, good),
		"the id of another's key":   sign(t, jose.ES256, k.p256, map[string]any{"kid": "p384"}, good),
		"critical header":           sign(t, jose.ES256, k.p256, map[string]any{"kid": "p256", "crit": []string{"exp"}, "exp": 1}, good),
		"unencoded payload":         sign(t, jose.ES256, k.p256, map[string]any{"kid": "p256", "crit": []string{"b64"}, "b64": true}, good),
		"another subject":           swap("device-1", "device-2"),
		"another expiry":            swap(`"exp":1`, `"exp":2`),
		"another algorithm":         b64(strings.Replace(decode64(t, parts[0]), "ES256", "ES384", 1)) + "." + parts[1] + "." + parts[2],
		"signature of zeros":        parts[0] + "." + parts[1] + "." + b64(strings.Repeat("\x00", 64)),
		"members twice, the header": b64(`{"alg":"ES256","alg":"none","kid":"p256"}`) + "." + parts[1] + "." + parts[2],
		"four parts":                goodToken + ".",
		"two parts":                 parts[0] + "." + parts[1],
		"five parts":                goodToken + "." + parts[1] + "." + parts[2],
		"JSON form":                 `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"lines":                     goodToken[:20] + "\n" + goodToken[20:],
		"padding":                   goodToken + "=",
		"deep header":               b64(`{"alg":"ES256","kid":"p256","x":`+deep+`}`) + "." + parts[1] + "." + parts[2],
		"deep claims":               parts[0] + "." + b64(`{"iss":"`+testIssuer+`","x":`+deep+`}`) + "." + parts[2],
		"deep claims alone":         parts[0] + "." + b64(deep) + "." + parts[2],
		"claims of a list":          sign(t, jose.ES256, k.p256, nil, "["+good+"]"),
		"null":                      sign(t, jose.ES256, k.p256, nil, "null"),
		"two subjects":              sign(t, jose.ES256, k.p256, nil, strings.Replace(good, `{`, `{"sub":"root",`, 1)),
		"two subjects, escaped":     sign(t, jose.ES256, k.p256, nil, strings.Replace(good, `{`, `{"su\u0062":"root",`, 1)),
		"claims in another case":    sign(t, jose.ES256, k.p256, nil, strings.Replace(good, `"sub"`, `"SUB"`, 1)),
		"empty":                     "....",
		"not UTF-8":                 "\xff\xfe.\xff.\xff",
	} {
		if token == goodToken {
			t.Fatalf("%s is the good one", name)
		}
		if _, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: token}); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			wantCode(t, err, "InvalidIdentityToken", "")
		}
	}
	// Embedded keys do not spoil a token that is good without them.
	embedded["x5t"] = "abc"
	if _, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: sign(t, jose.ES256, k.p256, embedded, good)}); err != nil {
		t.Error(err)
	}
	// A claim that nobody reads may nest as it likes.
	if _, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: sign(t, jose.ES256, k.p256, nil, strings.Replace(good, `{`, `{"x":`+deep+`,`, 1))}); err != nil {
		t.Error(err)
	}
}

func decode64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// No byte of a token can be changed.
func TestTamperedIDTokens(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	g.issuer(testKeys().set(), "app")
	p := must(g.tokenIssuer(t.Context(), testAccount, testIssuer))(t)
	token := g.token(nil)
	for i := range len(token) {
		for _, c := range []byte{'A', '_', '.', token[i] ^ 1} {
			if c == token[i] {
				continue
			}
			bad := token[:i] + string(c) + token[i+1:]
			parsed, err := parseIDToken(bad)
			if err == nil {
				_, err = p.accept(parsed, g.Now())
			}
			if err == nil {
				t.Errorf("byte %d as %q: taken", i, c)
			}
		}
	}
}

// A key is for the algorithm that it says it is for.
func TestKeysOfOneAlgorithm(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	k := testKeys()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.rsa.Public(), KeyID: "k", Algorithm: "PS256"}}})
	if err != nil {
		t.Fatal(err)
	}
	g.issuer(string(set), "app")
	r := g.role("web", webTrust(`{}`), "")
	for alg, code := range map[jose.SignatureAlgorithm]string{jose.PS256: "", jose.RS256: "InvalidIdentityToken", jose.PS384: "InvalidIdentityToken"} {
		_, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: sign(t, alg, k.rsa, map[string]any{"kid": "k"}, g.claimsJSON(nil))})
		wantCode(t, err, code, "")
	}
}

func FuzzIDToken(f *testing.F) {
	g := &rig{t: f, Service: &Service{Now: newRig(f, dbtest.SQLite(f)).Now}}
	set := testKeys().set()
	keys, err := parseKeySet(set)
	if err != nil {
		f.Fatal(err)
	}
	p := &tokenIssuer{arn: testProvider, url: strings.TrimPrefix(testIssuer, "https://"), clientIDs: []string{"app"}, keys: keys}
	header := `{"alg":"ES256","kid":"p256"}`
	for _, change := range []map[string]any{
		nil, {"aud": []string{"app", "x"}, "azp": "app"}, {"nbf": 1.5e9, "amr": "mfa", "email": "a@b"}, {"sub": nil}, {"exp": "x"},
		{claimTags: map[string]any{"principal_tags": map[string]any{"a": []string{"b"}}, "transitive_tag_keys": []string{"a"}}, claimSourceIdentity: "me"},
		{claimTags + "/principal_tags/a": "b", claimTags + "/transitive_tag_keys": "a"},
	} {
		f.Add(header, g.claimsJSON(change))
	}
	f.Add(`{"alg":"none"}`, "{}")
	f.Add(`{"alg":"RS256","jwk":{"kty":"EC"},"x5c":["AA"],"crit":["b64"]}`, `[[[[`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		// What nobody signed is refused, however it looks.
		forged, err := parseIDToken(b64(header) + "." + b64(claims) + "." + b64("signature"))
		if err == nil {
			if _, err := p.accept(forged, g.Now()); err == nil {
				t.Errorf("took %s %s", header, claims)
			}
		} else if _, ok := err.(*awsapi.Error); !ok {
			t.Errorf("%s: %v", claims, err)
		}
		if _, err := parseIDToken(header + "." + claims + ".x"); err == nil && !bytes.Contains([]byte(claims), []byte("ey")) {
			t.Errorf("parsed %s.%s", header, claims)
		}
		// What is signed holds what later steps rest on.
		signed, err := parseIDToken(sign(t, jose.ES256, testKeys().p256, map[string]any{"kid": "p256"}, claims))
		if err != nil {
			return
		}
		audience, err := p.accept(signed, g.Now())
		if err != nil {
			return
		}
		if len(audience) != 1 || audience[0] != "app" || signed.subject == "" || signed.issuer == "" || signed.expires <= float64(g.Now().Unix())-60 {
			t.Errorf("%s: audience %v", claims, audience)
		}
		for _, tag := range signed.tags {
			if tag.Key == "" || len(tag.Key) > 4*maxTagKey || len(tag.Value) > 4*maxTagValue {
				t.Errorf("tag %+v", tag)
			}
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(testKeys().set())
	f.Add(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseKeySet(text)
		if err != nil {
			return
		}
		for _, k := range keys {
			if !k.IsPublic() || !k.Valid() {
				t.Errorf("took %v", k)
			}
		}
		if len(keys) == 0 || len(keys) > maxProviderKeys {
			t.Errorf("%d keys", len(keys))
		}
	})
}
