package server

import (
	"crypto/tls"
	"slices"
	"strings"
)

// ALPN names of AWS IoT (IoT developer guide, "Device communication
// protocols").
const (
	alpnHTTP     = "http/1.1"
	alpnHTTPCert = "x-amzn-http-ca" // HTTPS with a client certificate
	alpnMQTTCert = "x-amzn-mqtt-ca" // MQTT with a client certificate
	alpnMQTT     = "mqtt"           // MQTT, custom authorizer or certificate
)

// deviceSuites are the TLS 1.2 suites that AWS IoT's policy
// IotSecurityPolicy_TLS13_1_2_2022_10 has and Go can do, those without
// Diffie-Hellman last: small devices have no others.
var deviceSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// APITLS is the TLS of the API port. HTTP/1.1 only: what PutMedia's clients
// sign does not survive HTTP/2 (spec: they sign Connection and
// Transfer-Encoding).
func (p *PKI) APITLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{alpnHTTP},
		GetCertificate: p.getCertificate,
		Time:           p.now,
	}
}

// DeviceTLS is the TLS of the device ports. It asks for a client certificate
// and leaves judging it to whoever serves the connection: what a certificate
// may do is looked up at every request, and a refusal is an answer that can be
// read instead of an alert. There is no resumption, so that each connection
// proves possession of its key. A client whose ALPN list has none of ours
// fails, as on AWS; one without ALPN is served as HTTP.
func (p *PKI) DeviceTLS() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{alpnMQTTCert, alpnMQTT, alpnHTTPCert, alpnHTTP},
		CipherSuites:           deviceSuites,
		GetCertificate:         p.getCertificate,
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true,
		// What is gathered for a client goes out in as few records as it fits in,
		// from the first one on.
		DynamicRecordSizingDisabled: true,
		Time:                        p.now,
	}
}

// MQTTTLS is the TLS of an MQTT port: as DeviceTLS, and clients that speak of
// no ALPN, or of MQTT, are meant for MQTT.
func (p *PKI) MQTTTLS() *tls.Config {
	c := p.DeviceTLS()
	c.NextProtos = []string{alpnMQTTCert, alpnMQTT}
	return c
}

// getCertificate chooses ECDSA for whoever can take it. RSA is for clients of
// TLS 1.2 that offer RSA suites alone (Java 8, old devices); its key is made
// when the first of them comes, who waits for it, and nobody else does.
func (p *PKI) getCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := p.certificate(&p.ec)
	if err != nil {
		return nil, err
	}
	h := *hello
	h.ServerName = "" // a client that calls us by another name is to see our certificate, not an alert
	if h.SupportsCertificate(c) == nil || !takesRSA(hello) {
		return c, nil
	}
	return p.certificate(&p.rsa)
}

// takesRSA says whether a client can take an RSA certificate.
func takesRSA(hello *tls.ClientHelloInfo) bool {
	for _, s := range hello.CipherSuites {
		name := tls.CipherSuiteName(s)
		if strings.HasPrefix(name, "TLS_RSA_") || strings.HasPrefix(name, "TLS_ECDHE_RSA_") {
			return true
		}
	}
	return slices.Contains(hello.SignatureSchemes, tls.PSSWithSHA256)
}
