package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// rig is a whole server in the test's process, whose authorizer is listened to.
type rig struct {
	app      *App
	apis     []*awsapi.API
	servers  map[string]*httptest.Server // by signing name
	recorder *recorder
	vars     map[string]string

	root, nobody, least user
}

// user is an access key and whose it is.
type user struct {
	sigv4.Credentials
	name, arn string
}

// recorder is the authorizer, and what it was asked.
type recorder struct {
	awsapi.Identity
	mu    sync.Mutex
	asked []check
}

// Authorize is awsapi.Identity.
func (r *recorder) Authorize(ctx context.Context, req *awsapi.Request, checks []awsapi.Check) error {
	r.mu.Lock()
	for _, c := range checks {
		keys := map[string]string{}
		for k, v := range c.Keys {
			keys[k] = strings.Join(v, ",")
		}
		r.asked = append(r.asked, check{c.Action, c.Resource, keys})
	}
	r.mu.Unlock()
	return r.Identity.Authorize(ctx, req, checks)
}

// take answers what was asked since the last time.
func (r *recorder) take() []check {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cfg := &config.Config{
		Data: t.TempDir(), API: "127.0.0.1:0", Device: "127.0.0.1:0", MQTT: config.Off, Ops: "127.0.0.1:0",
		Region: "us-east-1", LogLevel: "info", LogFormat: "text", Limits: "aws", Dev: true,
	}
	if err := cfg.Finish(func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	app, err := New(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	app.fleet.Limits.AtOnce = -1 // what is started waits: this test's program is no worker
	g := &rig{app: app, apis: APIs(app.identity, app.registry, app.messaging(), app.shadows, app.video, app.fleet), servers: map[string]*httptest.Server{}, recorder: &recorder{Identity: app.identity}}
	gateway := &awsapi.Gateway{Identity: g.recorder, Log: log, Now: time.Now}
	for name, handler := range gateway.Handlers(g.apis) {
		g.servers[name] = httptest.NewServer(handler)
		t.Cleanup(g.servers[name].Close)
	}
	g.root.Credentials = sigv4.Credentials{AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey}
	g.nobody, g.least = g.user(t, "nobody"), g.user(t, "least")
	iam := "arn:aws:iam::" + config.DevAccountID + ":"
	g.vars = map[string]string{
		"ACCOUNT": config.DevAccountID, "REGION": cfg.Region,
		"BOUNDARY": "arn:aws:iam::aws:policy/AdministratorAccess", "POLICY": iam + "policy/eng/p", "ROLE": iam + "role/eng/cam", "MFA": iam + "mfa/eng/phone",
		"DOCUMENT":    `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`,
		"IOTDOCUMENT": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`,
		"TRUST": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + config.DevAccountID + `","Service":"credentials.iot.amazonaws.com"},` +
			`"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`,
		"IOTPOLICY":   "arn:aws:iot:" + cfg.Region + ":" + config.DevAccountID + ":policy/p",
		"GROUP":       "arn:aws:iot:" + cfg.Region + ":" + config.DevAccountID + ":thinggroup/floor",
		"CERTARN":     "arn:aws:iot:" + cfg.Region + ":" + config.DevAccountID + ":cert/",
		"CERTESCAPED": "arn:aws:iot:" + cfg.Region + ":" + config.DevAccountID + ":cert%2F",
		"OIDC":        iam + "oidc-provider/id.example.com", "SAML": iam + "saml-provider/idp",
		"METADATA": `<EntityDescriptor	xmlns="urn:oasis:names:tc:SAML:2.0:metadata"	entityID="idp"><IDPSSODescriptor/>` + strings.Repeat("\n", 1000) + `</EntityDescriptor>`,
	}
	g.certificates(t)
	return g
}

// user makes a user without policies.
func (g *rig) user(t *testing.T, name string) user {
	t.Helper()
	g.do(t, "iam:CreateUser", "UserName="+name)
	a := g.do(t, "iam:CreateAccessKey", "UserName="+name)
	return user{
		Credentials: sigv4.Credentials{AccessKeyID: a.member(t, "AccessKeyId"), SecretAccessKey: a.member(t, "SecretAccessKey")},
		name:        name, arn: "arn:aws:iam::" + config.DevAccountID + ":user/" + name,
	}
}

// allow sets the whole of what the least user may do.
func (g *rig) allow(t *testing.T, document string) {
	t.Helper()
	g.do(t, "iam:PutUserPolicy", "UserName="+g.least.name, "PolicyName=p", "PolicyDocument="+document)
}

// do makes a call as root.
func (g *rig) do(t *testing.T, action string, parameters ...string) answer {
	t.Helper()
	s := sample{action: action, text: strings.Join(parameters, " ")}
	a := g.send(t, &s, &g.root)
	if a.status != http.StatusOK {
		t.Fatalf("%s: %d %s %s", action, a.status, a.code, a.message)
	}
	return a
}

func (g *rig) sign(t *testing.T, r *http.Request, body []byte, service string, who *user) {
	t.Helper()
	if err := sigv4.Sign(r, body, who.Credentials, g.app.cfg.Region, service, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// api is the implemented API of an action, and operation its operation.
func (g *rig) api(action string) *awsapi.API {
	for _, a := range g.apis {
		for _, op := range a.Operations {
			if a.FullAction(op) == action && a.Implemented(op.Name) {
				return a
			}
		}
	}
	panic("nothing serves " + action)
}

func (g *rig) operation(t *testing.T, action string) *awsapi.Operation {
	t.Helper()
	a := g.api(action)
	for _, op := range a.Operations {
		if a.FullAction(op) == action {
			return op
		}
	}
	t.Fatalf("nothing serves %s", action)
	return nil
}

// dump is all that the database holds, but for last uses.
func (g *rig) dump(t *testing.T) string {
	t.Helper()
	tables := g.rows(t, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	var b strings.Builder
	for _, table := range tables {
		var names []string
		for _, c := range g.rows(t, `SELECT name FROM pragma_table_info('`+table+`')`) {
			if !strings.HasPrefix(c, "last_used") {
				names = append(names, `COALESCE(CAST("`+c+`" AS TEXT), '')`)
			}
		}
		for _, row := range g.rows(t, `SELECT `+strings.Join(names, ` || '|' || `)+` FROM "`+table+`" ORDER BY 1`) {
			fmt.Fprintf(&b, "%s: %s\n", table, row)
		}
	}
	return b.String()
}

func (g *rig) rows(t *testing.T, query string) []string {
	t.Helper()
	rows, err := g.app.db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// form is the body of a Query request.
func form(api *awsapi.API, action string, words []string) []byte {
	_, name, _ := strings.Cut(action, ":")
	v := url.Values{"Action": {name}, "Version": {api.Version}}
	for _, w := range words {
		k, value, _ := strings.Cut(w, "=")
		v.Set(k, value)
	}
	return []byte(v.Encode())
}

// answer is what came back.
type answer struct {
	status        int
	body          []byte
	code, message string
}

// parse finds the error of a refusal, in JSON or XML.
func (a *answer) parse(t *testing.T, header string) {
	t.Helper()
	if a.code = header; header != "" {
		var e struct{ Message string }
		if err := json.Unmarshal(a.body, &e); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		a.message = e.Message
		return
	}
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := xml.Unmarshal(a.body, &e); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	a.code, a.message = e.Error.Code, e.Error.Message
}

// member is the first member of that name in the answer.
func (a *answer) member(t *testing.T, name string) string {
	t.Helper()
	for _, form := range []string{`"` + name + `"\s*:\s*"([^"]+)"`, `<` + name + `>([^<]+)<`} {
		if m := regexp.MustCompile(form).FindSubmatch(a.body); m != nil {
			return string(m[1])
		}
	}
	t.Fatalf("no %s in %s", name, a.body)
	return ""
}

// codes are four codes in a row of an MFA device, some minutes old.
func (g *rig) codes(t *testing.T) {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString(g.vars["SEED"])
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(4) {
		code, err := hotp.GenerateCode(string(seed), uint64(time.Now().Unix()/30)-8+i)
		if err != nil {
			t.Fatal(err)
		}
		g.vars[fmt.Sprint("CODE", i+1)] = code
	}
}

// certificates puts in a certificate that anybody could have made, one by a CA,
// that CA, and a request.
func (g *rig) certificates(t *testing.T) {
	t.Helper()
	sign := func(name string, subject, issuer *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, subject, issuer, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		g.vars[name] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		return key
	}
	device := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	ca := *device
	ca.Subject.CommonName, ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = "ca", true, true, x509.KeyUsageCertSign
	key := sign("PEM", device, device, nil)
	sign("SIGNEDPEM", device, &ca, sign("CAPEM", &ca, &ca, nil))
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: device.Subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	g.vars["CSR"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}
