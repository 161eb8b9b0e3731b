package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/eclipse/paho.golang/paho"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// The clients that people have, unmodified, each against a server of its own
// port with a certificate that thingd made: they connect, subscribe, publish and
// get what they published, as far as their policy goes and no further.

// device is a thing with an active certificate, and its files.
type device struct {
	name                string
	certificateARN      string
	ca, cert, key, p12  string // files
	certPEM, privatePEM string
}

// p12Password is that of every device's PKCS#12 file.
const p12Password = "changeit"

// newDevice registers a thing with a certificate and a policy of its own.
func (s *server) newDevice(t testing.TB, name, policy string) *device {
	t.Helper()
	ctx, c := t.Context(), iot.NewFromConfig(s.sdk())
	ok := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	_, err := c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name})
	ok(err)
	cert, err := c.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{SetAsActive: true})
	ok(err)
	_, err = c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &policy})
	ok(err)
	_, err = c.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &name, Target: cert.CertificateArn})
	ok(err)
	_, err = c.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &name, Principal: cert.CertificateArn})
	ok(err)
	dir := t.TempDir()
	d := &device{
		name: name, certificateARN: *cert.CertificateArn, certPEM: *cert.CertificatePem, privatePEM: *cert.KeyPair.PrivateKey,
		ca: filepath.Join(s.dir, config.ServerRootFile), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), p12: filepath.Join(dir, "device.p12"),
	}
	ok(os.WriteFile(d.cert, []byte(d.certPEM), 0o600))
	ok(os.WriteFile(d.key, []byte(d.privatePEM), 0o600))
	if out, err := exec.Command("openssl", "pkcs12", "-export", "-in", d.cert, "-inkey", d.key, "-name", "aws-ssl", "-out", d.p12, "-passout", "pass:"+p12Password).CombinedOutput(); err != nil {
		t.Fatalf("openssl pkcs12: %v\n%s", err, out)
	}
	return d
}

// ownTopics is a policy that lets a client connect as its thing and use the
// topics under dt/THING.
const ownTopics = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"},
	{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:*:*:topic/dt/${iot:Connection.Thing.ThingName}/*"},
	{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/dt/${iot:Connection.Thing.ThingName}/*"}]}`

// run runs a client's program and gives what it printed on both streams.
func (d *device) run(t testing.TB, address string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), "HOST="+host, "PORT="+port, "CA="+d.ca, "CERT="+d.cert, "KEY="+d.key, "P12="+d.p12, "PASSWORD="+p12Password, "ID="+d.name, "TOPIC=dt/"+d.name), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// wantLines requires that a program ended well and printed these lines in order.
func wantLines(t testing.TB, out string, err error, lines ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := out
	for _, line := range lines {
		i := strings.Index("\n"+rest, "\n"+line+"\n")
		if i < 0 {
			t.Fatalf("no line %q in:\n%s", line, out)
		}
		rest = rest[i+len(line):]
	}
}

func mqttServer(t *testing.T, args ...string) *server {
	t.Helper()
	return start(t, append([]string{"--mqtt", "127.0.0.1:0"}, args...)...)
}

// TestMosquittoClients is CHECKLIST S2-19 and console-habits §1 with Debian's
// mosquitto_sub and mosquitto_pub: on 8883, by ALPN, and denied.
func TestMosquittoClients(t *testing.T) {
	t.Parallel()
	s := mqttServer(t)
	d := s.newDevice(t, "mosquitto", strings.ReplaceAll(ownTopics, "client/${iot:Connection.Thing.ThingName}", "client/mosquitto*"))
	// Its publisher and its subscriber need two client ids: the thing's
	// variables are there for one of them alone, so the policy names it.
	policy := strings.ReplaceAll(strings.ReplaceAll(ownTopics, "client/${iot:Connection.Thing.ThingName}", "client/mosquitto*"), "${iot:Connection.Thing.ThingName}", "mosquitto")
	if _, err := iot.NewFromConfig(s.sdk()).CreatePolicyVersion(t.Context(), &iot.CreatePolicyVersionInput{PolicyName: aws.String("mosquitto"), PolicyDocument: &policy, SetAsDefault: true}); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name, address string
		more          []string
	}{
		{"8883", s.at.MQTT, nil},
		{"ALPN on the device port", s.at.Device, []string{"--tls-alpn", "x-amzn-mqtt-ca"}},
		{"MQTT 5", s.at.MQTT, []string{"-V", "mqttv5"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			host, port, err := net.SplitHostPort(way.address)
			if err != nil {
				t.Fatal(err)
			}
			common := append([]string{"--cafile", d.ca, "--cert", d.cert, "--key", d.key, "-h", host, "-p", port, "-q", "1"}, way.more...)
			sub := exec.Command("stdbuf", append(append([]string{"-oL", "mosquitto_sub"}, common...), "-i", "mosquitto-sub", "-t", "dt/mosquitto/#", "-C", "1", "-W", "20", "-d")...)
			var out logBuffer
			sub.Stdout, sub.Stderr = &out, &out
			if err := sub.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the subscription", func() bool { return strings.Contains(out.String(), "Subscribed (mid: 1): 1") })
			pub, err := exec.Command("mosquitto_pub", append(common, "-i", "mosquitto-pub", "-t", "dt/mosquitto/b", "-m", `{"x":1}`)...).CombinedOutput()
			if err != nil {
				t.Fatalf("mosquitto_pub: %v\n%s", err, pub)
			}
			if err := sub.Wait(); err != nil || !strings.Contains(out.String(), `{"x":1}`) {
				t.Fatalf("mosquitto_sub: %v\n%s", err, out.String())
			}
			// Under another id: a client may connect a few times a second only.
			denied, err := exec.Command("mosquitto_pub", append(common, "-i", "mosquitto-denied", "-t", "elsewhere", "-m", "x")...).CombinedOutput()
			if way.name == "MQTT 5" { // PUBACK 0x87, connection kept
				if !strings.Contains(strings.ToLower(string(denied)), "not authorized") {
					t.Errorf("denied: %v\n%s", err, denied)
				}
			} else if err == nil {
				t.Errorf("denied, but went well: %s", denied)
			}
		})
	}
	if out, err := exec.Command("mosquitto_pub", "--cafile", d.ca, "-h", "127.0.0.1", "-p", portOf(t, s.at.MQTT), "-i", "mosquitto-pub", "-t", "dt/mosquitto/b", "-m", "x", "--insecure").CombinedOutput(); err == nil {
		t.Errorf("without a certificate: %s", out)
	}
}

func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// waitFor polls until a condition holds, 20 seconds at most.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("20 s without %s", what)
		}
	}
}

// debianPython has Debian's packages, whatever else is called python3.
const debianPython = "/usr/bin/python3"

// TestPahoPython is Debian's python3-paho-mqtt in all three versions (S3-19);
// AWS knows no 3.1.
func TestPahoPython(t *testing.T) {
	t.Parallel()
	s := mqttServer(t)
	standard := mqttServer(t, "--limits", "mqtt")
	d := s.newDevice(t, "python", ownTopics)
	for _, way := range []struct{ level, address, alpn, connected, granted string }{
		{"4", s.at.MQTT, "", "connected 0", "subscribed [1]"},
		{"5", s.at.MQTT, "", "connected 0", "subscribed [1]"},
		{"4", s.at.Device, "x-amzn-mqtt-ca", "connected 0", "subscribed [1]"},
	} {
		out, err := d.run(t, way.address, []string{"LEVEL=" + way.level, "ALPN=" + way.alpn}, debianPython, "clients/python.py")
		wantLines(t, out, err, way.connected, way.granted, "received dt/python/up 1 from paho")
	}
	old := standard.newDevice(t, "python", ownTopics)
	out, err := old.run(t, standard.at.MQTT, []string{"LEVEL=3"}, debianPython, "clients/python.py")
	wantLines(t, out, err, "connected 0", "subscribed [1]", "received dt/python/up 1 from paho")
	// Another client id than its thing's may not connect.
	out, err = d.run(t, s.at.MQTT, []string{"LEVEL=5", "ID=somebody"}, debianPython, "clients/python.py")
	wantLines(t, out, err, "connected 135")
}

// iotUser is an IAM user who may do with MQTT what a device may.
func (s *server) iotUser(t *testing.T, name string) sigv4.Credentials {
	t.Helper()
	return s.user(t, name, strings.ReplaceAll(ownTopics, "${iot:Connection.Thing.ThingName}", name))
}

func awsEnv(s *server, c sigv4.Credentials) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken, "AWS_REGION=" + s.at.Region}
}

func addressOf(url string) string {
	_, address, _ := strings.Cut(url, "://")
	return address
}

// TestMQTTJS is mqtt.js over WebSocket with SigV4: keys and a session's
// credentials, both versions (S3-17, S3-20).
func TestMQTTJS(t *testing.T) {
	t.Parallel()
	s := mqttServer(t)
	d := &device{name: "browser", ca: filepath.Join(s.dir, config.ServerRootFile)}
	key := s.iotUser(t, "browser")
	session, err := sts.NewFromConfig(s.sdkAs(key)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	short := sigv4.Credentials{AccessKeyID: *session.Credentials.AccessKeyId, SecretAccessKey: *session.Credentials.SecretAccessKey, SessionToken: *session.Credentials.SessionToken}
	for _, tt := range []struct {
		level string
		keys  sigv4.Credentials
	}{{"4", key}, {"5", key}, {"4", short}, {"5", short}} {
		out, err := d.run(t, addressOf(s.at.API), append(awsEnv(s, tt.keys), "LEVEL="+tt.level), "node", "clients/mqttjs.js")
		wantLines(t, out, err, "connected 0", "subscribed 1", "received dt/browser/up 1 from mqtt.js")
	}
	wrong := key
	wrong.SecretAccessKey = strings.Repeat("0", 40)
	if out, err := d.run(t, addressOf(s.at.API), append(awsEnv(s, wrong), "LEVEL=4"), "node", "clients/mqttjs.js"); err == nil || out != "closed\n" {
		t.Errorf("with a wrong secret: %v\n%s", err, out)
	}
	out, err := d.run(t, addressOf(s.at.API), append(awsEnv(s, key), "LEVEL=5", "ID=another"), "node", "clients/mqttjs.js")
	if err == nil || !strings.Contains(out, "Not authorized") {
		t.Errorf("with another client id: %v\n%s", err, out)
	}
}

// TestDeviceSDK is aws-iot-device-sdk-v2 for JavaScript: by certificate, with
// ALPN, and over WebSocket, in both versions.
func TestDeviceSDK(t *testing.T) {
	t.Parallel()
	s := mqttServer(t)
	d := s.newDevice(t, "sdk", ownTopics)
	key := awsEnv(s, s.iotUser(t, "sdk"))
	for _, tt := range []struct{ level, way, address string }{
		{"4", "certificate", s.at.MQTT},
		{"5", "certificate", s.at.MQTT},
		{"4", "certificate", s.at.Device}, // by ALPN, which it always offers
		{"5", "certificate", s.at.Device},
		{"4", "websocket", addressOf(s.at.API)},
		{"5", "websocket", addressOf(s.at.API)},
	} {
		t.Run(tt.level+" "+tt.way, func(t *testing.T) {
			out, err := d.run(t, tt.address, append(key, "LEVEL="+tt.level, "WAY="+tt.way), "node", "clients/devicesdk.js")
			if tt.level == "5" {
				wantLines(t, out, err, "connected 0", "subscribed 1", "published 0", "received dt/sdk/up 1 from the SDK")
			} else {
				wantLines(t, out, err, "connected", "subscribed 1", "received dt/sdk/up from the SDK")
			}
		})
	}
}

// TestPahoGo is paho.golang, MQTT 5.
func TestPahoGo(t *testing.T) {
	s := mqttServer(t)
	d := s.newDevice(t, "golang", ownTopics)
	pair, err := tls.X509KeyPair([]byte(d.certPEM), []byte(d.privatePEM))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", s.at.MQTT, &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: s.roots(t), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan *paho.Publish, 1)
	c := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { came <- p.Packet; return true, nil },
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	connack, err := c.Connect(ctx, &paho.Connect{ClientID: "golang", KeepAlive: 60, CleanStart: true})
	if err != nil {
		t.Fatal(err)
	}
	p := connack.Properties
	if connack.ReasonCode != 0 || p.MaximumQoS == nil || *p.MaximumQoS != 1 || p.SubIDAvailable || *p.ReceiveMaximum != 100 || *p.TopicAliasMaximum != 8 {
		t.Errorf("connack %+v %+v", connack, p)
	}
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "dt/golang/#", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	sent := &paho.PublishProperties{ContentType: "text/plain", ResponseTopic: "dt/golang/answers", CorrelationData: []byte{0, 255}, User: paho.UserProperties{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}}}
	puback, err := c.Publish(ctx, &paho.Publish{Topic: "dt/golang/up", QoS: 1, Payload: []byte("from Go"), Properties: sent})
	if err != nil || puback.ReasonCode != 0 {
		t.Fatalf("%+v %v", puback, err)
	}
	select {
	case m := <-came:
		if m.Topic != "dt/golang/up" || string(m.Payload) != "from Go" || m.QoS != 1 || m.Properties.ContentType != "text/plain" || m.Properties.ResponseTopic != "dt/golang/answers" ||
			!bytes.Equal(m.Properties.CorrelationData, []byte{0, 255}) || fmt.Sprint(m.Properties.User) != fmt.Sprint(sent.User) {
			t.Errorf("got %+v %+v", m, m.Properties)
		}
	case <-ctx.Done():
		t.Fatal("nothing came")
	}
	denied, err := c.Publish(ctx, &paho.Publish{Topic: "elsewhere", QoS: 1, Payload: []byte("x")})
	if denied == nil || denied.ReasonCode != 0x87 || !regexp.MustCompile(`iot:Publish`).MatchString(denied.Properties.ReasonString) {
		t.Errorf("denied: %+v %v", denied, err)
	}
	if err := c.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
}

// TestJavaKura is a Java client as Kura has it (S2-11 to S2-19): TLS 1.2, a
// PKCS#12 key store, a will with an empty payload, which is sent when the
// connection is lost and not when it is ended, and is refused under $EDC.
func TestJavaKura(t *testing.T) {
	t.Parallel()
	s := mqttServer(t)
	d := s.newDevice(t, "kura-gateway", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe","iot:Receive","iot:UpdateThingShadow","iot:GetThingShadow","iot:DeleteThingShadow"],"Resource":"*"}]}`)
	watcher := s.newDevice(t, "watcher", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`)
	host, port, err := net.SplitHostPort(s.at.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	wills := exec.Command("stdbuf", "-oL", "mosquitto_sub", "--cafile", watcher.ca, "--cert", watcher.cert, "--key", watcher.key, "-h", host, "-p", port, "-i", "watcher", "-t", "aws-test/+/MQTT/LWT", "-t", "end", "-F", "%t %l", "-d")
	var out logBuffer
	wills.Stdout, wills.Stderr = &out, &out
	if err := wills.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wills.Process.Kill(); _ = wills.Wait() })
	waitFor(t, "the subscription", func() bool { return strings.Contains(out.String(), "Subscribed (mid: 1)") })

	const jars = "/usr/share/java/mqtt-client.jar:/usr/share/java/hawtbuf.jar:/usr/share/java/hawtdispatch.jar:/usr/share/java/hawtdispatch-transport.jar"
	classes := t.TempDir()
	if out, err := exec.Command("javac", "-cp", jars, "-d", classes, "clients/Device.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	java := func(env ...string) (string, error) {
		// It lives for a second: not long enough for what makes long lives quick.
		return d.run(t, s.at.MQTT, append(env, "TOPIC=aws-test/kura-gateway/W1/A1"), "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars+":"+classes, "Device")
	}
	all := []string{"connected", "subscribed 1", "received aws-test/kura-gateway/W1/A1/up from Java"}
	text, err := java("WILL=aws-test/kura-gateway/MQTT/LWT", "END=kept")
	wantLines(t, text, err, all...)
	text, err = java("WILL=aws-test/kura-gateway/MQTT/LWT", "END=lost")
	wantLines(t, text, err, all...)
	waitFor(t, "the will", func() bool { return strings.Contains(out.String(), "\naws-test/kura-gateway/MQTT/LWT 0\n") })
	if n := strings.Count(out.String(), "\naws-test/kura-gateway/MQTT/LWT 0\n"); n != 1 {
		t.Errorf("%d wills", n)
	}
	if text, err := java("WILL=$EDC/aws-test/kura-gateway/MQTT/LWT", "END=kept"); err == nil {
		t.Errorf("a will under $EDC was taken: %s", text)
	}
}
