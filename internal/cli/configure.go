package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/thingd/thingd/internal/config"
)

type configureCmd struct {
	target
	Profile string `required:"" placeholder:"NAME" help:"Name of the new profile."`
}

// Run writes the profile.
func (p *configureCmd) Run(c *CLI) error {
	r, err := p.find()
	if err != nil {
		return err
	}
	f, err := awsFilesOf(os.Getenv)
	if err != nil {
		return err
	}
	if err := f.addProfile(p.Profile, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Stdout, "Profile %s written to %s and %s.\nTry: aws --profile %[1]s sts get-caller-identity\n"+
		"     thingd aws --profile %[1]s …   with AWS CLIs before 1.29 and 2.13, which know no endpoint in profiles\n",
		p.Profile, f.config, f.credentials)
	for _, line := range shadowing(r, os.Getenv) {
		_, _ = fmt.Fprintf(c.Stderr, "thingd: %s\n", line)
	}
	return err
}

// shadowing are hints on variables that win over what r's profile says (AWS
// SDKs and Tools reference guide, "AWS_CA_BUNDLE" and "AWS_ENDPOINT_URL").
func shadowing(r *config.Running, getenv func(string) string) []string {
	var hints []string
	for _, v := range []struct{ name, setting, ours string }{
		{"AWS_CA_BUNDLE", "ca_bundle", filepath.Join(r.Dir, config.ServerRootFile)},
		{"AWS_ENDPOINT_URL", "endpoint_url", r.Endpoints.API},
	} {
		if now := getenv(v.name); now != "" && now != v.ours {
			hints = append(hints, fmt.Sprintf("hint: %s is set (%s) and wins over the profile's %s; to use the profile: unset %[1]s", v.name, now, v.setting))
		}
	}
	return hints
}

// awsFiles are the AWS CLI's two files.
type awsFiles struct{ config, credentials string }

func awsFilesOf(getenv func(string) string) (awsFiles, error) {
	f := awsFiles{getenv("AWS_CONFIG_FILE"), getenv("AWS_SHARED_CREDENTIALS_FILE")}
	if f.config == "" || f.credentials == "" {
		home := getenv("HOME")
		if home == "" {
			return f, errors.New("HOME is not set: where are the AWS CLI's files? (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)")
		}
		if f.config == "" {
			f.config = filepath.Join(home, ".aws", "config")
		}
		if f.credentials == "" {
			f.credentials = filepath.Join(home, ".aws", "credentials")
		}
	}
	for _, p := range []*string{&f.config, &f.credentials} {
		if rest, ok := strings.CutPrefix(*p, "~/"); ok { // the AWS CLI expands it too
			*p = filepath.Join(getenv("HOME"), rest)
		}
		// A file that is a link stays one: what it points to is replaced.
		if real, err := filepath.EvalSymlinks(*p); err == nil {
			*p = real
		}
	}
	return f, nil
}

var profileForm = regexp.MustCompile(`^[A-Za-z0-9_.@+/:-]{1,64}$`)

// sectionOf is the profile's section in the file config.
func sectionOf(profile string) string {
	if profile == "default" {
		return profile
	}
	return "profile " + profile
}

// free reports whether a profile can be added: nil, or what is in the way.
func (f awsFiles) free(name string) error {
	if !profileForm.MatchString(name) {
		return fmt.Errorf("profile name %q: use letters, digits and _.@+/:-", name)
	}
	for _, e := range [][2]string{{f.config, sectionOf(name)}, {f.credentials, name}} {
		text, _, err := readAWSFile(e[0])
		if err != nil {
			return err
		}
		if hasSection(text, e[1]) {
			return fmt.Errorf("profile %s is already in %s; it is left as it is (choose another name, or delete it there)", name, e[0])
		}
	}
	return nil
}

// addProfile appends the profile to both files, both or neither, and never
// changes one that is there.
func (f awsFiles) addProfile(name string, r *config.Running) error {
	if err := f.free(name); err != nil {
		return err
	}
	conf, confMode, err := readAWSFile(f.config)
	if err != nil {
		return err
	}
	cred, _, err := readAWSFile(f.credentials)
	if err != nil {
		return err
	}
	newCred := appendSection(cred, name, [][2]string{
		{"aws_access_key_id", r.Credentials.AccessKeyID},
		{"aws_secret_access_key", r.Credentials.SecretAccessKey},
	})
	newConf := appendSection(conf, sectionOf(name), [][2]string{
		{"region", r.Credentials.Region},
		{"output", "json"},
		{"endpoint_url", r.Endpoints.API},
		{"ca_bundle", filepath.Join(r.Dir, config.ServerRootFile)},
	})
	// The endpoint first: keys without it would be sent to AWS.
	if err := writeAWSFile(f.config, newConf, confMode); err != nil {
		return err
	}
	if err := writeAWSFile(f.credentials, newCred, 0o600); err != nil {
		return errors.Join(err, writeAWSFile(f.config, conf, confMode))
	}
	return nil
}

func readAWSFile(path string) (text string, mode fs.FileMode, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0o600, nil
	}
	if err != nil {
		return "", 0, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return string(b), fi.Mode().Perm(), nil
}

func writeAWSFile(path, text string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return config.WriteFile(path, []byte(text), mode)
}

// hasSection finds [name] in an INI file as the AWS CLI reads it: blanks
// inside the brackets do not count, and a profile's name may be quoted.
func hasSection(text, name string) bool {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
		if !ok {
			continue
		}
		inner, _, ok := strings.Cut(rest, "]")
		if !ok {
			continue
		}
		words := strings.Fields(strings.NewReplacer(`"`, " ", `'`, " ").Replace(inner))
		if strings.Join(words, " ") == name {
			return true
		}
		// [profile default] and [default] are one profile.
		if name == "default" && strings.Join(words, " ") == "profile default" {
			return true
		}
	}
	return false
}

func appendSection(text, name string, pairs [][2]string) string {
	var b strings.Builder
	b.WriteString(text)
	if text != "" {
		if !strings.HasSuffix(text, "\n") {
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "[%s]\n", name)
	for _, p := range pairs {
		fmt.Fprintf(&b, "%s = %s\n", p[0], p[1])
	}
	return b.String()
}
