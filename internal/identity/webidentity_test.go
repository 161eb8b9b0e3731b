package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/explain"
)

const (
	testIssuer   = "https://issuer.example/realm"
	testProvider = "arn:aws:iam::123456789012:oidc-provider/issuer.example/realm"
)

// idKeys are the keys of an identity provider, made once.
type idKeys struct {
	rsa  *rsa.PrivateKey
	p256 *ecdsa.PrivateKey
	p384 *ecdsa.PrivateKey
	p521 *ecdsa.PrivateKey
}

func newIDKeys() *idKeys {
	one := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return &idKeys{k, one(elliptic.P256()), one(elliptic.P384()), one(elliptic.P521())}
}

var testKeys = sync.OnceValue(newIDKeys)

// set is the JSON web key set of the public halves.
func (k *idKeys) set() string {
	set := jose.JSONWebKeySet{}
	for id, key := range map[string]crypto.Signer{"rsa": k.rsa, "p256": k.p256, "p384": k.p384, "p521": k.p521} {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"})
	}
	b, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sign makes a token with header members of a test's choice.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, payload string) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for name, v := range header {
		opts.WithHeader(jose.HeaderKey(name), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claimsJSON are the claims of a good token with some of them changed; nil
// leaves one out.
func (g *rig) claimsJSON(change map[string]any) string {
	now := g.Now().Unix()
	c := map[string]any{"iss": testIssuer, "sub": "device-1", "aud": "app", "iat": now, "exp": now + 3600}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(c)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// token makes one that is good but for what is changed.
func (g *rig) token(change map[string]any) string {
	g.t.Helper()
	return sign(g.t, jose.ES256, testKeys().p256, map[string]any{"kid": "p256"}, g.claimsJSON(change))
}

// issuer registers the test's identity provider and gives it keys, if any.
func (g *rig) issuer(keys string, clientIDs ...string) {
	g.t.Helper()
	root := g.caller(g.root)
	p := must(iamDo(g, root, "CreateOpenIDConnectProvider", g.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderRequest{Url: testIssuer, ClientIDList: clientIDs}))(g.t)
	if *p.OpenIDConnectProviderArn != testProvider {
		g.t.Fatalf("provider %s", *p.OpenIDConnectProviderArn)
	}
	if keys != "" {
		must(do(g, root, thingd.Service, "PutOpenIDConnectProviderKeys", g.PutOpenIDConnectProviderKeys,
			&thingd.PutOpenIDConnectProviderKeysRequest{OpenIDConnectProviderArn: testProvider, Keys: keys}))(g.t)
	}
}

// webTrust trusts the test's provider under a condition.
func webTrust(condition string, actions ...string) string {
	actions = append(actions, "sts:AssumeRoleWithWebIdentity")
	return `{"Version":"2012-10-17","Statement":[{"Sid":"web","Effect":"Allow","Principal":{"Federated":"` + testProvider + `"},"Action":["` +
		strings.Join(actions, `","`) + `"],"Condition":` + condition + `}]}`
}

func (g *rig) assumeWeb(in *sts.AssumeRoleWithWebIdentityRequest) (*sts.AssumeRoleWithWebIdentityResponse, error) {
	if in.RoleSessionName == "" {
		in.RoleSessionName = "s1"
	}
	return do(g, &awsapi.Caller{Type: awsapi.Anonymous}, sts.Service, "AssumeRoleWithWebIdentity", g.AssumeRoleWithWebIdentity, in)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.issuer(testKeys().set(), "app", "other")
		r := g.role("web", webTrust(`{"StringEquals":{"issuer.example/realm:aud":"app","issuer.example/realm:oaud":"app"},"StringLike":{"issuer.example/realm:sub":"device-*"},
			"ForAnyValue:StringEquals":{"issuer.example/realm:amr":"mfa"},"Bool":{"aws:SecureTransport":"false"}}`, "sts:TagSession", "sts:SetSourceIdentity"),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesisvideo:*:*:stream/${issuer.example/realm:sub}/*"}]}`)
		token := g.token(map[string]any{
			"amr": []string{"pwd", "mfa"}, claimSourceIdentity: "alice@example.org",
			claimTags: map[string]any{"principal_tags": map[string]any{"Team": []string{"cam"}, "Plant": []string{"a 1"}}, "transitive_tag_keys": []string{"Team"}},
		})
		out := must(g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: token, DurationSeconds: new(int64(1800))}))(t)
		if out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/web/s1" || out.AssumedRoleUser.AssumedRoleId != r.RoleId+":s1" ||
			*out.Provider != testProvider || *out.Audience != "app" || *out.SubjectFromWebIdentityToken != "device-1" || *out.SourceIdentity != "alice@example.org" ||
			!out.Credentials.Expiration.Equal(g.Now().Add(30*time.Minute)) || out.PackedPolicySize == nil {
			t.Errorf("assumed %+v", out)
		}
		session := g.caller(sessionCreds(out.Credentials))
		cred := session.Identity.(*credential)
		for name, want := range map[string]string{
			"aws:FederatedProvider": testProvider, "issuer.example/realm:aud": "app", "issuer.example/realm:sub": "device-1", "issuer.example/realm:amr": "pwd mfa",
			"aws:SourceIdentity": "alice@example.org", "aws:PrincipalTag/team": "cam", "aws:PrincipalTag/Plant": "a 1", "aws:PrincipalType": "AssumedRole",
		} {
			if k, ok := cred.input.Keys.Lookup(name); !ok || strings.Join(k.Values(), " ") != want {
				t.Errorf("%s is %v, want %s", name, k, want)
			}
		}
		if cred.session.claims.Chained {
			t.Error("the session counts as made with temporary credentials")
		}
		wantCode(t, g.may(session, "kinesisvideo:PutMedia", "arn:aws:kinesisvideo:us-east-1:123456789012:stream/device-1/1"), "", "")
		wantCode(t, g.may(session, "kinesisvideo:PutMedia", "arn:aws:kinesisvideo:us-east-1:123456789012:stream/device-2/1"), "AccessDenied", "")

		// Replay is allowed, as on AWS; what goes on to the next role is as ever.
		must(g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: token}))(t)
		next := g.role("next", trust(`{"AWS":"`+r.Arn+`"}`), "")
		must(iamDo(g, g.caller(g.root), "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "web", PolicyName: "p", PolicyDocument: allow("sts:*")}))(t)
		chained := must(g.assumeRole(session, &sts.AssumeRoleRequest{RoleArn: next.Arn, RoleSessionName: "s2"}))(t)
		keys := g.caller(sessionCreds(chained.Credentials)).Identity.(*credential).input.Keys
		if _, ok := keys.Lookup("aws:FederatedProvider"); ok || *chained.SourceIdentity != "alice@example.org" {
			t.Error("the next session is federated, or without its source identity")
		}
		if _, ok := keys.Lookup("aws:PrincipalTag/Plant"); ok {
			t.Error("a tag went on that is not transitive")
		}
		if k, ok := keys.Lookup("aws:PrincipalTag/Team"); !ok || k.Values()[0] != "cam" {
			t.Error("the transitive tag is lost")
		}
	})
}

func TestWebIdentityAlgorithms(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	k := testKeys()
	g.issuer(k.set(), "app")
	r := g.role("web", webTrust(`{}`), "")
	for alg, key := range map[jose.SignatureAlgorithm]any{
		jose.RS256: k.rsa, jose.RS384: k.rsa, jose.RS512: k.rsa, jose.PS256: k.rsa, jose.PS384: k.rsa, jose.PS512: k.rsa,
		jose.ES256: k.p256, jose.ES384: k.p384, jose.ES512: k.p521,
	} {
		// With and without the key's id.
		id := map[any]string{k.rsa: "rsa", k.p256: "p256", k.p384: "p384", k.p521: "p521"}[key]
		for _, header := range []map[string]any{{"kid": id}, {}, {"typ": "at+jwt", "x5t": "abc"}} {
			_, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, WebIdentityToken: sign(t, alg, key, header, g.claimsJSON(nil))})
			if err != nil {
				t.Errorf("%s %v: %v", alg, header, err)
			}
		}
	}
}

func TestWebIdentityRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.issuer(testKeys().set(), "app", "other")
		r := g.role("web", webTrust(`{"StringNotEquals":{"issuer.example/realm:sub":"banned"}}`), "")
		tagged := g.role("tagged", webTrust(`{"StringEquals":{"aws:RequestTag/Team":"cam"}}`, "sts:TagSession"), "")
		account := g.role("account", trust(trustAccount), "")
		elsewhere := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		now := g.Now().Unix()
		tag := func(key string, value any) map[string]any {
			return map[string]any{claimTags: map[string]any{"principal_tags": map[string]any{key: value}}}
		}
		many := map[string]any{}
		for i := range 51 {
			many[newSecret()[:10]+string(rune('a'+i%26))] = []string{"v"}
		}
		const (
			invalid  = "InvalidIdentityToken"
			rejected = "IDPRejectedClaim"
			denied   = "Not authorized to perform sts:"
		)
		for _, tt := range []struct {
			name       string
			in         sts.AssumeRoleWithWebIdentityRequest
			claims     map[string]any
			code, text string
		}{
			{"fine", sts.AssumeRoleWithWebIdentityRequest{}, nil, "", ""},
			{"another client id", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"aud": "other"}, "", ""},
			{"a client id of several", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"aud": []string{"x", "app"}}, "", ""},
			{"no client id", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"aud": "APP"}, invalid, "Incorrect token audience"},
			{"azp is the audience", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"aud": "x", "azp": "app"}, "", ""},
			{"azp is not a client id", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"azp": "x"}, invalid, "Incorrect token audience"},
			{"unknown issuer", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": "https://issuer.example"}, invalid, "No OpenIDConnect provider found in your account for https://issuer.example"},
			{"issuer with a slash", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": testIssuer + "/"}, invalid, "No OpenIDConnect provider found"},
			{"issuer without scheme", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": "issuer.example/realm"}, invalid, "No OpenIDConnect provider found"},
			{"issuer by http", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": "http://issuer.example/realm"}, invalid, "No OpenIDConnect provider found"},
			{"issuer with a NUL", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": testIssuer + "\x00"}, invalid, "No OpenIDConnect provider found"},
			{"no issuer", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iss": nil}, invalid, "Missing a required claim: iss"},
			{"no subject", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"sub": ""}, invalid, "Missing a required claim: sub"},
			{"no audience", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"aud": []string{}}, invalid, "Missing a required claim: aud"},
			{"no expiry", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"exp": nil}, invalid, "Missing a required claim: exp"},
			{"no issue time", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iat": nil}, invalid, "Missing a required claim: iat"},
			{"expired", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"exp": now - 60}, "ExpiredTokenException", "Token expired: current date/time 1768478400 must be before the expiration date/time 1768478340"},
			{"expired within the leeway", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"exp": now - 59}, "", ""},
			{"expiry as text", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"exp": "9999999999"}, invalid, "not a valid JWT"},
			{"fractions", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"exp": float64(now) + 0.5}, "", ""},
			{"not yet valid", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"nbf": now + 61}, invalid, "Token not yet valid"},
			{"not yet valid within the leeway", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"nbf": now + 60}, "", ""},
			{"issued in the future", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"iat": now + 61}, invalid, "Token issued in the future"},
			{"subject as a number", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"sub": 7}, invalid, "not a valid JWT"},
			{"long subject", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"sub": strings.Repeat("s", 256)}, rejected, "255 characters"},
			{"subject of lines", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"sub": "a\nb"}, rejected, "control character"},
			{"banned", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{"sub": "banned"}, "denied", denied + "AssumeRoleWithWebIdentity"},
			{"role trusts others", sts.AssumeRoleWithWebIdentityRequest{RoleArn: account.Arn}, nil, "denied", denied + "AssumeRoleWithWebIdentity"},
			{"no such role", sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn + "x"}, nil, "denied", denied + "AssumeRoleWithWebIdentity"},
			{"another account", sts.AssumeRoleWithWebIdentityRequest{RoleArn: "arn:aws:iam::" + elsewhere.AccountID + ":role/web"}, nil, invalid, "No OpenIDConnect provider found in your account for " + testIssuer},
			{"not a role", sts.AssumeRoleWithWebIdentityRequest{RoleArn: "arn:aws:iam::123456789012:user/web"}, nil, "ValidationError", "arn:aws:iam::123456789012:user/web is invalid"},
			{"too long", sts.AssumeRoleWithWebIdentityRequest{DurationSeconds: new(int64(3601))}, nil, "ValidationError", "exceeds the MaxSessionDuration set for this role"},
			{"OAuth", sts.AssumeRoleWithWebIdentityRequest{ProviderId: new("www.amazon.com")}, nil, "ValidationError", "The ProviderId www.amazon.com is not supported."},
			{"not a token", sts.AssumeRoleWithWebIdentityRequest{WebIdentityToken: "Atza|xyz"}, nil, invalid, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
			{"bad session policy", sts.AssumeRoleWithWebIdentityRequest{Policy: new("{}")}, nil, "MalformedPolicyDocument", ""},
			{"no such policy", sts.AssumeRoleWithWebIdentityRequest{PolicyArns: []sts.PolicyDescriptorType{{Arn: new("arn:aws:iam::123456789012:policy/none")}}}, nil, "MalformedPolicyDocument", "does not exist"},
			{"large session policy", sts.AssumeRoleWithWebIdentityRequest{Policy: new(allow(strings.Repeat("x", 2048) + ":x"))}, nil, "PackedPolicyTooLarge", ""},

			{"tags", sts.AssumeRoleWithWebIdentityRequest{RoleArn: tagged.Arn}, tag("Team", []string{"cam"}), "", ""},
			{"tags as text", sts.AssumeRoleWithWebIdentityRequest{RoleArn: tagged.Arn}, tag("Team", "cam"), "", ""},
			{"flat tags", sts.AssumeRoleWithWebIdentityRequest{RoleArn: tagged.Arn}, map[string]any{claimTags + "/principal_tags/Team": "cam", claimTags + "/transitive_tag_keys": []string{"Team"}}, "", ""},
			{"other tags", sts.AssumeRoleWithWebIdentityRequest{RoleArn: tagged.Arn}, tag("Team", []string{"x"}), "denied", denied + "AssumeRoleWithWebIdentity"},
			{"tags without trust", sts.AssumeRoleWithWebIdentityRequest{}, tag("Team", []string{"cam"}), "denied", denied + "TagSession"},
			{"source identity without trust", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimSourceIdentity: "me"}, "denied", denied + "SetSourceIdentity"},
			{"bad source identity", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimSourceIdentity: "m e"}, rejected, claimSourceIdentity},
			{"source identity of a list", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimSourceIdentity: []string{"me"}}, rejected, claimSourceIdentity},
			{"two values", sts.AssumeRoleWithWebIdentityRequest{}, tag("Team", []string{"a", "b"}), rejected, claimTags},
			{"bad key", sts.AssumeRoleWithWebIdentityRequest{}, tag("Te;am", []string{"a"}), rejected, claimTags},
			{"no key", sts.AssumeRoleWithWebIdentityRequest{}, tag("", []string{"a"}), rejected, claimTags},
			{"long key", sts.AssumeRoleWithWebIdentityRequest{}, tag(strings.Repeat("k", 129), []string{"a"}), rejected, claimTags},
			{"long value", sts.AssumeRoleWithWebIdentityRequest{}, tag("k", []string{strings.Repeat("v", 257)}), rejected, claimTags},
			{"tags of a list", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimTags: []string{"a"}}, rejected, claimTags},
			{"AWS's tags", sts.AssumeRoleWithWebIdentityRequest{}, tag("aws:Team", []string{"a"}), "InvalidParameterValue", "aws: prefixed"},
			{"same tags", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimTags: map[string]any{"principal_tags": map[string]any{"a": "1", "A": "2"}}}, "InvalidParameterValue", "Duplicate tag keys"},
			{"transitive tag not given", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimTags: map[string]any{"transitive_tag_keys": []string{"a"}}}, "InvalidParameterValue", "must be included in the requested tags"},
			{"51 tags", sts.AssumeRoleWithWebIdentityRequest{}, map[string]any{claimTags: map[string]any{"principal_tags": many}}, "ValidationError", "Member must have length less than or equal to 50"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if tt.in.RoleArn == "" {
					tt.in.RoleArn = r.Arn
				}
				if tt.in.WebIdentityToken == "" {
					tt.in.WebIdentityToken = g.token(tt.claims)
				}
				_, err := g.assumeWeb(&tt.in)
				if tt.code == "denied" {
					if err == nil || err.Error() != tt.text {
						t.Errorf("got %v, want %s", err, tt.text)
					}
					return
				}
				wantCode(t, err, tt.code, tt.text)
			})
		}
	})
}

// The account of the role can ask why a token was refused; the provider's end
// is that of its tokens, and one without keys says so.
func TestWebIdentityProviders(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.Refusals = &explain.Log{}
		g.issuer("", "app")
		r := g.role("web", webTrust(`{"StringEquals":{"issuer.example/realm:sub":"device-2"}}`), "")
		in := &sts.AssumeRoleWithWebIdentityRequest{RoleArn: r.Arn, RoleSessionName: "s1", WebIdentityToken: g.token(nil)}
		_, err := g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider: no keys were given for "+testProvider+
			". thingd fetches none: set them with: thingd oidc-keys "+testProvider+" FILE")
		root := g.caller(g.root)
		must(do(g, root, thingd.Service, "PutOpenIDConnectProviderKeys", g.PutOpenIDConnectProviderKeys,
			&thingd.PutOpenIDConnectProviderKeysRequest{OpenIDConnectProviderArn: testProvider, Keys: testKeys().set()}))(t)
		req := &awsapi.Request{ID: "w1", Caller: &awsapi.Caller{Type: awsapi.Anonymous}, Service: sts.Service, Time: g.Now()}
		_, err = g.AssumeRoleWithWebIdentity(awsapi.WithRequest(t.Context(), req), in)
		if err == nil || !req.Explained {
			t.Errorf("refused with %v, id told: %v", err, req.Explained)
		}
		m := must(g.decode(root, "w1"))(t)
		if m.Context.Action != "sts:AssumeRoleWithWebIdentity" || m.Context.Principal.ARN != testProvider || m.Context.Principal.ID != testProvider+":app:device-1" ||
			len(m.Explanation.Statements) != 1 || m.Explanation.Statements[0].Mismatch != "StringEquals issuer.example/realm:sub" || m.Explanation.Suggestion != "" ||
			!m.Explanation.Statements[0].Nearly || m.Explanation.Statements[0].Conditions[0].Wanted[0] != "device-2" || m.Explanation.Statements[0].Conditions[0].Values[0] != "device-1" {
			t.Errorf("explained %+v", m)
		}
		in.WebIdentityToken = g.token(map[string]any{"sub": "device-2"})
		out := must(g.assumeWeb(in))(t)
		must(iamDo(g, root, "AddClientIDToOpenIDConnectProvider", g.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderRequest{OpenIDConnectProviderArn: testProvider, ClientID: "x"}))(t)
		must(g.assumeWeb(in))(t) // the keys are still there
		must(iamDo(g, root, "RemoveClientIDFromOpenIDConnectProvider", g.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderRequest{OpenIDConnectProviderArn: testProvider, ClientID: "app"}))(t)
		_, err = g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "Incorrect token audience")
		must(iamDo(g, root, "DeleteOpenIDConnectProvider", g.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderRequest{OpenIDConnectProviderArn: testProvider}))(t)
		_, err = g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "No OpenIDConnect provider found")
		g.caller(sessionCreds(out.Credentials)) // sessions live on
		g.issuer("", "app")
		_, err = g.assumeWeb(in)
		wantCode(t, err, "InvalidIdentityToken", "no keys were given") // one that is made again has none
	})
}

// Client ids of one token that a condition is to tell apart.
func TestWebIdentityAudiences(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	g.issuer(testKeys().set(), "app", "other")
	one := g.role("one", webTrust(`{"StringEquals":{"issuer.example/realm:aud":"app"}}`), "")
	several := g.role("several", webTrust(`{"ForAnyValue:StringEquals":{"issuer.example/realm:aud":"other"}}`), "")
	for _, tt := range []struct {
		aud     []string
		role    string
		allowed bool
	}{
		{[]string{"app"}, one.Arn, true},
		{[]string{"x", "app", "app"}, one.Arn, true},
		{[]string{"other"}, one.Arn, false},
		{[]string{"app", "other"}, one.Arn, false}, // a set needs a set operator
		{[]string{"app", "other"}, several.Arn, true},
	} {
		out, err := g.assumeWeb(&sts.AssumeRoleWithWebIdentityRequest{RoleArn: tt.role, WebIdentityToken: g.token(map[string]any{"aud": tt.aud})})
		if (err == nil) != tt.allowed {
			t.Errorf("%v: %v", tt.aud, err)
		}
		if err == nil && slices.Contains(tt.aud, "other") {
			k, _ := g.caller(sessionCreds(out.Credentials)).Identity.(*credential).input.Keys.Lookup("issuer.example/realm:aud")
			if !slices.Equal(k.Values(), tt.aud) {
				t.Errorf("the session's audiences are %v", k.Values())
			}
		}
	}
}
