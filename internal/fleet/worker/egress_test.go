package worker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// network is a made-up one: names, and what was dialled.
type network struct {
	names  map[string][]string
	dialed []string
	asked  []string
}

func (n *network) dialer(t *testing.T, e Egress) *Dialer {
	t.Helper()
	d, err := NewDialer(e)
	if err != nil {
		t.Fatal(err)
	}
	d.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		n.asked = append(n.asked, host)
		var out []netip.Addr
		for _, s := range n.names[host] {
			out = append(out, netip.MustParseAddr(s))
		}
		return out, nil
	}
	d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		n.dialed = append(n.dialed, address)
		client, server := net.Pipe()
		_ = server.Close()
		return client, nil
	}
	return d
}

func TestEgress(t *testing.T) {
	own := Egress{
		Names:     []string{"localhost", "127.0.0.1", "::1", "box.example", "*.iot.us-east-1.amazonaws.com", "192.168.1.5"},
		Listeners: map[int]string{4566: "127.0.0.1:4566", 18883: "10.1.1.1:18883"},
		Standard:  map[int]string{8883: "10.1.1.1:18883"},
	}
	names := map[string][]string{
		"broker.example": {"93.184.216.34"}, "private.example": {"10.9.9.9"}, "two.example": {"169.254.169.254", "93.184.216.34"},
		"meta.example": {"169.254.169.254"}, "meta6.example": {"fd00:ec2::254"}, "loop.example": {"127.0.0.1"}, "loop6.example": {"::1"},
		"mapped.example": {"::ffff:169.254.169.254"}, "nat64.example": {"64:ff9b::a9fe:a9fe"}, "sixto4.example": {"2002:7f00:1::1"},
		"compatible.example": {"::7f00:1"}, "any.example": {"0.0.0.0"}, "any6.example": {"::"}, "multi.example": {"224.0.0.1"},
		"link6.example": {"fe80::1"}, "none.example": {}, "box.example": {"169.254.169.254"}, "localhost": {"127.0.0.1"},
		"lan.example": {"192.168.1.5"}, "lan6.example": {"::ffff:192.168.1.5"},
		"azure.example": {"168.63.129.16"}, "zero.example": {"0.1.2.3"},
	}
	for _, tt := range []struct {
		allow, address string
		want           string // that is dialled; else part of the refusal
	}{
		// This installation, where it listens, whatever a name service says.
		{"", "localhost:4566", "127.0.0.1:4566"},
		{"", "LOCALHOST.:4566", "127.0.0.1:4566"},
		{"", "127.0.0.1:4566", "127.0.0.1:4566"},
		{"", "[::1]:4566", "127.0.0.1:4566"},
		{"", "[::ffff:127.0.0.1]:4566", "127.0.0.1:4566"},
		{"", "box.example:18883", "10.1.1.1:18883"},
		{"", "box.example:8883", "10.1.1.1:18883"},
		{"", "192.168.1.5:4566", "127.0.0.1:4566"},
		{"", "abc-ats.iot.us-east-1.amazonaws.com:8883", "10.1.1.1:18883"},
		{"", "a.b.iot.us-east-1.amazonaws.com:8883", "!--fleet-allow a.b.iot.us-east-1.amazonaws.com:8883"},
		{"", ".iot.us-east-1.amazonaws.com:8883", "!--fleet-allow"},
		// Its other ports are not.
		{"", "localhost:9464", "!connect to localhost:9464: runs reach this server and the hosts that its operator allows (--fleet-allow localhost:9464)"},
		{"", "localhost:22", "!--fleet-allow localhost:22"},
		{"", "192.168.1.6:4566", "!--fleet-allow 192.168.1.6:4566"},
		{"", "127.0.0.2:4566", "!--fleet-allow 127.0.0.2:4566"},
		{"", "127.1:4566", "!--fleet-allow 127.1:4566"},
		{"", "2130706433:4566", "!--fleet-allow"},
		{"", "0:4566", "!--fleet-allow"},
		{"", "localhost:0", "!no port number"},
		{"", "localhost:http", "!no port number"},
		{"", "localhost", "!not HOST:PORT"},
		// The operator's hosts.
		{"", "broker.example:443", "!--fleet-allow broker.example:443"},
		{"broker.example", "broker.example:443", "93.184.216.34:443"},
		{"broker.example", "BROKER.example.:8883", "93.184.216.34:8883"},
		{"broker.example:443", "broker.example:443", "93.184.216.34:443"},
		{"broker.example:443", "broker.example:444", "!--fleet-allow broker.example:444"},
		{"broker.example", "sub.broker.example:443", "!--fleet-allow"},
		{"broker.example", "xbroker.example:443", "!--fleet-allow"},
		{"broker.example", "broker.example@evil:443", "!--fleet-allow"},
		{"private.example", "private.example:443", "10.9.9.9:443"},
		{"none.example", "none.example:443", "!no such host"},
		// An address that a name has is not allowed by that.
		{"broker.example", "93.184.216.34:443", "!--fleet-allow 93.184.216.34:443"},
		{"93.184.216.34", "93.184.216.34:443", "93.184.216.34:443"},
		{"93.184.216.34", "broker.example:443", "!--fleet-allow broker.example:443"},
		{"[fd00::1]:443", "[fd00::1]:443", "[fd00::1]:443"},
		{"[fd00::1]:443", "[fd00::1]:444", "!--fleet-allow"},
		// Names that lead where they must not.
		{"meta.example", "meta.example:80", "!169.254.169.254 is a link-local address: the operator has to name the address itself (--fleet-allow 169.254.169.254:80)"},
		{"meta6.example", "meta6.example:80", "!metadata service"},
		{"azure.example", "azure.example:80", "!metadata service"},
		{"loop.example", "loop.example:5432", "!127.0.0.1 is this machine"},
		{"loop6.example", "loop6.example:5432", "!::1 is this machine"},
		{"mapped.example", "mapped.example:80", "!link-local"},
		{"nat64.example", "nat64.example:80", "!link-local"},
		{"sixto4.example", "sixto4.example:80", "!this machine"},
		{"compatible.example", "compatible.example:80", "!this machine"},
		{"any.example", "any.example:80", "!this machine"},
		{"any6.example", "any6.example:80", "!this machine"},
		{"zero.example", "zero.example:80", "!this machine"},
		{"lan.example", "lan.example:9464", "!192.168.1.5 is this machine"},
		{"lan.example", "lan.example:4566", "!192.168.1.5 is this machine"},
		{"lan6.example", "lan6.example:5432", "!192.168.1.5 is this machine"},
		{"lan.example,192.168.1.5:9464", "lan.example:9464", "192.168.1.5:9464"},
		{"multi.example", "multi.example:80", "!multicast"},
		{"link6.example", "link6.example:80", "!link-local"},
		{"two.example", "two.example:80", "93.184.216.34:80"}, // by its other address
		// Named by the operator they may.
		{"meta.example,169.254.169.254", "meta.example:80", "169.254.169.254:80"},
		{"meta.example,169.254.169.254:443", "meta.example:80", "!link-local"},
		{"169.254.169.254:80", "169.254.169.254:80", "169.254.169.254:80"},
		{"localhost:5432", "localhost:5432", "127.0.0.1:5432"},
		{"loop.example,127.0.0.1:5432", "loop.example:5432", "127.0.0.1:5432"},
		{"box.example:8883", "box.example:8883", "!link-local"}, // the operator's word, not the standard port
	} {
		e := own
		if tt.allow != "" {
			e.Allow = strings.Split(tt.allow, ",")
		}
		n := &network{names: names}
		c, err := n.dialer(t, e).Dial(t.Context(), "tcp", tt.address)
		if err == nil {
			_ = c.Close()
		}
		refusal, refused := strings.CutPrefix(tt.want, "!")
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), refusal) || len(n.dialed) > 0):
			t.Errorf("allow %q, %s: %v, dialled %q; want %s", tt.allow, tt.address, err, n.dialed, tt.want)
		case !refused && (err != nil || len(n.dialed) != 1 || n.dialed[0] != tt.want):
			t.Errorf("allow %q, %s: %v, dialled %q; want %s", tt.allow, tt.address, err, n.dialed, tt.want)
		}
		if refused && strings.Contains(refusal, "--fleet-allow") && !strings.Contains(refusal, "link-local") && len(n.asked) > 0 {
			t.Errorf("allow %q, %s: a name service was asked for %q", tt.allow, tt.address, n.asked)
		}
	}
}

// A name that leads elsewhere each time it is asked for is asked for once, and
// what it said is what is judged and dialled.
func TestEgressRebinding(t *testing.T) {
	d, err := NewDialer(Egress{Allow: []string{"rebind.example"}})
	if err != nil {
		t.Fatal(err)
	}
	answers := []string{"93.184.216.34", "169.254.169.254", "127.0.0.1"}
	asked := 0
	d.lookup = func(context.Context, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{netip.MustParseAddr(answers[asked-1])}, nil
	}
	var dialed []string
	d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		return nil, errors.New("nobody there")
	}
	for range answers {
		if _, err := d.Dial(t.Context(), "tcp", "rebind.example:80"); err == nil {
			t.Error("connected")
		}
	}
	if asked != 3 || len(dialed) != 1 || dialed[0] != "93.184.216.34:80" {
		t.Errorf("asked %d times, dialled %q", asked, dialed)
	}
	if _, err := d.Dial(t.Context(), "udp", "rebind.example:53"); err == nil || asked != 3 {
		t.Error("UDP:", err)
	}
}

func TestParseAllow(t *testing.T) {
	for _, s := range []string{"", ":443", "host:", "host:0", "host:65536", "a b", "-a", "a..b", "*.example", "10.0.0.0/8", "127.1", "0x7f.1", "0x7f000001", "fe80::1%eth0", "https://h"} {
		if ParseAllow(s) == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"h", "h:1", "example.com", "my_host.example.com.", "10.0.0.1", "10.0.0.1:80", "fd00::1", "[fd00::1]:80"} {
		if err := ParseAllow(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseAllow(f *testing.F) {
	for _, s := range []string{"h:1", "[::1]:2", "::1", "a.b.c:65535", "127.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAllow(s)
		if err == nil && !a.ip.IsValid() && !isName(a.host) {
			t.Errorf("%q is %+v", s, a)
		}
	})
}
