package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The page of the console, all of whose screens are its fragments, and the
// folder of what it loads.
const (
	page   = "index.html"
	assets = "assets/"
)

// policy lets a page have what comes from here: no script, style or frame that
// somebody else put in runs, and nobody can lay a frame around it. Images and
// fonts may be in data: URLs (Cloudscape's are); what was made in the page
// itself, such as downloads and video, has blob: URLs. To connect to 'self' is to
// connect to ws: and wss: of this server too (CSP 3, 6.7.2.8).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; " +
	"connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"

// Handler serves the console. Make it with New; it is safe for concurrent use.
type Handler struct {
	files map[string]file // by path, without the first slash
	log   *slog.Logger
}

// file is one of the console's, compressed.
type file struct {
	gzip []byte
	kind string // media type
	tag  string // ETag
}

// New reads the files that were built in.
func New(log *slog.Logger) (*Handler, error) {
	built, err := fs.Sub(files, "dist")
	if err != nil {
		return nil, err
	}
	return open(built, log)
}

func open(built fs.FS, log *slog.Logger) (*Handler, error) {
	h := &Handler{files: map[string]file{}, log: log}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		plain, compressed := strings.CutSuffix(name, ".gz")
		if err != nil || d.IsDir() || !compressed {
			return err
		}
		b, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		h.files[plain] = file{b, kind(plain), `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the console's files: %w", err)
	}
	return h, nil
}

// kinds are the media types of what a build makes: the system's table is not to
// be relied upon.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".json": "application/json", ".wasm": "application/wasm",
}

func kind(name string) string {
	if k := kinds[path.Ext(name)]; k != "" {
		return k
	}
	if k := mime.TypeByExtension(path.Ext(name)); k != "" {
		return k
	}
	return "application/octet-stream"
}

// Built reports whether the console is in this binary.
func (h *Handler) Built() bool { return h.files[page].gzip != nil }

// Serves reports whether a path, as it came, is the console's: all others are
// the APIs'.
func Serves(path string) bool {
	return path == "/" || path == "/favicon.svg" || path == "/favicon.ico" || strings.HasPrefix(path, "/"+assets)
}

// ServeHTTP answers with a file. What a build names by its content may be kept
// for ever, the page may not.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if name == "" {
		name = page
	}
	f, ok := h.files[name]
	switch {
	case ok:
		h.send(w, r, name, &f)
	case name == page:
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", kinds[".html"])
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Method == http.MethodGet {
			_, _ = w.Write(placeholder) // the client is gone
		}
	default:
		// Of an older build, perhaps: nobody is to remember that it is not there.
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "Not Found", http.StatusNotFound)
	}
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, name string, f *file) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("Vary", "Accept-Encoding")
	head.Set("ETag", f.tag)
	if strings.HasPrefix(name, assets) {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Cache-Control", "no-cache")
	}
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := io.Reader(bytes.NewReader(f.gzip))
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		head.Set("Content-Encoding", "gzip")
		head.Set("Content-Length", strconv.Itoa(len(f.gzip)))
	} else {
		plain, err := gzip.NewReader(body)
		if err != nil {
			h.log.Error("read a file of the console", "file", name, "err", err)
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		body = plain
	}
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, body); err != nil {
		h.log.Debug("file of the console not sent", "file", name, "err", err)
	}
}

// acceptsGzip reads Accept-Encoding as far as that matters here.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding = strings.TrimSpace(coding); coding != "gzip" && coding != "*" {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
		return !ok || strings.Trim(q, "0.") != ""
	}
	return false
}

// secure sets the headers of every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
