package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOIDCKeys(t *testing.T) {
	const provider, path = "arn:aws:iam::123456789012:oidc-provider/ci.example.com", "PUT /thingd/oidc-provider-keys "
	body := func(keys string) string {
		return path + `{"Keys":"` + keys + `","OpenIDConnectProviderArn":"` + provider + `"}`
	}
	r := apiServer(t, map[string]string{
		body("{}"):   `{"KeyCount":2}`,
		body("one"):  `{"KeyCount":1}`,
		body("none"): `ResourceNotFoundException!{"message":"no provider"}`,
	})
	dir := t.TempDir()
	for _, tt := range []struct {
		text, stdout, stderr string
		stdin                bool
	}{
		{"{}", provider + " has 2 keys now to verify tokens by.\n", "", false},
		{"one", provider + " has 1 key now to verify tokens by.\n", "", true},
		{"none", "", "thingd: no provider\nthingd: see the providers with: aws iam list-open-id-connect-providers\n", false},
		{"", "", "thingd: the key set is empty\n", true},
		{strings.Repeat("x", maxKeySet+1), "", "thingd: the key set is longer than 65536 bytes\n", false},
	} {
		file := filepath.Join(dir, "jwks.json")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if tt.stdin {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			before := os.Stdin
			os.Stdin, file = f, "-"
			t.Cleanup(func() { os.Stdin = before; _ = f.Close() })
		}
		code, stdout, stderr := run(t, "oidc-keys", provider, file, "--data", r.Dir)
		if stdout != tt.stdout || stderr != tt.stderr || (code == 0) != (tt.stderr == "") {
			t.Errorf("%d %q %q, want %q %q", code, stdout, stderr, tt.stdout, tt.stderr)
		}
	}
	if code, _, stderr := run(t, "oidc-keys", provider, filepath.Join(dir, "absent"), "--data", r.Dir); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("%d %q", code, stderr)
	}
}
