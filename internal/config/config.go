// Package config is what a thingd server is told: one Config struct that
// command-line flags, THINGD_* variables and a JSON file fill (in that order of
// precedence), its defaults, one table of checks, and the few small files by
// which a running server tells thingd's own commands where it is. It opens no
// sockets and starts nothing; what the values mean is app's business.
package config

import (
	"net"
	"path/filepath"
	"strconv"

	"github.com/alecthomas/kong"
)

// The fixed account and root access key of a --dev server: AWS's documented
// examples (IAM user guide, "Managing access keys"); and its root password with
// its hash, which would take longer to make than all the rest of a reset. They
// are public.
const (
	DevAccountID        = "123456789012"
	DevAccessKeyID      = "AKIAIOSFODNN7EXAMPLE"
	DevSecretAccessKey  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	DevRootPassword     = "EXAMPLE-Passw0rd"
	DevRootPasswordHash = "$argon2id$v=19$m=19456,t=2,p=1$NExwuTIJ5cbmKC/uoRJmCg$bVCYZxxuBH+jF3OrKROsF6LN+Ak8TVkuqS9aw+GtjqM"
)

// DefaultRootEmail is by which the root user signs in, unless another address
// was given at the first start.
const DefaultRootEmail = "root@localhost"

// Off, given as the MQTT address or for the audit trail, turns that off.
const Off = "off"

// Config is everything that a server is told. Finish fills what was left out
// and checks it; the values are final after that.
type Config struct {
	Data string `placeholder:"DIR" env:"THINGD_DATA" help:"Directory of everything that is kept (default: $XDG_DATA_HOME/thingd, ~/.local/share/thingd, or /var/lib/thingd for root)."`

	API       string `default:"127.0.0.1:4566" placeholder:"ADDR" env:"THINGD_API" help:"Address of the AWS APIs; plain HTTP and TLS on one port (${default})."`
	Device    string `default:":8443" placeholder:"ADDR" env:"THINGD_DEVICE" help:"Address of HTTPS for devices with a client certificate (${default})."`
	MQTT      string `name:"mqtt" default:":8883" placeholder:"ADDR" env:"THINGD_MQTT" help:"Address of MQTT over TLS, or off (${default})."`
	PlainMQTT string `name:"plain-mqtt" placeholder:"ADDR" env:"THINGD_PLAIN_MQTT" help:"Address of MQTT without TLS, whose clients all act as --plain-as; on this machine alone unless --insecure-mqtt (none)."`
	PlainAs   string `name:"plain-as" placeholder:"PRINCIPAL" env:"THINGD_PLAIN_AS" help:"IAM user (by name) or device certificate (by id) whose policies decide what clients of --plain-mqtt may do."`
	Ops       string `default:"127.0.0.1:9464" placeholder:"ADDR" env:"THINGD_OPS" help:"Address of /metrics, /livez, /readyz and pprof (${default})."`

	Region    string   `default:"us-east-1" placeholder:"NAME" env:"THINGD_REGION" help:"AWS region that the server stands for (${default})."`
	Advertise []string `placeholder:"NAME" env:"THINGD_ADVERTISE" help:"Names or addresses by which clients reach this server; the first goes into the endpoints that it hands out (localhost)."`
	AWSNames  bool     `name:"aws-names" env:"THINGD_AWS_NAMES" help:"Serve port 443 too, on all addresses (with --dev: on loopback), under AWS's own host names, for clients that cannot be told an endpoint."`

	RootEmail string `default:"root@localhost" placeholder:"ADDRESS" env:"THINGD_ROOT_EMAIL" help:"E-mail address that the root user signs in to the console with; of use at the first start only (${default})."`

	InsecureHTTP bool `name:"insecure-http" env:"THINGD_INSECURE_HTTP" help:"Accept plain HTTP from other machines."`
	InsecureMQTT bool `name:"insecure-mqtt" env:"THINGD_INSECURE_MQTT" help:"Let --plain-mqtt be an address that other machines reach."`
	Dev          bool `env:"THINGD_DEV" help:"For test suites: well-known keys, no fsync, POST /reset on the ops address."`

	LogLevel  string `default:"info" placeholder:"LEVEL" env:"THINGD_LOG_LEVEL" help:"Least level that is logged: debug, info, warn or error (${default})."`
	LogFormat string `default:"text" placeholder:"FORMAT" env:"THINGD_LOG_FORMAT" help:"Form of the log on standard error: text or json (${default})."`

	Audit     string `default:"on" placeholder:"on|off" env:"THINGD_AUDIT" help:"Keep a record of every API call in the data directory (${default})."`
	AuditSize string `default:"64MiB" placeholder:"SIZE" env:"THINGD_AUDIT_SIZE" help:"Size at which the audit file gives way to a new one (${default})."`
	AuditKeep string `default:"10" placeholder:"N" env:"THINGD_AUDIT_KEEP" help:"How many audit files are kept besides the current one (${default})."`

	Database         string `placeholder:"URL" env:"THINGD_DATABASE" help:"sqlite:FILE, or postgres://… for a PostgreSQL database with collation C (a SQLite file in the data directory)."`
	Limits           string `default:"aws" placeholder:"SET[,ACCOUNT=SET…]" env:"THINGD_LIMITS" help:"What MQTT clients may do: aws is AWS's own limits, differences and closes, mqtt is the standards whole; for all accounts, and for some by their ids (${default})."`
	MQTTMaxKeepAlive string `name:"mqtt-max-keep-alive" placeholder:"SECONDS" env:"THINGD_MQTT_MAX_KEEP_ALIVE" help:"Longest keep-alive time of MQTT 5 clients under the limits mqtt, which are told of it; clients that want none get it too (none; the limits aws have AWS's own 1200 seconds)."`
	MQTTReasons      string `name:"mqtt-reasons" default:"on" placeholder:"on|off" env:"THINGD_MQTT_REASONS" help:"Tell MQTT 5 clients why they are refused what they ask for, and by which policy; the log tells it in any case (${default})."`
	ShadowSize       string `name:"shadow-size" default:"8KiB" placeholder:"SIZE" env:"THINGD_SHADOW_SIZE" help:"How large the state of a device shadow may be, 8KiB to 30KiB (${default})."`

	FleetAllow  []string `name:"fleet-allow" placeholder:"HOST[:PORT]" env:"THINGD_FLEET_ALLOW" help:"Host that fleet runs started on this server may connect to besides it; repeatable (none)."`
	FleetMemory string   `name:"fleet-memory" default:"512MiB" placeholder:"SIZE" env:"THINGD_FLEET_MEMORY" help:"Memory that one fleet run may use, 64MiB or more (${default})."`
	FleetTime   string   `name:"fleet-time" default:"1h" placeholder:"DURATION" env:"THINGD_FLEET_TIME" help:"Longest that a fleet run may take (${default})."`
	FleetRuns   string   `name:"fleet-runs" default:"2" placeholder:"N" env:"THINGD_FLEET_RUNS" help:"How many fleet runs go on at once; others wait for their turn. 0 starts none (${default})."`

	File kong.ConfigFlag `name:"config" placeholder:"FILE" env:"THINGD_CONFIG" help:"JSON file with any of these options; flags and variables win over it."`

	dataByVariable bool // Data is what THINGD_DATA says
}

// Finish fills in the defaults that depend on the environment and then checks
// the whole, answering all faults together (errors.Join). getenv is os.Getenv.
func (c *Config) Finish(getenv func(string) string) error {
	if c.Data == "" {
		if c.Dev {
			c.Data = DevDirs(getenv)[0]
		} else {
			c.Data = DefaultDataDir(getenv)
		}
	}
	c.dataByVariable = c.Data != "" && c.Data == getenv("THINGD_DATA")
	if c.Data != "" {
		abs, err := filepath.Abs(c.Data)
		if err != nil {
			return err
		}
		c.Data = abs
	}
	if c.RootEmail == "" {
		c.RootEmail = DefaultRootEmail
	}
	if c.Database == "" && c.Data != "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, "thingd.db")
	}
	return c.Check()
}

// Name is the name under which clients are told to reach this server.
func (c *Config) Name() string {
	if len(c.Advertise) > 0 {
		return c.Advertise[0]
	}
	return "localhost"
}

// MQTTPort is the port of MQTT over TLS; its standard one where MQTT is off.
func (c *Config) MQTTPort() int {
	if _, text, err := net.SplitHostPort(c.MQTT); err == nil {
		if port, err := strconv.Atoi(text); err == nil && port > 0 {
			return port
		}
	}
	return 8883
}

// DataFile is the path of a file in the data directory.
func (c *Config) DataFile(name string) string { return filepath.Join(c.Data, name) }
