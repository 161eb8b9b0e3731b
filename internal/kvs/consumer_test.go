package kvs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/mkv"
)

// fixed are credentials that do not change.
type fixed struct{ key, secret string }

func (f *fixed) credentials(context.Context) (sigv4.Credentials, error) {
	return sigv4.Credentials{AccessKeyID: f.key, SecretAccessKey: f.secret}, nil
}

// A reader over a wire that breaks gets each fragment once, whole.
func TestGetOverBrokenWire(t *testing.T) {
	source := file(t, "kvssink-av-30s.mkv")
	want := clusters(t, source)
	for _, how := range []string{"follow", "list"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.put(t, source)
			r.client.HTTP.CloseIdleConnections()
			r.wire.mu.Lock()
			r.wire.down = []int{50_000, 300_000, 9000, 500_000}
			r.wire.mu.Unlock()
			c := &Consumer{Client: r.client, Stream: "cam", Report: r.report}
			var got [][]byte
			enough := errors.New("enough")
			emit := func(f *Fragment) error {
				got = append(got, f.Media)
				if len(got) == len(want) {
					return enough
				}
				return nil
			}
			var err error
			if how == "follow" {
				err = c.Follow(t.Context(), Selector{Earliest: true}, emit)
			} else {
				var list []Listed
				if list, err = c.List(t.Context(), ProducerClock, time.Unix(0, 0), time.Now()); err == nil {
					err = c.Media(t.Context(), list, emit)
				}
			}
			if err != enough || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d of %d fragments, %v", len(got), len(want), err)
			}
			if r.wire.cuts == 0 {
				t.Error("nothing was cut")
			}
		})
	}
}

// Selectors begin where they say, and following goes on with what comes.
func TestFollow(t *testing.T) {
	r := newRig(t)
	var source []byte
	for i := range 4 {
		source = append(source, cluster(1_700_000_000_000+int64(i)*1000, block(1, 0, 10+i), block(1, 900, 1))...)
	}
	r.put(t, slices.Concat(header(1), source))
	list := r.get(t)
	tests := []struct {
		name  string
		sel   Selector
		first int
	}{
		{"earliest", Selector{Earliest: true}, 0},
		{"after", Selector{After: list[1].Number}, 2},
		{"token", Selector{Token: list[2].Number}, 3},
		{"producer", Selector{Clock: ProducerClock, From: time.UnixMilli(1_700_000_001_500)}, 1},
		{"server", Selector{Clock: ServerClock, From: time.Unix(5, 0)}, 0},
		{"now", Selector{}, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Consumer{Client: r.client, Stream: "cam", Report: r.report}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			enough := errors.New("enough")
			first, n := "", 0
			live := tt.first == 4
			if live {
				time.AfterFunc(400*time.Millisecond, func() { r.put(t, slices.Concat(header(1), cluster(1_800_000_000_000, block(1, 0, 1)))) })
			}
			err := c.Follow(ctx, tt.sel, func(f *Fragment) error {
				if n++; first == "" {
					first = f.Number
				}
				if live || f.Number == list[3].Number {
					return enough
				}
				return nil
			})
			if err != enough {
				t.Fatalf("%v after %d fragments", err, n)
			}
			if !live && (first != list[tt.first].Number || n != 4-tt.first) {
				t.Errorf("%d fragments from %s on", n, first)
			}
		})
	}
}

// AWS's own bytes are taken apart.
func TestSplitAWS(t *testing.T) {
	var got []*Fragment
	if err := split(bytes.NewReader(file(t, "aws-getmedia-cut.mkv")), func(f *Fragment) error { got = append(got, f); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		t.Fatal("no fragment")
	}
	f := got[0]
	if f.Number != "91343852333181432392682062607743920146159169392" || f.Server.UnixMilli() != 1511852109126 || f.Producer.UnixMilli() != 1511852108513 || f.Token != f.Number {
		t.Errorf("%s, %v, %v, %s", f.Number, f.Server, f.Producer, f.Token)
	}
	if bytes.Contains(f.Header, []byte("AWS_")) || bytes.Contains(f.Media, []byte("AWS_")) || !bytes.HasPrefix(f.Media, []byte("\x1F\x43\xB6\x75")) {
		t.Error("AWS's tags are left in the fragment")
	}
	if _, err := mkv.ParseHeader(f.Header); err != nil {
		t.Error(err)
	}
}

// What the service says in the place of a fragment is an error, and not the end of the list.
func TestMissingFragment(t *testing.T) {
	r := newRig(t)
	r.put(t, slices.Concat(header(1), cluster(0, block(1, 0, 1)), cluster(1000, block(1, 0, 2)), cluster(2000, block(1, 0, 3))))
	list := r.get(t)
	c := &Consumer{Client: r.client, Stream: "cam", Report: r.report}
	var numbers []string
	err := c.Media(t.Context(), []Listed{{Number: list[0].Number}, {Number: "12"}, {Number: list[2].Number}, {Number: "13"}},
		func(f *Fragment) error { numbers = append(numbers, f.Number); return nil })
	if err != nil || !slices.Equal(numbers, []string{list[0].Number, list[2].Number}) {
		t.Errorf("%v, %v", numbers, err)
	}
	if len(r.lines) != 3 || !strings.HasPrefix(r.lines[1], "fragment 12: 4000 ") {
		t.Errorf("said %q", r.lines)
	}
}

// A device's credentials are fetched once and used while they are good.
func TestDevice(t *testing.T) {
	calls, ttl := 0, time.Hour
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		calls++
		if req.URL.Path != "/role-aliases/cam=1/credentials" || req.Header.Get("x-amzn-iot-thingname") != "door" || req.ProtoMajor != 1 {
			w.Header().Set("x-amzn-errortype", "AccessDeniedException")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"Access Denied"}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"credentials":{"accessKeyId":"ASIA%d","secretAccessKey":"s","sessionToken":"t","expiration":"%s"}}`,
			calls, time.Now().Add(ttl).UTC().Format(time.RFC3339))
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	d := &Device{Host: strings.TrimPrefix(srv.URL, "https://"), RoleAlias: "cam=1", Thing: "door", HTTP: NewHTTP(roots, tls.Certificate{})}
	for i, want := range []string{"ASIA1", "ASIA1", "ASIA2", "ASIA3"} {
		if i == 2 {
			d.expires, ttl = time.Now().Add(fresh), fresh/2
		}
		if c, err := d.Credentials(t.Context()); err != nil || c.AccessKeyID != want || c.SecretAccessKey != "s" || c.SessionToken != "t" {
			t.Errorf("%d: %+v, %v", i, c.AccessKeyID, err)
		}
	}
	d.RoleAlias = "other"
	if _, err := d.Credentials(t.Context()); !IsCode(err, "AccessDeniedException") || err.Error() != "credentials provider: Access Denied (AccessDeniedException)" {
		t.Error(err)
	}
}

// FuzzSplit: whatever a service answers, reading it ends without a panic, and what is given out is whole.
func FuzzSplit(f *testing.F) {
	f.Add(file(f, "aws-getmedia-cut.mkv")[:2000])
	f.Add(slices.Concat(header(1), cluster(0, block(1, 0, 1)), metadata10(tagToken, "1")))
	f.Add(slices.Concat(header(1), metadata10("AWS_KINESISVIDEO_ERROR_ID", "4000")))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = split(bytes.NewReader(b), func(f *Fragment) error {
			if len(f.Header) == 0 || len(f.Media) == 0 || len(f.Raw) < len(f.Header) {
				t.Errorf("%d bytes of header, %d of media", len(f.Header), len(f.Media))
			}
			return nil
		})
	})
}
