package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// signer is the option that says who asks.
type signer struct {
	Profile string `placeholder:"NAME" help:"Ask with the keys of this AWS CLI profile, for another account than the first (otherwise as its root user)."`
}

// client is a client of a running server, of whoever asks.
func (s signer) client(r *config.Running) (*apiClient, error) {
	api, err := newAPIClient(r)
	if err != nil || s.Profile == "" {
		return api, err
	}
	files, err := awsFilesOf(os.Getenv)
	if err != nil {
		return nil, err
	}
	if api.key, err = files.keys(s.Profile); err != nil {
		return nil, err
	}
	api.keyFrom = "the access key of the profile " + s.Profile
	return api, nil
}

// keys reads a profile's access key as the AWS CLI does, from the file
// credentials and, if that has none, from config.
func (f awsFiles) keys(profile string) (sigv4.Credentials, error) {
	known := false
	for _, e := range [][2]string{{f.credentials, profile}, {f.config, sectionOf(profile)}} {
		text, _, err := readAWSFile(e[0])
		if err != nil {
			return sigv4.Credentials{}, err
		}
		known = known || hasSection(text, e[1])
		values := sectionValues(text, e[1])
		c := sigv4.Credentials{
			AccessKeyID: values["aws_access_key_id"], SecretAccessKey: values["aws_secret_access_key"], SessionToken: values["aws_session_token"],
		}
		if c.AccessKeyID != "" && c.SecretAccessKey != "" {
			return c, nil
		}
	}
	if !known {
		return sigv4.Credentials{}, fmt.Errorf("there is no profile %s in %s or %s", profile, f.credentials, f.config)
	}
	return sigv4.Credentials{}, fmt.Errorf("the profile %s has no access key in %s or %s; of a role or a session, write its temporary keys there", profile, f.credentials, f.config)
}

// sectionValues are the settings of [name] in an INI file. Of one that is there
// twice the last counts.
func sectionValues(text, name string) map[string]string {
	values := map[string]string{}
	within := false
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasPrefix(line, "["):
			within = hasSection(line, name)
		case within && line != "" && line[0] != '#' && line[0] != ';':
			if key, value, ok := strings.Cut(line, "="); ok {
				values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return values
}
