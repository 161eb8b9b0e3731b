package identity

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/explain"
)

// TestKeepRefusal: what no policy decided can be asked about too.
func TestKeepRefusal(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t))
	g.Refusals = &explain.Log{}
	role := g.role("r", trust(trustAccount), "")
	_, alice := g.user("alice", allow("*"))
	out := must(do(g, g.caller(alice), sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{}))(t).Credentials
	session := sigv4.Credentials{AccessKeyID: out.AccessKeyId, SecretAccessKey: out.SecretAccessKey, SessionToken: out.SessionToken}
	gateway := &awsapi.Gateway{Identity: g.Service, Log: g.Log, Now: g.Now, Refused: g.KeepRefusal}
	handlers := gateway.Handlers([]*awsapi.API{sts.Service.Bind(g.Service), iam.Service.Bind(g.Service)})
	for _, tt := range []struct {
		name, service          string
		creds                  sigv4.Credentials
		form                   url.Values
		who, resource, because string // because is empty when nothing is kept
	}{
		{"root assumes", "sts", g.root, url.Values{"Action": {"AssumeRole"}, "RoleArn": {role.Arn}, "RoleSessionName": {"s1"}}, "arn:aws:iam::123456789012:root", role.Arn, "roles may not be assumed by root accounts"},
		{"session", "sts", session, url.Values{"Action": {"GetSessionToken"}}, "arn:aws:iam::123456789012:user/alice", "*", "cannot call GetSessionToken with session credentials"},
		{"session, IAM", "iam", session, url.Values{"Action": {"ListUsers"}}, "arn:aws:iam::123456789012:user/alice", "*", "the security token included in the request is invalid"},
		{"half a code", "sts", alice, url.Values{"Action": {"GetSessionToken"}, "TokenCode": {"123456"}}, "arn:aws:iam::123456789012:user/alice", "*",
			"MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code"},
		{"old password", "iam", alice, url.Values{"Action": {"ChangePassword"}, "OldPassword": {"wrong one"}, "NewPassword": {otherPassword}}, "arn:aws:iam::123456789012:user/alice",
			"arn:aws:iam::123456789012:user/alice", "the old password was incorrect"},
		{"a fault", "iam", alice, url.Values{"Action": {"GetUser"}, "UserName": {"nobody"}}, "", "", ""},
		{"a stranger", "sts", sigv4.Credentials{AccessKeyID: alice.AccessKeyID, SecretAccessKey: "x"}, url.Values{"Action": {"GetSessionToken"}}, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.service == "iam" && tt.form.Get("Action") == "ChangePassword" {
				wantCode(t, g.password("alice", goodPassword), "", "")
			}
			g.Refusals.Clear()
			tt.form.Set("Version", map[string]string{"sts": "2011-06-15", "iam": "2010-05-08"}[tt.service])
			body := tt.form.Encode()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", strings.NewReader(body))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			if err := sigv4.Sign(req, []byte(body), tt.creds, "us-east-1", tt.service, g.Now()); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			handlers[tt.service].ServeHTTP(w, req)
			answer, _ := io.ReadAll(w.Result().Body)
			id := w.Header().Get("X-Thingd-Explain")
			kept := g.Refusals.Latest(testAccount, 9)
			if tt.because == "" {
				if id != "" || len(kept) > 0 {
					t.Errorf("kept %+v, header %q: %s", kept, id, answer)
				}
				return
			}
			if w.Code != 403 || id == "" || len(kept) != 1 || kept[0].ID != id {
				t.Fatalf("%d, header %q, kept %+v: %s", w.Code, id, kept, answer)
			}
			r := kept[0].Report()
			if r.Principal != tt.who || r.Resource != tt.resource || r.Action != tt.service+":"+tt.form.Get("Action") || r.Reason != "because "+tt.because || r.Suggestion != "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestReasonOf(t *testing.T) {
	for message, want := range map[string]string{
		"User: x is not authorized to perform: y on resource: * because only the management account manages accounts": "only the management account manages accounts",
		"Cross-account pass role is not allowed.": "cross-account pass role is not allowed", "IAM is away": "IAM is away", "": "", "No": "no",
	} {
		if got := reasonOf(message); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}
