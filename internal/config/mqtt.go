package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// The sets of limits that MQTT clients are held to.
const (
	LimitsAWS  = "aws"  // AWS IoT's limits, differences from the standards, and closes
	LimitsMQTT = "mqtt" // the standards whole
)

// Limits says which set of limits holds for which account.
type Limits struct {
	Default  string            // LimitsAWS or LimitsMQTT
	Accounts map[string]string // by account id: those that differ; nil for none
}

// Of is the set of limits of an account.
func (l Limits) Of(account string) string {
	if set, ok := l.Accounts[account]; ok {
		return set
	}
	return l.Default
}

var (
	accountForm     = regexp.MustCompile(`^[0-9]{12}$`)
	certificateForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	userForm        = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`) // IAM API reference, CreateUser
)

// MQTTLimits reads --limits: a set for all accounts, then those of single ones.
func (c *Config) MQTTLimits() (Limits, error) {
	l := Limits{Default: LimitsAWS}
	for i, item := range strings.Split(c.Limits, ",") {
		account, set, ok := strings.Cut(item, "=")
		if !ok {
			if i > 0 {
				return l, fmt.Errorf("%q is not ACCOUNT=SET", item)
			}
			if item == "" {
				continue
			}
			if err := oneOf(item, LimitsAWS, LimitsMQTT); err != nil {
				return l, err
			}
			l.Default = item
			continue
		}
		if !accountForm.MatchString(account) {
			return l, fmt.Errorf("%q is not the id of an account, 12 digits", account)
		}
		if err := oneOf(set, LimitsAWS, LimitsMQTT); err != nil {
			return l, err
		}
		if _, twice := l.Accounts[account]; twice {
			return l, fmt.Errorf("account %s is there twice", account)
		}
		if l.Accounts == nil {
			l.Accounts = map[string]string{}
		}
		l.Accounts[account] = set
	}
	return l, nil
}

// MaxKeepAlive is how long the keep-alive time of an MQTT 5 client may be under
// LimitsMQTT, in seconds; 0: as long as it likes. It is of a Config that Check
// found nothing wrong with.
func (c *Config) MaxKeepAlive() uint16 {
	n, err := c.mqttMaxKeepAlive()
	if err != nil {
		return 0
	}
	return n
}

// mqttMaxKeepAlive reads MQTTMaxKeepAlive; empty is none.
func (c *Config) mqttMaxKeepAlive() (uint16, error) {
	if c.MQTTMaxKeepAlive == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(c.MQTTMaxKeepAlive, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a number of seconds from 1 to 65535", c.MQTTMaxKeepAlive)
	}
	return uint16(n), nil
}

// Unexplained says that MQTT clients are not told why they are refused.
func (c *Config) Unexplained() bool { return c.MQTTReasons == Off }

// PlainCertificate says that PlainAs is the id of a certificate, not the name of
// a user.
func (c *Config) PlainCertificate() bool { return certificateForm.MatchString(c.PlainAs) }

// checkPlainMQTT takes an address of this machine alone: what goes over it can
// be read by all who are between, and whoever reaches it is the principal.
func checkPlainMQTT(c *Config) error {
	if c.PlainMQTT == "" || c.PlainMQTT == Off {
		return nil
	}
	if err := checkAddress(c.PlainMQTT); err != nil {
		return err
	}
	if c.PlainAs == "" {
		return errors.New("say with --plain-as as whom its clients act")
	}
	if host, _, _ := net.SplitHostPort(c.PlainMQTT); !c.InsecureMQTT && !isLoopback(host) {
		return fmt.Errorf("%s can be reached from other machines, without TLS: give 127.0.0.1 as the host, or --insecure-mqtt too", c.PlainMQTT)
	}
	return nil
}

// isLoopback says whether a host is this machine alone, as far as its name tells.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func checkPlainAs(c *Config) error {
	switch {
	case c.PlainAs == "":
		return nil
	case c.PlainMQTT == "" || c.PlainMQTT == Off:
		return errors.New("is of use with --plain-mqtt only")
	case !userForm.MatchString(c.PlainAs) && !certificateForm.MatchString(c.PlainAs):
		return fmt.Errorf("%q is neither the name of an IAM user nor the id of a certificate", c.PlainAs)
	}
	return nil
}
