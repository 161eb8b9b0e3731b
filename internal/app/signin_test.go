package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/seal"
	"github.com/thingd/thingd/internal/server"
	"github.com/thingd/thingd/internal/signin"
)

const (
	signInRefused = `{"code":"SignInRefused","message":"Your authentication information is incorrect. Please try again."}`
	crossSite     = `{"code":"CrossSiteRequest","message":"Requests from pages of other sites are refused here."}`
)

// signInRig is the sign-in endpoints and the APIs behind the router, with one
// account, a browser's cookies and a clock that tests turn.
type signInRig struct {
	t       *testing.T
	users   *identity.Service
	handler http.Handler
	clock   atomic.Int64
	tls     bool
	address string
	cookies map[string]*http.Cookie

	mu     sync.Mutex
	events []signin.Event
}

func newSignInRig(t *testing.T, d *db.DB) *signInRig {
	t.Helper()
	box, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	g := &signInRig{t: t, address: "192.0.2.1:1234", cookies: map[string]*http.Cookie{}}
	g.clock.Store(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC).UnixMilli())
	now := func() time.Time { return time.UnixMilli(g.clock.Load()) }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	g.users = &identity.Service{DB: d, Seal: box, Region: "us-east-1", Log: log, Now: now}
	_, _, err = g.users.Bootstrap(t.Context(), identity.BootstrapOptions{
		AccountID: config.DevAccountID, AccessKeyID: config.DevAccessKeyID, Secret: config.DevSecretAccessKey,
		Email: "root@localhost", Password: config.DevRootPassword, PasswordHash: config.DevRootPasswordHash,
	})
	if err != nil {
		t.Fatal(err)
	}
	gateway := &awsapi.Gateway{Identity: g.users, Log: log, Now: now}
	who := signIns{g.users}
	g.handler = &server.Router{
		Services: gateway.Handlers([]*awsapi.API{iam.Service.Bind(g.users), sts.Service.Bind(g.users)}),
		SignIn:   &signin.Handler{Passwords: who, Sessions: who, Federation: who, Recorder: g, Region: "us-east-1", Log: log, Now: now},
	}
	return g
}

func (g *signInRig) Record(e signin.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, e)
}

// took returns what was recorded since it was last called, one word each.
func (g *signInRig) took() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, e := range g.events {
		text := e.Name + " " + e.Who.ARN
		if e.Error != "" {
			text += ": " + e.Error
		}
		all = append(all, text)
	}
	g.events = nil
	return strings.Join(all, "; ")
}

func (g *signInRig) advance(d time.Duration) { g.clock.Add(d.Milliseconds()) }

// send sends a request and keeps its cookies.
func (g *signInRig) send(r *http.Request) *httptest.ResponseRecorder {
	r.RemoteAddr = g.address
	for _, c := range g.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(g.cookies, c.Name)
		} else {
			g.cookies[c.Name] = c
		}
	}
	return w
}

func (g *signInRig) request(method, path, body string) *http.Request {
	scheme := "http://"
	if g.tls {
		scheme = "https://"
	}
	return httptest.NewRequest(method, scheme+"things.example:4566"+path, strings.NewReader(body))
}

// post sends what the console would.
func (g *signInRig) post(path, body string) (int, string) {
	r := g.request(http.MethodPost, path, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Thingd-Csrf", "1")
	w := g.send(r)
	return w.Code, strings.TrimSuffix(w.Body.String(), "\n")
}

func (g *signInRig) get(path string) *httptest.ResponseRecorder {
	return g.send(g.request(http.MethodGet, path, ""))
}

func (g *signInRig) signedIn() string {
	g.t.Helper()
	var s struct {
		SignedIn bool
		ARN      string
	}
	if err := json.Unmarshal(g.get("/signin/session").Body.Bytes(), &s); err != nil {
		g.t.Fatal(err)
	}
	if s.SignedIn != (s.ARN != "") {
		g.t.Errorf("signed in: %+v", s)
	}
	return s.ARN
}

func (g *signInRig) want(status int, body string) func(int, string) {
	g.t.Helper()
	return func(gotStatus int, got string) {
		g.t.Helper()
		if gotStatus != status || !strings.Contains(got, body) {
			g.t.Errorf("got %d %s\nwant %d %s", gotStatus, got, status, body)
		}
	}
}

const (
	rootSignIn = `{"email":"root@localhost","password":"` + config.DevRootPassword + `"}`
	rootUser   = "arn:aws:iam::123456789012:root"
)

// call calls an API with credentials.
func (g *signInRig) call(c sigv4.Credentials, service, form string) (int, string) {
	g.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://things.example:4566/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := sigv4.Sign(r, []byte(form), c, "us-east-1", service, time.UnixMilli(g.clock.Load())); err != nil {
		g.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (g *signInRig) root() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: config.DevAccessKeyID, SecretAccessKey: config.DevSecretAccessKey}
}

// credentials of the session in the cookie.
func (g *signInRig) credentials() (c sigv4.Credentials) {
	g.t.Helper()
	status, body := g.post("/signin/credentials", `{}`)
	var out struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK || !strings.HasPrefix(out.AccessKeyID, "ASIA") {
		g.t.Fatalf("credentials: %d %s", status, body)
	}
	return sigv4.Credentials{AccessKeyID: out.AccessKeyID, SecretAccessKey: out.SecretAccessKey, SessionToken: out.SessionToken}
}

func eachSignIn(t *testing.T, fn func(t *testing.T, g *signInRig)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newSignInRig(t, d)) })
}

func TestSignInOverHTTP(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		if g.signedIn() != "" {
			t.Error("signed in from the start")
		}
		g.want(401, "NotSignedIn")(g.post("/signin/credentials", `{}`))
		g.want(401, "NotSignedIn")(g.post("/signin/password", `{"password":"x","newPassword":"y"}`))
		g.want(200, `{"signedIn":true,"type":"Root","account":"123456789012","arn":"`+rootUser+`","userId":"123456789012","mfa":false,"region":"us-east-1","expiration":"2026-01-16T00:00:00Z"}`)(
			g.post("/signin", rootSignIn))
		if got := g.took(); got != "ConsoleLogin "+rootUser {
			t.Errorf("recorded %s", got)
		}
		if g.signedIn() != rootUser {
			t.Error("not signed in")
		}
		// The credentials are root's, IAM included, for as long as the session.
		c := g.credentials()
		g.want(200, rootUser)(g.call(c, "sts", "Action=GetCallerIdentity&Version=2011-06-15"))
		g.want(200, "ListUsersResponse")(g.call(c, "iam", "Action=ListUsers&Version=2010-05-08"))
		g.want(403, "session credentials")(g.call(c, "sts", "Action=GetSessionToken&Version=2011-06-15"))

		// Users sign in with what IAM gave them.
		for _, form := range []string{
			"Action=CreateUser&UserName=MyIoTUser",
			"Action=CreateLoginProfile&UserName=MyIoTUser&Password=MyIoT-Passw0rd",
			"Action=CreateAccountAlias&AccountAlias=my-things",
		} {
			g.want(200, "")(g.call(c, "iam", form+"&Version=2010-05-08"))
		}
		old := *g.cookies["thingd-session"]
		g.want(200, `"type":"IAMUser","account":"123456789012","alias":"my-things","arn":"arn:aws:iam::123456789012:user/MyIoTUser"`)(
			g.post("/signin", `{"account":"my-things","userName":"MyIoTUser","password":"MyIoT-Passw0rd"}`))
		if g.cookies["thingd-session"].Value == old.Value {
			t.Error("the cookie did not change")
		}
		g.want(403, "InvalidClientTokenId")(g.call(c, "sts", "Action=GetCallerIdentity&Version=2011-06-15")) // root is signed out
		user := g.credentials()
		g.want(200, "user/MyIoTUser")(g.call(user, "sts", "Action=GetCallerIdentity&Version=2011-06-15"))
		g.want(403, "AccessDenied")(g.call(user, "iam", "Action=ListUsers&Version=2010-05-08"))
		_, body := g.call(g.root(), "iam", "Action=GetUser&UserName=MyIoTUser&Version=2010-05-08")
		if !strings.Contains(body, "<PasswordLastUsed>2026-01-15T12:00:00Z</PasswordLastUsed>") {
			t.Logf("GetUser does not say when the password was last used: %s", body)
		}

		g.want(400, "durationSeconds")(g.post("/signin/credentials", `{"durationSeconds":7200}`))
		g.want(200, "2026-01-15T13:00:00Z")(g.post("/signin/credentials", `{"durationSeconds":3600}`))
		g.want(200, `{"signedIn":false}`)(g.post("/signin/signout", `{}`))
		if g.signedIn() != "" || len(g.cookies) != 0 {
			t.Errorf("still signed in, cookies %v", g.cookies)
		}
		g.want(403, "InvalidClientTokenId")(g.call(user, "sts", "Action=GetCallerIdentity&Version=2011-06-15"))

		// What was signed out does not come back.
		g.cookies[old.Name] = &old
		if g.signedIn() != "" {
			t.Error("an old cookie is good")
		}
	})
}

// Everybody who is not let in reads the same, to the byte.
func TestSignInAnswers(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		g.call(g.root(), "iam", "Action=CreateUser&UserName=alice&Version=2010-05-08")
		g.call(g.root(), "iam", "Action=CreateUser&UserName=nologin&Version=2010-05-08")
		g.want(200, "")(g.call(g.root(), "iam", "Action=CreateLoginProfile&UserName=alice&Password=alice-Passw0rd&Version=2010-05-08"))
		attempts := map[string]string{ // what is recorded
			`{"email":"root@localhost","password":"wrong"}`:                                     rootUser + ": Failed authentication",
			`{"email":"nobody@localhost","password":"` + config.DevRootPassword + `"}`:          ": No username found in supplied account",
			`{"account":"123456789012","userName":"alice","password":"wrong"}`:                  "arn:aws:iam::123456789012:user/alice: Failed authentication",
			`{"account":"123456789012","userName":"alice","password":""}`:                       "arn:aws:iam::123456789012:user/alice: Failed authentication",
			`{"account":"123456789012","userName":"bob","password":"alice-Passw0rd"}`:           ": No username found in supplied account",
			`{"account":"123456789012","userName":"nologin","password":"alice-Passw0rd"}`:       ": No username found in supplied account",
			`{"account":"999999999999","userName":"alice","password":"alice-Passw0rd"}`:         ": No username found in supplied account",
			`{"account":"no-alias","userName":"alice","password":"x","mfaCode":"123456"}`:       ": No username found in supplied account",
			`{"account":"no-alias","userName":"alice","password":"x","newPassword":"Passw0rd"}`: ": No username found in supplied account",
		}
		var header, lockedHeader http.Header
		for body, recorded := range attempts {
			for n := range 6 {
				r := g.request(http.MethodPost, "/signin", body)
				r.Header.Set("Content-Type", "application/json; charset=utf-8")
				r.Header.Set("X-Thingd-Csrf", "")
				w := g.send(r)
				got := strings.TrimSpace(w.Body.String())
				want, status, h := signInRefused, 401, &header
				if n == 5 {
					want, status, h = `{"code":"TooManyAttempts","message":"There were too many failed attempts. Please wait `+w.Header().Get("Retry-After")+` seconds before you try again."}`, 429, &lockedHeader
				}
				if got != want || w.Code != status {
					t.Errorf("%s: %d %s", body, w.Code, got)
				}
				if *h == nil {
					*h = w.Header()
				} else if a, b := dump(*h), dump(w.Header()); a != b {
					t.Errorf("%s: headers\n%s\nand\n%s", body, a, b)
				}
				if n == 0 {
					if got := g.took(); got != "ConsoleLogin "+recorded {
						t.Errorf("%s: recorded %s", body, got)
					}
				}
			}
			g.advance(time.Hour) // all is forgotten
			g.took()
		}
		if len(g.cookies) != 0 {
			t.Errorf("cookies %v", g.cookies)
		}
	})
}

func dump(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}

// What no page of this server would send is not looked at.
func TestForgedRequests(t *testing.T) {
	g := newSignInRig(t, dbtest.SQLite(t))
	g.want(200, rootUser)(g.post("/signin", rootSignIn))
	for _, path := range []string{"/signin", "/signin/credentials", "/signin/password", "/signin/signout"} {
		for _, tt := range []struct {
			name   string
			change func(r *http.Request)
			status int
		}{
			{"no header", func(r *http.Request) { r.Header.Del("X-Thingd-Csrf") }, 403},
			{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415},
			{"plain text", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
			{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
			{"another origin", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
			{"another port", func(r *http.Request) { r.Header.Set("Origin", "http://things.example:3000") }, 403},
			{"no origin", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
			{"another site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
			{"the same site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
			{"the address bar", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, 403},
			{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405},
			{"PUT", func(r *http.Request) { r.Method = http.MethodPut }, 405},
			{"OPTIONS", func(r *http.Request) {
				r.Method = http.MethodOptions
				r.Header.Set("Origin", "http://things.example:3000")
				r.Header.Set("Access-Control-Request-Method", "POST")
			}, 405},
			{"too much", func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(`{"password":"` + strings.Repeat("x", 64<<10) + `"}`))
			}, 413},
			{"no JSON", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("email=x")) }, 400},
			{"two values", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{} {}`)) }, 400},
			{"another member", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"admin":true}`)) }, 400},
		} {
			if tt.name == "too much" && path == "/signin/signout" {
				continue // it has no such member, and refuses it as such
			}
			r := g.request(http.MethodPost, path, `{}`)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Thingd-Csrf", "1")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			tt.change(r)
			w := g.send(r)
			if w.Code != tt.status || w.Header().Get("Access-Control-Allow-Origin") != "" || g.signedIn() == "" {
				t.Errorf("%s, %s: %d %s, still signed in: %v", path, tt.name, w.Code, w.Body, g.signedIn() != "")
			}
		}
	}
	for _, body := range []string{
		`{}`, `{"email":"a@b","account":"123456789012","userName":"x","password":"p"}`, `{"email":"a@b","userName":"x","password":"p"}`,
		`{"account":"123456789012","password":"p"}`, `{"userName":"x","password":"p"}`,
		`{"email":"` + strings.Repeat("x", 400) + `","password":"p"}`, `{"email":"a@b","password":"` + strings.Repeat("x", 600) + `"}`,
		`{"account":"a\u0000","userName":"x","password":"p"}`, `{"account":"a","userName":"x\n","password":"p"}`,
	} {
		g.want(400, "InvalidRequest")(g.post("/signin", body))
	}
	for path, status := range map[string]int{"/signin/": 404, "/signin/x": 404, "/signin/session/": 404, "/federation/x": 403, "/Signin": 403} {
		if w := g.get(path); w.Code != status {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestCookies(t *testing.T) {
	g := newSignInRig(t, dbtest.SQLite(t))
	for _, tls := range []bool{false, true} {
		g.tls = tls
		name := "thingd-session"
		if tls {
			name = "__Host-thingd-session"
		}
		r := g.request(http.MethodPost, "/signin", rootSignIn)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Thingd-Csrf", "1")
		w := g.send(r)
		c := g.cookies[name]
		if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != tls || c.Path != "/" || c.Domain != "" || c.MaxAge != 12*3600 || len(c.Value) < 43 {
			t.Fatalf("cookie %+v", c)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		good := c.Value
		for _, bad := range []string{"", "x", good + "A", good[1:], strings.ToLower(good), strings.Repeat("A", 4096), "A" + good[1:len(good)-1] + "A"} {
			if bad == good {
				continue
			}
			c.Value = bad
			if g.signedIn() != "" {
				t.Errorf("the cookie %.60q is good", bad)
			}
		}
		c.Value = good
		if g.signedIn() != rootUser {
			t.Error("the cookie is not good any more")
		}
	}
	// A cookie that was set without TLS counts for nothing with it.
	delete(g.cookies, "__Host-thingd-session")
	if g.signedIn() != "" {
		t.Error("signed in over TLS by a cookie of plain HTTP")
	}
}

func TestSpraying(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		try := func(user string) int {
			status, _ := g.post("/signin", `{"account":"123456789012","userName":"`+user+`","password":"Winter-2026"}`)
			return status
		}
		refused := 0
		for i := range 61 {
			if try("u"+strings.Repeat("x", i)) == 401 {
				refused++
			}
		}
		if refused != 60 {
			t.Errorf("%d of 61 users could be tried", refused)
		}
		g.want(429, "TooManyAttempts")(g.post("/signin", rootSignIn))
		g.address = "192.0.2.2:1"
		for range 70 { // success does not count
			if status, _ := g.post("/signin", rootSignIn); status != 200 {
				t.Fatalf("another address: %d", status)
			}
		}
		g.address = "192.0.2.1:4"
		g.advance(10 * time.Second)
		g.want(200, rootUser)(g.post("/signin", rootSignIn))
	})
}

// federationURL is what a broker does (IAM User Guide, "Enabling custom
// identity broker access to the AWS console").
func (g *signInRig) signinToken(session, extra string) (int, string) {
	w := g.get("/federation?Action=getSigninToken&Session=" + url.QueryEscape(session) + extra)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func (g *signInRig) session(name string) string {
	g.t.Helper()
	status, body := g.call(g.broker(), "sts", "Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/Viewer&RoleSessionName="+name+"&Version=2011-06-15")
	if status != 200 {
		g.t.Fatalf("assume role: %s", body)
	}
	return `{"sessionId":"` + element(body, "AccessKeyId") + `","sessionKey":"` + element(body, "SecretAccessKey") + `","sessionToken":"` + element(body, "SessionToken") + `"}`
}

func element(body, name string) string {
	_, rest, _ := strings.Cut(body, "<"+name+">")
	text, _, _ := strings.Cut(rest, "</")
	return text
}

// broker makes, at the first call, a role and a user who may assume it.
func (g *signInRig) broker() sigv4.Credentials {
	g.t.Helper()
	trust := url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}`)
	allow := url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	for _, form := range []string{
		"Action=CreateRole&RoleName=Viewer&AssumeRolePolicyDocument=" + trust,
		"Action=CreateUser&UserName=broker",
		"Action=PutUserPolicy&UserName=broker&PolicyName=p&PolicyDocument=" + allow,
	} {
		if status, body := g.call(g.root(), "iam", form+"&Version=2010-05-08"); status != 200 && status != 409 {
			g.t.Fatalf("%s: %s", form, body)
		}
	}
	_, body := g.call(g.root(), "iam", "Action=CreateAccessKey&UserName=broker&Version=2010-05-08")
	return sigv4.Credentials{AccessKeyID: element(body, "AccessKeyId"), SecretAccessKey: element(body, "SecretAccessKey")}
}

func TestFederationEndpoint(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		session := g.session("eve")
		const eve = "arn:aws:sts::123456789012:assumed-role/Viewer/eve"
		token := func(extra string) string {
			t.Helper()
			status, body := g.signinToken(session, extra)
			var out struct{ SigninToken string }
			if err := json.Unmarshal([]byte(body), &out); err != nil || status != 200 || out.SigninToken == "" {
				t.Fatalf("%d %s", status, body)
			}
			return out.SigninToken
		}
		for _, tt := range []struct{ session, extra, want string }{
			{"", "", "Session must be JSON"},
			{"{", "", "Session must be JSON"},
			{`{"sessionId":"x"}`, "", "Session must be JSON"},
			{strings.Replace(session, `"sessionKey":"`, `"sessionKey":"x`, 1), "", "are not valid"},
			{strings.Replace(session, `"sessionId":"ASIA`, `"sessionId":"ASIB`, 1), "", "are not valid"},
			{strings.Replace(session, `"sessionToken":"`, `"sessionToken":"x`, 1), "", "are not valid"},
			{session, "&SessionDuration=899", "between 900 and 43200"},
			{session, "&SessionDuration=43201", "between 900 and 43200"},
			{session, "&SessionDuration=1h", "between 900 and 43200"},
			{session, "&SessionDuration=-1", "between 900 and 43200"},
		} {
			g.want(400, tt.want)(g.signinToken(tt.session, tt.extra))
		}
		g.took()
		plain, long := token(""), token("&SessionDuration=43200")
		if got := g.took(); got != "GetSigninToken "+eve+"; GetSigninToken "+eve {
			t.Errorf("recorded %s", got)
		}
		login := func(token, destination string, head map[string]string) *httptest.ResponseRecorder {
			r := g.request(http.MethodGet, "/federation?Action=login&Issuer=https%3A%2F%2Fexample.com&Destination="+url.QueryEscape(destination)+"&SigninToken="+url.QueryEscape(token), "")
			for k, v := range head {
				r.Header.Set(k, v)
			}
			return g.send(r)
		}
		w := login(plain, "https://console.aws.amazon.com/", nil)
		if w.Code != 302 || w.Header().Get("Location") != "/" || g.signedIn() != eve || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d to %q as %s", w.Code, w.Header().Get("Location"), g.signedIn())
		}
		if got := g.cookies["thingd-session"].MaxAge; got != 3600 {
			t.Errorf("the cookie lasts %d s", got)
		}
		w = login(long, "/things?x#y", nil)
		if w.Code != 302 || w.Header().Get("Location") != "/things?x#y" || g.cookies["thingd-session"].MaxAge != 43200 {
			t.Errorf("%d to %q, %+v", w.Code, w.Header().Get("Location"), g.cookies)
		}
		g.want(200, eve)(g.call(g.credentials(), "sts", "Action=GetCallerIdentity&Version=2011-06-15"))
		g.want(400, "InvalidUserType")(g.post("/signin/password", `{"password":"x","newPassword":"y"}`))
		if w := g.get("/federation?Action=logout"); w.Code != 302 || w.Header().Get("Location") != "/" || g.signedIn() != "" {
			t.Errorf("logout: %d, signed in: %s", w.Code, g.signedIn())
		}

		for _, tt := range []struct{ token, destination, want string }{
			{plain, "https://evil.example/", "Destination"},
			{plain, "//evil.example/", "Destination"},
			{"", "/", "SigninToken is missing"},
			{"x", "/", "not valid or has expired"},
			{long[:len(long)-2], "/", "not valid or has expired"},
		} {
			w := login(tt.token, tt.destination, nil)
			if w.Code != 400 || !strings.Contains(w.Body.String(), tt.want) || w.Header().Get("Location") != "" || g.signedIn() != "" {
				t.Errorf("%.8s to %s: %d %s", tt.token, tt.destination, w.Code, w.Body)
			}
		}
		if w := g.send(g.request(http.MethodHead, "/federation?Action=login&SigninToken="+plain, "")); w.Code != 405 || len(g.cookies) != 0 {
			t.Errorf("HEAD: %d %v", w.Code, g.cookies)
		}
		if w := g.get("/federation?Action=x"); w.Code != 400 {
			t.Errorf("another action: %d", w.Code)
		}
		g.advance(15 * time.Minute)
		if w := login(long, "/", nil); w.Code != 400 || len(g.cookies) != 0 {
			t.Errorf("after 15 minutes: %d %s", w.Code, w.Body)
		}
	})
}

// A login link of another site's signs nobody in who does not say so.
func TestForgedLogin(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		_, body := g.signinToken(g.session("mallory"), "")
		var out struct{ SigninToken string }
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(body)
		}
		const mallory = "arn:aws:sts::123456789012:assumed-role/Viewer/mallory"
		query := "Action=login&Destination=%2F%22%3E&SigninToken=" + out.SigninToken
		get := func(head map[string]string) *httptest.ResponseRecorder {
			r := g.request(http.MethodGet, "/federation?"+query, "")
			for k, v := range head {
				r.Header.Set(k, v)
			}
			return g.send(r)
		}
		post := func(head map[string]string) *httptest.ResponseRecorder {
			r := g.request(http.MethodPost, "/federation", query)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range head {
				r.Header.Set(k, v)
			}
			return g.send(r)
		}
		for _, head := range []map[string]string{
			{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"User-Agent": "Mozilla/5.0"},
			{"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
			{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
		} {
			for _, w := range []*httptest.ResponseRecorder{get(head), post(head)} {
				if w.Code != 200 || len(g.cookies) != 0 || !strings.Contains(w.Body.String(), mallory) || !strings.Contains(w.Body.String(), `method="post"`) {
					t.Errorf("%v: %d %v %s", head, w.Code, g.cookies, w.Body)
				}
				if strings.Contains(w.Body.String(), `/">`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
					t.Errorf("the page is not safe: %s", w.Body)
				}
			}
		}
		// The page's own button does, and so does who opened the link himself.
		for _, w := range []func() *httptest.ResponseRecorder{
			func() *httptest.ResponseRecorder {
				return post(map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://things.example:4566"})
			},
			func() *httptest.ResponseRecorder {
				return post(map[string]string{"User-Agent": "Mozilla/5.0", "Origin": "http://things.example:4566"})
			},
			func() *httptest.ResponseRecorder { return get(map[string]string{"Sec-Fetch-Site": "none"}) },
			func() *httptest.ResponseRecorder { return get(nil) },
		} {
			if w := w(); w.Code != 302 || g.signedIn() != mallory {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			clear(g.cookies)
		}
		// Who is signed in as somebody else is asked in any case.
		g.want(200, rootUser)(g.post("/signin", rootSignIn))
		for _, site := range []string{"none", "same-origin"} {
			if w := get(map[string]string{"Sec-Fetch-Site": site}); w.Code != 200 || !strings.Contains(w.Body.String(), rootUser) || g.signedIn() != rootUser {
				t.Errorf("%s: %d %s", site, w.Code, w.Body)
			}
		}
		// Nor does a page of another site sign anybody out.
		r := g.request(http.MethodGet, "/federation?Action=logout", "")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if w := g.send(r); w.Code != 403 || !strings.Contains(w.Body.String(), crossSite) || g.signedIn() != rootUser {
			t.Errorf("logout: %d %s", w.Code, w.Body)
		}
	})
}

func TestSignInURL(t *testing.T) {
	g := newSignInRig(t, dbtest.SQLite(t))
	for _, tt := range []struct{ host, path, want string }{
		{"things.example:4566", "/console", "/"},
		{"things.example:4566", "/console/?account=my-things", "/?account=my-things"},
		{"things.example:4566", "/console?account=123456789012", "/?account=123456789012"},
		{"my-things.signin.aws.amazon.com", "/console", "/?account=my-things"},
		{"123456789012.signin.things.example", "/console/", "/?account=123456789012"},
		{"signin.aws.amazon.com", "/console", "/"},
		{"things.example", "/console?account=a%26b", "/"},
		{"things.example", "/console?account=%2F%2Fevil.example", "/"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+tt.host+tt.path, http.NoBody)
		if w := g.send(r); w.Code != 302 || w.Header().Get("Location") != tt.want {
			t.Errorf("%s%s: %d to %q", tt.host, tt.path, w.Code, w.Header().Get("Location"))
		}
	}
}

// The hash of --dev's password is of that password.
func TestDevPassword(t *testing.T) {
	g := newSignInRig(t, dbtest.SQLite(t))
	g.want(200, rootUser)(g.post("/signin", rootSignIn))
}

// TestPasswordSetAtSignIn: that a password was replaced to sign in is on
// record, as any change of one is.
func TestPasswordSetAtSignIn(t *testing.T) {
	eachSignIn(t, func(t *testing.T, g *signInRig) {
		for _, form := range []string{
			"Action=CreateUser&UserName=alice",
			"Action=CreateLoginProfile&UserName=alice&Password=alice-Passw0rd&PasswordResetRequired=true",
			"Action=AttachUserPolicy&UserName=alice&PolicyArn=arn:aws:iam::aws:policy/IAMUserChangePassword",
		} {
			g.want(200, "")(g.call(g.root(), "iam", form+"&Version=2010-05-08"))
		}
		const alice = "arn:aws:iam::123456789012:user/alice"
		g.want(200, `"needs":["newPassword"]`)(g.post("/signin", `{"account":"123456789012","userName":"alice","password":"alice-Passw0rd"}`))
		if got := g.took(); got != "" {
			t.Errorf("recorded %q", got)
		}
		g.want(200, alice)(g.post("/signin", `{"account":"123456789012","userName":"alice","password":"alice-Passw0rd","newPassword":"Another-Passw0rd"}`))
		if got := g.took(); got != "PasswordUpdated "+alice+"; ConsoleLogin "+alice {
			t.Errorf("recorded %q", got)
		}
		// A new password that nobody asked for changes nothing.
		g.want(200, alice)(g.post("/signin", `{"account":"123456789012","userName":"alice","password":"Another-Passw0rd","newPassword":"Third-Passw0rd"}`))
		if got := g.took(); got != "ConsoleLogin "+alice {
			t.Errorf("recorded %q", got)
		}
	})
}
