package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
)

const (
	// tryAll is how long a run goes on of which no device has ever connected.
	tryAll = 8 * time.Second
	// vainDevices are how many devices that tried in vain speak for the others.
	vainDevices = 10
)

// triedInVain notes that a device did not connect, for so long or for good, and ends the run if none ever has and enough have
// tried: the others would do no better.
func (l *link) triedInVain(err error, tried time.Duration, forGood bool) {
	r := l.d.run
	if r.reached.Load() || l.vain || tried < tryAll && !forGood {
		return
	}
	l.vain = true
	if r.vain.Add(1) >= l.enough(err, forGood) {
		which := ""
		if r.various.Load() {
			which = ", the last of them"
		}
		r.abort(fmt.Errorf("no device could connect%s to %s: %w%s", which, l.address, err, advice(err)))
	}
}

// enough is how many devices have to have tried in vain, the last of them with this error, to know of all that come.
func (l *link) enough(err error, forGood bool) int64 {
	r := l.d.run
	clients := int64(r.o.Run.Clients)
	ownEndpoints := r.o.MQTT == "" && strings.Contains(r.o.Model.Protocol.Endpoint, "{{") // perhaps: it may be one setting of them all
	switch {
	case forGood && clients < vainDevices:
		return vainDevices // a small run whose devices all give up is over anyway
	case r.various.Load():
		return clients
	case forGood:
		return vainDevices // others may have better certificates
	case ownEndpoints:
		return min(clients, vainDevices)
	case noServer(err):
		return 1
	}
	return min(r.startedN.Load(), vainDevices)
}

// noServer says whether there was nobody to ask, whoever the device is.
func noServer(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// advice is what to do about an error of connecting, as the end of a sentence.
func advice(err error) string {
	var refused *client.Refused
	var dns *net.DNSError
	var name x509.HostnameError
	var op *net.OpError
	var record tls.RecordHeaderError
	text := ""
	switch {
	case errors.As(err, &dns):
		text = "the name is not known here: check the endpoint in the model's protocol, or say where to connect (--mqtt HOST:PORT)"
	case errors.As(err, &name):
		text = "the server's certificate is for other names: use one of them as the endpoint"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		text = "the server's certificate is of an authority that is not trusted: give it in the protocol's ca, or with --ca-file"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		text = "the server's certificate is not valid"
	case errors.As(err, &record):
		text = `the server does not speak TLS at this port: choose another, or set the protocol's security to "none"`
	case errors.As(err, &refused) && (refused.Reason == mqtt.NotAuthorized || refused.Reason == mqtt.BadUserNameOrPassword):
		text = "is the certificate registered and active, and does its policy allow iot:Connect for this client id?"
	case errors.As(err, &op) && op.Op == "remote error":
		text = "the server refused the device's certificate: is it registered and active?"
	case errors.Is(err, errNoWelcome):
		text = "is this the port for MQTT (8883, or 1883 without security), and does a policy allow iot:Connect?"
	case errors.Is(err, syscall.ECONNREFUSED):
		text = "nothing listens there: does the server run, and is this its port for MQTT (8883, or 1883 without security)?"
	case errors.As(err, &op) && op.Timeout():
		text = "nothing answers there: check host and port, and what stands between (a firewall)"
	default:
		return ""
	}
	return "; " + text
}
