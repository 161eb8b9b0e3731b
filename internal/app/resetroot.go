package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/seal"
)

// ResetRoot gives the root user of an account a new access key and password, on
// the data directory of a server that is not running, and writes them where the
// first start wrote the former ones. It says so on out, without them.
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
	root := rootFile(made, region)
	if made.AccountID == first {
		err = root.Write(c.Data)
	} else {
		file, err = root.WriteOther(c.Data)
	}
	if err != nil {
		return fmt.Errorf("the old access keys and password are void, and the new ones not written: run this again: %w", err)
	}
	_, err = fmt.Fprintf(out, "The root user of the account %s has a new access key and a new password for %s; they are in %s\n", made.AccountID, made.Email, file)
	return err
}
