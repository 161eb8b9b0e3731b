// Package cli is thingd's command line: it parses arguments, runs the server
// that it is handed, and has the commands that make clients speak to a running
// one (env, configure, aws) or ask it themselves (explain, account, oidc-keys). It leaves the server itself to app; what it knows
// of a running one it reads from the data directory.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/video"
)

// Serve runs a server until ctx ends. It writes what the user is to read at
// its start to out; an error is told in one line.
type Serve func(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) error

// CLI is one run of the command.
type CLI struct {
	Args    []string // without the command's own name
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
	Serve   Serve

	// ResetRoot gives a root user new credentials.
	ResetRoot func(ctx context.Context, c *config.ResetRoot, out io.Writer) error
	// VerifyVideo checks stored video against its index.
	VerifyVideo func(ctx context.Context, c *config.Stopped, o video.VerifyOptions) (*video.VerifyReport, error)
}

// commands is what kong fills.
type commands struct {
	Serve       serveCmd       `cmd:"" help:"Run the server."`
	Env         envCmd         `cmd:"" help:"Print shell commands that point AWS clients at the running server: eval \"$(thingd env)\"."`
	Configure   configureCmd   `cmd:"" help:"Write an AWS CLI profile for the running server."`
	AWS         awsCmd         `cmd:"" name:"aws" passthrough:"" help:"Run the AWS CLI against the running server."`
	Explain     explainCmd     `cmd:"" help:"Say why a request was refused, and what would allow it."`
	Account     accountCmd     `cmd:"" help:"Make and list accounts."`
	OIDCKeys    oidcKeysCmd    `cmd:"" name:"oidc-keys" help:"Give the public keys of an OpenID Connect provider to the server."`
	Kit         kitCmd         `cmd:"" help:"Make a certificate for a thing, and all that the device needs in one zip."`
	Video       videoCmd       `cmd:"" help:"Send and get video, and verify what is stored."`
	Fleet       fleetCmd       `cmd:"" help:"Virtual devices by the thousand."`
	Audit       auditCmd       `cmd:"" help:"Show who called what: the audit trail, the newest first."`
	ResetRoot   resetRootCmd   `cmd:"" help:"Give the root user a new access key and password, on the data directory of a stopped server."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	Healthcheck healthcheckCmd `cmd:"" help:"Exit 0 if the running server is ready."`

	ShowVersion kong.VersionFlag `name:"version" short:"v" help:"Print the version."`
}

// exitCode ends a command with a code and without a message.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// Run parses the arguments, does what they ask, and answers the exit code:
// 0, 1 for a failure (a bad value of an option too, wherever it stands), 2 for
// a command line that is not understood.
func (c *CLI) Run(ctx context.Context) int {
	var cmds commands
	exited := -1
	parser, err := kong.New(&cmds, append(config.Options(),
		kong.Name("thingd"),
		kong.Description("AWS's device platform, self-hosted: IoT Core, IAM, STS, the credentials provider and Kinesis Video Streams."),
		kong.Writers(c.Stdout, c.Stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Vars{"version": c.title()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)...)
	if err != nil {
		return c.fail(err, 2)
	}
	args := c.Args
	if len(args) == 0 {
		args = []string{"--help"}
	}
	run, err := parser.Parse(globSetArgs(args))
	if exited >= 0 { // help, version
		return exited
	}
	if err != nil {
		if isGlobSet(args) {
			err = errGlobSet // the parser's own may tell the value, such as a private key
		}
		return c.misread(err)
	}
	err = run.Run()
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if err != nil {
		return c.fail(err, 1)
	}
	return 0
}

// misread tells an error of the parser's. Its exit codes set faults of the
// command line apart from those of variables and of the file.
func (c *CLI) misread(err error) int {
	if pe, ok := errors.AsType[*fs.PathError](err); ok { // the one file that it reads
		return c.fail(fmt.Errorf("configuration file %s: %w", pe.Path, pe.Err), 1)
	}
	if _, ok := errors.AsType[*config.ValueError](err); ok {
		return c.fail(err, 1)
	}
	if pe, ok := errors.AsType[*kong.ParseError](err); ok && pe.ExitCode() == 1 {
		return c.fail(err, 1)
	}
	return c.fail(err, 2)
}

func (c *CLI) title() string { return "thingd " + c.Version }

// fail prints each line of an error as a line of the command.
func (c *CLI) fail(err error, code int) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintf(c.Stderr, "thingd: %s\n", line)
	}
	return code
}

// target are the options that say which running server is meant.
type target struct {
	Data string `placeholder:"DIR" env:"THINGD_DATA" help:"Data directory of the server (the one that is running)."`
	Dev  bool   `env:"THINGD_DEV" help:"The --dev server."`
}

// find finds the server with its root credentials.
func (t target) find() (*config.Running, error) { return config.Find(t.Data, t.Dev, os.Getenv) }

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(c *CLI) error {
	_, err := fmt.Fprintln(c.Stdout, c.title())
	return err
}
