package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Egress is where a worker may connect to: this installation under any of its
// names, and the hosts that the operator allows.
type Egress struct {
	// Names are those of this installation: host names, "*.example" for all
	// names of one label more, and addresses.
	Names []string `json:"names,omitempty"`
	// Listeners are where it listens, by port. What is dialled under one of
	// its names is dialled here: no name service is asked.
	Listeners map[int]string `json:"listeners,omitempty"`
	// Standard are the listeners that clients expect at a port on which there is
	// none: where MQTT is, by 8883.
	Standard map[int]string `json:"standard,omitempty"`
	// Allow are HOST or HOST:PORT of the operator.
	Allow []string `json:"allow,omitempty"`
}

// Dialer dials what an Egress lets through, and nothing else.
type Dialer struct {
	egress Egress
	allow  []allowed
	// lookup and dial are the resolver's and the network's.
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// allowed is a host of the operator's.
type allowed struct {
	host string // in lower case
	ip   netip.Addr
	port int // 0: any
}

// RefusedError is what is answered to a dial that is not allowed.
type RefusedError struct {
	Address string
	// Because says more, if there is more to say than that nobody allows it.
	Because string
}

func (e *RefusedError) Error() string {
	if e.Because != "" {
		return fmt.Sprintf("connect to %s: %s", e.Address, e.Because)
	}
	return fmt.Sprintf("connect to %s: runs reach this server and the hosts that its operator allows (--fleet-allow %s)", e.Address, e.Address)
}

// ParseAllow checks a HOST or HOST:PORT; [::1]:443 is an IPv6 address with a port.
func ParseAllow(s string) error {
	_, err := parseAllow(s)
	return err
}

func parseAllow(s string) (allowed, error) {
	a := allowed{host: s}
	if _, err := netip.ParseAddr(s); err != nil {
		if host, port, err := net.SplitHostPort(s); err == nil {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return a, fmt.Errorf("%q has no port number from 1 to 65535", s)
			}
			a.host, a.port = host, int(n)
		}
	}
	a.host = canonical(a.host)
	if ip, err := netip.ParseAddr(a.host); err == nil {
		if ip.Zone() != "" {
			return a, fmt.Errorf("%q has a zone", s)
		}
		a.ip = ip.Unmap()
		return a, nil
	}
	if !isName(a.host) {
		return a, fmt.Errorf("%q is not HOST or HOST:PORT", s)
	}
	return a, nil
}

// isName takes host names and refuses what a resolver could take for an
// address: a last label of digits alone, or a hexadecimal number.
func isName(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_') }) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(s) <= 253 && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// NewDialer makes the dialer of an Egress.
func NewDialer(e Egress) (*Dialer, error) {
	d := &Dialer{egress: e, dial: (&net.Dialer{Timeout: 30 * time.Second}).DialContext}
	d.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	for _, s := range e.Allow {
		a, err := parseAllow(s)
		if err != nil {
			return nil, err
		}
		d.allow = append(d.allow, a)
	}
	return d, nil
}

// Dial connects to host:port over TCP. Of a name that the operator allows, the
// addresses that it has now are judged, and exactly those are dialled.
func (d *Dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, &RefusedError{address, "runs connect over TCP alone"}
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &RefusedError{address, "it is not HOST:PORT"}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return nil, &RefusedError{address, "it has no port number"}
	}
	host, port := canonical(host), int(n)
	if at, ok := d.egress.Listeners[port]; ok && d.own(host) {
		return d.dial(ctx, "tcp", at)
	}
	if !slices.ContainsFunc(d.allow, func(a allowed) bool { return a.lets(host, port) }) {
		if at, ok := d.egress.Standard[port]; ok && d.own(host) {
			return d.dial(ctx, "tcp", at)
		}
		return nil, &RefusedError{Address: net.JoinHostPort(host, text)}
	}
	addresses, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	refused := ""
	for _, ip := range addresses {
		if why := d.judge(host, ip, port); why != "" {
			refused = why
			continue
		}
		c, err := d.dial(ctx, network, netip.AddrPortFrom(ip, uint16(port)).String())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, &RefusedError{net.JoinHostPort(host, text), refused}
	}
	return nil, errors.Join(errs...)
}

func (d *Dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	list, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list, nil
}

// own says whether a host is this installation's by name or address.
func (d *Dialer) own(host string) bool {
	ip, err := netip.ParseAddr(host)
	for _, name := range d.egress.Names {
		name = canonical(name)
		if name == host {
			return true
		}
		if other, e := netip.ParseAddr(name); err == nil && e == nil && other.Unmap() == ip.Unmap() {
			return true
		}
		if suffix, ok := strings.CutPrefix(name, "*"); ok && err != nil {
			if label, found := strings.CutSuffix(host, suffix); found && label != "" && !strings.Contains(label, ".") {
				return true
			}
		}
	}
	return false
}

func (a *allowed) lets(host string, port int) bool {
	if a.port != 0 && a.port != port {
		return false
	}
	if a.ip.IsValid() {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Unmap() == a.ip
	}
	return a.host == host
}

// judge says why an address that a host has may not be dialled; empty if it
// may. What a name service says of an allowed name is not the operator's word:
// addresses of this machine and of its link, where cloud providers keep
// credentials, are reached only where the operator names them.
func (d *Dialer) judge(host string, ip netip.Addr, port int) string {
	if slices.ContainsFunc(d.allow, func(a allowed) bool { return a.ip == ip && (a.port == 0 || a.port == port) }) {
		return ""
	}
	why := forbidden(ip, host)
	if why == "" && d.own(ip.String()) && !d.own(host) {
		why = "this machine" // whose other ports are for its operator
	}
	if why != "" {
		return fmt.Sprintf("%s is %s: the operator has to name the address itself (--fleet-allow %s)", ip, why, netip.AddrPortFrom(ip, uint16(port)))
	}
	return ""
}

// Prefixes by which an IPv4 address is reached as one of IPv6: NAT64 (RFC
// 6052, RFC 8215), 6to4 (RFC 3056) and the compatible form of old.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	compatible = netip.MustParsePrefix("::/96")
	teredo     = netip.MustParsePrefix("2001::/32")
	thisNet    = netip.MustParsePrefix("0.0.0.0/8")
)

// metadata are services of cloud providers at addresses that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud over IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

// forbidden says what an address is that no name may lead to.
func forbidden(ip netip.Addr, host string) string {
	if inner, ok := embedded(ip); ok {
		return forbidden(inner, host)
	}
	switch {
	case ip.IsLoopback() && host != "localhost" && !strings.HasSuffix(host, ".localhost"):
		return "this machine"
	case ip.IsUnspecified(), thisNet.Contains(ip):
		return "this machine"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "a multicast address"
	case slices.Contains(metadata, ip):
		return "the metadata service of a cloud provider"
	case nat64local.Contains(ip), teredo.Contains(ip):
		return "an address of a translator"
	}
	return ""
}

// embedded is the IPv4 address inside one of IPv6.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() || ip == netip.IPv6Unspecified() || ip == netip.IPv6Loopback() {
		return ip, false
	}
	b := ip.As16()
	switch {
	case ip.Is4In6():
		return ip.Unmap(), true
	case nat64.Contains(ip), compatible.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return ip, false
}
