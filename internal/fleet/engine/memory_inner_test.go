package engine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"
)

// Memory is given back once devices are connected, not while they come, and not for the few that come and go.
func TestComings(t *testing.T) {
	var c comings
	begin := time.Now()
	for i, x := range []struct {
		n    int64
		want bool
	}{
		{0, false}, {500, false}, {1200, false}, {2000, false}, {2000, true}, // connected
		{2000, false}, {1990, false}, {1990, false}, {2000, false}, {2000, false}, // a few come and go
		{500, false}, {500, true}, // many are gone
		{2000, false}, {2000, false}, {2000, false}, {2000, false}, {2000, true}, // and come again, soon after
		{0, false}, {0, false}, {0, false}, {0, false}, {0, true}, {0, false},
	} {
		if got := c.over(x.n, begin.Add(time.Duration(i)*releaseEvery)); got != x.want {
			t.Errorf("look %d, %d connections: %t, want %t", i, x.n, got, x.want)
		}
	}
}

// What a handshake needs is read once before the first, and again for each that follows: nothing of it stays.
func TestCredentials(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := credentials{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	checked := c.pair
	for i := range 3 {
		pair, err := c.take()
		if err != nil {
			t.Fatal(err)
		}
		if c.pair != nil || (pair == checked) != (i == 0) || !bytes.Equal(pair.Certificate[0], der) || !key.Equal(pair.PrivateKey) {
			t.Errorf("handshake %d: %v", i, pair)
		}
	}
	if pair, err := (&credentials{}).take(); pair != nil || err != nil {
		t.Errorf("a device without: %v, %v", pair, err)
	}
	if err := (&credentials{certificate: c.certificate, key: "no key"}).check(); err == nil {
		t.Error("no key is taken for one")
	}
}

func TestAside(t *testing.T) {
	want := errors.New("so it ended")
	if err := aside(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}
