package identity

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

func TestBootstrap(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d)
		again, created, err := g.Bootstrap(t.Context(), BootstrapOptions{})
		if err != nil || created || again.AccountID != testAccount || again.SecretAccessKey != "" {
			t.Errorf("again: %+v %v %v", again, created, err)
		}
		if c := g.caller(g.root); c.Type != awsapi.Root || c.ARN != "arn:aws:iam::123456789012:root" || c.UserID != testAccount {
			t.Errorf("root is %+v", c)
		}
		if err := d.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.Invalidate()
		if _, err := g.login(g.root); err == nil {
			t.Error("a key outlived the reset")
		}
		fresh, created, err := g.Bootstrap(t.Context(), BootstrapOptions{})
		if err != nil || !created || len(fresh.AccountID) != 12 || len(fresh.AccessKeyID) != 20 || len(fresh.SecretAccessKey) != 40 {
			t.Fatalf("fresh: %+v %v %v", fresh, created, err)
		}
		if a, ok := accountOfKeyID(fresh.AccessKeyID); !ok || a != fresh.AccountID {
			t.Errorf("key %s is of account %s", fresh.AccessKeyID, a)
		}
		g.caller(sigv4.Credentials{AccessKeyID: fresh.AccessKeyID, SecretAccessKey: fresh.SecretAccessKey})
		second, err := g.AddAccount(t.Context(), BootstrapOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := g.caller(sigv4.Credentials{AccessKeyID: second.AccessKeyID, SecretAccessKey: second.SecretAccessKey})
		wantCode(t, g.may(c, "iot:DescribeThing", "arn:aws:iot:us-east-1:"+second.AccountID+":thing/x"), "", "")
		wantCode(t, g.may(c, "iot:DescribeThing", "arn:aws:iot:us-east-1:"+fresh.AccountID+":thing/x"), "AccessDenied", "because no resource-based policy allows")
	})
}

func TestAccountOfKeyID(t *testing.T) {
	for id, want := range map[string]string{
		"ASIAY34FZKBOKMUTVV7A": "609629065308", // as published
		"AKIAIOSFODNN7EXAMPLE": "",             // of the older form
		"AKIA":                 "",
		"AKIA0000000000000000": "",
	} {
		if got, ok := accountOfKeyID(id); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %s %v, want %s", id, got, ok, want)
		}
	}
	for _, account := range []string{"000000000000", "123456789012", "999999999999"} {
		if got, ok := accountOfKeyID(newKeyID(prefixKey, account)); !ok || got != account {
			t.Errorf("%s: %s", account, got)
		}
	}
}

func TestAuthenticationRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, alice := g.user("alice", allow("sts:*"))
		_, bob := g.user("bob", allow("sts:*"))
		r := g.role("r", trust(trustAccount), allow("*"))
		session := func(c sigv4.Credentials) sigv4.Credentials {
			return sessionCreds(must(g.assumeRole(g.caller(c), &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"}))(t).Credentials)
		}
		a, b := session(alice), session(bob)
		flip := func(token string, i int) string {
			raw, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil {
				t.Fatal(err)
			}
			raw[i%len(raw)] ^= 1
			return base64.RawURLEncoding.EncodeToString(raw)
		}
		type c = sigv4.Credentials
		for _, tt := range []struct {
			name  string
			creds c
			code  string
		}{
			{"fine", a, ""},
			{"unknown key", c{AccessKeyID: newKeyID(prefixKey, testAccount), SecretAccessKey: alice.SecretAccessKey}, "InvalidClientTokenId"},
			{"wrong secret", c{AccessKeyID: alice.AccessKeyID, SecretAccessKey: bob.SecretAccessKey}, "SignatureDoesNotMatch"},
			{"temporary key without token", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey}, "InvalidClientTokenId"},
			{"long-term key with token", c{AccessKeyID: alice.AccessKeyID, SecretAccessKey: alice.SecretAccessKey, SessionToken: a.SessionToken}, "InvalidClientTokenId"},
			{"another's token", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: b.SessionToken}, "InvalidClientTokenId"},
			{"another's secret", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: b.SecretAccessKey, SessionToken: a.SessionToken}, "SignatureDoesNotMatch"},
			{"not a token", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: "IQoJb3JpZ2lu"}, "InvalidClientTokenId"},
			{"token with a line break", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken[:9] + "\n" + a.SessionToken[9:]}, "InvalidClientTokenId"},
			{"long token", c{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: strings.Repeat("A", 5000)}, "InvalidClientTokenId"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := g.login(tt.creds)
				wantCode(t, err, tt.code, "")
			})
		}
		for i := range len(a.SessionToken) * 3 / 4 {
			bad := a
			bad.SessionToken = flip(a.SessionToken, i)
			if _, err := g.login(bad); err == nil {
				t.Fatalf("byte %d of the token does not count", i)
			}
		}
		g.advance(time.Hour - time.Millisecond)
		_, err := g.login(a)
		wantCode(t, err, "", "")
		g.advance(time.Millisecond)
		_, err = g.login(a)
		wantCode(t, err, "ExpiredToken", "The security token included in the request is expired")

		must(iamDo(g, root, "UpdateAccessKey", g.UpdateAccessKey, &iam.UpdateAccessKeyRequest{UserName: new("alice"), AccessKeyId: alice.AccessKeyID, Status: "Inactive"}))(t)
		_, err = g.login(alice)
		wantCode(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
		must(iamDo(g, root, "UpdateAccessKey", g.UpdateAccessKey, &iam.UpdateAccessKeyRequest{UserName: new("alice"), AccessKeyId: alice.AccessKeyID, Status: "Active"}))(t)
		g.caller(alice)
		must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: new("alice"), AccessKeyId: alice.AccessKeyID}))(t)
		_, err = g.login(alice)
		wantCode(t, err, "InvalidClientTokenId", "")
	})
}

// Whoever is on a connection that lasts is judged by today's policies, and
// not at all when key, user or role are gone.
func TestWhatIsCachedEndsWithItsCause(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, creds := g.user("alice", allow("*"))
		alice := g.caller(creds)
		r := g.role("r", trust(`{"AWS":"arn:aws:iam::123456789012:user/alice"}`), allow("iot:*"))
		assume := func() (sigv4.Credentials, error) {
			out, err := g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"})
			if err != nil {
				return sigv4.Credentials{}, err
			}
			return sessionCreds(out.Credentials), nil
		}
		token := must(assume())(t)
		session := g.caller(token)
		wantCode(t, g.may(session, "iot:ListThings", "*"), "", "")
		must(iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "r", PolicyName: "p", PolicyDocument: deny("iot:*")}))(t)
		wantCode(t, g.may(session, "iot:ListThings", "*"), "AccessDenied", "with an explicit deny in an identity-based policy")
		must(iamDo(g, root, "DeleteRolePolicy", g.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: "r", PolicyName: "p"}))(t)
		wantCode(t, g.may(session, "iot:ListThings", "*"), "AccessDenied", "because no identity-based policy")

		// A boundary takes away.
		p := must(iamDo(g, root, "CreatePolicy", g.CreatePolicy, &iam.CreatePolicyRequest{PolicyName: "b", PolicyDocument: allow("sts:*")}))(t)
		must(iamDo(g, root, "PutUserPermissionsBoundary", g.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: "alice", PermissionsBoundary: *p.Policy.Arn}))(t)
		wantCode(t, g.may(alice, "iot:ListThings", "*"), "AccessDenied", "because no permissions boundary allows the iot:ListThings action")

		// The trust is in the user, not in the name.
		must(iamDo(g, root, "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "alice", NewUserName: new("alicia")}))(t)
		alice = g.caller(creds)
		must(assume())(t)
		shown := must(iamDo(g, root, "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: "r"}))(t)
		if !strings.Contains(*shown.Role.AssumeRolePolicyDocument, "user%2Falicia") {
			t.Errorf("trust policy shows %s", *shown.Role.AssumeRolePolicyDocument)
		}
		must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: new("alicia"), AccessKeyId: creds.AccessKeyID}))(t)
		wantCode(t, g.may(alice, "sts:AssumeRole", "*"), "InvalidClientTokenId", "")
		must(iamDo(g, root, "DeleteUserPolicy", g.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: "alicia", PolicyName: "p"}))(t)
		must(iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "alicia"}))(t)
		twin, twinCreds := g.user("alice", allow("*"))
		alice = g.caller(twinCreds)
		_, err := assume()
		wantCode(t, err, "AccessDenied", "sts:AssumeRole")
		shown = must(iamDo(g, root, "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: "r"}))(t)
		if !strings.Contains(*shown.Role.AssumeRolePolicyDocument, "%22AIDA") || strings.Contains(*shown.Role.AssumeRolePolicyDocument, twin.UserId) {
			t.Errorf("trust policy shows %s", *shown.Role.AssumeRolePolicyDocument)
		}

		// A role of the same name is another role.
		must(iamDo(g, root, "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "r"}))(t)
		g.role("r", trust(trustAccount), allow("*"))
		_, err = g.login(token)
		wantCode(t, err, "InvalidClientTokenId", "")
		wantCode(t, g.may(session, "iot:ListThings", "*"), "InvalidClientTokenId", "")
	})
}

// Across accounts both sides have to allow, and a principal's account that
// changes outdates the role that trusts it.
func TestTrustAcrossAccounts(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		second := must(g.AddAccount(t.Context(), BootstrapOptions{AccountID: "222222222222"}))(t)
		other := g.caller(sigv4.Credentials{AccessKeyID: second.AccessKeyID, SecretAccessKey: second.SecretAccessKey})
		r := must(iamDo(g, other, "CreateRole", g.CreateRole, &iam.CreateRoleRequest{RoleName: "theirs", AssumeRolePolicyDocument: trust(trustAccount)}))(t)
		_, creds := g.user("alice", allow("sts:*"))
		_, poor := g.user("bob", "")
		assume := func(c sigv4.Credentials) error {
			_, err := g.assumeRole(g.caller(c), &sts.AssumeRoleRequest{RoleArn: r.Role.Arn, RoleSessionName: "s1"})
			return err
		}
		wantCode(t, assume(creds), "", "")
		wantCode(t, assume(poor), "AccessDenied", "sts:AssumeRole")
		trustIn := func(document string) {
			must(iamDo(g, other, "UpdateAssumeRolePolicy", g.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyRequest{RoleName: "theirs", PolicyDocument: document}))(t)
		}
		trustIn(trust(`{"AWS":"arn:aws:iam::222222222222:root"}`))
		wantCode(t, assume(creds), "AccessDenied", "sts:AssumeRole")
		trustIn(trust(`{"AWS":"arn:aws:iam::123456789012:user/alice"}`))
		wantCode(t, assume(creds), "", "")
		wantCode(t, assume(poor), "AccessDenied", "sts:AssumeRole")
		must(iamDo(g, g.caller(g.root), "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "alice", NewUserName: new("alicia")}))(t)
		wantCode(t, assume(creds), "", "")
	})
}

// While one goroutine switches a key on and off, others sign with it: what is
// acknowledged holds for every request that begins later.
func TestConcurrentInvalidation(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		_, creds := g.user("alice", allow("iot:*"))
		var state atomic.Int64 // even: at rest; its half even: active
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					before := state.Load()
					c, err := g.login(creds)
					if err == nil {
						err = g.may(c, "iot:ListThings", "*")
					}
					if state.Load() != before || before%2 == 1 {
						continue
					}
					if active := before/2%2 == 0; active != (err == nil) {
						t.Errorf("active %v, but %v", active, err)
						return
					}
				}
			})
		}
		for i := range 60 {
			state.Add(1)
			var err error
			if i < 40 {
				_, err = iamDo(g, root, "UpdateAccessKey", g.UpdateAccessKey, &iam.UpdateAccessKeyRequest{
					UserName: new("alice"), AccessKeyId: creds.AccessKeyID, Status: keyStatus(i%2 == 1)})
			} else {
				document := deny("iot:*")
				if i%2 == 1 {
					document = allow("iot:*")
				}
				_, err = iamDo(g, root, "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "p", PolicyDocument: document})
			}
			if err != nil {
				t.Fatal(err)
			}
			state.Add(1)
			for range 20 {
				_, _ = g.login(creds)
			}
		}
		close(stop)
		wg.Wait()
	})
}

func TestLastUsed(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("*"))
		alice := g.caller(creds)
		last := func() *iam.AccessKeyLastUsed {
			return must(iamDo(g, g.caller(g.root), "GetAccessKeyLastUsed", g.GetAccessKeyLastUsed, &iam.GetAccessKeyLastUsedRequest{AccessKeyId: creds.AccessKeyID}))(t).AccessKeyLastUsed
		}
		used := last()
		if used.ServiceName != "iot" || used.Region != "us-east-1" || !used.LastUsedDate.Equal(g.Now()) {
			t.Errorf("used %+v", used)
		}
		r := g.role("r", trust(trustAccount), "")
		g.assume(alice, r.Arn, "s1", allow("sts:*"))
		if err := g.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := g.Now()
		g.advance(10 * time.Minute)
		g.caller(creds)
		if used = last(); !used.LastUsedDate.Equal(at) {
			t.Errorf("used %+v after 10 minutes", used)
		}
		g.advance(5 * time.Minute)
		g.caller(creds)
		if used = last(); !used.LastUsedDate.Equal(g.Now()) {
			t.Errorf("used %+v after 15 minutes", used)
		}
		if err := g.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if used = last(); !used.LastUsedDate.Equal(g.Now()) || used.ServiceName != "iot" {
			t.Errorf("written %+v", used)
		}
		role := must(iamDo(g, g.caller(g.root), "GetRole", g.GetRole, &iam.GetRoleRequest{RoleName: "r"}))(t).Role.RoleLastUsed
		if role.LastUsedDate == nil || *role.Region != "us-east-1" {
			t.Errorf("role used %+v", role)
		}
	})
}

func TestSecretsAreSealed(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	var raw []byte
	if err := g.DB.QueryRow(t.Context(), `SELECT secret FROM iam_access_keys WHERE id = $1`, devKey).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), devSecret[:8]) {
		t.Error("the secret lies open in the database")
	}
	// A sealed secret counts for its own key only.
	_, creds := g.user("alice", "")
	err := g.write(t.Context(), testAccount, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE iam_access_keys SET secret = $1 WHERE id = $2`, raw, creds.AccessKeyID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.login(sigv4.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: devSecret}); err == nil {
		t.Error("a key took another's secret")
	}
}

func TestCatalog(t *testing.T) {
	g := &Service{}
	for _, m := range g.aws().list {
		if err := parseManaged(m.document); err != nil {
			t.Errorf("%s: %v", m.arn, err)
		}
		if m.created.IsZero() || m.updated.Before(m.created) || len(m.id) != 21 {
			t.Errorf("%s: %+v", m.arn, m)
		}
	}
	if g.managedByAWS("arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration") == nil {
		t.Error("no AWSIoTThingsRegistration")
	}
}

// Foreign bytes, and a token that they change, are no tokens. Each process of
// the fuzzer has a token of its own.
func FuzzOpenToken(f *testing.F) {
	g := newRig(f, dbtest.SQLite(f))
	creds, _, err := g.issue(&claims{Account: testAccount, ID: testAccount}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1})
	f.Add([]byte("IQoJb3JpZ2luX2Vj"))
	f.Fuzz(func(t *testing.T, b []byte) {
		changed := []byte(creds.SessionToken)
		for i := range min(len(b), len(changed)) {
			changed[i] ^= b[i]
		}
		for _, token := range []string{string(b), string(changed), creds.SessionToken + string(b)} {
			if c, err := g.openToken(token); err == nil && token != creds.SessionToken {
				t.Errorf("took %q for %+v", token, c)
			}
		}
	})
}

func FuzzUnpackClaims(f *testing.F) {
	for _, c := range []*claims{{Account: testAccount}, {Policy: strings.Repeat(allow("x"), 10)}} {
		b, err := packClaims(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = unpackClaims(b)
	})
}

func bench(b *testing.B, creds func(*rig) sigv4.Credentials, action, resource string) {
	g := newRig(b, dbtest.SQLite(b))
	c := creds(g)
	body := []byte(fmt.Sprintf("{%q:%q}", "thingTypeName", "camera"))
	r, err := http.NewRequest(http.MethodPost, "https://iot.us-east-1.amazonaws.com/things/cam1", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	if err := sigv4.Sign(r, body, c, "us-east-1", "iot", g.Now()); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	req := &awsapi.Request{Region: "us-east-1", SourceIP: "192.0.2.1", UserAgent: "aws-cli/2", TLS: true, Time: g.Now()}
	b.ReportAllocs()
	for b.Loop() {
		sig, err := sigv4.Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		req.Caller, err = g.Authenticate(ctx, r, sig, sigv4.Body(body))
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Authorize(ctx, req, []awsapi.Check{{Action: action, Resource: resource}}); err != nil {
			b.Fatal(err)
		}
	}
}

const benchThing = "arn:aws:iot:us-east-1:123456789012:thing/cam1"

func BenchmarkUser(b *testing.B) {
	bench(b, func(g *rig) sigv4.Credentials {
		_, c := g.user("alice", allow("iot:*"))
		return c
	}, "iot:CreateThing", benchThing)
}

func BenchmarkSession(b *testing.B) {
	bench(b, func(g *rig) sigv4.Credentials {
		_, c := g.user("alice", allow("sts:*"))
		r := g.role("r", trust(trustAccount), allow("iot:*"))
		out := must(g.assumeRole(g.caller(c), &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", Policy: new(allow("iot:*"))}))(b)
		return sessionCreds(out.Credentials)
	}, "iot:CreateThing", benchThing)
}

func BenchmarkAssumeRoleForService(b *testing.B) {
	g := newRig(b, dbtest.SQLite(b))
	r := g.role("cam", trust(`{"Service":"credentials.iot.amazonaws.com"}`), allow("kinesisvideo:*"))
	id := strings.Repeat("0f", 32)
	in := ServiceRole{
		Account: testAccount, RoleARN: r.Arn, Service: "credentials.iot.amazonaws.com", SessionName: id, Duration: time.Hour,
		Keys: map[string]string{"credentials-iot:ThingName": "cam1", "credentials-iot:AwsCertificateId": id, "credentials-iot:ThingTypeName": "camera"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.AssumeRoleForService(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// Run writes what waits when it is told to end.
func TestRunFlushes(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.caller(g.root)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var at int64
		if err := g.DB.QueryRow(t.Context(), `SELECT last_used FROM iam_access_keys WHERE id = $1`, devKey).Scan(&at); err != nil || at != g.Now().UnixMilli() {
			t.Errorf("last used %d, %v", at, err)
		}
	})
}

// The longest session of a device fits without being compressed, and what is
// compressed comes out as it went in.
func TestTokens(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	long := strings.Repeat("n", 128)
	device := &claims{Account: testAccount, ID: newID(prefixRole, testAccount), Session: strings.Repeat("0f", 32), Keys: map[string]string{
		"credentials-iot:ThingName": long, "credentials-iot:ThingTypeName": long, "credentials-iot:AwsCertificateId": strings.Repeat("0f", 32),
	}}
	policed := &claims{Account: testAccount, ID: newID(prefixRole, testAccount), Session: "s", Policy: allow(strings.Repeat("iot:Get*\",\"", 150) + "iot:x"),
		Tags: [][2]string{{"a", "b"}}, Transitive: []string{"a"}, SourceIdentity: "me", PolicyRefs: []string{"arn:aws:iam::aws:policy/AWSDenyAll"}}
	for _, c := range []*claims{device, policed} {
		creds, _, err := g.issue(c, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.openToken(creds.SessionToken)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		packed, err := packClaims(c)
		if err != nil || (packed[0] == plainClaims) != (c == device) || len(creds.SessionToken) > maxToken {
			t.Errorf("form %d, %d characters, %v", packed[0], len(creds.SessionToken), err)
		}
	}
	if _, err := unpackClaims(nil); err == nil {
		t.Error("took nothing")
	}
	var bomb bytes.Buffer
	bomb.WriteByte(deflateClaims)
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(`{"p":"` + strings.Repeat("x", 10<<20) + `"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unpackClaims(bomb.Bytes()); err == nil {
		t.Error("took a bomb")
	}
}

// Presigned requests: the token rides in the query, and is as much bound to
// the key there.
func TestPresigned(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	_, creds := g.user("alice", allow("sts:*"))
	r := g.role("r", trust(trustAccount), allow("iot:*"))
	s := sessionCreds(must(g.assumeRole(g.caller(creds), &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"}))(t).Credentials)
	req, err := http.NewRequest(http.MethodGet, "https://x.iot.us-east-1.amazonaws.com/mqtt", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := sigv4.Presign(req, nil, s, "us-east-1", "iotdevicegateway", 24*time.Hour, g.Now()); err != nil {
		t.Fatal(err)
	}
	_, err = g.authenticate(req)
	wantCode(t, err, "", "")
	g.advance(time.Hour) // the URL lives on, the credentials do not
	_, err = g.authenticate(req)
	wantCode(t, err, "ExpiredToken", "")
}

// Condition keys that the caller's session and the request bring along.
func TestConditionKeys(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		revoke := func(at time.Time) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + at.UTC().Format(timeISO) + `"}}}]}`
		}
		_, creds := g.user("alice", allow("sts:*"))
		r := g.role("r", trust(trustAccount), "")
		must(iamDo(g, root, "TagRole", g.TagRole, &iam.TagRoleRequest{RoleName: "r", Tags: []iam.Tag{{Key: "team", Value: "role"}, {Key: "own", Value: "role"}}}))(t)
		out := must(g.assumeRole(g.caller(creds), &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", Tags: []sts.Tag{{Key: "Team", Value: "session"}}}))(t)
		session := g.caller(sessionCreds(out.Credentials))
		put := func(document string) {
			must(iamDo(g, root, "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "r", PolicyName: "p", PolicyDocument: document}))(t)
		}
		put(revoke(g.Now()))
		wantCode(t, g.may(session, "iot:ListThings", "*"), "", "")
		put(revoke(g.Now().Add(time.Second)))
		wantCode(t, g.may(session, "iot:ListThings", "*"), "AccessDenied", "explicit deny")
		for condition, want := range map[string]bool{
			`{"StringEquals":{"aws:PrincipalTag/team":"session","aws:PrincipalTag/own":"role"}}`:                            true,
			`{"StringEquals":{"aws:PrincipalTag/team":"role"}}`:                                                             false,
			`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`:                                                                 true,
			`{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`:                                                              false,
			`{"Bool":{"aws:SecureTransport":"false"}}`:                                                                      true,
			`{"Bool":{"aws:MultiFactorAuthPresent":"false"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`:            true,
			`{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/r","aws:PrincipalType":"AssumedRole"}}`:    true,
			`{"StringEquals":{"aws:ResourceAccount":"123456789012","aws:PrincipalAccount":"123456789012"}}`:                 true,
			`{"StringLike":{"aws:userid":"` + r.RoleId + `:s1"},"DateLessThan":{"aws:CurrentTime":"2026-01-15T12:00:01Z"}}`: true,
			`{"Null":{"aws:username":"false"}}`:                                                                             false,
		} {
			put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}]}`)
			if err := g.may(session, "iot:ListThings", "*"); (err == nil) != want {
				t.Errorf("%s: %v", condition, err)
			}
		}
	})
}

func TestAnonymous(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	err := g.may(&awsapi.Caller{Type: awsapi.Anonymous}, "iot:ListThings", "*")
	wantCode(t, err, "AccessDenied", "User: anonymous is not authorized to perform: iot:ListThings on resource: *")
}
