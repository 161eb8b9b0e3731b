package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Guard keeps web pages of other sites from speaking to a server whose keys
// are public (--dev) or that asks for none (the ops address): it refuses
// requests that a browser marks as another site's, and requests under a host
// name that is not this server's, which is how DNS rebinding makes the two
// sites one. An address in place of a name cannot be rebound. Immutable.
type Guard struct{ names []string }

// NewGuard knows the server by names, in the form of certificates (*.example),
// and by all names below them.
func NewGuard(names []string) *Guard {
	g := &Guard{names: normalNames(append(slices.Clone(names), "localhost"))}
	for i, n := range g.names {
		g.names[i] = strings.TrimPrefix(n, "*.")
	}
	return g
}

// Wrap lets through what Refusal does not refuse.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := g.refusal(r); why != "" {
			answerJSON(w, http.StatusForbidden, "AccessDeniedException", why, uuid.NewString(), false)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal says why a request is refused, or nothing.
func (g *Guard) refusal(r *http.Request) string {
	if !g.knows(r.Host) {
		return fmt.Sprintf("Requests for the host name %q are refused here; start the server with --advertise to add a name.", r.Host)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "none", "same-origin":
	default:
		return "Requests from pages of other sites are refused here (Sec-Fetch-Site: " + site + ")."
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return fmt.Sprintf("Requests from pages of other sites are refused here (Origin: %.200q).", origin)
		}
	}
	return ""
}

// knows says whether a Host header means this server.
func (g *Guard) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	for _, n := range g.names {
		if name == n || strings.HasSuffix(name, "."+n) {
			return true
		}
	}
	return false
}
