package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/seal"
)

// ResetRoot gives the root user of an account a new access key and password, on
// the data directory of a server that is not running, and writes them where the
// first start wrote the former ones. It says so on out, without them, and in the
// audit trail.
func ResetRoot(ctx context.Context, c *config.ResetRoot, out io.Writer) (err error) {
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	box, err := seal.LoadOrCreate(filepath.Join(c.Data, "keys", "master.key"))
	if err != nil {
		return err
	}
	data, err := db.Open(ctx, c.Database, db.Options{Sync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	users := &identity.Service{DB: data, Seal: box, Log: slog.New(slog.DiscardHandler), Now: time.Now, Region: c.Region}
	first, err := users.FirstAccount(ctx)
	if errors.Is(err, identity.ErrNoAccount) {
		return errors.New("the database has no account yet: start the server, which makes the first one")
	}
	if err != nil {
		return err
	}
	region := c.Region
	if before, err := config.ReadRootCredentials(c.Data); err == nil && before.Region != "" {
		region = before.Region
	}
	made, err := users.ResetRoot(ctx, identity.RootReset{
		Account: c.Account, Email: c.RootEmail, DefaultEmail: config.DefaultRootEmail, MFA: c.RemoveMFA,
	})
	switch {
	case errors.Is(err, identity.ErrNoAccount):
		return fmt.Errorf("there is no account %s", c.Account)
	case errors.Is(err, identity.ErrEmailInUse):
		return errors.New("another account has this e-mail address: choose one with --root-email")
	case err != nil:
		return err
	}
	file := filepath.Join(c.Data, config.RootCredentialsFile)
	root := rootFile(&made.RootCredentials, region)
	if made.AccountID == first {
		err = root.Write(c.Data)
	} else {
		file, err = root.WriteOther(c.Data)
	}
	unrecorded := recordReset(c, made, region) // it is done, written or not
	if err != nil {
		return fmt.Errorf("the old access keys and password are void, and the new ones not written: run this again: %w", err)
	}
	_, err = io.WriteString(out, resetText(c, made, file))
	return errors.Join(err, unrecorded)
}

// resetText says what was done and what is left to do, without secrets.
func resetText(c *config.ResetRoot, made *identity.RootWasReset, file string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The root user of the account %s has a new access key and a new password for %s; they are in %s\n", made.AccountID, made.Email, file)
	fmt.Fprintf(&b, "Profiles and shells with the old key do not work any more: make them again (thingd configure, thingd env) once the server runs.\n")
	switch {
	case made.MFADevices == 0:
	case c.RemoveMFA:
		fmt.Fprintf(&b, "Its MFA devices are deleted: the password alone signs it in.\n")
	default:
		fmt.Fprintf(&b, "To sign in it is still asked for a code of its MFA device; if that is lost too, run this again with --remove-mfa.\n")
	}
	return b.String()
}

// operator is who has the right to a stopped server's data directory.
const operator = "operator.thingd"

// recordReset writes into the server's trail that the machine's operator reset
// a root user.
func recordReset(c *config.ResetRoot, made *identity.RootWasReset, region string) error {
	size, keep, on := c.AuditLimits()
	if !on {
		return nil
	}
	trail, err := audit.Open(filepath.Join(c.Data, config.AuditDir), audit.Options{
		Size: size, Keep: keep, Region: region, Now: time.Now, Registerer: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return fmt.Errorf("open the audit trail: %w", err)
	}
	who := audit.Fields{"systemUserId": strconv.Itoa(os.Getuid())}
	if u, err := osuser.Current(); err == nil {
		who["systemUserName"] = u.Username
	}
	trail.Record(audit.Event{
		Identity: audit.Identity{Type: audit.AWSService, InvokedBy: operator}, Account: made.AccountID,
		Source: "thingd.amazonaws.com", Name: "ResetRoot", UserAgent: "thingd reset-root",
		Request:    audit.Fields{"accountId": made.AccountID, "email": made.Email, "removeMFA": c.RemoveMFA},
		Response:   audit.Fields{"accessKeyId": made.AccessKeyID, "mfaDevices": made.MFADevices},
		Additional: who, Resources: []string{"arn:aws:iam::" + made.AccountID + ":root"},
	})
	return trail.Close()
}
