package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

const (
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	grant = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"%s"}]}`
)

// call makes one signed API call.
func (s *server) call(method, path, service, contentType, body string, header map[string]string, out any) error {
	r, err := http.NewRequest(method, "http://"+s.apiHost()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if err := sigv4.Sign(r, []byte(body), s.credentials(), "us-east-1", service, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// camera registers a device that may assume a role, and returns its TLS pair.
func (s *server) camera() (tls.Certificate, error) {
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"bench"}, "AssumeRolePolicyDocument": {trust}}
	if err := s.call("POST", "/", "iam", "application/x-www-form-urlencoded", form.Encode(), nil, nil); err != nil {
		return tls.Certificate{}, err
	}
	var alias struct{ RoleAliasArn string }
	role := fmt.Sprintf("arn:aws:iam::%s:role/bench", s.root.AccountID)
	if err := s.call("POST", "/role-aliases/bench", "iot", "application/json", fmt.Sprintf(`{"roleArn":%q}`, role), nil, &alias); err != nil {
		return tls.Certificate{}, err
	}
	doc, err := json.Marshal(map[string]string{"policyDocument": fmt.Sprintf(grant, alias.RoleAliasArn)})
	if err != nil {
		return tls.Certificate{}, err
	}
	// A P-256 certificate of the device's own, as the handshake's cost is the
	// server's to measure, not RSA's on the client.
	pair, pemText, err := selfSigned("bench-camera", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return tls.Certificate{}, err
	}
	reg, err := json.Marshal(map[string]string{"certificatePem": pemText, "status": "ACTIVE"})
	if err != nil {
		return tls.Certificate{}, err
	}
	var cert struct{ CertificateArn string }
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
		out                any
	}{
		{"POST", "/policies/bench", string(doc), nil, nil},
		{"POST", "/certificate/register-no-ca", string(reg), nil, &cert},
	} {
		if err := s.call(c.method, c.path, "iot", "application/json", c.body, c.header, c.out); err != nil {
			return tls.Certificate{}, err
		}
	}
	if err := s.call("PUT", "/target-policies/bench", "iot", "application/json", fmt.Sprintf(`{"target":%q}`, cert.CertificateArn), nil, nil); err != nil {
		return tls.Certificate{}, err
	}
	return pair, s.call("PUT", "/things/bench/principals", "iot", "application/json", "", map[string]string{"x-amzn-principal": cert.CertificateArn}, nil)
}

// handshakes measures full mutual TLS handshakes with one exchange each.
func handshakes(addr, name string, pair tls.Certificate, request string) (float64, error) {
	return rate(func(int) (func() error, error) {
		conf := &tls.Config{
			Certificates: []tls.Certificate{pair}, ServerName: name,
			// The server's own cost is measured; its certificate is checked in the tests.
			InsecureSkipVerify: true, //nolint:gosec
		}
		return func() error {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			t := tls.Client(c, conf)
			defer func() { _ = t.Close() }()
			if _, err := io.WriteString(t, request); err != nil {
				return err
			}
			b, err := io.ReadAll(t)
			if err == nil && !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
				err = fmt.Errorf("answered %.200q", b)
			}
			return err
		}, nil
	})
}

// credentials compares the credentials provider with a TLS server that only
// does the handshake, rounds alternating.
func credentials(s *server) (row, error) {
	pair, err := s.camera()
	if err != nil {
		return row{}, err
	}
	bare, addr, err := startHandshakeServer()
	if err != nil {
		return row{}, err
	}
	defer func() { _ = bare.Process.Kill(); _ = bare.Wait() }()
	const get = "GET /role-aliases/bench/credentials HTTP/1.1\r\nHost: localhost\r\nx-amzn-iot-thingname: bench\r\nConnection: close\r\n\r\n"
	_, port, err := net.SplitHostPort(s.at.Device)
	if err != nil {
		return row{}, err
	}
	var ours, theirs float64
	ratio, err := median(func() (float64, error) {
		a, err := handshakes(net.JoinHostPort("127.0.0.1", port), "localhost", pair, get)
		if err != nil {
			return 0, err
		}
		b, err := handshakes(addr, "localhost", pair, get)
		ours, theirs = a, b
		return a / b, err
	})
	return row{
		fmt.Sprintf("credentials per second, %d clients", *clients), fmt.Sprintf("%.0f (%.0f %%)", ours, 100*ratio),
		fmt.Sprintf("bare mutual handshake %.0f", theirs), "80 %",
	}, err
}

func startHandshakeServer() (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(context.Background(), self, "-handshake-server")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	var addr string
	_, err = fmt.Fscanln(out, &addr)
	return cmd, addr, err
}

// serveHandshakes is the baseline: Go's TLS with a client certificate asked
// for, an answer of the size of ours, and nothing in between.
func serveHandshakes() error {
	pair, _, err := selfSigned("localhost", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true})
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	answer := append([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 900)...)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			b := make([]byte, 4096)
			if _, err := c.Read(b); err == nil {
				_, _ = c.Write(answer) // a client that went is its own loss
			}
		}()
	}
}

func selfSigned(name string, usage x509.ExtKeyUsage) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pemOf(der), nil
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
