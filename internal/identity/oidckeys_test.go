package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
)

func keySet(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPutOpenIDConnectProviderKeys(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.issuer("", "app")
		root := g.caller(g.root)
		put := func(c *awsapi.Caller, arn, keys string) error {
			_, err := do(g, c, thingd.Service, "PutOpenIDConnectProviderKeys", g.PutOpenIDConnectProviderKeys,
				&thingd.PutOpenIDConnectProviderKeysRequest{OpenIDConnectProviderArn: arn, Keys: keys})
			return err
		}
		r := g.role("web", webTrust(`{}`), "")
		in := &sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: g.token(nil)}
		_, err := g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "no keys were given")
		wantCode(t, put(root, testProvider, testKeys().set()), "", "")
		_, err = g.assumeWeb(in) // at once
		wantCode(t, err, "", "")

		// Keys that were rotated away are good no more.
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, put(root, testProvider, keySet(t, jose.JSONWebKey{Key: other.Public(), KeyID: "p256"})), "", "")
		_, err = g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "The signature of the ID Token provided is not valid.")

		wantCode(t, put(root, testProvider+"x", testKeys().set()), "ResourceNotFoundException", "OpenIDConnect Provider not found for arn "+testProvider+"x")
		_, poor := g.user("bob", "")
		wantCode(t, put(g.caller(poor), testProvider, testKeys().set()), "AccessDenied", "thingd:PutOpenIDConnectProviderKeys on resource: "+testProvider)
		_, able := g.user("carol", strings.Replace(allow("thingd:PutOpenIDConnectProviderKeys"), `"Resource":"*"`, `"Resource":"arn:aws:iam::*:oidc-provider/*"`, 1))
		wantCode(t, put(g.caller(able), testProvider, testKeys().set()), "AccessDenied", "iam:UpdateOpenIDConnectProviderThumbprint")
		must(iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{
			UserName: "carol", PolicyName: "q", PolicyDocument: allow("iam:UpdateOpenIDConnectProviderThumbprint"),
		}))(t)
		wantCode(t, put(g.caller(able), testProvider, testKeys().set()), "", "")
		out := must(do(g, root, thingd.Service, "PutOpenIDConnectProviderKeys", g.PutOpenIDConnectProviderKeys, &thingd.PutOpenIDConnectProviderKeysRequest{
			OpenIDConnectProviderArn: testProvider, Keys: keySet(t, jose.JSONWebKey{Key: testKeys().p256.Public()}, jose.JSONWebKey{Key: testKeys().rsa.Public(), Use: "enc"}),
		}))(t)
		if out.KeyCount != 1 {
			t.Errorf("%d keys", out.KeyCount)
		}
		// Whoever may do all but IAM must not become what IAM lets tokens become.
		_, power := g.user("dave", "")
		must(iamDo(g, root, "AttachUserPolicy", g.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: "dave", PolicyArn: "arn:aws:iam::aws:policy/PowerUserAccess"}))(t)
		wantCode(t, put(g.caller(power), testProvider, testKeys().set()), "AccessDenied", "iam:UpdateOpenIDConnectProviderThumbprint on resource: "+testProvider)
		stranger := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		wantCode(t, put(g.caller(rootCreds(stranger)), testProvider, testKeys().set()), "AccessDenied", "")
	})
}

func TestKeySets(t *testing.T) {
	k := testKeys()
	pub := jose.JSONWebKey{Key: k.p256.Public(), KeyID: "a"}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]jose.JSONWebKey, 21)
	for i := range many {
		many[i] = pub
	}
	for _, tt := range []struct {
		name, set, err string
		keys           int
	}{
		{"one", keySet(t, pub), "", 1},
		{"all kinds", k.set(), "", 4},
		{"twenty", keySet(t, many[:20]...), "", 20},
		{"for encryption beside", keySet(t, pub, jose.JSONWebKey{Key: k.rsa.Public(), Use: "enc", Algorithm: "RSA-OAEP"}), "", 1},
		{"another kind beside", keySet(t, pub, jose.JSONWebKey{Key: ed}), "", 1},
		{"unknown kind beside", `{"keys":[{"kty":"X"},` + keySet(t, pub)[len(`{"keys":[`):], "", 1},
		{"none", `{"keys":[]}`, "0 keys, there must be 1 to 20", 0},
		{"twenty-one", keySet(t, many...), "21 keys, there must be 1 to 20", 0},
		{"no set", `{}`, "not a JSON web key set", 0},
		{"not JSON", `keys`, "not a JSON web key set", 0},
		{"set twice", `{"keys":[],"keys":[]}`, "not a JSON web key set", 0},
		{"a number", `{"keys":[1]}`, "key 1 is not a JSON web key", 0},
		{"private", keySet(t, pub, jose.JSONWebKey{Key: k.p256}), `key 2 is a private key: it has the member "d"`, 0},
		{"private RSA", keySet(t, jose.JSONWebKey{Key: k.rsa}), `key 1 is a private key`, 0},
		{"private, of no use", `{"keys":[{"kty":"OKP","crv":"X25519","x":"AA","d":"AA"}]}`, "key 1 is a private key", 0},
		{"symmetric", keySet(t, jose.JSONWebKey{Key: []byte("secretsecretsecretsecretsecret")}), "key 1 is a symmetric key", 0},
		{"symmetric, hidden", `{"keys":[{"kty":"RSA","k":"AA"}]}`, "key 1 is a private key", 0},
		{"small", keySet(t, jose.JSONWebKey{Key: small.Public()}), "key 1 is an RSA key of 1024 bits, it must have 2048 to 8192", 0},
		{"off the curve", `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, "key 1 is not a valid public key", 0},
		{"of no use", keySet(t, jose.JSONWebKey{Key: ed}), "none of the keys is for the signatures of", 0},
		{"large", keySet(t, pub) + strings.Repeat(" ", maxProviderBytes), "more than 65536 bytes", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := parseKeySet(tt.set)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || len(keys) != tt.keys {
				t.Errorf("%d keys, %v, want %d, %s", len(keys), err, tt.keys, tt.err)
			}
		})
	}
}
