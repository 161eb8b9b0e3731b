package cli

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/fleet/globfile"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/samples"
)

// fleetAccess are the options that say which server devices are for, who asks, and where the glob is: by default the running
// server, its root user, and a file in its data directory.
type fleetAccess struct {
	target
	EndpointURL string `name:"endpoint-url" placeholder:"URL" help:"Call AWS's APIs at this address instead of at the running server, with AWS_ACCESS_KEY_ID or --profile."`
	AWS         bool   `name:"aws" help:"Call AWS itself, with AWS_ACCESS_KEY_ID or --profile."`
	Profile     string `placeholder:"NAME" help:"Sign with the keys of this AWS CLI profile."`
	Region      string `placeholder:"REGION" help:"Region of AWS calls (that of the server, of AWS_REGION or of the profile)."`
	CAFile      string `name:"ca-file" placeholder:"FILE" help:"Further roots to verify servers by (that of the running server, AWS_CA_BUNDLE)."`
	GlobFile    string `name:"glob-file" env:"THINGD_FLEET_GLOB" placeholder:"FILE" help:"Storage that runs share, with devices' private keys (a file for each server)."`
}

// fleetTarget is what the options come to.
type fleetTarget struct {
	endpoint string // "": AWS's own
	region   string
	keys     sigv4.Credentials // may be empty: not all models call AWS
	roots    *x509.CertPool
	mqtt     string // host:port of the running server, if devices would not find it
	glob     string
}

func (a *fleetAccess) check() error {
	switch {
	case a.AWS && a.EndpointURL != "":
		return errors.New("--aws and --endpoint-url: one of them is to be called")
	case a.EndpointURL != "" && !strings.HasPrefix(a.EndpointURL, "https://") && !strings.HasPrefix(a.EndpointURL, "http://"):
		return fmt.Errorf("--endpoint-url: %q is no http or https URL", a.EndpointURL)
	}
	return nil
}

// resolve finds out what the options mean. Without a running server it is an error only if one is needed.
func (a *fleetAccess) resolve(getenv func(string) string, needed bool) (*fleetTarget, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	t := &fleetTarget{endpoint: strings.TrimSuffix(a.EndpointURL, "/"), region: a.Region, glob: a.GlobFile}
	caFiles := []string{cmp.Or(a.CAFile, getenv("AWS_CA_BUNDLE"))}
	if a.EndpointURL == "" && !a.AWS {
		r, err := a.running(getenv)
		if err != nil && (needed || !errors.Is(err, config.ErrNotRunning)) {
			return nil, err
		}
		if err == nil {
			t.endpoint, t.region = r.Endpoints.API, cmp.Or(a.Region, r.Endpoints.Region)
			caFiles = append(caFiles, filepath.Join(r.Dir, config.ServerRootFile))
			t.keys = sigv4.Credentials{AccessKeyID: r.Credentials.AccessKeyID, SecretAccessKey: r.Credentials.SecretAccessKey}
			t.glob = cmp.Or(t.glob, filepath.Join(r.Dir, "fleet-glob.db"))
			if !strings.HasSuffix(r.Endpoints.MQTT, ":8883") {
				t.mqtt = r.Endpoints.MQTT // describe-endpoint names hosts without a port
			}
		}
	}
	if t.keys.AccessKeyID == "" {
		keys, err := keysOf(a.Profile, getenv)
		if err != nil && (a.Profile != "" || needed) {
			return nil, err
		}
		t.keys = keys
	}
	if t.region == "" {
		region, err := regionOf(a.Profile, getenv)
		if err != nil && needed {
			return nil, err
		}
		t.region = region
	}
	var err error
	if t.glob == "" {
		if t.glob, err = globOf(t.endpoint, t.region); err != nil {
			return nil, err
		}
	}
	t.roots, err = rootsOf(caFiles)
	return t, err
}

func (a *fleetAccess) running(getenv func(string) string) (*config.Running, error) {
	if a.Profile != "" {
		return config.FindServer(a.Data, a.Dev, getenv)
	}
	return config.Find(a.Data, a.Dev, getenv)
}

// globOf is the file for a server that is not running here.
func globOf(endpoint, region string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("--glob-file is missing: %w", err)
	}
	name := "aws-" + region
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		name = u.Host
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return filepath.Join(dir, "thingd", "fleet", name+".db"), nil
}

// rootsOf are the system's roots and those in files.
func rootsOf(files []string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without roots
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", file)
		}
	}
	return pool, nil
}

func (t *fleetTarget) openGlob() (*globfile.File, error) {
	f, err := globfile.Open(t.glob)
	if err != nil {
		return nil, fmt.Errorf("glob: %w", err)
	}
	return f, nil
}

// loadModel loads a model from a folder or a file, or the sample of that name if there is neither.
func loadModel(path string) (*model.Model, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(path, `/\.`) {
		if m, err := samples.Model(path); err == nil {
			return m, nil
		}
		return nil, fmt.Errorf("there is no model %s: neither a folder or file of that name nor a sample (%s)", path, strings.Join(samples.Names(), ", "))
	}
	return model.Load(path)
}
