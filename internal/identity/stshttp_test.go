package identity

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/explain"
)

// What only the wire shows: requests without a signature, conditions on tags,
// the header of a refusal.
func TestSTSOverHTTP(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	g.Refusals = &explain.Log{}
	g.issuer(testKeys().set(), "app")
	r := g.role("web", webTrust(`{"StringEquals":{"issuer.example/realm:sub":"device-1"}}`), "")
	_, creds := g.user("alice", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetFederationToken","sts:TagSession"],
		"Resource":"arn:aws:sts::123456789012:federated-user/team-*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"Team"},"StringEqualsIfExists":{"aws:RequestTag/Team":"cam"}}}]}`)
	gateway := &awsapi.Gateway{Identity: g.Service, Log: g.Log, Now: g.Now}
	server := httptest.NewServer(gateway.Handler(sts.Service.Bind(g.Service)))
	defer server.Close()
	send := func(c *sigv4.Credentials, form url.Values) (int, http.Header, string) {
		t.Helper()
		form.Set("Version", "2011-06-15")
		body := form.Encode()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if c != nil {
			if err := sigv4.Sign(req, []byte(body), *c, "us-east-1", "sts", g.Now()); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, string(answer)
	}
	web := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {g.token(nil)}}
	status, _, text := send(nil, web)
	var answer struct {
		Result struct {
			Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string } //nolint:revive // AWS's names
			Provider    string
		} `xml:"AssumeRoleWithWebIdentityResult"`
	}
	if err := xml.Unmarshal([]byte(text), &answer); err != nil || status != 200 || answer.Result.Provider != testProvider {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	got := answer.Result.Credentials
	session := sigv4.Credentials{AccessKeyID: got.AccessKeyId, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken}
	if status, _, text = send(&session, url.Values{"Action": {"GetCallerIdentity"}}); status != 200 || !strings.Contains(text, "assumed-role/web/s1") {
		t.Errorf("%d %s", status, text)
	}
	for name, tt := range map[string]struct {
		creds        *sigv4.Credentials
		form         url.Values
		status       int
		code, header string
	}{
		"another subject": {nil, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {g.token(map[string]any{"sub": "x"})}},
			403, "<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>", "X-Thingd-Explain"},
		"expired token": {nil, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {g.token(map[string]any{"exp": 1})}},
			400, "<Code>ExpiredTokenException</Code>", ""},
		"forged token": {nil, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {g.token(nil) + "A"}},
			400, "<Code>InvalidIdentityToken</Code>", ""},
		"rejected claim": {nil, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {g.token(map[string]any{claimSourceIdentity: "?"})}},
			403, "<Code>IDPRejectedClaim</Code>", ""},
		"long token": {nil, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}, "WebIdentityToken": {strings.Repeat("a", 20001)}},
			400, "<Code>ValidationError</Code>", ""},
		"unsigned AssumeRole": {nil, url.Values{"Action": {"AssumeRole"}, "RoleArn": {r.Arn}, "RoleSessionName": {"s1"}}, 403, "<Code>MissingAuthenticationToken</Code>", ""},
		"federated": {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team-1"}, "Tags.member.1.Key": {"Team"}, "Tags.member.1.Value": {"cam"}}, 200,
			"<FederatedUserId>123456789012:team-1</FederatedUserId>", ""},
		"another value": {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team-1"}, "Tags.member.1.Key": {"Team"}, "Tags.member.1.Value": {"x"}}, 403,
			"is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::123456789012:federated-user/team-1", "X-Thingd-Explain"},
		"another tag": {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team-1"}, "Tags.member.1.Key": {"Boss"}, "Tags.member.1.Value": {"cam"}}, 403, "<Code>AccessDenied</Code>", "X-Thingd-Explain"},
		"short name":  {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"t"}}, 400, "<Code>ValidationError</Code>", ""},
		"bad name":    {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team 1"}}, 400, "Member must satisfy regular expression pattern: [\\w+=,.@-]*", ""},
		"long name":   {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {strings.Repeat("t", 33)}}, 400, "<Code>ValidationError</Code>", ""},
		"too short":   {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team-1"}, "DurationSeconds": {"899"}}, 400, "<Code>ValidationError</Code>", ""},
		"too long":    {&creds, url.Values{"Action": {"GetFederationToken"}, "Name": {"team-1"}, "DurationSeconds": {"129601"}}, 400, "<Code>ValidationError</Code>", ""},
		"SAML":        {nil, url.Values{"Action": {"AssumeRoleWithSAML"}, "RoleArn": {r.Arn}, "PrincipalArn": {testProvider}, "SAMLAssertion": {"abcd"}}, 501, "<Code>NotImplementedException</Code>", ""},
	} {
		status, header, text := send(tt.creds, tt.form)
		if status != tt.status || !strings.Contains(text, tt.code) || (header.Get("X-Thingd-Explain") != "") != (tt.header != "") {
			t.Errorf("%s: %d %s %s", name, status, text, header)
		}
	}
}
