package signin

import (
	"net/http"
	"time"
)

// The names of the session's cookie. Over TLS no other is read, so that nobody
// on the way of a request without TLS can set one.
const (
	cookieName       = "thingd-session"
	secureCookieName = "__Host-thingd-session"

	// maxCookie is the longest value that is looked up.
	maxCookie = 128
)

// token is what the session's cookie holds, empty without one.
func (x *exchange) token() string {
	c, err := x.r.Cookie(x.cookieName())
	if err != nil || len(c.Value) > maxCookie {
		return ""
	}
	return c.Value
}

func (x *exchange) cookieName() string {
	if x.r.TLS != nil {
		return secureCookieName
	}
	return cookieName
}

// setCookie has the browser keep a session until it ends.
func (x *exchange) setCookie(token string, expires time.Time) {
	http.SetCookie(x.w, &http.Cookie{
		Name: x.cookieName(), Value: token, Path: "/", Expires: expires.UTC(), MaxAge: max(int(expires.Sub(x.h.Now()).Seconds()), 1),
		HttpOnly: true, Secure: x.r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// dropCookie has the browser forget the session.
func (x *exchange) dropCookie() {
	http.SetCookie(x.w, &http.Cookie{
		Name: x.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: x.r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}
