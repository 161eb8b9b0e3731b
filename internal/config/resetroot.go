package config

import "fmt"

// ResetRoot is what thingd reset-root is told. Finish fills what was left out
// and checks it.
type ResetRoot struct {
	Stopped   `embed:""`
	Account   string `placeholder:"ID" help:"Account whose root user is meant (the first one)."`
	RootEmail string `placeholder:"ADDRESS" help:"Another e-mail address for the root user to sign in with (as it is)."`
	RemoveMFA bool   `name:"remove-mfa" help:"Delete the root user's MFA devices too."`

	// As of serve: it is on record in the server's audit trail.
	Region    string `default:"us-east-1" hidden:"" env:"THINGD_REGION"`
	Audit     string `default:"on" hidden:"" env:"THINGD_AUDIT"`
	AuditSize string `default:"64MiB" hidden:"" env:"THINGD_AUDIT_SIZE"`
	AuditKeep string `default:"10" hidden:"" env:"THINGD_AUDIT_KEEP"`
}

// Finish fills in the defaults and refuses a directory that no server has run
// on, or a --dev server's.
func (c *ResetRoot) Finish(getenv func(string) string) error {
	if c.RootEmail != "" {
		if err := CheckEmail(c.RootEmail); err != nil {
			return fmt.Errorf("--root-email: %w", err)
		}
	}
	if err := c.auditing().Check("audit", "audit-size", "audit-keep"); err != nil {
		return err
	}
	if err := c.Stopped.Finish(getenv); err != nil {
		return err
	}
	// A file that cannot be read is what this may be run for.
	if root, err := ReadRootCredentials(c.Data); err == nil && root.AccessKeyID == DevAccessKeyID {
		return fmt.Errorf("data directory %s: belongs to a --dev server, whose keys are fixed", c.Data)
	}
	return nil
}

// AuditLimits are those of the server's Config, and whether there is a trail.
func (c *ResetRoot) AuditLimits() (size int64, keep int, on bool) {
	size, keep = c.auditing().AuditLimits()
	return size, keep, c.Audit != Off
}

func (c *ResetRoot) auditing() *Config {
	return &Config{Audit: c.Audit, AuditSize: c.AuditSize, AuditKeep: c.AuditKeep}
}
