package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

// iotVector is a decision of AWS IoT's policies, as internal/policy has them.
type iotVector struct {
	ID, Note string
	Device   struct {
		Certificate struct {
			ID, Status string
			Subject    map[string]any
		}
		Things []struct {
			Name, Type string
			Attributes map[string]string
			Exclusive  bool
			Groups     []string
		}
	}
	Request struct {
		Protocol, ClientID, Action, Resource, DomainName, LastWillTopic string
		ConnectAttributes                                               []string
		Retain                                                          bool
	}
	Policies      []json.RawMessage
	GroupPolicies map[string][]json.RawMessage
	Expect        string
}

// TestIoTVectorsThroughConnections asks the running server what the vectors
// ask: by connecting, publishing, subscribing and receiving over MQTT, and by
// HTTPS, with a certificate registered as each says.
func TestIoTVectorsThroughConnections(t *testing.T) {
	s := mqttServer(t, "--limits", "mqtt") // the same client id comes more often than once a second
	rig := &vectorRig{server: s, iot: iot.NewFromConfig(s.sdk()), kinds: map[string]bool{}}
	rig.admin = s.newDevice(t, "admin", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`)
	s.iam(t, url.Values{"Action": {"CreateRole"}, "RoleName": {"vectors"}, "AssumeRolePolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}, nil)
	files := []string{"../internal/policy/testdata/iot-vectors.json"}
	if more := os.Getenv("THINGD_IOT_VECTORS"); more != "" {
		files = append(files, more)
	}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Account, Region string
			Vectors         []iotVector
		}
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		if len(f.Vectors) == 0 {
			t.Fatalf("%s has no vectors", file)
		}
		rig.account = f.Account
		for n, v := range f.Vectors {
			t.Run(v.ID, func(t *testing.T) {
				if got := rig.decide(t, &v, fmt.Sprintf("v%d-%d-", i, n)); got != v.Expect {
					t.Errorf("%s: %s, want %s", v.Note, got, v.Expect)
				}
			})
		}
	}
}

// vectorRig is a server in which every vector has things of its own, under a
// prefix of names where a name is not what is asked about.
type vectorRig struct {
	*server
	iot     *iot.Client
	admin   *device
	account string // of the vectors
	kinds   map[string]bool
}

// decide gives the outcome in the words of TestAuthorization.
func (r *vectorRig) decide(t *testing.T, v *iotVector, prefix string) string {
	pair, id, arn := r.certificate(t, v)
	// What a vector names and the server has chosen otherwise.
	local := func(s string) string {
		s = strings.ReplaceAll(s, ":"+r.account+":", ":"+r.root.AccountID+":")
		return strings.ReplaceAll(s, v.Device.Certificate.ID, id)
	}
	policy := func(name, document string) {
		t.Helper()
		_, err := r.iot.CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
		r.ok(t, err)
	}
	attach := func(name, target string) {
		t.Helper()
		_, err := r.iot.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &name, Target: &target})
		r.ok(t, err)
	}
	for i, doc := range v.Policies {
		name := fmt.Sprintf("%s%d", prefix, i)
		policy(name, local(string(doc)))
		attach(name, arn)
	}
	r.things(t, v, prefix, arn, policy, attach)
	defer func() { // names come again in other vectors
		for _, thing := range v.Device.Things {
			_, err := r.iot.DetachThingPrincipal(t.Context(), &iot.DetachThingPrincipalInput{ThingName: &thing.Name, Principal: &arn})
			r.ok(t, err)
			_, err = r.iot.DeleteThing(t.Context(), &iot.DeleteThingInput{ThingName: &thing.Name})
			r.ok(t, err)
		}
	}()
	// What has to be allowed for the question to be put.
	if topic := v.Request.LastWillTopic; topic != "" {
		policy(prefix+"will", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/`+topic+`"}]}`)
		attach(prefix+"will", arn)
	}
	if a := v.Request.Action; v.Request.Protocol == "mqtt" && a != "iot:Connect" {
		more := []string{`{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}`}
		if a == "iot:Receive" {
			more = append(more, `{"Effect":"Allow","Action":"iot:Subscribe","Resource":"*"}`, `{"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:*:*:topic/that-is-all"}`)
		}
		policy(prefix+"more", `{"Version":"2012-10-17","Statement":[`+strings.Join(more, ",")+`]}`)
		attach(prefix+"more", arn)
	}
	kind, name, _ := strings.Cut(local(v.Request.Resource), "/")
	switch v.Request.Protocol {
	case "https":
		return r.https(t, v, pair, kind, name)
	case "credentials":
		return r.credentials(t, pair, name)
	}
	return r.mqtt(t, v, pair, name)
}

func (r *vectorRig) ok(t *testing.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// certificate registers a new one with the subject and the status of a vector.
func (r *vectorRig) certificate(t *testing.T, v *iotVector) (pair tls.Certificate, id, arn string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.ok(t, err)
	subject := pkix.Name{}
	for attribute, value := range v.Device.Certificate.Subject {
		if attribute != "CommonName" {
			t.Fatalf("a subject with %s", attribute)
		}
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, text := range values {
			subject.ExtraNames = append(subject.ExtraNames, pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 3}, Value: text})
		}
	}
	device := certificateFor(t, subject)
	if v.Device.Certificate.Status == "PENDING_ACTIVATION" { // what a CA's automatic registration makes of it
		caKey, ca := r.authority(t)
		der, err := x509.CreateCertificate(rand.Reader, device, ca, &key.PublicKey, caKey)
		r.ok(t, err)
		id = idOf(der)
		pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		r.dial(t, pair, "localhost").Say("CONNECT v5 id=first clean")
		waitFor(t, "the registration", func() bool {
			_, err := r.iot.DescribeCertificate(t.Context(), &iot.DescribeCertificateInput{CertificateId: &id})
			return err == nil
		})
		return pair, id, fmt.Sprintf("arn:aws:iot:%s:%s:cert/%s", r.at.Region, r.root.AccountID, id)
	}
	der, err := x509.CreateCertificate(rand.Reader, device, device, &key.PublicKey, key)
	r.ok(t, err)
	out, err := r.iot.RegisterCertificateWithoutCA(t.Context(), &iot.RegisterCertificateWithoutCAInput{
		CertificatePem: aws.String(asPEM(der)), Status: types.CertificateStatus(v.Device.Certificate.Status),
	})
	r.ok(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, *out.CertificateId, *out.CertificateArn
}

// idOf is the id of a certificate.
func idOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func asPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// certificateFor is what a certificate is made of that holds for an hour.
func certificateFor(t *testing.T, subject pkix.Name) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// authority registers a CA that registers its devices' certificates.
func (r *vectorRig) authority(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.ok(t, err)
	template := certificateFor(t, pkix.Name{CommonName: "the vectors' CA"})
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	r.ok(t, err)
	ca, err := x509.ParseCertificate(der)
	r.ok(t, err)
	code, err := r.iot.GetRegistrationCode(t.Context(), &iot.GetRegistrationCodeInput{})
	r.ok(t, err)
	proof, err := x509.CreateCertificate(rand.Reader, certificateFor(t, pkix.Name{CommonName: *code.RegistrationCode}), ca, &key.PublicKey, key)
	r.ok(t, err)
	_, err = r.iot.RegisterCACertificate(t.Context(), &iot.RegisterCACertificateInput{
		CaCertificate: aws.String(asPEM(der)), VerificationCertificate: aws.String(asPEM(proof)), SetAsActive: true, AllowAutoRegistration: true,
	})
	r.ok(t, err)
	return key, ca
}

// things makes the things of a vector and attaches the certificate to them.
func (r *vectorRig) things(t *testing.T, v *iotVector, prefix, arn string, policy, attach func(string, string)) {
	t.Helper()
	ctx := t.Context()
	for _, thing := range v.Device.Things {
		in := &iot.CreateThingInput{ThingName: aws.String(thing.Name), AttributePayload: &types.AttributePayload{Attributes: thing.Attributes}}
		if thing.Type != "" {
			if !r.kinds[thing.Type] {
				_, err := r.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String(thing.Type)})
				r.ok(t, err)
				r.kinds[thing.Type] = true
			}
			in.ThingTypeName = aws.String(thing.Type)
		}
		_, err := r.iot.CreateThing(ctx, in)
		r.ok(t, err)
		how := types.ThingPrincipalTypeNonExclusiveThing
		if thing.Exclusive {
			how = types.ThingPrincipalTypeExclusiveThing
		}
		_, err = r.iot.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: aws.String(thing.Name), Principal: &arn, ThingPrincipalType: how})
		r.ok(t, err)
		for _, group := range thing.Groups {
			name := prefix + group
			made, err := r.iot.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: &name})
			r.ok(t, err)
			_, err = r.iot.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: aws.String(thing.Name), ThingGroupName: &name})
			r.ok(t, err)
			for i, doc := range v.GroupPolicies[group] {
				p := fmt.Sprintf("%s%d", name, i)
				policy(p, strings.ReplaceAll(string(doc), ":"+r.account+":", ":"+r.root.AccountID+":"))
				attach(p, *made.ThingGroupArn)
			}
		}
	}
}

// outcome reads a refusal's reason.
func outcome(t *testing.T, reason string) string {
	t.Helper()
	switch {
	case strings.Contains(reason, "explicit deny"):
		return "EXPLICIT_DENY"
	case strings.Contains(reason, "no IoT policy allows"):
		return "IMPLICIT_DENY"
	case strings.Contains(reason, "the certificate is "):
		return "REJECTED_BEFORE_POLICY"
	}
	t.Fatalf("a refusal that does not say why: %q", reason)
	return ""
}

func (r *vectorRig) dial(t *testing.T, pair tls.Certificate, name string) *mqtttest.Client {
	t.Helper()
	return mqtttest.Dial(t, r.at.MQTT, &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, ServerName: name})
}

func (r *vectorRig) mqtt(t *testing.T, v *iotVector, pair tls.Certificate, name string) string {
	t.Helper()
	server := v.Request.DomainName
	if server == "" {
		server = "localhost"
	}
	c := r.dial(t, pair, server)
	words := `v5 id="` + v.Request.ClientID + `" clean keepalive=60`
	for _, a := range v.Request.ConnectAttributes {
		switch a {
		case "PersistentConnect":
			words += " session-expiry=60"
		case "LastWill":
			topic := v.Request.LastWillTopic
			if topic == "" {
				topic = "will"
			}
			words += ` will=` + topic + ` will-payload="x"`
		}
	}
	c.Say("CONNECT " + words)
	first := c.Next().String()
	if v.Request.Action == "iot:Connect" || strings.Contains(first, "0x87") {
		return r.answer(t, first, "CONNACK")
	}
	switch v.Request.Action {
	case "iot:Publish":
		line := "PUBLISH " + name + ` "x" qos=1 id=1`
		if v.Request.Retain {
			line += " retain"
		}
		c.Say(line)
		return r.answer(t, c.Next().String(), "PUBACK")
	case "iot:Subscribe":
		c.Say("SUBSCRIBE id=1 " + name + ":1")
		return r.answer(t, c.Next().String(), "SUBACK")
	case "iot:Receive":
		c.Say("SUBSCRIBE id=1 "+name+":0 that-is-all:0", "PINGREQ")
		c.Expect("SUBACK id=1 0x00 0x00")
		admin, err := tls.LoadX509KeyPair(r.admin.cert, r.admin.key)
		r.ok(t, err)
		from := r.dial(t, admin, "localhost")
		from.Connect("v5 id=admin clean keepalive=60")
		from.Say(`PUBLISH `+name+` "x"`, `PUBLISH that-is-all "x"`)
		c.Expect("PINGRESP")
		if strings.HasPrefix(c.Next().String(), "PUBLISH "+name) {
			return "ALLOWED"
		}
		return "IMPLICIT_DENY" // what is not delivered gives no reason
	}
	t.Fatalf("no such action over MQTT: %s", v.Request.Action)
	return ""
}

// answer reads an acknowledgement.
func (r *vectorRig) answer(t *testing.T, got, kind string) string {
	t.Helper()
	switch {
	case strings.HasPrefix(got, kind) && strings.Contains(got, "0x87"):
		return outcome(t, got)
	case strings.HasPrefix(got, kind):
		return "ALLOWED"
	}
	t.Fatalf("got %s", got)
	return ""
}

func (r *vectorRig) https(t *testing.T, v *iotVector, pair tls.Certificate, kind, name string) string {
	t.Helper()
	where := "https://" + r.at.Device
	switch v.Request.Action {
	case "iot:Publish":
		where += "/topics/" + name + "?qos=1"
	case "iot:UpdateThingShadow":
		thing, shadow, _ := strings.Cut(name, "/")
		where += "/things/" + thing + "/shadow"
		if shadow != "" {
			where += "?name=" + shadow
		}
	default:
		t.Fatalf("no such action over HTTPS: %s on %s", v.Request.Action, kind)
	}
	status, body := r.call(t, pair, http.MethodPost, where, `{"state":{}}`)
	if status == http.StatusForbidden {
		return "IMPLICIT_DENY" // as on AWS, no reason is given
	}
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, body)
	}
	return "ALLOWED"
}

func (r *vectorRig) credentials(t *testing.T, pair tls.Certificate, name string) string {
	t.Helper()
	role := fmt.Sprintf("arn:aws:iam::%s:role/vectors", r.root.AccountID)
	_, err := r.iot.CreateRoleAlias(t.Context(), &iot.CreateRoleAliasInput{RoleAlias: &name, RoleArn: &role})
	r.ok(t, err)
	status, body := r.call(t, pair, http.MethodGet, "https://"+r.at.Device+"/role-aliases/"+name+"/credentials", "")
	switch status {
	case http.StatusOK:
		return "ALLOWED"
	case http.StatusForbidden:
		return "IMPLICIT_DENY" // as on AWS, no reason is given
	}
	t.Fatalf("got %d %s", status, body)
	return ""
}

func (r *vectorRig) call(t *testing.T, pair tls.Certificate, method, where, body string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots(t), Certificates: []tls.Certificate{pair}}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, where, strings.NewReader(body))
	r.ok(t, err)
	resp, err := client.Do(req)
	r.ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	r.ok(t, err)
	return resp.StatusCode, string(b)
}
