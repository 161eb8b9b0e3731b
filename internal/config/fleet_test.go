package config

import (
	"strings"
	"testing"
	"time"
)

func TestFleetOptions(t *testing.T) {
	clearEnv(t)
	for _, tt := range []struct {
		args []string
		want string // the fault; empty for none
	}{
		{nil, ""},
		{[]string{"--fleet-allow", "broker.example", "--fleet-allow", "broker.example:1883", "--fleet-allow", "10.0.0.1", "--fleet-allow", "[fd00::1]:443", "--fleet-allow", "fd00::1"}, ""},
		{[]string{"--fleet-allow", "broker.example:0"}, `--fleet-allow: "broker.example:0" has no port number`},
		{[]string{"--fleet-allow", "https://broker.example"}, `--fleet-allow: "https://broker.example" has no port`},
		{[]string{"--fleet-allow", "*"}, `--fleet-allow: "*" is not HOST`},
		{[]string{"--fleet-allow", "10.0.0.0/8"}, `--fleet-allow: "10.0.0.0/8" is not HOST`},
		{[]string{"--fleet-allow", "127.1"}, `--fleet-allow: "127.1" is not HOST`},
		{[]string{"--fleet-allow", "0x7f000001"}, `--fleet-allow: "0x7f000001" is not HOST`},
		{[]string{"--fleet-allow", "fe80::1%eth0"}, `--fleet-allow: "fe80::1%eth0" is not HOST`},
		{[]string{"--fleet-memory", "63MiB"}, `--fleet-memory: "63MiB" is not a size`},
		{[]string{"--fleet-memory", "1GiB", "--fleet-time", "24h", "--fleet-runs", "0"}, ""},
		{[]string{"--fleet-time", "0s"}, `--fleet-time: "0s" is not a time`},
		{[]string{"--fleet-time", "721h"}, `--fleet-time: "721h" is not a time`},
		{[]string{"--fleet-runs", "101"}, `--fleet-runs: "101" is not a number`},
		{[]string{"--fleet-runs=-1"}, `--fleet-runs: "-1" is not a number`},
	} {
		c, err := parse(t, append(tt.args, "--data", t.TempDir())...)
		if err == nil {
			err = c.Finish(func(string) string { return "" })
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%q: %v", tt.args, err)
		case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %s", tt.args, err, tt.want)
		}
	}
	memory, longest, runs := (&Config{}).FleetLimits()
	if memory != 512<<20 || longest != time.Hour || runs != 2 {
		t.Error(memory, longest, runs)
	}
}
