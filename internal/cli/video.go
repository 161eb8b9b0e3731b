package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/kvs"
)

type videoCmd struct {
	Put    videoPutCmd    `cmd:"" help:"Send a Matroska file, or what a program pipes, to a stream."`
	Get    videoGetCmd    `cmd:"" help:"Get a stream's video back, or follow it."`
	Verify videoVerifyCmd `cmd:"" help:"Check the stored video against its index and mend the index, on the data directory of a stopped server."`
}

// videoAccess are the options that say where Kinesis Video is and who asks: by
// default the running server and its root user; with an endpoint any other
// server, AWS's too, and the keys of the environment or of a profile; with a
// certificate a device.
type videoAccess struct {
	target
	Profile     string `placeholder:"NAME" help:"Sign with the keys of this AWS CLI profile."`
	EndpointURL string `name:"endpoint-url" placeholder:"URL" help:"Speak to Kinesis Video at this address instead of to the running server, such as https://kinesisvideo.us-east-1.amazonaws.com, and sign with AWS_ACCESS_KEY_ID or --profile."`
	Region      string `placeholder:"REGION" help:"Region to sign for (that of the server, of AWS_REGION or of the profile)."`
	CAFile      string `name:"ca-file" placeholder:"FILE" help:"Roots to verify servers by (that of the running server, AWS_CA_BUNDLE, or the system's)."`

	Cert        string `group:"As a device:" placeholder:"FILE" help:"Sign with the credentials that this device certificate gets."`
	Key         string `group:"As a device:" placeholder:"FILE" help:"Private key of the certificate."`
	RoleAlias   string `group:"As a device:" placeholder:"NAME" help:"Role alias to get credentials by."`
	Thing       string `group:"As a device:" placeholder:"NAME" help:"Thing that the certificate is attached to."`
	Credentials string `name:"credentials-endpoint" group:"As a device:" placeholder:"HOST[:PORT]" help:"Address of the credentials provider (that of the running server)."`
}

// check tells options that do not go together.
func (v *videoAccess) check() error {
	device := v.Cert != "" || v.Key != "" || v.RoleAlias != ""
	switch {
	case device && (v.Cert == "" || v.Key == "" || v.RoleAlias == ""):
		return errors.New("a device needs all of --cert, --key and --role-alias")
	case device && v.Profile != "":
		return errors.New("--profile and --cert: one of them is to sign")
	case !device && (v.Thing != "" || v.Credentials != ""):
		return errors.New("--thing and --credentials-endpoint are of a device: --cert, --key and --role-alias are missing")
	case device && v.EndpointURL != "" && v.Credentials == "":
		return errors.New("--credentials-endpoint is missing: with --endpoint-url no running server is asked for it")
	case v.EndpointURL != "" && !strings.HasPrefix(v.EndpointURL, "https://") && !strings.HasPrefix(v.EndpointURL, "http://"):
		return fmt.Errorf("--endpoint-url: %q is no http or https URL", v.EndpointURL)
	}
	return nil
}

// client is a client as the options say.
func (v *videoAccess) client(getenv func(string) string) (*kvs.Client, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	c := &kvs.Client{Endpoint: strings.TrimSuffix(v.EndpointURL, "/"), Region: v.Region}
	caFile := cmp.Or(v.CAFile, getenv("AWS_CA_BUNDLE"))
	if v.EndpointURL == "" {
		find := v.find // with the root user's key
		if v.Cert != "" || v.Profile != "" {
			find = func() (*config.Running, error) { return config.FindServer(v.Data, v.Dev, getenv) }
		}
		r, err := find()
		if err != nil {
			return nil, err
		}
		c.Endpoint, c.Region = r.Endpoints.API, cmp.Or(v.Region, r.Endpoints.Region)
		caFile = cmp.Or(v.CAFile, filepath.Join(r.Dir, config.ServerRootFile))
		v.Credentials = cmp.Or(v.Credentials, r.Endpoints.Device)
		if v.Profile == "" {
			root := sigv4.Credentials{AccessKeyID: r.Credentials.AccessKeyID, SecretAccessKey: r.Credentials.SecretAccessKey}
			c.Credentials = func(context.Context) (sigv4.Credentials, error) { return root, nil }
		}
	}
	roots, err := certificates(caFile)
	if err != nil {
		return nil, err
	}
	c.HTTP = kvs.NewHTTP(roots)
	if c.Region == "" {
		if c.Region, err = regionOf(v.Profile, getenv); err != nil {
			return nil, err
		}
	}
	if v.Cert != "" {
		pair, err := tls.LoadX509KeyPair(v.Cert, v.Key)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		d := &kvs.Device{Host: v.Credentials, RoleAlias: v.RoleAlias, Thing: v.Thing, HTTP: kvs.NewHTTP(roots, pair)}
		c.Credentials = d.Credentials
		return c, nil
	}
	if c.Credentials == nil {
		if _, err := keysOf(v.Profile, getenv); err != nil { // now, and not after a minute
			return nil, err
		}
		// Read again for each connection: others renew temporary keys in the file.
		c.Credentials = func(context.Context) (sigv4.Credentials, error) { return keysOf(v.Profile, getenv) }
	}
	return c, nil
}

// keysOf are the environment's keys, or a profile's.
func keysOf(profile string, getenv func(string) string) (sigv4.Credentials, error) {
	if id := getenv("AWS_ACCESS_KEY_ID"); profile == "" && id != "" {
		c := sigv4.Credentials{AccessKeyID: id, SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN")}
		if c.SecretAccessKey == "" {
			return c, errors.New("AWS_SECRET_ACCESS_KEY is not set")
		}
		return c, nil
	}
	files, err := awsFilesOf(getenv)
	if err != nil {
		return sigv4.Credentials{}, err
	}
	return files.keys(cmp.Or(profile, getenv("AWS_PROFILE"), "default"))
}

// regionOf is the environment's region, or a profile's.
func regionOf(profile string, getenv func(string) string) (string, error) {
	if r := cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")); r != "" && profile == "" {
		return r, nil
	}
	files, err := awsFilesOf(getenv)
	if err == nil {
		var text string
		if text, _, err = readAWSFile(files.config); err == nil {
			r := sectionValues(text, sectionOf(cmp.Or(profile, getenv("AWS_PROFILE"), "default")))["region"]
			if r = cmp.Or(r, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")); r != "" {
				return r, nil
			}
		}
	}
	return "", errors.New("--region is missing")
}

// certificates reads roots, nil for those of the system when file is "".
func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return pool, nil
}

// report prints what is worth a line while a command goes on.
func (c *CLI) report(line string) { _, _ = fmt.Fprintln(c.Stderr, "thingd: "+clean(line)) }
