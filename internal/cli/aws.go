package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/config"
)

type awsCmd struct {
	Args []string `arg:"" optional:"" help:"Arguments of the AWS CLI."`
}

// Run becomes the AWS CLI. The server is found by THINGD_DATA and THINGD_DEV,
// since every argument belongs to the AWS CLI.
func (a *awsCmd) Run(c *CLI) error {
	path, err := exec.LookPath("aws")
	if err != nil {
		return errors.New("the AWS CLI is not installed (apt-get install awscli)")
	}
	r, err := awsServer(os.Getenv)
	if err != nil {
		return err
	}
	args, env := awsCommand(r, a.Args, os.Environ())
	return execute(path, append([]string{"aws"}, args...), env, c)
}

// awsServer finds the server by the environment alone.
func awsServer(getenv func(string) string) (*config.Running, error) {
	dev, err := config.ParseBool(getenv("THINGD_DEV"))
	if err != nil {
		return nil, fmt.Errorf("THINGD_DEV: %w", err)
	}
	r, err := config.Find(getenv("THINGD_DATA"), dev, getenv)
	if several, ok := errors.AsType[*config.SeveralError](err); ok {
		return nil, fmt.Errorf("several servers are running (%s); choose one by a variable: THINGD_DATA=DIR or THINGD_DEV=1", strings.Join(several.Dirs, ", "))
	}
	return r, err
}

// awsCommand is how the AWS CLI is to be run to speak to r: with its endpoint
// as an option, which every version has (endpoint_url in profiles and
// AWS_ENDPOINT_URL came with 1.29 and 2.13), with r's root of TLS, which no
// other is of use for, and with r's root credentials unless the caller has
// chosen others.
func awsCommand(r *config.Running, args, environ []string) (newArgs, newEnv []string) {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	drop := map[string]bool{"AWS_CA_BUNDLE": true}
	var set []string
	profile := hasOption(args, "--profile") || env["AWS_PROFILE"] != "" || env["AWS_DEFAULT_PROFILE"] != ""
	if !profile && env["AWS_ACCESS_KEY_ID"] == "" {
		for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"} {
			drop[k] = true
		}
		set = append(set, "AWS_ACCESS_KEY_ID="+r.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+r.Credentials.SecretAccessKey)
	}
	if !profile && env["AWS_DEFAULT_REGION"] == "" && env["AWS_REGION"] == "" {
		drop["AWS_DEFAULT_REGION"] = true
		set = append(set, "AWS_DEFAULT_REGION="+r.Credentials.Region)
	}
	set = append(set, "AWS_CA_BUNDLE="+filepath.Join(r.Dir, config.ServerRootFile))
	for _, kv := range environ {
		if k, _, _ := strings.Cut(kv, "="); !drop[k] {
			newEnv = append(newEnv, kv)
		}
	}
	newEnv = append(newEnv, set...)
	if !hasOption(args, "--endpoint-url") && len(args) > 0 {
		newArgs = append(newArgs, "--endpoint-url", r.Endpoints.API)
	}
	return append(newArgs, args...), newEnv
}

func hasOption(args []string, name string) bool {
	for _, a := range args {
		if a == name || strings.HasPrefix(a, name+"=") {
			return true
		}
	}
	return false
}
