package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/config"
)

type envCmd struct {
	target
}

// Run prints the shell commands.
func (e *envCmd) Run(c *CLI) error {
	r, err := e.find()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.Stdout, exports(r, os.Environ()))
	return err
}

// disturbing are variables that would keep an AWS client from the server: other
// credentials, other endpoints (AWS SDKs and Tools reference guide).
var disturbing = []string{
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
}

// exports is what a POSIX shell is to eval to speak to r.
func exports(r *config.Running, environ []string) string {
	var b strings.Builder
	unset := slices.Clone(disturbing)
	for _, kv := range environ {
		// Endpoints of single services win over AWS_ENDPOINT_URL.
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_ENDPOINT_URL_") && shellName(name) {
			unset = append(unset, name)
		}
	}
	slices.Sort(unset)
	fmt.Fprintf(&b, "unset %s\n", strings.Join(slices.Compact(unset), " "))
	for _, v := range [][2]string{
		{"AWS_ACCESS_KEY_ID", r.Credentials.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", r.Credentials.SecretAccessKey},
		{"AWS_REGION", r.Credentials.Region},
		{"AWS_DEFAULT_REGION", r.Credentials.Region},
		{"AWS_ENDPOINT_URL", r.Endpoints.API},
		{"AWS_CA_BUNDLE", filepath.Join(r.Dir, config.ServerRootFile)},
		{"THINGD_DATA", r.Dir},
		{"THINGD_CA_FILE", filepath.Join(r.Dir, config.ServerRootFile)},
		{"THINGD_DEVICE_ADDRESS", r.Endpoints.Device},
		{"THINGD_MQTT_ADDRESS", r.Endpoints.MQTT}, // empty: MQTT is off
		{"THINGD_OPS_ADDRESS", r.Endpoints.Ops},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", v[0], config.ShellQuote(v[1]))
	}
	return b.String()
}

func shellName(s string) bool {
	for _, c := range s {
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}
