package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/identity"
)

// bootstrap makes the root account and its access key, once. The key is
// written to its file before the account is made: a crash between the two
// leaves a file that the next start uses, never an account without a key.
func (a *App) bootstrap(ctx context.Context) error {
	file := a.cfg.DataFile(config.RootCredentialsFile)
	root, err := config.ReadRootCredentials(a.cfg.Data)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case a.cfg.Dev:
		root, fresh = config.RootCredentials{
			AccountID: config.DevAccountID, AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey, Region: a.cfg.Region,
		}, true
	case fresh:
		made, err := identity.NewRootCredentials()
		if err != nil {
			return err
		}
		root = config.RootCredentials{AccountID: made.AccountID, AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, Region: a.cfg.Region}
	case err != nil:
		return err
	}
	if fresh {
		if err := root.Write(a.cfg.Data); err != nil {
			return err
		}
	}
	first, created, err := a.identity.Bootstrap(ctx, identity.BootstrapOptions{
		AccountID: root.AccountID, AccessKeyID: root.AccessKeyID, Secret: root.SecretAccessKey,
	})
	if err != nil {
		return fmt.Errorf("make the root account: %w", err)
	}
	if !created && fresh && !a.cfg.Dev {
		// The database has its account already, and its key was kept elsewhere.
		a.log.Warn("the database has an account whose root access key is not in this data directory", "account", first.AccountID)
		return os.Remove(file)
	}
	a.root, a.firstRun = root, created
	return nil
}
