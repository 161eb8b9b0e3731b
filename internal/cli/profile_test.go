package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

func TestProfileKeys(t *testing.T) {
	dir := t.TempDir()
	f := awsFiles{config: filepath.Join(dir, "config"), credentials: filepath.Join(dir, "credentials")}
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(f.credentials, "[default]\naws_access_key_id=AKIA0\naws_secret_access_key=s0\n\n[ two ]\n# a note = x\naws_access_key_id = AKIA2\n"+
		"AWS_SECRET_ACCESS_KEY = sec/ret==\naws_session_token = tok+en==\n[half]\naws_access_key_id = AKIA3\n")
	write(f.config, "[profile conf]\nregion = us-east-1\naws_access_key_id = AKIA4\naws_secret_access_key = s4\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = two\n")
	for profile, want := range map[string]sigv4.Credentials{
		"default": {AccessKeyID: "AKIA0", SecretAccessKey: "s0"},
		"two":     {AccessKeyID: "AKIA2", SecretAccessKey: "sec/ret==", SessionToken: "tok+en=="},
		"conf":    {AccessKeyID: "AKIA4", SecretAccessKey: "s4"},
	} {
		if got, err := f.keys(profile); err != nil || got != want {
			t.Errorf("%s: %+v, %v", profile, got, err)
		}
	}
	files := f.credentials + " or " + f.config
	for profile, want := range map[string]string{
		"none": "there is no profile none in " + files,
		"half": "the profile half has no access key in " + files + "; of a role or a session, write its temporary keys there",
		"role": "the profile role has no access key in " + files + "; of a role or a session, write its temporary keys there",
	} {
		if _, err := f.keys(profile); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", profile, err, want)
		}
	}
}

// TestExplainProfile: the request is signed by the profile, token included.
func TestExplainProfile(t *testing.T) {
	r := running(t)
	expired := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sig, err := sigv4.Parse(req)
		if err != nil || sig == nil || sig.AccessKeyID != "ASIA2" || sig.Token != "token" || sig.Region != r.Credentials.Region {
			t.Errorf("signature %+v, %v", sig, err)
		}
		if expired {
			w.Header().Set("x-amzn-ErrorType", "ExpiredTokenException")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"expired"}`))
			return
		}
		_, _ = w.Write([]byte(`{"Refusals":[]}`))
	}))
	t.Cleanup(s.Close)
	r.Endpoints.API = s.URL
	if err := r.Endpoints.Write(r.Dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("[two]\naws_access_key_id = ASIA2\naws_secret_access_key = s\naws_session_token = token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_CONFIG_FILE", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	if code, stdout, stderr := run(t, "explain", "--list", "--profile", "two", "--data", r.Dir); code != 0 || stdout != "Nothing was refused since the server started.\n" {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	expired = true
	if code, _, stderr := run(t, "explain", "--profile", "two", "--data", r.Dir); code != 1 || stderr != "thingd: the server does not take the access key of the profile two: expired\n" {
		t.Errorf("%d %q", code, stderr)
	}
	if code, _, stderr := run(t, "explain", "--profile", "three", "--data", r.Dir); code != 1 || stderr != "thingd: there is no profile three in "+file+" or "+filepath.Join(os.Getenv("HOME"), ".aws", "config")+"\n" {
		t.Errorf("%d %q", code, stderr)
	}
}
