package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// apiServer answers what a thingd would, to requests that its root key signed.
func apiServer(t *testing.T, answers map[string]string) *config.Running {
	t.Helper()
	r := running(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		sig, err := sigv4.Parse(req)
		if err != nil || sig == nil || sig.Service != "thingd" || sig.Region != r.Credentials.Region || sig.AccessKeyID != r.Credentials.AccessKeyID {
			t.Errorf("signature %+v, %v", sig, err)
		}
		text, ok := answers[req.Method+" "+req.URL.RequestURI()+" "+string(body)]
		if !ok {
			t.Errorf("asked %s %s %s", req.Method, req.URL.RequestURI(), body)
		}
		if code, message, failed := strings.Cut(text, "!"); failed {
			w.Header().Set("x-amzn-ErrorType", code)
			w.WriteHeader(http.StatusForbidden)
			text = message
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	r.Endpoints.API = s.URL
	if err := r.Endpoints.Write(r.Dir); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAPIErrors(t *testing.T) {
	for name, tt := range map[string]struct{ answer, stderr string }{
		"key":      {`UnrecognizedClientException!{"message":"The security token included in the request is invalid."}`, "thingd: the server does not take the root access key in DIR/root-credentials: The security token included in the request is invalid.\n"},
		"refused":  {`AccessDeniedException!{"message":"User: x is not authorized"}`, "thingd: User: x is not authorized\n"},
		"no JSON":  {`!<html>`, "thingd: URL answered 403 Forbidden\n"},
		"bad JSON": {`{`, "thingd: read the server's answer: unexpected end of JSON input\n"},
		"none":     {`{"Refusals":[]}`, "thingd: nothing was refused since the server started\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := apiServer(t, map[string]string{"GET /thingd/refusals?maxResults=1 ": tt.answer})
			want := strings.NewReplacer("DIR", r.Dir, "URL", r.Endpoints.API).Replace(tt.stderr)
			if code, stdout, stderr := run(t, "explain", "--data", r.Dir); code != 1 || stdout != "" || stderr != want {
				t.Errorf("%d %q %q, want %q", code, stdout, stderr, want)
			}
		})
	}
	r := running(t)
	r.Endpoints.API = "http://127.0.0.1:1"
	if err := r.Endpoints.Write(r.Dir); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "account", "list", "--data", r.Dir); code != 1 || !strings.HasPrefix(stderr, "thingd: the server does not answer: ") {
		t.Errorf("%d %q", code, stderr)
	}
	if code, _, stderr := run(t, "explain", "--max", "0", "--data", r.Dir); code != 1 || stderr != "thingd: --max: 1 to 250 is wanted\n" {
		t.Errorf("%d %q", code, stderr)
	}
}

func TestAccountList(t *testing.T) {
	const first = `{"AccountId":"111122223333","Arn":"arn:aws:iam::111122223333:root","Name":"","CreatedTime":"2026-01-15T12:00:00Z","Management":true}`
	const second = `{"AccountId":"222222222222","Arn":"arn:aws:iam::222222222222:root","Name":"Two\u001b[2J","Email":"a@example.org","CreatedTime":"2026-01-16T12:00:00Z","Management":false}`
	r := apiServer(t, map[string]string{
		"GET /thingd/accounts ":                        `{"Accounts":[` + first + `],"NextToken":"111122223333"}`,
		"GET /thingd/accounts?nextToken=111122223333 ": `{"Accounts":[` + second + `]}`,
	})
	want := "ACCOUNT       CREATED              NAME                   EMAIL\n" +
		"111122223333  2026-01-15 12:00:00  (management account)   \n" +
		"222222222222  2026-01-16 12:00:00  Two\uFFFD[2J                a@example.org\n"
	if code, stdout, stderr := run(t, "account", "list", "--data", r.Dir); code != 0 || stdout != want {
		t.Errorf("%d %s\n%s\nwant\n%s", code, stderr, stdout, want)
	}
	if code, stdout, stderr := run(t, "account", "list", "--json", "--data", r.Dir); code != 0 || !strings.Contains(stdout, `"Email": "a@example.org"`) {
		t.Errorf("%d %s\n%s", code, stderr, stdout)
	}
}

func TestAccountCreate(t *testing.T) {
	const account = `"Account":{"AccountId":"222222222222","Arn":"arn:aws:iam::222222222222:root","Name":"Two","CreatedTime":"2026-01-15T12:00:00Z","Management":false}`
	const body = ` {"AccountId":null,"Email":null,"Name":"Two"}`
	r := apiServer(t, map[string]string{
		"POST /thingd/accounts" + body: `{` + account + `,"RootAccessKeyId":"AKIA2","RootSecretAccessKey":"sec/ret","RootPassword":"pass word"}`,
	})
	home := t.TempDir()
	t.Setenv("HOME", home)
	code, stdout, stderr := run(t, "account", "create", "Two", "--data", r.Dir)
	want := "Account            222222222222 (Two)\nRoot password      pass word\nRoot access key    AKIA2\nSecret access key  sec/ret\n" +
		"Keep what is secret of it: it is not shown again.\n"
	if code != 0 || stdout != want {
		t.Errorf("%d %s\n%s\nwant\n%s", code, stderr, stdout, want)
	}
	if code, stdout, stderr = run(t, "account", "create", "Two", "--profile", "two", "--data", r.Dir); code != 0 || strings.Contains(stdout, "sec/ret") ||
		!strings.HasSuffix(stdout, "sts get-caller-identity\nKeep the password: it is not shown again.\n") {
		t.Errorf("%d %s\n%s", code, stderr, stdout)
	}
	b, err := os.ReadFile(filepath.Join(home, ".aws", "credentials"))
	if err != nil || string(b) != "[two]\naws_access_key_id = AKIA2\naws_secret_access_key = sec/ret\n" {
		t.Errorf("%s, %v", b, err)
	}
	// The profile is in the way: no account is made.
	if code, _, stderr = run(t, "account", "create", "Other", "--profile", "two", "--data", r.Dir); code != 1 || !strings.Contains(stderr, "profile two is already in") {
		t.Errorf("%d %s", code, stderr)
	}
	// Where its files would be cannot be read: no account is made.
	if err := os.Remove(filepath.Join(home, ".aws", "credentials")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(home, ".aws", "config")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "file", "config"))
	if err := os.WriteFile(filepath.Join(home, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = run(t, "account", "create", "Two", "--profile", "two", "--data", r.Dir)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "not a directory") {
		t.Errorf("%d %s\n%s", code, stderr, stdout)
	}
}

func TestAPIClientWithoutRoot(t *testing.T) {
	r := running(t)
	if err := os.WriteFile(filepath.Join(r.Dir, config.ServerRootFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newAPIClient(r); err == nil || !strings.HasPrefix(err.Error(), "no certificate in ") {
		t.Error(err)
	}
}
