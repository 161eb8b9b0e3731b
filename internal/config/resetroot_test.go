package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResetRoot(t *testing.T) {
	getenv := func(string) string { return "" }
	dir := t.TempDir()
	write(t, os.MkdirAll(filepath.Join(dir, "keys"), 0o700))
	finish := func(c ResetRoot, want string) ResetRoot {
		t.Helper()
		err := c.Finish(getenv)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
		return c
	}
	finish(ResetRoot{Stopped: Stopped{Data: dir}}, "no server has run on it")
	finish(ResetRoot{Stopped: Stopped{Data: dir, Database: "postgres://h/d"}}, "no server has run on it")
	write(t, os.WriteFile(filepath.Join(dir, "thingd.db"), nil, 0o600))
	finish(ResetRoot{Stopped: Stopped{Data: dir}}, "no server has run on it")
	write(t, os.WriteFile(filepath.Join(dir, "keys", "master.key"), nil, 0o600))
	if c := finish(ResetRoot{Stopped: Stopped{Data: dir}}, ""); c.Database != "sqlite:"+filepath.Join(dir, "thingd.db") {
		t.Errorf("database %s", c.Database)
	}
	if c := finish(ResetRoot{Stopped: Stopped{Data: dir, Database: "postgres://h/d"}}, ""); c.Database != "postgres://h/d" {
		t.Errorf("database %s", c.Database)
	}
	// A file that is spoilt is a reason to run it.
	write(t, os.WriteFile(filepath.Join(dir, RootCredentialsFile), []byte("{"), 0o600))
	finish(ResetRoot{Stopped: Stopped{Data: dir}}, "")
	write(t, RootCredentials{AccountID: DevAccountID, AccessKeyID: DevAccessKeyID, SecretAccessKey: DevSecretAccessKey}.Write(dir))
	finish(ResetRoot{Stopped: Stopped{Data: dir}}, "belongs to a --dev server")
	finish(ResetRoot{Stopped: Stopped{Data: dir}, RootEmail: "x"}, "--root-email")
	finish(ResetRoot{Stopped: Stopped{Data: dir}, AuditKeep: "x"}, `--audit-keep: "x" is not a number`)
	for audit, on := range map[string]bool{"": true, "on": true, Off: false} {
		c := ResetRoot{Audit: audit, AuditSize: "1MiB", AuditKeep: "100"}
		if size, keep, got := c.AuditLimits(); size != 1<<20 || keep != 100 || got != on {
			t.Errorf("audit %q: %d %d %v", audit, size, keep, got)
		}
	}

	path, err := RootCredentials{AccountID: "222222222222", AccessKeyID: "A", SecretAccessKey: "s", Email: "e", Password: "p"}.WriteOther(dir)
	if fi, serr := os.Stat(path); err != nil || serr != nil || fi.Mode().Perm() != 0o600 || filepath.Base(path) != "root-credentials-222222222222" {
		t.Errorf("%s %v %v", path, err, serr)
	}
	if c, err := ReadRootCredentials(dir); err != nil || c.AccessKeyID != DevAccessKeyID {
		t.Errorf("the first account's file: %+v %v", c, err)
	}
}
