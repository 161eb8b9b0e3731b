// Package signin is where people sign in: the HTTP side of passwords, of the
// sessions of the console, of the temporary credentials that these come to, and
// of AWS's federation endpoint. The console is a client of it like any other.
// Who may sign in, what a session is and when it ends, is for who keeps users;
// this package keeps browsers from being made to do what their users did not
// mean, and addresses from guessing at many users.
//
// # Requests
//
// What changes something is a POST of application/json with the header
// X-Thingd-Csrf (of any value), which no page of another site can send: there is
// no CORS here. Origin and Sec-Fetch-Site, where a browser sends them, have to
// be this server's own. Answers are JSON; a refusal is {"code", "message"}.
//
//	POST /signin              {"email" or "account" and "userName", "password"[, "mfaCode"][, "newPassword"]}
//	                          {"signedIn": true, …} as of /signin/session, with the cookie, or
//	                          {"signedIn": false, "needs": ["mfaCode", "newPassword"]}: again with these
//	GET  /signin/session      {"signedIn": false} or {"signedIn": true, "account", "arn", …}
//	POST /signin/credentials  {["durationSeconds"]}: {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"}
//	POST /signin/password     {"password", "newPassword"}: as of /signin/session, with a new cookie
//	POST /signin/signout      {}: {"signedIn": false}
//
//	GET, POST /federation     AWS's: Action=getSigninToken, login, logout
//	GET /console              the sign-in URL of an account: leads to /
//
// # Cookies
//
// The session's cookie is HttpOnly, SameSite=Strict and of the path /; over TLS
// it is Secure and its name has the prefix __Host-. Strict is no hindrance to
// federation: a browser keeps such a cookie from an answer to a link of another
// site, though it does not send it on along the redirect; the console's own
// requests, which follow, have it. What Strict does not hinder is that a link of
// another site signs a browser in as somebody else: see Handler.login.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

// Attempt is what somebody signs in with: as root by e-mail address, as an IAM
// user by account and name.
type Attempt struct {
	Email    string
	Account  string // id or alias
	UserName string

	Password    string
	NewPassword string // only where it was asked for
	MFACode     string // only where it was asked for
}

// Session is who is signed in. Of who tried to, it says what is known.
type Session struct {
	Account  string
	Alias    string
	Type     awsapi.PrincipalType
	ARN      string
	UserID   string
	UserName string // IAM users only
	MFA      bool
	Expires  time.Time

	PasswordChanged bool // by this attempt to sign in, whatever else came of it
}

// Started is a session that has begun: what its cookie is to hold, and whose it
// is. In a refusal the token is empty.
type Started struct {
	Token   string
	Session Session
}

// Credentials are temporary credentials.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// Passwords begins sessions by passwords. previous and token are what a cookie
// holds. Refusals are ErrRefused, *LockedError, *NeedsError, ErrBusy,
// ErrNotSignedIn, and *awsapi.Error for what a client is to read; with each the
// Started says who it was as far as that is known.
type Passwords interface {
	SignIn(ctx context.Context, req *awsapi.Request, a Attempt, previous string) (Started, error)
	ChangePassword(ctx context.Context, req *awsapi.Request, token, old, password string) (Started, error)
}

// Sessions answers for sessions in force. ErrNotSignedIn for others, but for
// SignOut.
type Sessions interface {
	Session(ctx context.Context, token string) (Session, error)
	Credentials(ctx context.Context, token string, d time.Duration) (Credentials, error)
	SignOut(ctx context.Context, token string) error
}

// Federation begins sessions by temporary credentials. Refusals are
// *awsapi.Error.
type Federation interface {
	// SignInToken makes a token for the credentials, good for 15 minutes. d is
	// how long the session is to last, 0 for as long as the credentials.
	SignInToken(ctx context.Context, c Credentials, d time.Duration) (string, error)
	// Whose says whom a token signs in.
	Whose(ctx context.Context, signInToken string) (Session, error)
	// SignInBy begins the session.
	SignInBy(ctx context.Context, signInToken, previous string) (Started, error)
}

// The refusals that this package tells apart.
var (
	ErrRefused     = errors.New("no such user, or not his password or code")
	ErrBusy        = errors.New("too many passwords are being checked")
	ErrNotSignedIn = errors.New("not signed in")
)

// LockedError refuses for some time, whatever the password.
type LockedError struct{ Wait time.Duration }

func (e *LockedError) Error() string { return "locked for " + e.Wait.String() }

// NeedsError asks for more than a password.
type NeedsError struct{ MFACode, NewPassword bool }

func (e *NeedsError) Error() string { return "more is needed than the password" }

// Handler serves /signin, /federation and /console. Set the exported fields
// before the first request; it is safe for concurrent use.
type Handler struct {
	Passwords  Passwords
	Sessions   Sessions
	Federation Federation
	Recorder   Recorder // nil: nothing is recorded
	Region     string
	Log        *slog.Logger
	Now        func() time.Time

	limiter limiter
}

// maxBody is the longest body of a request, in bytes.
const maxBody = 32 << 10

// ServeHTTP answers all requests of this package's paths, and others as not
// found.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	x := &exchange{h: h, w: w, r: r, req: request(h, r)}
	route, ok := routeOf(r.URL.EscapedPath())
	switch {
	case !ok:
		x.refuse(http.StatusNotFound, "NotFound", "Not Found")
	case r.Method == http.MethodGet && route.get != nil, r.Method == http.MethodHead && route.get != nil:
		route.get(x)
	case r.Method == http.MethodPost && route.form != nil:
		route.form(x)
	case r.Method == http.MethodPost && route.post != nil:
		if x.own() {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			route.post(x)
		}
	default:
		w.Header().Set("Allow", route.allow())
		x.refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "Method Not Allowed")
	}
}

// routeOf finds a path. post is for JSON of this site's own pages; what form
// does looks at that itself.
func routeOf(path string) (r route, ok bool) {
	switch path {
	case "/signin":
		r.post = (*exchange).signIn
	case "/signin/session":
		r.get = (*exchange).session
	case "/signin/credentials":
		r.post = (*exchange).credentials
	case "/signin/password":
		r.post = (*exchange).password
	case "/signin/signout":
		r.post = (*exchange).signOut
	case "/federation":
		r.get, r.form = (*exchange).federation, (*exchange).federation
	case "/console", "/console/":
		r.get = (*exchange).console
	default:
		return r, false
	}
	return r, true
}

type route struct{ get, post, form func(*exchange) }

func (r route) allow() string {
	switch {
	case r.get == nil:
		return "POST"
	case r.form == nil && r.post == nil:
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}

// serves reports whether a path, as it came, is one of this package's.
func serves(path string) bool {
	_, ok := routeOf(path)
	return ok
}
