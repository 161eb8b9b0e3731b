package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func box(tb testing.TB, fill byte) *Box {
	tb.Helper()
	b, err := New(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestXAES runs the vectors of C2SP.org/XAES-256-GCM.
func TestXAES(t *testing.T) {
	for _, tt := range []struct {
		key       byte
		aad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		x := newXAES(bytes.Repeat([]byte{tt.key}, 32))
		got := x.aead(nonce).Seal(nil, nonce[12:], []byte("XAES-256-GCM"), []byte(tt.aad))
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("key %d: got %x, want %s", tt.key, got, tt.want)
		}
	}
}

func TestSeal(t *testing.T) {
	b := box(t, 1)
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("secret"), 1000)} {
		sealed := b.Seal("p", plain)
		if len(sealed) != len(plain)+Overhead {
			t.Errorf("%d bytes became %d", len(plain), len(sealed))
		}
		if bytes.Equal(sealed, b.Seal("p", plain)) {
			t.Error("sealed twice alike")
		}
		got, err := b.Open("p", sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %q, %v", got, err)
		}
		for i := 0; i < len(sealed); i += 1 + len(sealed)/50 {
			altered := bytes.Clone(sealed)
			altered[i] ^= 1
			if _, err := b.Open("p", altered); !errors.Is(err, ErrOpen) {
				t.Errorf("byte %d altered: %v", i, err)
			}
		}
		for _, n := range []int{0, 1, Overhead - 1, len(sealed) - 1} {
			if _, err := b.Open("p", sealed[:n]); !errors.Is(err, ErrOpen) {
				t.Errorf("cut to %d: %v", n, err)
			}
		}
		if _, err := b.Open("q", sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("other purpose: %v", err)
		}
		if _, err := box(t, 2).Open("p", sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("other key: %v", err)
		}
	}
}

// TestGolden holds on to the construction: what was sealed or derived by an
// earlier version must stay good.
func TestGolden(t *testing.T) {
	b := box(t, 1)
	sealed, _ := hex.DecodeString(goldenSealed)
	if got, err := b.Open("golden", sealed); err != nil || string(got) != "thingd" {
		t.Errorf("got %q, %v; now sealed as %x", got, err, b.Seal("golden", []byte("thingd")))
	}
	if got := hex.EncodeToString(b.Derive("golden", "ASIAIOSFODNN7EXAMPLE", 30)); got != goldenDerived {
		t.Errorf("derived %s", got)
	}
}

const (
	goldenSealed  = "01372d7dac1744008561146b607cc2068d012222a549bed41969f83b062aaa33674904cacfa7b52cc2c0637f55bb29"
	goldenDerived = "a0f8b9418c4df4c4a4fa3449da94dd69fb0ad52d2c967da714f5110ee280"
)

func TestDerive(t *testing.T) {
	b := box(t, 1)
	seen := map[string]string{}
	for _, tt := range []struct {
		box            *Box
		purpose, input string
	}{{b, "p", "a"}, {b, "p", "b"}, {b, "q", "a"}, {b, "pa", ""}, {b, "", "pa"}, {box(t, 2), "p", "a"}} {
		d := tt.box.Derive(tt.purpose, tt.input, 40)
		if len(d) != 40 || !bytes.Equal(d, tt.box.Derive(tt.purpose, tt.input, 40)) {
			t.Errorf("%q %q: %x", tt.purpose, tt.input, d)
		}
		if other, ok := seen[string(d)]; ok {
			t.Errorf("%q %q is like %s", tt.purpose, tt.input, other)
		}
		seen[string(d)] = tt.purpose + " " + tt.input
	}
	if bytes.Equal(b.subkey("thingd seal 1 p"), b.subkey("thingd derive 1 p")) {
		t.Error("sealing and deriving share a key")
	}
}

func TestLoadOrCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key")
	var wg sync.WaitGroup
	boxes := make([]*Box, 8)
	for i := range boxes { // all at once, as several nodes on one directory might
		wg.Go(func() {
			b, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			boxes[i] = b
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	sealed := boxes[0].Seal("p", []byte("x"))
	for _, b := range boxes {
		if _, err := b.Open("p", sealed); err != nil {
			t.Error(err)
		}
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 || fi.Size() != KeySize {
		t.Errorf("%v, %v", fi, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	again, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open("p", sealed); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		name  string
		spoil func() error
		want  string
	}{
		{"readable by others", func() error { return os.Chmod(path, 0o640) }, "others may use it (mode 0640); run: chmod 600 "},
		{"too short", func() error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 31)) }, "31 bytes, not 32"},
		{"too long", func() error { return os.Truncate(path, 33) }, "33 bytes, not 32"},
		{"a directory", func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "not a regular file"},
	} {
		if err := tt.spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := LoadOrCreate(filepath.Join(dir, "none", "master.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	b := box(f, 1)
	f.Add([]byte{})
	f.Add(b.Seal("other", []byte("x")))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if _, err := b.Open("p", sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("opened: %v", err)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	s := box(b, 1)
	plain := bytes.Repeat([]byte("t"), 800)
	for b.Loop() {
		if _, err := s.Open("token", s.Seal("token", plain)); err != nil {
			b.Fatal(err)
		}
	}
}
