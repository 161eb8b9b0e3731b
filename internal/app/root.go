package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/identity"
)

// bootstrap makes the root account, its access key and its password, once. They
// are written to their file before the account is made: a crash between the two
// leaves a file that the next start uses, never an account without a key.
func (a *App) bootstrap(ctx context.Context) error {
	file := a.cfg.DataFile(config.RootCredentialsFile)
	hash := ""
	root, err := config.ReadRootCredentials(a.cfg.Data)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case a.cfg.Dev:
		root, fresh = config.RootCredentials{
			AccountID: config.DevAccountID, AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey, Region: a.cfg.Region,
			Email: a.cfg.RootEmail, Password: config.DevRootPassword,
		}, true
		hash = config.DevRootPasswordHash
	case fresh:
		made, err := identity.NewRootCredentials(a.cfg.RootEmail)
		if err != nil {
			return err
		}
		root = rootFile(made, a.cfg.Region)
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
		Email: root.Email, Password: root.Password, PasswordHash: hash,
	})
	if err != nil {
		return fmt.Errorf("make the root account: %w", err)
	}
	if !created && fresh && !a.cfg.Dev {
		// The database has its account already, and its key was kept elsewhere.
		a.log.Warn("the file of the root access key is missing: thingd's own commands need it; stop the server and run thingd reset-root, which makes a new key",
			"file", file, "account", first.AccountID)
		a.root, a.firstRun = config.RootCredentials{AccountID: first.AccountID}, false
		return os.Remove(file)
	}
	a.root, a.firstRun = root, created
	if created && !a.cfg.Dev { // hashing the root user's password took 19 MiB, which would stay for minutes
		debug.FreeOSMemory()
	}
	return nil
}

// rootFile is what the file of root credentials says.
func rootFile(c *identity.RootCredentials, region string) config.RootCredentials {
	return config.RootCredentials{
		AccountID: c.AccountID, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, Region: region,
		Email: c.Email, Password: c.Password,
	}
}
