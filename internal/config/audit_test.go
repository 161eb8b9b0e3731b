package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditLimits(t *testing.T) {
	for _, tt := range []struct {
		size, keep string
		bytes      int64
		files      int
		fault      string
	}{
		{"", "", 64 << 20, 10, ""},
		{"64KiB", "0", 64 << 10, 0, ""},
		{"65536", "7", 64 << 10, 7, ""},
		{"1 GiB", "10000", 1 << 30, 10000, ""},
		{"100MB", "1", 100e6, 1, ""},
		{"63KiB", "1", 0, 1, "--audit-size: \"63KiB\" is not a size from 64KiB on, such as 64MiB"},
		{"9999999999GiB", "1", 0, 1, "--audit-size"},
		{"-64MiB", "1", 0, 1, "--audit-size"},
		{"64 mib", "1", 0, 1, "--audit-size"},
		{"1MiB", "-1", 1 << 20, 0, "--audit-keep: \"-1\" is not a number from 0 to 10000"},
		{"1MiB", "ten", 1 << 20, 0, "--audit-keep"},
	} {
		c := &Config{AuditSize: tt.size, AuditKeep: tt.keep}
		bytes, files := c.AuditLimits()
		if bytes != tt.bytes || files != tt.files {
			t.Errorf("%q %q: %d %d", tt.size, tt.keep, bytes, files)
		}
		fault := ""
		for line := range strings.SplitSeq(c.Check().Error(), "\n") {
			if strings.HasPrefix(line, "--audit") {
				fault += line
			}
		}
		if fault == "" != (tt.fault == "") || !strings.HasPrefix(fault, tt.fault) {
			t.Errorf("%q %q: %s", tt.size, tt.keep, fault)
		}
	}
	if err := (&Config{Audit: "maybe"}).Check(); !strings.Contains(err.Error(), `--audit: "maybe" is not one of on, off`) {
		t.Errorf("%v", err)
	}
}

// The trail of a running server is found, and one that was left behind.
func TestFindAudit(t *testing.T) {
	home, run, data := t.TempDir(), t.TempDir(), t.TempDir()
	env := map[string]string{"HOME": home, "XDG_DATA_HOME": home, "XDG_RUNTIME_DIR": run}
	getenv := func(k string) string { return env[k] }
	left, dev := filepath.Join(home, "thingd"), filepath.Join(run, "thingd-dev")
	find := func(data string, isDev bool, want string) {
		t.Helper()
		got, err := FindAudit(data, isDev, getenv)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	find(data, false, "no audit trail in "+data)
	find("", true, "no audit trail in "+dev)
	mkdir(t, filepath.Join(data, AuditDir), 0o700)
	mkdir(t, filepath.Join(left, AuditDir), 0o700)
	find(data, false, filepath.Join(data, AuditDir))
	find("", false, filepath.Join(left, AuditDir))
	find("", true, "no audit trail in ")
	mkdir(t, filepath.Join(dev, AuditDir), 0o700)
	find("", true, filepath.Join(dev, AuditDir))
	find("", false, "several servers left an audit trail")

	e := Endpoints{API: "http://127.0.0.1:1", Region: "eu-west-1", PID: os.Getpid()}
	write(t, e.Write(dev))
	write(t, RootCredentials{AccountID: "111122223333", AccessKeyID: "AKIA0000000000000000", SecretAccessKey: "secret", Region: "eu-west-1"}.Write(dev))
	find("", false, filepath.Join(dev, AuditDir)) // it runs
}
