package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iotsdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/server"
)

const allOfIt = `["iot:Connect","iot:Publish","iot:Subscribe","iot:Receive"]`

func (g *deviceRig) iam() *iam.Client {
	return iam.New(iam.Options{
		Region: g.cfg.Region, BaseEndpoint: new("http://" + g.server.Addr(server.API).String()),
		Credentials: credentials.NewStaticCredentialsProvider(config.DevAccessKeyID, config.DevSecretAccessKey, ""),
	})
}

// user makes an IAM user with an inline policy and a key.
func (g *deviceRig) user(name, document string) sigv4.Credentials {
	g.t.Helper()
	c, ctx := g.iam(), g.t.Context()
	g.must(second(c.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})))
	g.must(second(c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: new("p"), PolicyDocument: &document})))
	key, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	g.must(err)
	return sigv4.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}
}

// webSocket connects to the API's port with a signature in the query.
func (g *deviceRig) webSocket(cred sigv4.Credentials) *client {
	g.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+g.server.Addr(server.API).String()+"/mqtt", nil)
	g.must(err)
	g.must(sigv4.Presign(r, nil, cred, g.cfg.Region, "iotdevicegateway", 0, time.Now()))
	c, _, err := websocket.Dial(g.t.Context(), r.URL.String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	g.must(err)
	return newClient(g.t, websocket.NetConn(context.Background(), c, websocket.MessageBinary))
}

// Every way in comes to the same broker: what one client publishes, another one
// gets, whoever they are and however they came.
func TestWaysIn(t *testing.T) {
	g := newDeviceRig(t, func(c *config.Config) { c.PlainMQTT, c.PlainAs = "127.0.0.1:0", "plain" })
	g.policy("all", statement("Allow", allOfIt, "*"))
	cert := g.register(commonNames("camera"), "all")
	cred := g.user("person", statement("Allow", allOfIt, "*"))
	g.user("plain", statement("Allow", allOfIt, "*"))
	ways := map[string]func() *client{
		"8883":            func() *client { return g.dial(server.MQTT, &cert) },
		"8883 with ALPN":  func() *client { return g.dial(server.MQTT, &cert, "x-amzn-mqtt-ca") },
		"8443 with ALPN":  func() *client { return g.dial(server.Device, &cert, "x-amzn-mqtt-ca") },
		"8443, ALPN mqtt": func() *client { return g.dial(server.Device, &cert, "mqtt") },
		"TLS 1.2 of Java 8": func() *client {
			config := g.tlsConfig(&cert)
			config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
			conn, err := tls.Dial("tcp", g.server.Addr(server.MQTT).String(), config)
			g.must(err)
			return newClient(t, conn)
		},
		"WebSocket": func() *client { return g.webSocket(cred) },
		"plain": func() *client {
			conn, err := net.Dial("tcp", g.server.Addr(server.PlainMQTT).String())
			g.must(err)
			return newClient(t, conn)
		},
	}
	listener := g.dial(server.MQTT, &cert)
	if code, why := listener.connect("listener"); code != 0 {
		t.Fatal(code, why)
	}
	if code := listener.subscribe("ways/#"); code != mqtt.GrantedQoS1 {
		t.Fatal(code)
	}
	for name, way := range ways {
		c := way()
		if code, why := c.connect("client-" + strings.ReplaceAll(name, " ", "-")); code != 0 {
			t.Errorf("%s: CONNACK %v %s", name, code, why)
			continue
		}
		if code, why := c.publish("ways/in", name); code != 0 {
			t.Errorf("%s: PUBACK %v %s", name, code, why)
			continue
		}
		p, ok := listener.receive().(*mqtt.Publish)
		if !ok || string(p.Payload) != name {
			t.Errorf("%s: arrived as %v", name, p)
			continue
		}
		listener.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
	}
	want := `
		# HELP thingd_mqtt_connections MQTT connections that are open.
		# TYPE thingd_mqtt_connections gauge
		thingd_mqtt_connections 8
	`
	if err := testutil.GatherAndCompare(g.metrics, strings.NewReader(want), "thingd_mqtt_connections"); err != nil {
		t.Error(err)
	}
}

// Who may not connect is told why, each in its way.
func TestNotAdmitted(t *testing.T) {
	g := newDeviceRig(t, func(c *config.Config) { c.PlainMQTT, c.PlainAs = "127.0.0.1:0", "nobody" })
	g.policy("none", statement("Allow", `"iot:Publish"`, "*"))
	g.policy("all", statement("Allow", allOfIt, "*"))
	stranger := g.register(nil, "all")
	stranger.Certificate = g.register(nil).Certificate
	inactive, mute, unknown := g.register(nil, "all"), g.register(nil, "none"), g.register(nil, "all")
	g.status(inactive, types.CertificateStatusInactive)
	g.status(unknown, types.CertificateStatusInactive)
	g.must(second(g.iot.DeleteCertificate(t.Context(), &iotsdk.DeleteCertificateInput{CertificateId: &unknown.id, ForceDelete: true})))
	cred := g.user("person", statement("Allow", `"iot:Publish"`, "*"))
	plain := func() *client {
		conn, err := net.Dial("tcp", g.server.Addr(server.PlainMQTT).String())
		g.must(err)
		return newClient(t, conn)
	}
	for name, tt := range map[string]struct {
		dial func() *client
		why  string
	}{
		"no certificate":     {func() *client { return g.dial(server.MQTT, nil) }, "there is no client certificate"},
		"not registered":     {func() *client { return g.dial(server.MQTT, &unknown) }, "the certificate is not registered"},
		"inactive":           {func() *client { return g.dial(server.MQTT, &inactive) }, "the certificate is INACTIVE"},
		"no policy":          {func() *client { return g.dial(server.MQTT, &stranger) }, "not authorized to perform: iot:Connect on resource: arn:aws:iot:us-east-1:123456789012:client/c because no IoT policy allows"},
		"another permission": {func() *client { return g.dial(server.MQTT, &mute) }, "not authorized to perform: iot:Connect"},
		"user":               {func() *client { return g.webSocket(cred) }, "User: arn:aws:iam::123456789012:user/person is not authorized to perform: iot:Connect on resource: arn:aws:iot:us-east-1:123456789012:client/c because no identity-based policy allows"},
		"plain, no user":     {plain, "there is no IAM user nobody, which --plain-as names"},
	} {
		c := tt.dial()
		if code, why := c.connect("c"); code != mqtt.NotAuthorized || !strings.HasPrefix(why, tt.why) {
			t.Errorf("%s: %v %q, want %q", name, code, why, tt.why)
		}
		c.ended()
	}
	// The user is looked up at each CONNECT.
	g.user("nobody", statement("Allow", allOfIt, "*"))
	if code, why := plain().connect("c"); code != 0 {
		t.Error(code, why)
	}
}

// --plain-as can be a certificate, whose IoT policies decide.
func TestPlainAsCertificate(t *testing.T) {
	dir := t.TempDir()
	first := newDeviceRig(t, nil)
	cert := first.register(nil) // for the form of an id alone
	g := newDeviceRig(t, func(c *config.Config) { c.Data, c.PlainMQTT, c.PlainAs = dir, "127.0.0.1:0", cert.id })
	dial := func() *client {
		conn, err := net.Dial("tcp", g.server.Addr(server.PlainMQTT).String())
		g.must(err)
		return newClient(t, conn)
	}
	if code, why := dial().connect("c"); code != mqtt.NotAuthorized || why != "the certificate is not registered" {
		t.Error(code, why)
	}
	text, err := first.iot.DescribeCertificate(t.Context(), &iotsdk.DescribeCertificateInput{CertificateId: &cert.id})
	g.must(err)
	g.must(second(g.iot.RegisterCertificateWithoutCA(t.Context(), &iotsdk.RegisterCertificateWithoutCAInput{CertificatePem: text.CertificateDescription.CertificatePem, Status: types.CertificateStatusActive})))
	g.policy("p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	g.must(g.attach("p", cert.arn))
	if code, why := dial().connect("c"); code != 0 {
		t.Error(code, why)
	}
}

// A certificate that is not ACTIVE any more ends its connections at once.
func TestDeactivated(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("all", statement("Allow", allOfIt, "*"))
	for _, status := range []types.CertificateStatus{types.CertificateStatusInactive, types.CertificateStatusRevoked} {
		cert, other := g.register(nil, "all"), g.register(nil, "all")
		a, b, bystander := g.dial(server.MQTT, &cert), g.dial(server.Device, &cert, "x-amzn-mqtt-ca"), g.dial(server.MQTT, &other)
		for id, c := range map[string]*client{"a": a, "b": b, "bystander": bystander} {
			if code, why := c.connect(id); code != 0 {
				t.Fatal(code, why)
			}
		}
		g.status(cert, status)
		for _, c := range []*client{a, b} {
			if code := c.ended(); code != mqtt.NotAuthorized {
				t.Errorf("%s: ended with %v", status, code)
			}
		}
		if code, why := bystander.publish("t", "x"); code != 0 {
			t.Errorf("another certificate's connection: %v %s", code, why)
		}
		if code, _ := g.dial(server.MQTT, &cert).connect("a"); code != mqtt.NotAuthorized {
			t.Errorf("%s: connected again: %v", status, code)
		}
	}
}

// A changed policy decides from the next packet on, and disconnects nobody.
func TestChangedPolicies(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("p", statement("Allow", allOfIt, "*"))
	cert := g.register(nil, "p")
	cred := g.user("person", statement("Allow", allOfIt, "*"))
	device, person := g.dial(server.MQTT, &cert), g.webSocket(cred)
	for id, c := range map[string]*client{"device": device, "person": person} {
		if code, why := c.connect(id); code != 0 {
			t.Fatal(code, why)
		}
	}
	expect := func(c *client, want mqtt.Reason, why string) {
		t.Helper()
		for range 2 { // decided, and remembered
			if code, text := c.publish("a/b", "x"); code != want || !strings.Contains(text, why) {
				t.Errorf("PUBACK %v %q, want %v %q", code, text, want, why)
			}
		}
	}
	expect(device, 0, "")
	expect(person, 0, "")
	version := func(document string) {
		t.Helper()
		g.must(second(g.iot.CreatePolicyVersion(t.Context(), &iotsdk.CreatePolicyVersionInput{PolicyName: new("p"), PolicyDocument: &document, SetAsDefault: true})))
	}
	version(statement("Deny", `"iot:Publish"`, "arn:aws:iot:us-east-1:123456789012:topic/a/*"))
	expect(device, mqtt.NotAuthorized, "with an explicit deny in an IoT policy (policy p, statement 1)")
	expect(person, 0, "")
	version(statement("Allow", allOfIt, "*"))
	expect(device, 0, "")
	g.must(second(g.iot.DetachPolicy(t.Context(), &iotsdk.DetachPolicyInput{PolicyName: new("p"), Target: &cert.arn})))
	expect(device, mqtt.NotAuthorized, "because no IoT policy allows the iot:Publish action")

	put := func(document string) {
		t.Helper()
		g.must(second(g.iam().PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("person"), PolicyName: new("p"), PolicyDocument: &document})))
	}
	put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}`)
	expect(person, mqtt.NotAuthorized, "because no identity-based policy allows the iot:Publish action")
	put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"StringEquals":{"iot:ClientId":"person"}}}]}`)
	expect(person, 0, "")
	g.must(second(g.iam().DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: aws.String("person"), AccessKeyId: &cred.AccessKeyID})))
	expect(person, mqtt.NotAuthorized, "The security token included in the request is invalid.")
}

// Shared subscriptions are looked at in both forms, whoever subscribes.
func TestSharedSubscriptions(t *testing.T) {
	g := newDeviceRig(t, nil)
	connect := `{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}`
	document := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(append(statements, connect), ",") + `]}`
	}
	on := func(effect, filter string) string {
		return `{"Effect":"` + effect + `","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/` + filter + `"}`
	}
	for i, tt := range []struct {
		document string
		want     mqtt.Reason
	}{
		{document(on("Allow", "a/b")), mqtt.GrantedQoS1},
		{document(on("Allow", "$share/g/a/b")), mqtt.GrantedQoS1},
		{document(on("Allow", "*"), on("Deny", "a/b")), mqtt.NotAuthorized},
		{document(on("Allow", "*"), on("Deny", "$share/*")), mqtt.NotAuthorized},
		{document(on("Allow", "b")), mqtt.NotAuthorized},
	} {
		name := "p" + string(rune('a'+i))
		g.policy(name, tt.document)
		cert := g.register(nil, name)
		for kind, c := range map[string]*client{"certificate": g.dial(server.MQTT, &cert), "user": g.webSocket(g.user(name, tt.document))} {
			if code, why := c.connect(kind + name); code != 0 {
				t.Fatal(code, why)
			}
			if code := c.subscribe("$share/g/a/b"); code != tt.want {
				t.Errorf("%s %s: %v, want %v", kind, tt.document, code, tt.want)
			}
		}
	}
}

// Limits are the account's.
func TestAccountLimits(t *testing.T) {
	for limits, qos2 := range map[string]bool{"aws": false, "mqtt": true, "aws,123456789012=mqtt": true, "mqtt,123456789012=aws": false} {
		g := newDeviceRig(t, func(c *config.Config) { c.Limits = limits })
		g.policy("all", statement("Allow", allOfIt, "*"))
		cert := g.register(nil, "all")
		c := g.dial(server.MQTT, &cert)
		if code, why := c.connect("c"); code != 0 {
			t.Fatal(code, why)
		}
		c.send(&mqtt.Publish{Topic: []byte("t"), QoS: 2, PacketID: 1})
		_, received := c.receive().(*mqtt.Ack)
		if received != qos2 {
			t.Errorf("--limits %s: QoS 2 is taken: %v", limits, received)
		}
	}
}

// Devices call the data plane with their certificates, and may what their
// policies say of the operation's action and resource.
func TestDeviceHTTP(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("shadow", statement("Allow", `["iot:UpdateThingShadow","iot:GetThingShadow"]`, "arn:aws:iot:us-east-1:123456789012:thing/cam"))
	cert, inactive, none := g.register(nil, "shadow"), g.register(nil, "shadow"), g.register(nil)
	g.status(inactive, types.CertificateStatusInactive)
	g.must(second(g.iot.CreateThing(t.Context(), &iotsdk.CreateThingInput{ThingName: new("cam")})))
	state := `{"state":{"reported":{"on":true}}}`
	for _, tt := range []struct {
		name         string
		cert         *certificate
		method, path string
		body         string
		alpn         string
		status       int
		want         string
	}{
		{"update", &cert, "POST", "/things/cam/shadow", state, "", 200, `"reported":{"on":true}`},
		{"update, x-amzn-http-ca", &cert, "POST", "/things/cam/shadow", state, "x-amzn-http-ca", 200, `"reported":{"on":true}`},
		{"get", &cert, "GET", "/things/cam/shadow", "", "", 200, `"reported":{"on":true}`},
		{"delete", &cert, "DELETE", "/things/cam/shadow", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"named shadow", &cert, "GET", "/things/cam/shadow?name=x", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"another thing", &cert, "GET", "/things/other/shadow", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"no policy", &none, "GET", "/things/cam/shadow", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"inactive", &inactive, "GET", "/things/cam/shadow", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"no certificate", nil, "GET", "/things/cam/shadow", "", "", 403, `{"message":"Forbidden","traceId":"`},
		{"large body", &none, "POST", "/things/cam/shadow", strings.Repeat("x", 200_000), "", 403, `{"message":"Forbidden","traceId":"`},
		{"no operation", &cert, "GET", "/nothing", "", "", 404, `No operation of AWS IoT Data Plane is at GET /nothing`},
		{"control plane", &cert, "GET", "/things/cam", "", "", 404, `No operation`},
	} {
		config := g.tlsConfig(tt.cert)
		if tt.alpn != "" {
			config.NextProtos = []string{tt.alpn}
		}
		tr := &http.Transport{TLSClientConfig: config, DialTLSContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			return tls.Dial(network, addr, config)
		}}
		r, err := http.NewRequest(tt.method, "https://"+g.server.Addr(server.Device).String()+tt.path, strings.NewReader(tt.body))
		g.must(err)
		resp, err := (&http.Client{Transport: tr}).Do(r)
		g.must(err)
		b, err := io.ReadAll(resp.Body)
		g.must(err)
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.StatusCode != tt.status || !bytes.Contains(b, []byte(tt.want)) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, resp.StatusCode, b, tt.status, tt.want)
		}
		if explained := resp.Header.Get("X-Thingd-Explain") != ""; tt.status == 403 && explained != (tt.cert != nil) {
			t.Errorf("%s: can be asked about: %v", tt.name, explained)
		}
		if id := resp.Header.Get("x-amzn-RequestId"); tt.status == 403 && (resp.Header.Get("x-amzn-ErrorType") != "ForbiddenException" || !bytes.Contains(b, []byte(id))) {
			t.Errorf("%s: %v", tt.name, resp.Header)
		}
	}
}

// A message asks for Version, and for nothing else while nothing changes.
func TestVersionDoesNotAllocate(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("all", statement("Allow", allOfIt, "*"))
	cert := g.register(nil, "all")
	a := &authority{registry: g.registry, identity: g.identity, log: g.log, now: g.now}
	registered, ok, err := g.registry.CertificateByID(t.Context(), cert.id, "")
	g.must(err)
	device, err := a.admitCertificate(registered, ok, true, "")
	g.must(err)
	g.user("person", statement("Allow", allOfIt, "*"))
	caller, ok, err := g.identity.UserCaller(t.Context(), config.DevAccountID, "person")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for kind, c := range map[string]broker.Client{"device": device, "user": newSignedClient(a, caller, g.cfg.Region, true, "")} {
		info := &broker.ConnectInfo{ClientID: "c"}
		if d := c.Decide(t.Context(), broker.Publish, "t", info); !d.Allowed || !d.Cacheable {
			t.Fatalf("%s: %+v", kind, d)
		}
		before := c.Version()
		if n := testing.AllocsPerRun(100, func() { c.Version() }); n != 0 {
			t.Errorf("%s: Version allocates %v times", kind, n)
		}
		if n := testing.AllocsPerRun(100, func() { c.Decide(t.Context(), broker.Publish, "t", info) }); n > 1 { // the resource
			t.Errorf("%s: Decide allocates %v times", kind, n)
		}
		if c.Version() != before {
			t.Errorf("%s: the version has changed", kind)
		}
		g.registry.Invalidate()
		g.identity.Invalidate()
		if v := c.Version(); v == before || v == c.Version() {
			t.Errorf("%s: decisions outlive what they rest on", kind)
		}
		d := c.Decide(t.Context(), broker.Publish, "t", info)
		if after := c.Version(); !d.Allowed || after == before || after != c.Version() {
			t.Errorf("%s: %+v, not decided anew", kind, d)
		}
	}
}

// Publishing over HTTPS reaches subscribers, for who has a certificate and for
// who signs, if its policies say so.
func TestPublishHTTP(t *testing.T) {
	g := newDeviceRig(t, nil)
	g.policy("all", statement("Allow", allOfIt, "*"))
	g.policy("publish", statement("Allow", `"iot:Publish"`, "arn:aws:iot:us-east-1:123456789012:topic/dt/*"))
	listening, cert := g.register(nil, "all"), g.register(nil, "publish")
	cred := g.user("person", statement("Allow", `"iot:Publish"`, "arn:aws:iot:us-east-1:123456789012:topic/dt/*"))
	listener := g.dial(server.MQTT, &listening)
	if code, why := listener.connect("listener"); code != 0 {
		t.Fatal(code, why)
	}
	if code := listener.subscribe("#"); code != mqtt.GrantedQoS1 {
		t.Fatal(code)
	}
	device := &http.Client{Transport: &http.Transport{TLSClientConfig: g.tlsConfig(&cert)}}
	t.Cleanup(device.CloseIdleConnections)
	for _, tt := range []struct {
		path, payload string
		status        int
		topic         string
	}{
		{"/topics/dt/a?qos=1", "hello", 200, "dt/a"},
		{"/topics/dt%2Fb%2Fc?qos=1", strings.Repeat("x", 100_000), 200, "dt/b/c"},
		{"/topics/other?qos=1", "hello", 403, ""},
		{"/topics/dt/a?qos=1&retain=true", "hello", 403, ""}, // iot:RetainPublish
	} {
		for _, signed := range []bool{false, true} {
			client, base := device, "https://localhost:"+strconv.Itoa(g.endpoints.devicePort)
			if signed {
				client, base = http.DefaultClient, "http://"+g.server.Addr(server.API).String()
			}
			r, err := http.NewRequest(http.MethodPost, base+tt.path, strings.NewReader(tt.payload))
			g.must(err)
			if signed {
				g.must(sigv4.Sign(r, []byte(tt.payload), cred, g.cfg.Region, "iotdata", time.Now()))
			}
			resp, err := client.Do(r)
			g.must(err)
			b, err := io.ReadAll(resp.Body)
			g.must(err)
			_ = resp.Body.Close()
			if resp.StatusCode != tt.status || tt.status == 200 && !bytes.HasPrefix(b, []byte(`{"message":"OK","traceId":"`)) {
				t.Errorf("%s, signed %v: %d %s", tt.path, signed, resp.StatusCode, b)
			}
			if tt.topic == "" {
				continue
			}
			p, ok := listener.receive().(*mqtt.Publish)
			if !ok || string(p.Topic) != tt.topic || string(p.Payload) != tt.payload {
				t.Fatalf("%s, signed %v: arrived as %v", tt.path, signed, p)
			}
			listener.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
		}
	}
}

// Clients over WebSocket that read nothing are disconnected when too much waits for them; the server's memory, and who publishes,
// do not wait for them.
func TestWebSocketsThatReadNothing(t *testing.T) {
	g := newDeviceRig(t, func(c *config.Config) { c.Limits = "mqtt" })
	g.policy("all", statement("Allow", allOfIt, "*"))
	cert := g.register(nil, "all")
	cred := g.user("person", statement("Allow", allOfIt, "*"))
	const deaf = 4
	for i := range deaf {
		c := g.webSocket(cred)
		if code, why := c.connect("deaf-" + strconv.Itoa(i)); code != 0 {
			t.Fatal(code, why)
		}
		if code := c.subscribe("much"); code.Failed() {
			t.Fatal(code)
		}
	}
	from := g.dial(server.MQTT, &cert)
	if code, why := from.connect("from"); code != 0 {
		t.Fatal(code, why)
	}
	// What waits for one, and what the kernel and the client's own buffers take.
	const most = 16<<20 + 32<<20
	payload := strings.Repeat("x", 256<<10)
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, sent := uint64(0), 0
	for ; g.broker.Load().Stats().Connections > 1; sent += len(payload) {
		if sent > most {
			t.Fatalf("%d connections after %d MB", g.broker.Load().Stats().Connections, sent>>20)
		}
		began := time.Now()
		if code, why := from.publish("much", payload); code != 0 {
			t.Fatal(code, why)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a PUBACK took %v", took)
		}
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapInuse-min(now.HeapInuse, before.HeapInuse))
	}
	t.Logf("all are gone after %d MB; the heap grew by %d MB at most", sent>>20, peak>>20)
	if bound := uint64(deaf*2*16<<20 + 64<<20); peak > bound { // twice, until it is collected
		t.Errorf("the heap grew by %d MB", peak>>20)
	}
}
