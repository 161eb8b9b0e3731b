package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
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

	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

const (
	account  = "123456789012"
	region   = "us-east-1"
	aliasARN = "arn:aws:iot:us-east-1:123456789012:rolealias/lab-alias"
	roleARN  = "arn:aws:iam::123456789012:role/cam"
)

// world is what the provider asks: one certificate and what it is given.
type world struct {
	mu         sync.Mutex
	registered map[string]Certificate
	names      map[string]bool // server names that the certificate is not for
	things     map[string]Thing
	documents  map[string]string
	aliases    map[string]Alias
	assume     func(Session) (Credentials, error)
	session    *Session // of the last AssumeRole
	fault      error
	refusals   explain.Log
}

func (w *world) Certificate(_ context.Context, id, serverName string) (Certificate, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.registered[id]
	return c, ok && !w.names[serverName], w.fault
}

func (w *world) Thing(_ context.Context, c *Certificate, name string) (Thing, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.things[name], nil
}

func (w *world) Policies(_ context.Context, c *Certificate) ([]*policy.Policy, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*policy.Policy
	for name, document := range w.documents {
		p, err := policy.Parse(policy.IoT, document)
		if err != nil {
			return nil, err
		}
		list = append(list, p.Named(name))
	}
	return list, nil
}

func (w *world) RoleAlias(_ context.Context, c *Certificate, name string) (Alias, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.aliases[name]
	return a, ok, nil
}

func (w *world) AssumeRole(_ context.Context, s Session) (Credentials, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.session = &s
	return w.assume(s)
}

// token has all that JSON encoders like to escape.
const token = `IQoJb3JpZ2luX2VjE<&>+/==`

func newWorld(device tls.Certificate) *world {
	id := idOf(device)
	return &world{
		registered: map[string]Certificate{id: {
			Account: account, Region: region, ID: id, ARN: "arn:aws:iot:us-east-1:123456789012:cert/" + id, Active: true,
			Keys: policy.CertificateKeys(id, "1", policy.CertificateNames{"CommonName": {"device"}}, nil),
		}},
		things: map[string]Thing{
			"cam1":       {Attached: true, TypeName: "camera"},
			"plain":      {Attached: true},
			"unattached": {TypeName: "camera"},
		},
		documents: map[string]string{"lab": `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"iot:Connect","Resource":"` + aliasARN + `"},
			{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":["` + aliasARN + `","arn:aws:iot:us-east-1:123456789012:rolealias/a=,@-_*"]}]}`},
		aliases: map[string]Alias{
			"lab-alias": {ARN: aliasARN, RoleARN: roleARN, Duration: time.Hour},
			"a=,@-_9":   {ARN: "arn:aws:iot:us-east-1:123456789012:rolealias/a=,@-_9", RoleARN: roleARN, Duration: 15 * time.Minute},
			"unallowed": {ARN: "arn:aws:iot:us-east-1:123456789012:rolealias/unallowed", RoleARN: roleARN, Duration: time.Hour},
		},
		assume: func(s Session) (Credentials, error) {
			return Credentials{
				AccessKeyID: "ASIA4XMPLQ7N2HVK6RTB", SecretAccessKey: "jXm<secret>&", SessionToken: token,
				Expiration: time.Date(2026, 1, 15, 14, 0, 0, 987654321, time.FixedZone("", 3600)).Add(s.Duration),
			}, nil
		},
	}
}

func idOf(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// newDevice makes a certificate as a device has one.
func newDevice(tb testing.TB, from, to time.Time) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve runs the provider behind TLS that asks for certificates without
// judging them, as the device ports do.
func serve(tb testing.TB, w *world) *httptest.Server {
	tb.Helper()
	p := &Provider{Devices: w, Aliases: w, Roles: w, Refusals: &w.refusals, Log: slog.New(slog.NewTextHandler(tb.Output(), nil)), Now: time.Now}
	s := httptest.NewUnstartedServer(p)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

// client is a client with a certificate, or without for nil.
func client(tb testing.TB, s *httptest.Server, serverName string, certs ...tls.Certificate) *http.Client {
	tb.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	config := &tls.Config{RootCAs: roots, Certificates: certs}
	if serverName != "" { // which the test server has no certificate for
		config.ServerName, config.InsecureSkipVerify = serverName, true
	}
	transport := &http.Transport{TLSClientConfig: config}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestProvider(t *testing.T) {
	t.Parallel()
	now := time.Now()
	device := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	stranger := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	expired := newDevice(t, now.Add(-time.Hour), now.Add(-time.Minute))
	early := newDevice(t, now.Add(time.Minute), now.Add(time.Hour))
	id := idOf(device)
	const invalid = `{"message":"Certificate is invalid on this endpoint"}`
	const path = "/role-aliases/lab-alias/credentials"
	accept := func(c tls.Certificate) func(*world) {
		return func(w *world) { w.registered[idOf(c)] = w.registered[id] }
	}
	for name, c := range map[string]struct {
		change     func(*world)
		certs      []tls.Certificate
		none       bool // no certificate
		serverName string
		method     string
		path       string
		things     []string
		status     int
		errType    string
		body       string
		keys       map[string]string
	}{
		"thing":                         {things: []string{"cam1"}, status: 200, keys: map[string]string{"credentials-iot:ThingName": "cam1", "credentials-iot:ThingTypeName": "camera"}},
		"thing without a type":          {things: []string{"plain"}, status: 200, keys: map[string]string{"credentials-iot:ThingName": "plain"}},
		"no thing":                      {status: 200},
		"empty thing":                   {things: []string{""}, status: 200},
		"own certificate id":            {things: []string{id}, status: 200},
		"own certificate id upper case": {things: []string{strings.ToUpper(id)}, status: 200},
		"escaped alias":                 {path: "/role-aliases/a%3D%2C%40%2d_%39/credentials", status: 200},
		"query":                         {path: path + "?x=y", status: 200},
		"credentials name":              {serverName: "c1.credentials.iot.us-east-1.amazonaws.com", status: 200},
		"any other name":                {serverName: "thingd.test", status: 200},

		"no certificate":           {none: true, status: 403, errType: "AccessDeniedException", body: invalid},
		"unknown certificate":      {certs: []tls.Certificate{stranger}, status: 403, errType: "AccessDeniedException", body: invalid},
		"inactive certificate":     {change: func(w *world) { c := w.registered[id]; c.Active = false; w.registered[id] = c }, status: 403, errType: "AccessDeniedException", body: invalid},
		"expired certificate":      {certs: []tls.Certificate{expired}, change: accept(expired), status: 403, errType: "AccessDeniedException", body: invalid},
		"early certificate":        {certs: []tls.Certificate{early}, change: accept(early), status: 403, errType: "AccessDeniedException", body: invalid},
		"data endpoint's name":     {serverName: "a1-ats.iot.us-east-1.amazonaws.com", status: 403, errType: "AccessDeniedException", body: invalid},
		"another account":          {serverName: "c2.credentials.iot.us-east-1.amazonaws.com", change: func(w *world) { w.names = map[string]bool{"c2.credentials.iot.us-east-1.amazonaws.com": true} }, status: 403, errType: "AccessDeniedException", body: invalid},
		"certificate before thing": {none: true, things: []string{"unattached"}, status: 403, errType: "AccessDeniedException", body: invalid},

		"unattached thing":    {things: []string{"unattached"}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"unknown thing":       {things: []string{"nobody"}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"no name of a thing":  {things: []string{"cam 1"}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"long name":           {things: []string{strings.Repeat("x", 129)}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"two things":          {things: []string{"cam1", "plain"}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"one thing twice":     {things: []string{"cam1", "cam1"}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"id of another":       {things: []string{idOf(stranger)}, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},
		"thing before policy": {things: []string{"unattached"}, change: func(w *world) { w.documents = nil }, status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`},

		"no policy":           {change: func(w *world) { w.documents = nil }, status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`},
		"other alias":         {path: "/role-aliases/unallowed/credentials", status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`},
		"policy before alias": {path: "/role-aliases/unknown/credentials", status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`},
		"explicit deny": {change: func(w *world) {
			w.documents["no"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:AssumeRole*","Resource":"*","Condition":{"StringEquals":{"iot:Certificate.Subject.CommonName":"device"}}}]}`
		}, status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`},
		"deny by address": {change: func(w *world) {
			w.documents["no"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`
		}, status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`},

		"unknown alias":  {path: "/role-aliases/a=,@-_1/credentials", status: 404, errType: "ResourceNotFoundException", body: `{"message":"Role alias does not exist"}`},
		"slash in alias": {path: "/role-aliases/a=,@-_%2F/credentials", status: 404, errType: "ResourceNotFoundException", body: `{"message":"Role alias does not exist"}`},
		"nul in alias":   {path: "/role-aliases/a=,@-_%00%ff/credentials", status: 404, errType: "ResourceNotFoundException", body: `{"message":"Role alias does not exist"}`},
		"no role": {change: func(w *world) {
			w.assume = func(Session) (Credentials, error) { return Credentials{}, ErrCannotAssume }
		}, status: 400, errType: "InvalidRequestException", body: `{"message":"Unable to assume the role, or the role to assume does not exist"}`},
		"too long": {change: func(w *world) {
			w.assume = func(Session) (Credentials, error) { return Credentials{}, ErrDurationExceeds }
		}, status: 400, errType: "InvalidRequestException", body: `{"message":"The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"}`},
		"fault of roles": {change: func(w *world) {
			w.assume = func(Session) (Credentials, error) { return Credentials{}, errors.New("disk full") }
		}, status: 500, errType: "InternalFailureException", body: `{"message":"Internal Failure"}`},
		"fault of lookup": {change: func(w *world) { w.fault = errors.New("disk full") }, status: 500, errType: "InternalFailureException", body: `{"message":"Internal Failure"}`},

		"POST":           {method: "POST", status: 405, body: `{"message":"Method Not Allowed","traceId":"ID"}`},
		"HEAD":           {method: "HEAD", status: 405},
		"PUT":            {method: "PUT", none: true, status: 405, body: `{"message":"Method Not Allowed","traceId":"ID"}`},
		"root":           {path: "/", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
		"more path":      {path: path + "/x", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
		"slash at end":   {path: path + "/", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
		"no alias":       {path: "/role-aliases//credentials", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
		"doubled slash":  {path: "//role-aliases/lab-alias/credentials", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
		"two components": {path: "/role-aliases/lab/alias/credentials", status: 404, body: `{"message":"Not Found","traceId":"ID"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(device)
			if c.change != nil {
				c.change(w)
			}
			certs := c.certs
			if certs == nil && !c.none {
				certs = []tls.Certificate{device}
			}
			s := serve(t, w)
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.path == "" {
				c.path = path
			}
			if r.URL, err = url.Parse(s.URL + c.path); err != nil {
				t.Fatal(err)
			}
			for _, thing := range c.things {
				r.Header.Add("x-amzn-iot-thingname", thing)
			}
			res, err := client(t, s, c.serverName, certs...).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			requestID := res.Header.Get("x-amzn-RequestId")
			if !uuidForm.MatchString(requestID) || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", res.Header)
			}
			if res.StatusCode != c.status || res.Header.Get("x-amzn-ErrorType") != c.errType {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, res.Header.Get("x-amzn-ErrorType"), c.status, c.errType)
			}
			if c.status == 405 && res.Header.Get("Allow") != "GET" {
				t.Errorf("headers %v", res.Header)
			}
			if explained := res.Header.Get("X-Thingd-Explain"); c.errType == "" && explained != "" {
				t.Errorf("answered %q to be explained", explained)
			}
			if c.status != 200 {
				if want := strings.ReplaceAll(c.body, "ID", requestID); string(body) != want {
					t.Errorf("got %s, want %s", body, want)
				}
				return
			}
			duration := w.session.Duration
			want := `{"credentials":{"accessKeyId":"ASIA4XMPLQ7N2HVK6RTB","secretAccessKey":"jXm<secret>&","sessionToken":"` + token +
				`","expiration":"` + time.Date(2026, 1, 15, 13, 0, 0, 0, time.UTC).Add(duration).Format("2006-01-02T15:04:05Z") + `"}}`
			if string(body) != want {
				t.Errorf("got %s, want %s", body, want)
			}
			keys := map[string]string{"credentials-iot:AwsCertificateId": id}
			for k, v := range c.keys {
				keys[k] = v
			}
			alias := w.aliases["lab-alias"]
			if strings.Contains(c.path, "%3D") {
				alias = w.aliases["a=,@-_9"]
			}
			got, _ := json.Marshal(w.session)
			expected, _ := json.Marshal(Session{
				Account: account, RoleARN: roleARN, Service: "credentials.iot.amazonaws.com", Name: id,
				Duration: alias.Duration, Keys: keys, SourceARN: alias.ARN, RequestID: requestID,
			})
			if string(got) != string(expected) {
				t.Errorf("assumed with %s, want %s", got, expected)
			}
		})
	}
}

// TestKeptConnection asks twice on one connection, between which the
// certificate is revoked: what was true at the handshake counts no more.
func TestKeptConnection(t *testing.T) {
	t.Parallel()
	device := newDevice(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	w := newWorld(device)
	s := serve(t, w)
	c := client(t, s, "", device)
	ask := func() int {
		res, err := c.Get(s.URL + "/role-aliases/lab-alias/credentials")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	for _, step := range []struct {
		do   func()
		want int
	}{
		{func() {}, 200},
		{func() { r := w.registered[idOf(device)]; r.Active = false; w.registered[idOf(device)] = r }, 403},
		{func() { r := w.registered[idOf(device)]; r.Active = true; w.registered[idOf(device)] = r }, 200},
		{func() { w.documents = nil }, 403},
		{func() { delete(w.registered, idOf(device)) }, 403},
	} {
		w.mu.Lock()
		step.do()
		w.mu.Unlock()
		if got := ask(); got != step.want {
			t.Errorf("got %d, want %d", got, step.want)
		}
	}
}

// TestPlainHTTP has no certificate by the nature of things.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(newDevice(t, time.Now(), time.Now()))
	p := &Provider{Devices: w, Aliases: w, Roles: w, Refusals: &w.refusals, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest("GET", "/role-aliases/lab-alias/credentials", nil))
	if rec.Code != 403 || rec.Body.String() != `{"message":"Certificate is invalid on this endpoint"}` {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// FuzzAlias checks that a path either is none of the provider's or gives the
// alias that it was made of.
func FuzzAlias(f *testing.F) {
	for _, seed := range []string{"/role-aliases/a/credentials", "/role-aliases/a%2Fb/credentials", "/role-aliases//credentials", "//", "/role-aliases/%zz/credentials", "/role-aliases/credentials"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		alias, ok := aliasOf(u)
		if !ok {
			return
		}
		again, err := url.ParseRequestURI("/role-aliases/" + url.PathEscape(alias) + "/credentials")
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := aliasOf(again); !ok || other != alias || alias == "" {
			t.Errorf("%q: got %q, then %q", path, alias, other)
		}
	})
}

// BenchmarkProvider is the hot path without TLS and without what is asked.
func BenchmarkProvider(b *testing.B) {
	device := newDevice(b, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	leaf, err := x509.ParseCertificate(device.Certificate[0])
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(device)
	p, err := policy.Parse(policy.IoT, w.documents["lab"])
	if err != nil {
		b.Fatal(err)
	}
	f := &fixed{c: w.registered[idOf(device)], policies: []*policy.Policy{p}, alias: w.aliases["lab-alias"]}
	f.creds, _ = w.assume(Session{})
	provider := &Provider{Devices: f, Aliases: f, Roles: f, Refusals: &explain.Log{}, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	r := httptest.NewRequest("GET", "/role-aliases/lab-alias/credentials", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, ServerName: "localhost"}
	r.Header.Set("x-amzn-iot-thingname", "cam1")
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		if provider.ServeHTTP(rec, r); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

// fixed answers at once.
type fixed struct {
	c        Certificate
	policies []*policy.Policy
	alias    Alias
	creds    Credentials
}

func (f *fixed) Certificate(context.Context, string, string) (Certificate, bool, error) {
	return f.c, true, nil
}
func (f *fixed) Thing(context.Context, *Certificate, string) (Thing, error) {
	return Thing{Attached: true, TypeName: "camera"}, nil
}
func (f *fixed) Policies(context.Context, *Certificate) ([]*policy.Policy, error) {
	return f.policies, nil
}
func (f *fixed) RoleAlias(context.Context, *Certificate, string) (Alias, bool, error) {
	return f.alias, true, nil
}
func (f *fixed) AssumeRole(context.Context, Session) (Credentials, error) { return f.creds, nil }
