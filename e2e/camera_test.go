package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// TestCameraSendsWithItsCertificate is seeds/000 step 5 without GStreamer: a
// camera that has a certificate and nothing else gets credentials and sends
// real video with them, as kvssink does, to its own stream and to no other.
func TestCameraSendsWithItsCertificate(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	createStream(t, s, "other")
	s.iam(t, url.Values{"Action": {"CreateRole"}, "RoleName": {"camera"}, "AssumeRolePolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}, nil)
	s.iam(t, url.Values{"Action": {"PutRolePolicy"}, "RoleName": {"camera"}, "PolicyName": {"own-stream"}, "PolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kinesisvideo:DescribeStream","kinesisvideo:PutMedia","kinesisvideo:TagStream","kinesisvideo:GetDataEndpoint"],"Resource":"arn:aws:kinesisvideo:*:*:stream/${credentials-iot:ThingName}/*"}]}`}}, nil)

	c := iot.NewFromConfig(s.sdk())
	role := fmt.Sprintf("arn:aws:iam::%s:role/camera", s.root.AccountID)
	alias, err := c.CreateRoleAlias(t.Context(), &iot.CreateRoleAliasInput{RoleAlias: aws.String("alias"), RoleArn: &role})
	if err != nil {
		t.Fatal(err)
	}
	doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":%q}]}`, *alias.RoleAliasArn)
	if _, err := c.CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: &doc}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("cam")}); err != nil {
		t.Fatal(err)
	}
	cert, err := c.CreateKeysAndCertificate(t.Context(), &iot.CreateKeysAndCertificateInput{SetAsActive: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: aws.String("p"), Target: cert.CertificateArn}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AttachThingPrincipal(t.Context(), &iot.AttachThingPrincipalInput{ThingName: aws.String("cam"), Principal: cert.CertificateArn}); err != nil {
		t.Fatal(err)
	}

	cred := s.cameraCredentials(t, *cert.CertificatePem, *cert.KeyPair.PrivateKey, "alias", "cam")
	persisted := 0
	for _, a := range s.send(t, cred, "cam", media(t)) {
		if a.EventType == "PERSISTED" {
			persisted++
		}
	}
	if want := len(clusters(media(t))); persisted != want {
		t.Errorf("%d fragments persisted, want %d", persisted, want)
	}

	for _, tt := range []struct {
		name, stream string
		cred         sigv4.Credentials
		status       int
		code         string
	}{
		{"another stream", "other", cred, http.StatusForbidden, "AccessDeniedException"},
		{"a stream that is not there", "nowhere", cred, http.StatusForbidden, "AccessDeniedException"},
		{"another secret", "cam", sigv4.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: strings.Repeat("0", 40), SessionToken: cred.SessionToken}, http.StatusForbidden, "InvalidSignatureException"},
		{"no token", "cam", sigv4.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: cred.SecretAccessKey}, http.StatusForbidden, "UnrecognizedClientException"},
	} {
		p, err := s.putMedia(t.Context(), tt.cred, tt.stream)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.answer(); err != nil {
			t.Fatal(err)
		}
		if p.resp.StatusCode != tt.status || p.resp.Header.Get("x-amzn-ErrorType") != tt.code {
			t.Errorf("%s: %s %s", tt.name, p.resp.Status, p.resp.Header.Get("x-amzn-ErrorType"))
		}
		if time.Since(began) < 500*time.Millisecond {
			t.Errorf("%s: refused at once, which kvssink would retry at once", tt.name)
		}
		_ = p.conn.Close()
	}
}

// cameraCredentials asks the credentials provider, as a device does.
func (s *server) cameraCredentials(t *testing.T, certPEM, keyPEM, alias, thing string) sigv4.Credentials {
	t.Helper()
	status, body := s.cameraAsks(t, certPEM, keyPEM, alias, thing)
	var token struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	if err := json.Unmarshal(body, &token); err != nil || status != http.StatusOK {
		t.Fatalf("credentials: %d %s %v", status, body, err)
	}
	return sigv4.Credentials(token.Credentials)
}

// cameraStatus is how the credentials provider answers.
func (s *server) cameraStatus(t *testing.T, certPEM, keyPEM, alias, thing string) int {
	t.Helper()
	status, _ := s.cameraAsks(t, certPEM, keyPEM, alias, thing)
	return status
}

func (s *server) cameraAsks(t *testing.T, certPEM, keyPEM, alias, thing string) (status int, body []byte) {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots(t), Certificates: []tls.Certificate{pair}}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.at.Device+"/role-aliases/"+alias+"/credentials", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-amzn-iot-thingname", thing)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
