package app

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	iotsdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/server"
)

// deviceRig is a whole server in the test's process, with its MQTT.
type deviceRig struct {
	*App
	t   *testing.T
	iot *iotsdk.Client // as the root user
}

func newDeviceRig(t *testing.T, edit func(*config.Config)) *deviceRig {
	t.Helper()
	cfg := &config.Config{
		Data: t.TempDir(), API: "127.0.0.1:0", Device: "127.0.0.1:0", MQTT: "127.0.0.1:0", Ops: "127.0.0.1:0",
		Region: "us-east-1", LogLevel: "info", LogFormat: "text", Limits: "aws", Dev: true,
	}
	if edit != nil {
		edit(cfg)
	}
	if err := cfg.Finish(func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	api := iotsdk.New(iotsdk.Options{
		Region: cfg.Region, BaseEndpoint: new("http://" + a.server.Addr(server.API).String()),
		Credentials: credentials.NewStaticCredentialsProvider(config.DevAccessKeyID, config.DevSecretAccessKey, ""),
	})
	return &deviceRig{a, t, api}
}

func (g *deviceRig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// certificate is a device's, with its key.
type certificate struct {
	tls.Certificate
	id, arn string
}

// register makes a certificate with names of the subject and registers it,
// ACTIVE, with policies.
func (g *deviceRig) register(subject []pkix.AttributeTypeAndValue, policies ...string) certificate {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.must(err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{ExtraNames: subject},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	g.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	out, err := g.iot.RegisterCertificateWithoutCA(g.t.Context(), &iotsdk.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: types.CertificateStatusActive})
	g.must(err)
	c := certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, *out.CertificateId, *out.CertificateArn}
	for _, p := range policies {
		g.must(g.attach(p, c.arn))
	}
	return c
}

func (g *deviceRig) attach(policy, target string) error {
	return second(g.iot.AttachPolicy(g.t.Context(), &iotsdk.AttachPolicyInput{PolicyName: &policy, Target: &target}))
}

func (g *deviceRig) policy(name, document string) {
	g.t.Helper()
	g.must(second(g.iot.CreatePolicy(g.t.Context(), &iotsdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})))
}

func (g *deviceRig) status(c certificate, status types.CertificateStatus) {
	g.t.Helper()
	g.must(second(g.iot.UpdateCertificate(g.t.Context(), &iotsdk.UpdateCertificateInput{CertificateId: &c.id, NewStatus: status})))
}

func second[T any](_ T, err error) error { return err }

func commonNames(names ...string) []pkix.AttributeTypeAndValue {
	var out []pkix.AttributeTypeAndValue
	for _, n := range names {
		out = append(out, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: n})
	}
	return out
}

// statement is a policy of one statement.
func statement(effect, action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":` + action + `,"Resource":"` + resource + `"}]}`
}

// client speaks MQTT over whatever connection.
type client struct {
	t       *testing.T
	conn    net.Conn
	in      *bufio.Reader
	version mqtt.Version
}

// tlsConfig trusts the server and shows a certificate, if there is one.
func (g *deviceRig) tlsConfig(c *certificate, alpn ...string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(g.pki.RootPEM())
	config := &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: alpn}
	if c != nil {
		config.Certificates = []tls.Certificate{c.Certificate}
	}
	return config
}

// dial connects to a listener with a certificate.
func (g *deviceRig) dial(listener string, c *certificate, alpn ...string) *client {
	g.t.Helper()
	conn, err := tls.Dial("tcp", g.server.Addr(listener).String(), g.tlsConfig(c, alpn...))
	g.must(err)
	return newClient(g.t, conn)
}

func newClient(t *testing.T, conn net.Conn) *client {
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: t, conn: conn, in: bufio.NewReader(conn), version: mqtt.V5}
}

func (c *client) send(p mqtt.Packet) {
	c.t.Helper()
	if _, err := c.conn.Write(p.Append(nil, c.version)); err != nil {
		c.t.Error(err)
	}
}

// receive reads a packet, nil at the connection's end.
func (c *client) receive() mqtt.Packet {
	c.t.Helper()
	var b []byte
	for {
		next, err := c.in.ReadByte()
		if err != nil {
			return nil
		}
		b = append(b, next)
		h, n, err := mqtt.Frame(b, 1<<20)
		if err != nil {
			c.t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		body := make([]byte, h.Remaining)
		if _, err := io.ReadFull(c.in, body); err != nil {
			return nil
		}
		p, err := mqtt.Decode(c.version, h, body)
		if err != nil {
			c.t.Fatal(err)
		}
		return p
	}
}

// connect sends CONNECT and answers what comes of it: a reason code, and why.
func (c *client) connect(id string) (mqtt.Reason, string) {
	c.t.Helper()
	c.send(&mqtt.Connect{Version: c.version, ClientID: []byte(id), CleanStart: true, KeepAlive: 60})
	ack, ok := c.receive().(*mqtt.Connack)
	if !ok {
		return mqtt.UnspecifiedError, "closed"
	}
	return ack.Reason, string(ack.Props.ReasonString)
}

// publish sends a message of QoS 1 and answers what comes of it.
func (c *client) publish(topic, payload string) (mqtt.Reason, string) {
	c.t.Helper()
	c.send(&mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: 1, PacketID: 7})
	switch p := c.receive().(type) {
	case *mqtt.Ack:
		return p.Reason, string(p.Props.ReasonString)
	case *mqtt.Disconnect:
		return p.Reason, string(p.Props.ReasonString)
	}
	return mqtt.UnspecifiedError, "closed"
}

// subscribe answers the code for one filter.
func (c *client) subscribe(filter string) mqtt.Reason {
	c.t.Helper()
	c.send(&mqtt.Subscribe{PacketID: 9, Filters: []mqtt.Subscription{{Filter: []byte(filter), QoS: 1}}})
	ack, ok := c.receive().(*mqtt.Suback)
	if !ok || len(ack.Reasons) != 1 {
		return mqtt.UnspecifiedError
	}
	return ack.Reasons[0]
}

// ended waits for the connection's end and answers the last reason.
func (c *client) ended() mqtt.Reason {
	c.t.Helper()
	reason := mqtt.Reason(0)
	for {
		switch p := c.receive().(type) {
		case nil:
			return reason
		case *mqtt.Disconnect:
			reason = p.Reason
		}
	}
}
