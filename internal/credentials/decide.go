package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// thingHeader names the thing that the device is.
const thingHeader = "X-Amzn-Iot-Thingname"

var (
	thingName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
	aliasName = regexp.MustCompile(`^[A-Za-z0-9_=,@-]{1,128}$`)
)

// request is one request for credentials.
type request struct {
	*http.Request
	provider *Provider
	alias    string
	number   string // the request's id

	id    string // of the client's certificate
	cert  Certificate
	known bool // the certificate is registered
	thing string
	role  Alias // that was found
}

// decide makes the checks in AWS's order, which is what devices see of it:
// certificate, thing, policies, alias, role (credentials-provider.md §3).
func (r *request) decide(ctx context.Context) (*Credentials, *refusal, error) {
	if no, err := r.certificate(ctx); no != nil || err != nil {
		return nil, no, err
	}
	keys, no, err := r.session(ctx)
	if no != nil || err != nil {
		return nil, no, err
	}
	if no, err := r.authorize(ctx); no != nil || err != nil {
		return nil, no, err
	}
	if !aliasName.MatchString(r.alias) {
		return nil, refuseAlias(), nil
	}
	alias, ok, err := r.provider.Aliases.RoleAlias(ctx, &r.cert, r.alias)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, refuseAlias(), nil
	}
	r.role = alias
	creds, err := r.provider.Roles.AssumeRole(ctx, Session{
		Account: r.cert.Account, RoleARN: alias.RoleARN, Service: ServiceName, Name: r.cert.ID,
		Duration: alias.Duration, Keys: keys, SourceARN: alias.ARN, RequestID: r.number,
	})
	switch {
	case errors.Is(err, ErrCannotAssume):
		return nil, refuseRole(), nil
	case errors.Is(err, ErrDurationExceeds):
		return nil, refuseDuration(), nil
	case err != nil:
		return nil, nil, err
	}
	return &creds, nil, nil
}

// certificate finds the registration of the client's certificate. The
// handshake has proved that the client has its key and nothing else; a kept
// connection or a resumed session says nothing about today.
func (r *request) certificate(ctx context.Context) (*refusal, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return refuseCertificate("no client certificate"), nil
	}
	peer := r.TLS.PeerCertificates[0]
	sum := sha256.Sum256(peer.Raw)
	r.id = hex.EncodeToString(sum[:])
	if otherEndpoint(r.TLS.ServerName) {
		return refuseCertificate("the server name is another service's"), nil
	}
	var err error
	r.cert, r.known, err = r.provider.Devices.Certificate(ctx, r.id, r.TLS.ServerName)
	if err != nil {
		return nil, err
	}
	now := r.provider.Now()
	switch {
	case !r.known:
		return refuseCertificate("the certificate is not registered"), nil
	case !r.cert.Active:
		return refuseCertificate("the certificate is not active"), nil
	case now.Before(peer.NotBefore):
		return refuseCertificate("the certificate is not valid yet"), nil
	case now.After(peer.NotAfter):
		return refuseCertificate("the certificate has expired"), nil
	}
	return nil, nil
}

// otherEndpoint says whether a server name is AWS's for an endpoint that does
// not give credentials.
func otherEndpoint(name string) bool {
	name, ok := strings.CutSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), ".amazonaws.com")
	if !ok {
		return false
	}
	labels := strings.Split(name, ".")
	return len(labels) != 4 || labels[1] != "credentials" || labels[2] != "iot"
}

// session reads the thing name and makes the context keys of the session
// (credentials-provider.md §5).
func (r *request) session(ctx context.Context) (map[string]string, *refusal, error) {
	keys := map[string]string{"credentials-iot:AwsCertificateId": r.cert.ID}
	values := r.Header[thingHeader]
	if len(values) > 1 {
		return nil, refuseThing("more than one thing name"), nil
	}
	// Some clients send the header empty, and the recipe for permissions by
	// certificate id has them send that instead of a name: neither is a thing.
	if len(values) == 0 || values[0] == "" || strings.EqualFold(values[0], r.cert.ID) {
		return keys, nil, nil
	}
	name := values[0]
	if !thingName.MatchString(name) {
		return nil, refuseThing("not a thing name"), nil
	}
	r.thing = name
	thing, err := r.provider.Devices.Thing(ctx, &r.cert, name)
	if err != nil {
		return nil, nil, err
	}
	if !thing.Attached {
		return nil, refuseThing("the certificate is not attached to a thing of that name"), nil
	}
	keys["credentials-iot:ThingName"] = name
	if thing.TypeName != "" {
		keys["credentials-iot:ThingTypeName"] = thing.TypeName
	}
	return keys, nil, nil
}

// action is what devices do here, to IoT policies.
const action = "iot:AssumeRoleWithCertificate"

// resource is the ARN of an alias, there or not.
func (r *request) resource(alias string) string {
	return arn.New("iot", r.cert.Region, r.cert.Account, "rolealias/"+alias)
}

// note keeps a refusal, for those of the certificate's account who ask why, and
// reports whether it did. Who refused the role may have noted that already.
func (r *request) note(no *refusal) bool {
	if !r.known {
		return false
	}
	if _, ok := r.provider.Refusals.Find(r.cert.Account, r.number); ok {
		return true
	}
	if no.explain == nil {
		reason := no.reason
		if r.thing != "" {
			reason += " (thing " + r.thing + ")"
		}
		no.explain = func() policy.Explanation { return explain.Because(reason) }
	}
	r.provider.Refusals.Add(explain.Refusal{
		ID: r.number, Account: r.cert.Account, Time: r.provider.Now().UTC(), Principal: r.cert.ARN, UserID: r.cert.ID,
		Action: action, Resource: r.resource(clip(r.alias)), Keys: r.keys(), Explain: no.explain,
	})
	return true
}

// authorize asks the certificate's IoT policies.
func (r *request) authorize(ctx context.Context) (*refusal, error) {
	policies, err := r.provider.Devices.Policies(ctx, &r.cert)
	if err != nil {
		return nil, err
	}
	asked := policy.Request{Action: action, Resource: r.resource(r.alias), ResourceAccount: r.cert.Account, Keys: r.keys()}
	decision := policy.DecideIoT(policies, &asked)
	if decision.Outcome == policy.Allowed {
		return nil, nil
	}
	no := refuseAccess(decision.Reason(action))
	asked.Resource = r.resource(clip(r.alias))
	no.explain = func() policy.Explanation { return policy.ExplainIoT(policies, &asked) }
	if decision.PolicyID != "" {
		no.reason += ": " + decision.PolicyID
	}
	return no, nil
}

// keys are the policy variables of the request. There is no client id and no
// thing on this endpoint (iot-policy.md §4).
func (r *request) keys() policy.Keys {
	now := r.provider.Now().UTC()
	keys := make(policy.Keys, 0, len(r.cert.Keys)+5)
	keys = append(keys,
		policy.Single("aws:CurrentTime", now.Format("2006-01-02T15:04:05Z")),
		policy.Single("aws:EpochTime", strconv.FormatInt(now.Unix(), 10)),
		policy.Single("aws:SecureTransport", "true"))
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		keys = append(keys, policy.Single("aws:SourceIp", addr.Addr().Unmap().WithZone("").String()))
	}
	if r.TLS.ServerName != "" {
		keys = append(keys, policy.Single("iot:DomainName", r.TLS.ServerName))
	}
	return append(keys, r.cert.Keys...)
}

// record tells what is about to be answered.
func (r *request) record(id string, creds *Credentials, no *refusal) {
	if r.provider.Record == nil {
		return
	}
	o := Outcome{
		RequestID: id, HTTP: r.Request, Alias: r.alias, CertificateID: r.id, Thing: r.thing,
		AliasARN: r.role.ARN, RoleARN: r.role.RoleARN, Credentials: creds,
	}
	if r.known {
		o.Certificate = &r.cert
	}
	if no != nil {
		o.ErrorType, o.Message, o.Reason = no.errType, no.message, no.reason
	}
	r.provider.Record(o)
}

// log says why a request was refused. What anybody on the network can cause is
// for debugging only.
func (r *request) log(no *refusal) {
	level := slog.LevelInfo
	if !r.known {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("request", r.number), slog.String("alias", clip(r.alias)), slog.Int("status", no.status),
		slog.String("message", no.message), slog.String("reason", no.reason), slog.String("remote", r.RemoteAddr),
	}
	if r.id != "" {
		attrs = append(attrs, slog.String("certificate", r.id))
	}
	if r.known {
		attrs = append(attrs, slog.String("account", r.cert.Account))
	}
	if r.thing != "" {
		attrs = append(attrs, slog.String("thing", r.thing))
	}
	r.provider.Log.LogAttrs(r.Context(), level, "credentials refused", attrs...)
}

// clip keeps a hostile alias from filling the log.
func clip(alias string) string {
	if len(alias) > 128 {
		return alias[:128] + "…"
	}
	return alias
}
