package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestGuard(t *testing.T) {
	g := NewGuard([]string{"Things.Example.com", "10.0.0.7", "*.iot.us-east-1.amazonaws.com", "kinesisvideo.us-east-1.amazonaws.com"})
	for _, tt := range []struct {
		host   string
		header map[string]string
		ok     bool
	}{
		{"localhost:4566", nil, true},
		{"LOCALHOST", nil, true},
		{"localhost.", nil, true},
		{"s-1.localhost:4566", nil, true},
		{"127.0.0.1:9464", nil, true},
		{"[::1]:9464", nil, true},
		{"[::1]", nil, true},
		{"192.0.2.1", nil, true}, // an address cannot be rebound
		{"things.example.com:4566", nil, true},
		{"data.things.example.com", nil, true},
		{"abc-ats.iot.us-east-1.amazonaws.com", nil, true},
		{"iot.eu-west-1.amazonaws.com", nil, false},
		{"evil.example", nil, false},
		{"evil.example:4566", nil, false},
		{"localhost.evil.example", nil, false},
		{"notlocalhost", nil, false},
		{"xthings.example.com", nil, false},
		{"", nil, false},
		{"localhost:4566", map[string]string{"Origin": "http://localhost:4566"}, true},
		{"localhost:4566", map[string]string{"Origin": "http://localhost:3000"}, false},
		{"localhost:4566", map[string]string{"Origin": "https://evil.example"}, false},
		{"localhost:4566", map[string]string{"Origin": "null"}, false},
		{"localhost:4566", map[string]string{"Origin": ""}, false},
		{"localhost:4566", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"localhost:4566", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"localhost:4566", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"localhost:4566", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
	} {
		r := httptest.NewRequest("POST", "/reset", nil)
		r.Host = tt.host
		for k, v := range tt.header {
			r.Header.Set(k, v)
		}
		if why := g.refusal(r); (why == "") != tt.ok {
			t.Errorf("Host %q %v: %q, want it allowed: %v", tt.host, tt.header, why, tt.ok)
		}
	}
}

func TestOps(t *testing.T) {
	reg := prometheus.NewRegistry()
	var notReady error
	resets := 0
	o := &OpsHandler{Gatherer: reg, Ready: func(context.Context) error { return notReady }, Guard: NewGuard(nil), Log: testLog(t),
		Reset: func(context.Context) error { resets++; return nil }}
	s := start(t, &Server{OpsHandler: o.Handler(), Registerer: reg})
	c := clientOf(t, nil)
	for _, tt := range []struct {
		method, path string
		host, origin string
		status       int
		want         string
	}{
		{"GET", "/livez", "", "", 200, "ok\n"},
		{"GET", "/readyz", "", "", 200, "ok\n"},
		{"GET", "/metrics", "", "", 200, `thingd_connections_total{listener="ops"}`},
		{"GET", "/debug/pprof/cmdline", "", "", 200, ""},
		{"GET", "/debug/pprof/", "", "", 200, "goroutine"},
		{"POST", "/reset", "", "", 204, ""},
		{"GET", "/reset", "", "", 405, ""},
		{"POST", "/reset", "", "https://evil.example", 403, "other sites"},
		{"POST", "/reset", "evil.example", "", 403, "evil.example"},
		{"GET", "/metrics", "evil.example", "", 403, "evil.example"},
		{"GET", "/nothing", "", "", 404, ""},
	} {
		req, _ := http.NewRequest(tt.method, s.url("http", Ops, tt.path), nil)
		req.Host = tt.host
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(b), tt.want) {
			t.Errorf("%s %s from %q: %d %.200s, want %d %s", tt.method, tt.path, tt.origin, resp.StatusCode, b, tt.status, tt.want)
		}
	}
	if resets != 1 {
		t.Errorf("%d resets, want 1", resets)
	}
	notReady = errors.New("database: closed")
	if status, body := get(t, c, s.url("http", Ops, "/readyz")); status != 503 || body != "database: closed\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}

	// From other machines, what tells or changes too much is not there.
	for path, want := range map[string]int{"/debug/pprof/heap": 403, "/reset": 403, "/livez": 200} {
		method := "GET"
		if path == "/reset" {
			method = "POST"
		}
		r := httptest.NewRequest(method, path, nil)
		r.Host, r.RemoteAddr = "192.0.2.1:9464", "192.0.2.9:5555"
		w := httptest.NewRecorder()
		o.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s from another machine: %d, want %d", path, w.Code, want)
		}
	}
	o.Reset = nil
	r := httptest.NewRequest("POST", "http://localhost/reset", nil)
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	if w.Code != 404 {
		t.Errorf("/reset without --dev: %d, want 404", w.Code)
	}
}
