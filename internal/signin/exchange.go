package signin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/awsapi"
)

// csrfHeader has to be there, which makes a request one that pages of other
// sites cannot send without asking, and nobody answers them.
const csrfHeader = "X-Thingd-Csrf"

// exchange is a request and its answer.
type exchange struct {
	h   *Handler
	w   http.ResponseWriter
	r   *http.Request
	req *awsapi.Request
}

// secure sets the headers of every answer.
func secure(h http.Header) {
	for k, v := range map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	} {
		h.Set(k, v)
	}
}

// request is what is known of a request, for who decides and for the record.
func request(h *Handler, r *http.Request) *awsapi.Request {
	return &awsapi.Request{
		ID: uuid.NewString(), Caller: &awsapi.Caller{Type: awsapi.Anonymous}, Region: h.Region, SourceIP: address(r).String(),
		UserAgent: r.UserAgent(), TLS: r.TLS != nil, Time: h.Now(),
	}
}

// address is where a request comes from; of one that did not come over IP the
// zero address.
func address(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return a.Addr().WithZone("").Unmap()
}

// The kinds of places that a browser's request can come from.
type origin int

const (
	noBrowser origin = iota // it does not say, and is none that would
	sameSite                // a page of this server
	direct                  // the address bar, a bookmark, another program
	otherSite               // a page of another site, or of one that may be
)

// from finds where a request comes from. Browsers say so in Sec-Fetch-Site, but
// not to servers without TLS on other machines, and in Origin, but not for GET.
func (x *exchange) from() origin {
	h := x.r.Header
	switch site := h.Get("Sec-Fetch-Site"); {
	case len(h.Values("Origin")) > 1 || len(h.Values("Sec-Fetch-Site")) > 1:
		return otherSite
	case h.Get("Origin") != "" && !x.ownOrigin(h.Get("Origin")):
		return otherSite
	case site == "same-origin":
		return sameSite
	case site == "none":
		return direct
	case site != "":
		return otherSite
	case h.Get("Origin") != "":
		return sameSite
	case strings.HasPrefix(x.r.UserAgent(), "Mozilla/"):
		return otherSite // an old browser, or no TLS: it may be
	}
	return noBrowser
}

// ownOrigin reports whether an Origin is this server's. Behind a proxy that
// does TLS it is https where the request is not; the other way round it is that
// of a page that came without TLS, which anybody on the way may have written.
func (x *exchange) ownOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Host, x.r.Host) || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && x.r.TLS == nil
}

// own refuses what is not a request of this server's own pages, or of a program
// that is no browser, with a JSON body and the header against forgery.
func (x *exchange) own() bool {
	// A browser without Sec-Fetch-Site sends Origin with every POST.
	from := x.from()
	if from == otherSite && (x.r.Header.Get("Origin") != "" || x.r.Header.Get("Sec-Fetch-Site") != "") || from == direct {
		x.refuse(http.StatusForbidden, "CrossSiteRequest", "Requests from pages of other sites are refused here.")
		return false
	}
	if len(x.r.Header.Values(csrfHeader)) == 0 {
		x.refuse(http.StatusForbidden, "MissingHeader", "The header "+csrfHeader+" is missing.")
		return false
	}
	if t, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		x.refuse(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The Content-Type must be application/json.")
		return false
	}
	return true
}

// read decodes the body, one JSON object with known members.
func (x *exchange) read(v any) bool {
	dec := json.NewDecoder(x.r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return true
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		x.refuse(http.StatusRequestEntityTooLarge, "RequestTooLarge", "The body is too large.")
		return false
	}
	x.refuse(http.StatusBadRequest, "InvalidRequest", "The body is not the JSON object that is wanted here"+fault(err)+".")
	return false
}

// fault says which member of a body is wrong, if it is one.
func fault(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Sprintf(": %q cannot be a %s", wrong.Field, strings.TrimSpace(wrong.Value))
	}
	// encoding/json has no type for this one.
	if name, ok := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); ok && len(name) <= maxMember {
		return ": it has no member " + name
	}
	return ""
}

// maxMember is the longest name of a member that an error repeats, quoted.
const maxMember = 64

// named is a member of a body.
type named struct{ name, text string }

// text refuses texts that no user has: too long, or with control characters.
func (x *exchange) text(most int, texts ...named) bool {
	for _, t := range texts {
		if len(t.text) > most || strings.ContainsFunc(t.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			x.refuse(http.StatusBadRequest, "InvalidRequest", fmt.Sprintf("%q is too long or has control characters.", t.name))
			return false
		}
	}
	return true
}

// refusal is the body of all that is not granted.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (x *exchange) refuse(status int, code, message string) {
	x.answer(status, refusal{code, message})
}

// answer sends JSON.
func (x *exchange) answer(status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		x.h.Log.Error("encode answer", "err", err)
		x.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(b.Bytes()) // the client is gone
}

// fail answers an error: one text for all who are not let in, AWS's for what a
// client is to know, and nothing of what is our own fault.
func (x *exchange) fail(err error) {
	if locked, ok := errors.AsType[*LockedError](err); ok {
		x.locked(locked.Wait)
		return
	}
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		x.refuse(e.Status, e.Code, e.Message)
		return
	}
	switch {
	case errors.Is(err, ErrRefused):
		x.refuse(http.StatusUnauthorized, "SignInRefused", "Your authentication information is incorrect. Please try again.")
	case errors.Is(err, ErrNotSignedIn):
		x.refuse(http.StatusUnauthorized, "NotSignedIn", "You are not signed in, or your session has ended.")
	case errors.Is(err, ErrBusy):
		x.w.Header().Set("Retry-After", "5")
		x.refuse(http.StatusServiceUnavailable, "Busy", "Too many people are signing in. Please try again.")
	case x.r.Context().Err() != nil:
		x.h.Log.Debug("sign-in request given up", "request", x.req.ID, "err", err)
	default:
		x.h.Log.Error("sign-in request failed", "request", x.req.ID, "path", x.r.URL.Path, "err", err)
		x.refuse(http.StatusInternalServerError, "InternalFailure", "The request failed because of an error of the server.")
	}
}

func (x *exchange) locked(wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	x.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	x.refuse(http.StatusTooManyRequests, "TooManyAttempts", "There were too many failed attempts. Please wait "+waiting(seconds)+" before you try again.")
}

// waiting is a time to wait in words: exact up to two minutes, then rounded up.
func waiting(seconds int) string {
	switch {
	case seconds == 1:
		return "1 second"
	case seconds <= 120:
		return strconv.Itoa(seconds) + " seconds"
	}
	return strconv.Itoa((seconds+59)/60) + " minutes"
}
