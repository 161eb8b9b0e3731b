package app

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/registry"
)

// deviceGateway serves the data plane's operations to devices, which have a
// client certificate in the place of a signature: their IoT policies decide on
// each operation's action and resource (iot-policy.md §1). What serves them is
// what serves those who sign.
func (a *App) deviceGateway(observe func(awsapi.Outcome)) *awsapi.Gateway {
	who := &deviceIdentity{registry: a.registry, refusals: a.identity.Refusals, now: a.now}
	return &awsapi.Gateway{Identity: who, Peer: who.peer, Log: a.logger("api"), Now: a.now, Observe: observe}
}

// dataAPIs are the APIs that devices call with their certificates.
func dataAPIs(apis []*awsapi.API) []*awsapi.API {
	return slices.DeleteFunc(slices.Clone(apis), func(api *awsapi.API) bool { return api.SigningName != "iotdata" })
}

// deviceIdentity is awsapi.Identity for those who have a certificate.
type deviceIdentity struct {
	registry *registry.Service
	refusals *explain.Log
	now      func() time.Time
}

// deviceCaller is awsapi.Caller.Identity of a device.
type deviceCaller struct {
	certificate *registry.Certificate
	serverName  string
}

// peer finds the registration of a request's client certificate. The handshake
// has proved that the client has its key and nothing else; a kept connection
// says nothing about today.
func (d *deviceIdentity) peer(ctx context.Context, r *http.Request) (*awsapi.Caller, string, error) {
	var chain []*x509.Certificate
	name := ""
	if r.TLS != nil {
		chain, name = r.TLS.PeerCertificates, r.TLS.ServerName
	}
	c, ok, err := d.registry.FirstConnect(ctx, chain, name)
	if err != nil {
		return nil, "", err
	}
	if !ok || !c.Active(d.now()) {
		if ok {
			d.note(ctx, c, "", "", nil, func() policy.Explanation {
				return explain.Because("the certificate is " + c.Status + ", or not in its validity")
			})
		}
		return nil, "", forbidden(ctx)
	}
	if name == "" {
		name = r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
	}
	return &awsapi.Caller{
		Type: awsapi.Certificate, Account: c.Account, ARN: c.ARN, UserID: c.ID, Identity: &deviceCaller{c, name},
	}, c.Region, nil
}

// forbidden is what a device is told that may not (mqtt.md §7).
func forbidden(ctx context.Context) error {
	return awsapi.Errorf("ForbiddenException", http.StatusForbidden, "message", "Forbidden").With("traceId", awsapi.RequestOf(ctx).ID)
}

// Recognize is awsapi.Identity: nobody signs here.
func (*deviceIdentity) Recognize(context.Context, *sigv4.Signature) error {
	return sigv4.NewError(sigv4.MissingToken)
}

// Authenticate is awsapi.Identity: nobody signs here.
func (*deviceIdentity) Authenticate(context.Context, *http.Request, *sigv4.Signature, sigv4.Payload) (*awsapi.Caller, error) {
	return nil, sigv4.NewError(sigv4.MissingToken)
}

// Authorize is awsapi.Identity, by the IoT policies of the certificate. Those of
// thing groups, and variables of things, need a client id, which nobody has here.
func (d *deviceIdentity) Authorize(ctx context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	who, ok := req.Caller.Identity.(*deviceCaller)
	if !ok || len(checks) == 0 {
		return forbidden(ctx)
	}
	c := who.certificate
	policies, err := d.registry.PoliciesOf(ctx, c.Account, c.Region, c.ID)
	if err != nil {
		return err
	}
	keys := timeKeys(c.Keys, req.Time)
	keys = append(keys, policy.Single("aws:SecureTransport", "true"), policy.Single("aws:SourceIp", req.SourceIP))
	if who.serverName != "" {
		keys = append(keys, policy.Single("iot:DomainName", who.serverName))
	}
	for _, check := range checks {
		asked := policy.Request{Action: check.Action, Resource: check.Resource, ResourceAccount: c.Account, Keys: keys}
		if policy.DecideIoT(policies, &asked).Outcome == policy.Allowed {
			continue
		}
		asked.Resource = strings.Clone(asked.Resource)
		d.note(ctx, c, asked.Action, asked.Resource, asked.Keys, func() policy.Explanation { return policy.ExplainIoT(policies, &asked) })
		return forbidden(ctx)
	}
	return nil
}

// note keeps a refusal for those of the certificate's account who ask why.
func (d *deviceIdentity) note(ctx context.Context, c *registry.Certificate, action, resource string, keys policy.Keys, why func() policy.Explanation) {
	req := awsapi.RequestOf(ctx)
	req.Explained = true
	d.refusals.Add(explain.Refusal{
		ID: req.ID, Account: c.Account, Time: req.Time.UTC(), Principal: c.ARN, UserID: c.ID,
		Action: action, Resource: resource, Keys: keys, Explain: why,
	})
}
