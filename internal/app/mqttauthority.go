package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/registry"
	"github.com/thingd/thingd/internal/server"
)

// authority tells the broker who its clients are and what they may do: devices
// by the registry, those who signed by identity.
type authority struct {
	registry *registry.Service
	identity *identity.Service
	log      *slog.Logger
	now      func() time.Time

	// Of the principal that plain connections act as, a user.
	account, region string
}

// plainPrincipal is who connections without TLS act as, in broker.Credentials.
type plainPrincipal struct {
	name        string // of a user, or the id of a certificate
	certificate bool
}

// Admit is broker.Authority. The principal is looked up anew at each CONNECT.
func (a *authority) Admit(ctx context.Context, c *broker.Credentials, p *mqtt.Connect) (broker.Client, error) {
	switch who := c.Caller.(type) {
	case *server.Signer:
		return newSignedClient(a, who.Caller, who.Region, who.TLS, who.UserAgent), nil
	case *plainPrincipal:
		return a.admitPlain(ctx, who, string(p.ClientID))
	}
	if len(c.Chain) == 0 {
		return nil, &broker.Refusal{Code: mqtt.NotAuthorized, Why: "there is no client certificate, and no custom authorizer"}
	}
	cert, ok, err := a.registry.FirstConnect(ctx, c.Chain, c.ServerName)
	if err != nil {
		return nil, err
	}
	return a.admitCertificate(cert, ok, true, string(p.ClientID))
}

func (a *authority) admitPlain(ctx context.Context, who *plainPrincipal, clientID string) (broker.Client, error) {
	if who.certificate {
		cert, ok, err := a.registry.CertificateByID(ctx, who.name, "")
		if err != nil {
			return nil, err
		}
		return a.admitCertificate(cert, ok, false, clientID)
	}
	caller, ok, err := a.identity.UserCaller(ctx, a.account, who.name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &broker.Refusal{Code: mqtt.NotAuthorized, Why: "there is no IAM user " + who.name + ", which --plain-as names", Account: a.account, Region: a.region}
	}
	return newSignedClient(a, caller, a.region, false, ""), nil
}

func (a *authority) admitCertificate(c *registry.Certificate, ok, secure bool, clientID string) (broker.Client, error) {
	if !ok {
		return nil, &broker.Refusal{Code: mqtt.NotAuthorized, Why: "the certificate is not registered"}
	}
	if now := a.now(); !c.Active(now) {
		why := "the certificate is " + c.Status
		switch {
		case now.Before(c.NotBefore):
			why = "the certificate is not valid yet"
		case now.After(c.NotAfter):
			why = "the certificate has expired"
		}
		why = a.noteInactive(c, clientID, why)
		return nil, &broker.Refusal{Code: mqtt.NotAuthorized, Why: why, Account: c.Account, Region: c.Region, PrincipalID: c.ID}
	}
	return newDeviceClient(a, c, secure), nil
}

// places are the beginnings of the ARNs of what clients do something with.
type places struct{ client, topic, filter string }

func newPlaces(account, region string) places {
	return places{
		client: arn.New("iot", region, account, "client/"), topic: arn.New("iot", region, account, "topic/"),
		filter: arn.New("iot", region, account, "topicfilter/"),
	}
}

// of is the ARN of what an action is about.
func (p *places) of(a broker.Action, resource string) string {
	switch a {
	case broker.Connect:
		return p.client + resource
	case broker.Subscribe:
		return p.filter + resource
	}
	return p.topic + resource
}

// appendConnect adds the condition keys that only a CONNECT has (iot-policy.md
// §3).
func (p *places) appendConnect(keys policy.Keys, info *broker.ConnectInfo) policy.Keys {
	var attributes []string
	if info.Persistent {
		attributes = append(attributes, "PersistentConnect")
	}
	if info.WillTopic != "" {
		attributes = append(attributes, "LastWill")
		keys = append(keys, policy.Single("iot:LastWillTopic", p.topic+info.WillTopic))
	}
	return append(keys, policy.Multi("iot:ConnectAttributes", attributes...))
}

// connectionKeys are the condition keys of a connection, but for who it is.
func connectionKeys(info *broker.ConnectInfo) policy.Keys {
	keys := policy.Keys{policy.Single("iot:ClientId", info.ClientID)}
	if info.ServerName != "" {
		keys = append(keys, policy.Single("iot:DomainName", info.ServerName))
	}
	return keys
}

// sourceIP is an address as aws:SourceIp has it.
func sourceIP(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().Unmap().WithZone("").String()
}

// timeKeys are the condition keys that say what time it is.
func timeKeys(keys policy.Keys, now time.Time) policy.Keys {
	return append(slices.Clip(keys),
		policy.Single("aws:CurrentTime", now.UTC().Format("2006-01-02T15:04:05Z")),
		policy.Single("aws:EpochTime", strconv.FormatInt(now.Unix(), 10)))
}

// why says in one line what refused a request.
func why(d policy.Decision, action, resource string) string {
	text := fmt.Sprintf("not authorized to perform: %s on resource: %s %s", action, resource, d.Reason(action))
	switch {
	case d.PolicyID != "" && d.Sid != "":
		text += fmt.Sprintf(" (policy %s, statement %s)", d.PolicyID, d.Sid)
	case d.PolicyID != "":
		text += fmt.Sprintf(" (policy %s, statement %d)", d.PolicyID, d.Statement+1)
	}
	return text
}

// serveMQTT gives a connection of a listener to the broker.
func (a *App) serveMQTT(conn net.Conn, state *tls.ConnectionState) {
	c := &broker.Credentials{Source: addrPort(conn.RemoteAddr()), Target: addrPort(conn.LocalAddr())}
	if state == nil {
		c.Caller = &plainPrincipal{name: a.cfg.PlainAs, certificate: a.cfg.PlainCertificate()}
	} else if c.ServerName, c.Chain = state.ServerName, state.PeerCertificates; len(c.Chain) > 0 {
		c.Certificate = c.Chain[0]
	}
	a.broker.Load().Serve(conn, c)
}

// serveWebSocket gives a connection over WebSocket to the broker.
func (a *App) serveWebSocket(conn net.Conn, who server.Signer) {
	a.broker.Load().Serve(conn, &broker.Credentials{
		ServerName: who.ServerName, Source: addrPort(conn.RemoteAddr()), Target: addrPort(conn.LocalAddr()),
		Transport: broker.WebSocket, Caller: &who, Until: who.Until,
	})
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
