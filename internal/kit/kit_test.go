package kit

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

const password = `a "pass" $word`

func testDevice(t *testing.T) *Device {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := func(name string) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		return c
	}
	return &Device{
		Account: "123456789012", Region: "eu-west-1", Thing: "floor:cam_1", Policies: []string{"a", "b"}, RoleAlias: "alias", Stream: "video",
		Certificate: cert("device"), CertificateARN: "arn:cert", Key: key, Root: cert("root"),
		Endpoints: Endpoints{Host: "things.test", HTTPS: "things.test:8443", MQTTPort: 8883, Credentials: "things.test:8443", API: "https://things.test:4566"},
		Password:  password, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func unpacked(t *testing.T, d *Device) map[string][]byte {
	t.Helper()
	b, err := d.Zip()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		if f.Mode() != 0o600 {
			t.Errorf("%s has the mode %v", f.Name, f.Mode())
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Every form has the same key and the same certificate.
func TestZip(t *testing.T) {
	d := testDevice(t)
	files, id := unpacked(t, d), d.CertificateID()[:10]
	var names []string
	for name := range files {
		names = append(names, strings.Replace(name, id, "ID", 1))
	}
	slices.Sort(names)
	want := "AmazonRootCA1.pem ID-certificate.pem.crt ID-private.pem.key ID-private.pkcs8.key ID-public.pem.key ID.jks ID.p12 README.md"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("files\n%s\nwant\n%s", got, want)
	}
	if got := d.FileName(); got != "floor_cam_1-"+id+"-kit.zip" {
		t.Errorf("named %s", got)
	}
	der := func(name, kind string) []byte {
		block, rest := pem.Decode(files[name])
		if block == nil || block.Type != kind || len(rest) > 0 || !bytes.HasSuffix(files[name], []byte("-----\n")) {
			t.Fatalf("%s is %q", name, files[name])
		}
		return block.Bytes
	}
	if got := der(id+"-certificate.pem.crt", "CERTIFICATE"); !bytes.Equal(got, d.Certificate.Raw) {
		t.Error("the certificate is another")
	}
	if got := der(RootFile, "CERTIFICATE"); !bytes.Equal(got, d.Root.Raw) {
		t.Error("the root is another")
	}
	if k, err := x509.ParsePKCS1PrivateKey(der(id+"-private.pem.key", "RSA PRIVATE KEY")); err != nil || !k.Equal(d.Key) {
		t.Errorf("the key is another: %v", err)
	}
	if k, err := x509.ParsePKCS8PrivateKey(der(id+"-private.pkcs8.key", "PRIVATE KEY")); err != nil || !d.Key.Equal(k) {
		t.Errorf("the PKCS #8 key is another: %v", err)
	}
	if k, err := x509.ParsePKIXPublicKey(der(id+"-public.pem.key", "PUBLIC KEY")); err != nil || !d.Key.PublicKey.Equal(k) {
		t.Errorf("the public key is another: %v", err)
	}

	if k, c, err := pkcs12.Decode(files[id+".p12"], password); err != nil || !d.Key.Equal(k) || !c.Equal(d.Certificate) {
		t.Errorf("the PKCS #12 file has others: %v", err)
	}
	if _, _, err := pkcs12.Decode(files[id+".p12"], "another"); err == nil {
		t.Error("the PKCS #12 file opens with another password")
	}
	store := keystore.New()
	if err := store.Load(bytes.NewReader(files[id+".jks"]), []byte(password)); err != nil {
		t.Fatal(err)
	}
	e, err := store.GetPrivateKeyEntry(Alias, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := x509.ParsePKCS8PrivateKey(e.PrivateKey); err != nil || !d.Key.Equal(k) || !bytes.Equal(e.CertificateChain[0].Content, d.Certificate.Raw) {
		t.Errorf("the Java key store has others: %v", err)
	}
	if r, err := store.GetTrustedCertificateEntry("root"); err != nil || !bytes.Equal(r.Certificate.Content, d.Root.Raw) {
		t.Errorf("the Java key store has another root: %v", err)
	}
	if store.Load(bytes.NewReader(files[id+".jks"]), []byte("another")) == nil {
		t.Error("the Java key store opens with another password")
	}
}

// The README has every value, says what is not there yet, and has no secret.
func TestReadme(t *testing.T) {
	for _, tt := range []struct {
		name      string
		change    func(*Device)
		has, lack []string
	}{
		{"whole", func(*Device) {}, []string{
			"**This server has MQTT off**", "MQTT over TLS on port 8883 (off)",
			"mqtts://things.test:8883/", "`a`, `b`", `"https://things.test:8443/role-aliases/alias/credentials"`,
			"export CONTROL_PLANE_URI=https://things.test:4566\n", "kvssink stream-name=video aws-region=eu-west-1 ", "x-amzn-iot-thingname: floor:cam_1",
		}, nil},
		{"MQTT is served", func(d *Device) { d.Endpoints.MQTT = true }, []string{"MQTT over TLS on port 8883,"}, []string{"(off)", "has MQTT off"}},
		{"AWS's names", func(d *Device) {
			d.Endpoints.API, d.Endpoints.Credentials = "", "c1.credentials.iot.eu-west-1.amazonaws.com"
		},
			[]string{"https://c1.credentials.iot.eu-west-1.amazonaws.com/role-aliases", "```sh\ngst-launch-1.0"}, []string{"CONTROL_PLANE_URI"}},
		{"no role alias", func(d *Device) { d.RoleAlias = "" }, []string{"made without a role alias"}, []string{"/role-aliases/", "gst-launch", "Role alias |"}},
		{"no policies", func(d *Device) { d.Policies = nil }, []string{"none: without one the device may do nothing"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := testDevice(t)
			tt.change(d)
			text, err := d.readme()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.has {
				if !strings.Contains(string(text), s) {
					t.Errorf("lacks %q", s)
				}
			}
			for _, s := range append(tt.lack, password, "<no value>", "%!", "PRIVATE KEY") {
				if strings.Contains(string(text), s) {
					t.Errorf("has %q", s)
				}
			}
			// All files that it names are in the kit.
			files := unpacked(t, d)
			for _, name := range regexp.MustCompile(`\b[0-9a-f]{10}[-.][a-z0-9.-]+\b`).FindAllString(string(text), -1) {
				if files[name] == nil {
					t.Errorf("names %s, which is not in the kit", name)
				}
			}
		})
	}
}
