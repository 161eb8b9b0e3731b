package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// OpsHandler is what the ops address answers. It asks nobody who they are: it
// listens on loopback unless told otherwise, where /debug/pprof and /reset
// still answer to this machine alone.
type OpsHandler struct {
	Gatherer prometheus.Gatherer
	Ready    func(context.Context) error // nil error: requests are served
	Reset    func(context.Context) error // POST /reset; nil: not there (only --dev has it)
	Guard    *Guard
	Log      *slog.Logger
}

// Handler answers the routes.
func (o *OpsHandler) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { line(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := o.Ready(r.Context()); err != nil {
			line(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		line(w, http.StatusOK, "ok")
	})
	if o.Reset != nil {
		mux.Handle("POST /reset", localOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := o.Reset(r.Context()); err != nil {
				o.Log.Error("reset", "error", err)
				line(w, http.StatusInternalServerError, "reset: "+err.Error())
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})))
	}
	for path, h := range map[string]http.HandlerFunc{
		"/debug/pprof/":        pprof.Index,
		"/debug/pprof/cmdline": pprof.Cmdline,
		"/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol":  pprof.Symbol,
		"/debug/pprof/trace":   pprof.Trace,
	} {
		mux.Handle(path, localOnly(h))
	}
	return o.Guard.Wrap(mux)
}

func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			line(w, http.StatusForbidden, "only from the machine itself")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func line(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
