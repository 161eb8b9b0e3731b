package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checks is the one table of what a Config must satisfy. Each line answers
// what is wrong with one option, or nil.
var checks = []struct {
	option string
	check  func(*Config) error
}{
	{"data", func(c *Config) error {
		if c.Data == "" {
			return errors.New("no default: neither XDG_DATA_HOME nor HOME is set")
		}
		return nil
	}},
	{"api", func(c *Config) error { return checkAddress(c.API) }},
	{"device", func(c *Config) error { return checkAddress(c.Device) }},
	{"mqtt", func(c *Config) error {
		if c.MQTT == Off {
			return nil
		}
		return checkAddress(c.MQTT)
	}},
	{"plain-mqtt", checkPlainMQTT},
	{"plain-as", checkPlainAs},
	{"ops", func(c *Config) error { return checkAddress(c.Ops) }},
	{"ops", checkDistinct},
	{"region", func(c *Config) error {
		if !regionForm.MatchString(c.Region) {
			return fmt.Errorf("%q is not a region name such as us-east-1", c.Region)
		}
		return nil
	}},
	{"advertise", func(c *Config) error {
		for _, n := range c.Advertise {
			if err := checkName(n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"root-email", func(c *Config) error { return CheckEmail(c.RootEmail) }},
	{"log-level", func(c *Config) error { return oneOf(c.LogLevel, "debug", "info", "warn", "error") }},
	{"log-format", func(c *Config) error { return oneOf(c.LogFormat, "text", "json") }},
	{"audit", func(c *Config) error {
		if c.Audit == "" { // on
			return nil
		}
		return oneOf(c.Audit, "on", Off)
	}},
	{"audit-size", func(c *Config) error {
		if _, err := c.auditSize(); err != nil {
			return fmt.Errorf("%q is not a size from 64KiB on, such as 64MiB", c.AuditSize)
		}
		return nil
	}},
	{"audit-keep", func(c *Config) error {
		if _, err := c.auditKeep(); err != nil {
			return fmt.Errorf("%q is not a number from 0 to 10000", c.AuditKeep)
		}
		return nil
	}},
	{"shadow-size", func(c *Config) error {
		_, err := c.shadowSize()
		return err
	}},
	{"fleet-allow", checkFleetAllow},
	{"fleet-memory", func(c *Config) error { _, err := c.fleetMemory(); return err }},
	{"fleet-time", func(c *Config) error { _, err := c.fleetTime(); return err }},
	{"fleet-runs", func(c *Config) error { _, err := c.fleetRuns(); return err }},
	{"limits", func(c *Config) error {
		_, err := c.MQTTLimits()
		return err
	}},
	{"mqtt-max-keep-alive", func(c *Config) error {
		_, err := c.mqttMaxKeepAlive()
		return err
	}},
	{"mqtt-reasons", func(c *Config) error {
		if c.MQTTReasons == "" { // on
			return nil
		}
		return oneOf(c.MQTTReasons, "on", Off)
	}},
	{"database", func(c *Config) error {
		for _, scheme := range []string{"sqlite:", "postgres://", "postgresql://"} {
			if strings.HasPrefix(c.Database, scheme) {
				return nil
			}
		}
		if c.Database == "" && c.Data == "" {
			return nil // said already
		}
		return errors.New("not a sqlite: or postgres:// URL") // the URL may hold a password
	}},
}

var (
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	emailForm  = regexp.MustCompile(`^[!-?A-~]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	nameForm   = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// Check answers everything that is wrong with c, or with some options of it,
// each fault with the name of its option, joined; nil if nothing is.
func (c *Config) Check(options ...string) error {
	var faults []error
	for _, k := range checks {
		if len(options) > 0 && !slices.Contains(options, k.option) {
			continue
		}
		if err := k.check(c); err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", k.option, err))
		}
	}
	return errors.Join(faults...)
}

func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:4566 or :4566", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port number from 0 to 65535", addr)
	} else if n > 65535 {
		return fmt.Errorf("%q has no port number from 0 to 65535", addr)
	}
	if host == "" {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil && !nameForm.MatchString(host) {
		return fmt.Errorf("%q has no valid host part", addr)
	}
	return nil
}

// checkDistinct finds two listeners on one address. Port 0 stands for any.
func checkDistinct(c *Config) error {
	seen := map[string]string{}
	for _, l := range []struct{ option, addr string }{{"api", c.API}, {"device", c.Device}, {"mqtt", c.MQTT}, {"plain-mqtt", c.PlainMQTT}, {"ops", c.Ops}} {
		host, port, err := net.SplitHostPort(l.addr)
		if err != nil || port == "0" {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
			host = ""
		}
		for _, key := range []string{net.JoinHostPort(host, port), net.JoinHostPort("", port)} {
			if other := seen[key]; other != "" {
				return fmt.Errorf("--%s and --%s are both %s", other, l.option, l.addr)
			}
		}
		seen[net.JoinHostPort(host, port)] = l.option
	}
	return nil
}

// CheckEmail takes what can be the e-mail address of an account (at most 64
// characters: AWS Organizations API reference, CreateAccount).
func CheckEmail(address string) error {
	if len(address) > 64 || !emailForm.MatchString(address) {
		return fmt.Errorf("%q is not an e-mail address such as root@example.com", address)
	}
	return nil
}

// checkName takes a host name or an IP address, without a port.
func checkName(n string) error {
	if _, err := netip.ParseAddr(n); err == nil {
		return nil
	}
	if len(n) > 253 || !nameForm.MatchString(n) {
		return fmt.Errorf("%q is not a host name or an IP address (no port, no scheme)", n)
	}
	return nil
}

func oneOf(v string, allowed ...string) error {
	for _, a := range allowed {
		if v == a {
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
}
