package server

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
)

// hostForm is a machine name that a certificate can hold.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// CertificateNames are the names that the server certificate is for: the
// advertised ones, this machine's own, and with awsNames those of AWS.
func CertificateNames(advertised []string, hostname string, awsNames bool, region string) []string {
	names := append(slices.Clone(advertised), "localhost", "127.0.0.1", "::1")
	if hostForm.MatchString(hostname) {
		names = append(names, hostname)
	}
	if awsNames {
		names = append(names, AWSNames(region)...)
	}
	return normalNames(names)
}

// AWSNames are the names under which AWS serves in a region what thingd
// serves, as a certificate has them, and the two hosts that devices fetch root
// certificates from.
func AWSNames(region string) []string {
	return []string{
		"iot." + region + ".amazonaws.com",
		"*.iot." + region + ".amazonaws.com",
		"*.jobs.iot." + region + ".amazonaws.com",
		"*.credentials.iot." + region + ".amazonaws.com",
		"kinesisvideo." + region + ".amazonaws.com",
		"*.kinesisvideo." + region + ".amazonaws.com",
		"kinesisvideo." + region + ".api.aws", // AWS_USE_DUALSTACK_ENDPOINT
		"*.kinesisvideo." + region + ".api.aws",
		"iam.amazonaws.com",
		"sts.amazonaws.com",
		"sts." + region + ".amazonaws.com",
		"signin.aws.amazon.com",
		region + ".signin.aws.amazon.com",
		"*.signin.aws.amazon.com",
		"www.amazontrust.com",
		"www.symantec.com",
	}
}

// HostsLines are the lines that a client machine's hosts file needs for AWS's
// names to mean this server at ip. endpoints are the account's own host names,
// since a hosts file knows no wildcards.
func HostsLines(ip, region string, endpoints []string) string {
	var names []string
	for _, n := range AWSNames(region) {
		if !strings.HasPrefix(n, "*.") {
			names = append(names, n)
		}
	}
	names = append(names, "data-ats.iot."+region+".amazonaws.com", "data.jobs.iot."+region+".amazonaws.com")
	for _, e := range endpoints {
		if host, _, err := net.SplitHostPort(e); err == nil {
			e = host
		}
		names = append(names, e)
	}
	names = normalNames(names)
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "%s %s\n", ip, n)
	}
	return b.String()
}

// normalNames puts names into the form in which they are compared: lower case,
// addresses as net.IP prints them, sorted, each once.
func normalNames(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if ip := net.ParseIP(n); ip != nil {
			n = ip.String()
		}
		if n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
