package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// identities are the clients' certificates, of one CA: those of the devices
// device-0, device-1 and so on, which are all publishers and most subscribers,
// and the collector's.
type identities struct {
	dir       string
	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	devices   []tls.Certificate
	collector tls.Certificate
}

func newIdentities(n int) (*identities, error) {
	dir, err := os.MkdirTemp("", "thingd-bench-")
	if err != nil {
		return nil, err
	}
	own := &identities{dir: dir}
	if own.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, own.key.Public(), own.key)
	if err != nil {
		return nil, err
	}
	if own.authority, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if own.collector, err = own.issue("collector", 2, x509.ExtKeyUsageClientAuth); err != nil {
		return nil, err
	}
	own.devices = make([]tls.Certificate, n)
	for i := range own.devices {
		if own.devices[i], err = own.issue(deviceName(i), int64(i+3), x509.ExtKeyUsageClientAuth); err != nil {
			return nil, err
		}
	}
	return own, nil
}

func deviceName(i int) string { return "device-" + strconv.Itoa(i) }

func (own *identities) remove() { _ = os.RemoveAll(own.dir) }

// issue makes a certificate, with its key.
func (own *identities) issue(name string, serial int64, usage x509.ExtKeyUsage) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, own.authority, key.Public(), own.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// peer is a broker under measurement.
type peer struct {
	name    string
	addr    string
	ops     string // thingd's address of profiles; empty: it has none
	pid     int
	restart func() error
	stop    func()
}

// startBrokers starts thingd, mosquitto and, if there is one, another thingd.
func startBrokers(own *identities) (brokers []*peer, err error) {
	type starter struct {
		name  string
		start func() (*peer, error)
	}
	all := []starter{{"thingd", func() (*peer, error) { return startThingd(*binary, own) }}}
	if *beside != "" {
		all = append(all, starter{"beside", func() (*peer, error) { return startThingd(*beside, own) }})
	}
	if *mosquitto {
		all = append(all, starter{"mosquitto", func() (*peer, error) { return startMosquitto(own) }})
	}
	for _, s := range all {
		b, err := s.start()
		if err != nil {
			return brokers, fmt.Errorf("start %s: %w", s.name, err)
		}
		b.name = s.name
		brokers = append(brokers, b)
	}
	return brokers, nil
}

const (
	devicePolicy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Certificate.Subject.CommonName}"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:*:*:topic/device/${iot:Certificate.Subject.CommonName}/*","arn:aws:iot:*:*:topic/notice/*"]},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":["arn:aws:iot:*:*:topicfilter/device/${iot:Certificate.Subject.CommonName}/*","arn:aws:iot:*:*:topicfilter/notice/*"]}]}`
	collectorPolicy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/collector"},
		{"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:*:*:topic/device/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/device/*"}]}`
	// The same for mosquitto, whose %u is the common name.
	accessRules = "pattern readwrite device/%u/#\npattern readwrite notice/#\nuser collector\ntopic read device/#\n"
)

// startThingd starts a thingd that knows all certificates.
func startThingd(path string, own *identities) (*peer, error) {
	s, err := startOf(path, "--mqtt", "127.0.0.1:0", "--limits", "mqtt")
	if err != nil {
		return nil, err
	}
	p := &peer{stop: s.stop}
	for name, document := range map[string]string{"device": devicePolicy, "collector": collectorPolicy} {
		doc, err := json.Marshal(map[string]string{"policyDocument": document})
		if err != nil {
			return nil, err
		}
		if err := s.call("POST", "/policies/"+name, "iot", "application/json", string(doc), nil, nil); err != nil {
			return nil, err
		}
	}
	var g errgroup.Group
	g.SetLimit(*clients)
	g.Go(func() error { return s.admit(own.collector, "collector") })
	for _, c := range own.devices {
		g.Go(func() error { return s.admit(c, "device") })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	running := func() error {
		_, port, err := net.SplitHostPort(s.at.MQTT)
		p.addr, p.ops, p.pid = net.JoinHostPort("127.0.0.1", port), s.at.Ops, s.cmd.Process.Pid
		return err
	}
	p.restart = func() error {
		if err := s.again(); err != nil {
			return err
		}
		return running()
	}
	return p, running()
}

// admit registers a certificate, with a policy.
func (s *server) admit(c tls.Certificate, policy string) error {
	in, err := json.Marshal(map[string]string{"certificatePem": pemOf(c.Certificate[0]), "status": "ACTIVE"})
	if err != nil {
		return err
	}
	var made struct{ CertificateArn string }
	if err := s.call("POST", "/certificate/register-no-ca", "iot", "application/json", string(in), nil, &made); err != nil {
		return err
	}
	return s.call("PUT", "/target-policies/"+policy, "iot", "application/json", fmt.Sprintf(`{"target":%q}`, made.CertificateArn), nil, nil)
}

// startMosquitto starts mosquitto with the same rules, in memory alone.
func startMosquitto(own *identities) (*peer, error) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			return nil, errors.New("mosquitto is not installed: run scripts/bench-deps.sh, or measure without it by -mosquitto=false")
		}
	}
	pair, err := own.issue("localhost", 1<<40, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &peer{addr: free.Addr().String()}
	if err := free.Close(); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(own.dir, name) }
	config := fmt.Sprintf(`listener %s 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
use_identity_as_username true
acl_file %s
persistence false
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
sys_interval 0
log_dest stderr
log_type error
`, port, at("ca.pem"), at("server.pem"), at("server.key"), at("acl"))
	if os.Getuid() == 0 {
		config += "user root\n" // who has to read the files
	}
	for name, text := range map[string]string{
		"mosquitto.conf": config, "acl": accessRules, "ca.pem": pemOf(own.authority.Raw), "server.pem": pemOf(pair.Certificate[0]),
		"server.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	var cmd *exec.Cmd
	p.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	run := func() error {
		cmd = exec.CommandContext(context.Background(), path, "-c", at("mosquitto.conf"))
		if err := cmd.Start(); err != nil {
			return err
		}
		p.pid = cmd.Process.Pid
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if c, err := net.Dial("tcp", p.addr); err == nil {
				return c.Close()
			}
		}
		return errors.New("mosquitto takes no connections")
	}
	p.restart = func() error { p.stop(); return run() }
	return p, run()
}

// rest waits until the broker does nothing of its own, three minutes at most:
// after its start thingd makes keys beforehand.
func (p *peer) rest() error {
	const quiet = 8 * time.Second
	for range 3 * time.Minute / quiet {
		before, err := processorTime(p.pid)
		if err != nil {
			return err
		}
		time.Sleep(quiet)
		after, err := processorTime(p.pid)
		if err != nil || after-before < quiet/100 {
			return err
		}
	}
	return nil
}

// profile writes what the broker does with its processor time in the next
// seconds, and what it allocates, to files, if it can tell and that is wanted.
func (p *peer) profile(scenario string) (finish func() error) {
	if *profiles == "" || p.ops == "" {
		return func() error { return nil }
	}
	var g errgroup.Group
	for name, kind := range map[string]string{"cpu": "profile", "allocs": "allocs"} {
		g.Go(func() error {
			resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", p.ops, kind, max(1, int(duration.Seconds()))))
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			out, err := os.Create(filepath.Join(*profiles, scenario+"-"+p.name+"-"+name+".pprof"))
			if err != nil {
				return err
			}
			_, err = io.Copy(out, resp.Body)
			return errors.Join(err, out.Close())
		})
	}
	return g.Wait
}
