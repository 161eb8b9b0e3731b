package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The bounds of what the fleet's options may say.
const (
	minFleetMemory = 64 << 20
	maxFleetMemory = 1 << 40
	maxFleetTime   = 30 * 24 * time.Hour
	maxFleetRuns   = 100
)

// FleetLimits are how many bytes a run may use, how long it may take, and how
// many go on at once. They are of a Config that Check found nothing wrong with.
func (c *Config) FleetLimits() (memory int64, longest time.Duration, runs int) {
	memory, _ = c.fleetMemory()
	longest, _ = c.fleetTime()
	runs, _ = c.fleetRuns()
	return memory, longest, runs
}

// fleetMemory reads FleetMemory; empty is the default.
func (c *Config) fleetMemory() (int64, error) {
	if c.FleetMemory == "" {
		return 512 << 20, nil
	}
	n, err := parseSize(c.FleetMemory, minFleetMemory, maxFleetMemory)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size from 64MiB on, such as 512MiB", c.FleetMemory)
	}
	return n, nil
}

// fleetTime reads FleetTime; empty is the default.
func (c *Config) fleetTime() (time.Duration, error) {
	if c.FleetTime == "" {
		return time.Hour, nil
	}
	d, err := time.ParseDuration(c.FleetTime)
	if err != nil || d < time.Second || d > maxFleetTime {
		return 0, fmt.Errorf("%q is not a time from 1s to 720h, such as 30m", c.FleetTime)
	}
	return d, nil
}

// fleetRuns reads FleetRuns; empty is the default.
func (c *Config) fleetRuns() (int, error) {
	if c.FleetRuns == "" {
		return 2, nil
	}
	n, err := strconv.Atoi(c.FleetRuns)
	if err != nil || n < 0 || n > maxFleetRuns {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", c.FleetRuns, maxFleetRuns)
	}
	return n, nil
}

// checkFleetAllow takes host names and addresses, each with or without a port.
func checkFleetAllow(c *Config) error {
	for _, entry := range c.FleetAllow {
		host := entry
		if _, err := netip.ParseAddr(entry); err != nil {
			if h, port, err := net.SplitHostPort(entry); err == nil {
				if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
					return fmt.Errorf("%q has no port number from 1 to 65535", entry)
				}
				host = h
			}
		}
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			continue
		}
		// What some resolvers take for an address is no name: 127.1, 0x7f000001.
		last := host[strings.LastIndexByte(host, '.')+1:]
		if len(host) > 253 || !nameForm.MatchString(host) || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(strings.ToLower(last), "0x") {
			return fmt.Errorf("%q is not HOST or HOST:PORT", entry)
		}
	}
	return nil
}
