package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"
)

// Stopped is what a command is told that works on the data directory of a
// server that is not running. Finish fills what was left out and checks it.
type Stopped struct {
	Data     string          `placeholder:"DIR" env:"THINGD_DATA" help:"Data directory of the server, which must not be running (default: as of serve)."`
	Database string          `placeholder:"URL" env:"THINGD_DATABASE" help:"Database of the server (a SQLite file in the data directory)."`
	File     kong.ConfigFlag `name:"config" placeholder:"FILE" env:"THINGD_CONFIG" help:"JSON file of the server's options."`
}

// Finish fills in the defaults and refuses a directory that no server has run
// on.
func (c *Stopped) Finish(getenv func(string) string) error {
	if c.Data == "" {
		if c.Data = DefaultDataDir(getenv); c.Data == "" {
			return errors.New("--data: no default: neither XDG_DATA_HOME nor HOME is set")
		}
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	c.Data = abs
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, "thingd.db")
		if _, err := os.Stat(filepath.Join(c.Data, "thingd.db")); err != nil {
			return c.missing(err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.Data, "keys", "master.key")); err != nil {
		return c.missing(err)
	}
	return nil
}

func (c *Stopped) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory %s: no server has run on it: choose another with --data", c.Data)
	}
	return dirError(c.Data, err)
}
