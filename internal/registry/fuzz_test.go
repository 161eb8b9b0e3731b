package registry

import (
	"crypto/elliptic"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzCursor checks that no token makes anything but an error or a cursor
// whose parts the database takes.
func FuzzCursor(f *testing.F) {
	f.Add(*cursor{created: 5, name: "cam1"}.token("things"))
	f.Add("dGhpbmdzADUAYQ==")
	f.Add("dGhpbmdzAC0xAP8A")
	f.Fuzz(func(t *testing.T, token string) {
		c, set, err := cursorOf("things", &token)
		if err != nil {
			return
		}
		if !set || !utf8.ValidString(c.name) || strings.Contains(c.name, "\x00") {
			t.Errorf("got %+v %t", c, set)
		}
		again, _, err := cursorOf("things", c.token("things"))
		if err != nil || again != c {
			t.Errorf("got %+v, then %+v, %v", c, again, err)
		}
	})
}

// FuzzForeignCertificate checks that any text is a certificate or refused, and
// that policy variables can be made of what is taken.
func FuzzForeignCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"))
	f.Add(certificatePEM([]byte{0x30, 0x03, 0x02, 0x01, 0x01}))
	f.Add([]byte(strings.Repeat("-----BEGIN ", 100)))
	f.Fuzz(func(t *testing.T, text []byte) {
		cert, err := parseForeign("certificate", string(text))
		if err != nil {
			return
		}
		if keys := certificateKeys(CertificateID(cert.Raw), cert); len(keys) == 0 {
			t.Error("no keys")
		}
		if again, err := parseStored(certificatePEM(cert.Raw)); err != nil || !again.Equal(cert) {
			t.Errorf("stored and read: %v", err)
		}
	})
}

// FuzzCSR checks that any text is a signing request of a key that certificates
// can be issued for, or refused.
func FuzzCSR(f *testing.F) {
	key := curveKey(f, elliptic.P256())
	f.Add(request(f, key, 0))
	f.Add(selfSigned(f, key, nil))
	f.Add("-----BEGIN CERTIFICATE REQUEST-----\naGVsbG8=\n-----END CERTIFICATE REQUEST-----\n")
	f.Add(strings.Repeat("-----BEGIN ", 100))
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parseCSR(text)
		if err != nil {
			if !isAWS(err) {
				t.Error(err)
			}
			return
		}
		if fault := keyFault(key); fault != "" {
			t.Error(fault)
		}
		if _, err := keyID(key); err != nil {
			t.Error(err)
		}
	})
}

// FuzzPrincipal checks that what is taken for a principal is of this account
// and region.
func FuzzPrincipal(f *testing.F) {
	at := place{account, region}
	f.Add(at.certificate(strings.Repeat("0a", 32)))
	f.Add("us-east-1:0f8fad5b-d9cb-469f-a165-70867728950e")
	f.Add("arn:aws:iot:::cert/")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := at.principal(s)
		if err != nil {
			return
		}
		if p.name != s || (p.certificate != "" && s != at.certificate(p.certificate)) || (p.certificate == "" && !strings.HasPrefix(s, region+":")) {
			t.Errorf("%q: got %+v", s, p)
		}
	})
}

// FuzzEndpointName checks that a name that is taken for AWS's has the parts of
// one.
func FuzzEndpointName(f *testing.F) {
	f.Add("a1b2c3-ats.iot.us-east-1.amazonaws.com")
	f.Add("c1.credentials.iot.eu-west-1.amazonaws.com.")
	f.Fuzz(func(t *testing.T, name string) {
		prefix, region, ok := endpointName(name)
		if ok && (strings.Contains(prefix, ".") || strings.Contains(region, ".") || !strings.Contains(strings.ToLower(name), ".iot."+region)) {
			t.Errorf("%q: got %q %q", name, prefix, region)
		}
	})
}

func TestTypeDeleteWait(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, time.Second: time.Second, -1: -1} {
		if got := (&Service{TypeDeleteWait: given}).typeDeleteWait(); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}
