package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func zipped(t *testing.T, text string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func built(t *testing.T) *Handler {
	t.Helper()
	h, err := open(fstest.MapFS{
		".gitignore":           {Data: []byte("*")},
		"index.html.gz":        zipped(t, "<!DOCTYPE html>"),
		"favicon.svg.gz":       zipped(t, "<svg/>"),
		"assets/index-1.js.gz": zipped(t, "import"),
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFiles(t *testing.T) {
	h := built(t)
	if !h.Built() {
		t.Fatal("not built")
	}
	for _, tt := range []struct {
		method, path, accept string
		status               int
		kind, cache, body    string
	}{
		{"GET", "/", "", 200, "text/html; charset=utf-8", "no-cache", "<!DOCTYPE html>"},
		{"GET", "/?account=my-things", "", 200, "text/html; charset=utf-8", "no-cache", "<!DOCTYPE html>"},
		{"GET", "/", "br, gzip;q=0", 200, "text/html; charset=utf-8", "no-cache", "<!DOCTYPE html>"},
		{"HEAD", "/", "", 200, "text/html; charset=utf-8", "no-cache", ""},
		{"GET", "/favicon.svg", "", 200, "image/svg+xml", "no-cache", "<svg/>"},
		{"GET", "/assets/index-1.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "import"},
		{"GET", "/assets/index-2.js", "", 404, "text/plain; charset=utf-8", "no-store", "Not Found\n"},
		{"GET", "/assets/../index.html", "", 404, "text/plain; charset=utf-8", "no-store", "Not Found\n"},
		{"GET", "/favicon.ico", "", 404, "text/plain; charset=utf-8", "no-store", "Not Found\n"},
		{"GET", "/.gitignore", "", 404, "text/plain; charset=utf-8", "no-store", "Not Found\n"},
		{"POST", "/", "", 405, "text/plain; charset=utf-8", "", "Method Not Allowed\n"},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		head := w.Result().Header
		if w.Code != tt.status || head.Get("Content-Type") != tt.kind || head.Get("Cache-Control") != tt.cache || w.Body.String() != tt.body || head.Get("Content-Encoding") != "" {
			t.Errorf("%s %s: %d %q %q %q", tt.method, tt.path, w.Code, head.Get("Content-Type"), head.Get("Cache-Control"), w.Body)
		}
		secured(t, tt.path, head)
	}
}

// secured holds an answer to the headers that all have.
func secured(t *testing.T, path string, h http.Header) {
	t.Helper()
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s: Content-Security-Policy %q lacks %q", path, csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("%s: Content-Security-Policy %q", path, csp)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s: headers %v", path, h)
	}
}

func TestCompressed(t *testing.T) {
	h := built(t)
	for accept, want := range map[string]bool{"gzip": true, "gzip, deflate, br, zstd": true, "br;q=1.0, gzip;q=0.8": true, "*": true, "": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false} {
		r := httptest.NewRequest("GET", "/assets/index-1.js", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed %v", accept, got)
		}
	}
}

func TestNotModified(t *testing.T) {
	h := built(t)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	secured(t, "/", w.Header())
}

// A binary without the console says so.
func TestPlaceholder(t *testing.T) {
	h, err := open(fstest.MapFS{".gitignore": {Data: []byte("*")}}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if h.Built() || w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "The console is not in this thingd") {
		t.Errorf("%v %d %s", h.Built(), w.Code, w.Body)
	}
	secured(t, "/", w.Header())
}

// The console's paths are no operation's.
func TestServes(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/assets/a.js": true, "/favicon.svg": true, "/favicon.ico": true,
		"/assets": false, "/things": false, "/things/x": false, "/index.html": false, "/signin": false, "//": false, "": false, "/describeStream": false,
	} {
		if Serves(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}
