package app

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/config"
)

// A browser that is signed in has a cookie, and the cookie reads nothing: under
// the console's paths are files, the same for all, and what the APIs know they
// answer to signed requests alone.
func TestConsoleWithoutSignature(t *testing.T) {
	g := newRig(t)
	get := func(method, path, body string, cookie *http.Cookie) *http.Response {
		r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if strings.HasPrefix(path, "/signin") && method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Thingd-Csrf", "1")
		} else if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		g.app.server.Handler.ServeHTTP(w, r)
		return w.Result()
	}
	signed := get("POST", "/signin", `{"email":"`+config.DefaultRootEmail+`","password":"`+config.DevRootPassword+`"}`, nil)
	if signed.StatusCode != http.StatusOK || len(signed.Cookies()) != 1 {
		t.Fatal(signed.Status, signed.Cookies())
	}
	cookie := signed.Cookies()[0]

	for _, path := range []string{"/", "/?account=x", "/favicon.svg", "/favicon.ico", "/assets/", "/assets/x.js", "/assets/../things"} {
		without, with := get("GET", path, "", nil), get("GET", path, "", cookie)
		a, _ := io.ReadAll(without.Body)
		b, _ := io.ReadAll(with.Body)
		if without.StatusCode != with.StatusCode || !bytes.Equal(a, b) {
			t.Errorf("%s: %d %d", path, without.StatusCode, with.StatusCode)
		}
		if csp := with.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe-inline") {
			t.Errorf("%s: %q", path, csp)
		}
		if len(with.Cookies()) != 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/?Action=ListUsers&Version=2010-05-08", ""},
		{"POST", "/", "Action=ListUsers&Version=2010-05-08"},
		{"POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"},
		{"GET", "/things", ""},
		{"GET", "/policies", ""},
		{"GET", "/certificates", ""},
		{"GET", "/endpoint", ""},
		{"POST", "/listStreams", "{}"},
		{"POST", "/listFragments", `{"StreamName":"x"}`},
		{"POST", "/getMediaForFragmentList", `{"StreamName":"x","Fragments":["1"]}`},
		{"POST", "/getMedia", `{"StreamName":"x"}`},
		{"GET", "/things/x/shadow", ""},
		{"GET", "/retainedMessage", ""},
		{"POST", "/topics/x", "{}"},
		{"GET", "/things/x/connectivity-data", ""},
		{"GET", "/mqtt", ""},
		{"GET", "/thingd/accounts", ""},
		{"GET", "/thingd/refusals", ""},
		{"POST", "/assets/x.js", ""},
		{"GET", "/index.html", ""},
	} {
		if a := get(tt.method, tt.path, tt.body, cookie); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s %s: %s", tt.method, tt.path, tt.body, a.Status)
		}
	}

	// MQTT over WebSocket from the console's own page, with the cookie.
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/mqtt", nil)
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "mqtt",
		"Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin",
	} {
		r.Header.Set(k, v)
	}
	r.AddCookie(cookie)
	w := httptest.NewRecorder()
	g.app.server.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Missing Authentication Token") {
		t.Errorf("/mqtt with a cookie: %d %s", w.Code, w.Body)
	}
}
