package signin

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// federation is AWS's federation endpoint (IAM User Guide, "Enabling custom
// identity broker access to the AWS console"), by GET or by a form.
func (x *exchange) federation() {
	if x.r.Method == http.MethodHead { // which must have no effects
		x.w.Header().Set("Allow", "GET, POST")
		x.refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "Method Not Allowed")
		return
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxBody)
	if err := x.r.ParseForm(); err != nil {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "The parameters cannot be read.")
		return
	}
	switch x.r.Form.Get("Action") {
	case "getSigninToken":
		x.signInToken(x.r.Form)
	case "login":
		x.login(x.r.Form)
	case "logout":
		x.logout()
	default:
		x.refuse(http.StatusBadRequest, "InvalidRequest", "Action must be getSigninToken, login or logout.")
	}
}

// signInToken is Action=getSigninToken.
func (x *exchange) signInToken(form url.Values) {
	var s struct {
		ID    string `json:"sessionId"`
		Key   string `json:"sessionKey"`
		Token string `json:"sessionToken"`
	}
	if err := json.Unmarshal([]byte(form.Get("Session")), &s); err != nil || s.ID == "" || s.Key == "" || s.Token == "" {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "Session must be JSON with sessionId, sessionKey and sessionToken.")
		return
	}
	var d time.Duration
	if text := form.Get("SessionDuration"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 900 || seconds > 43200 {
			x.refuse(http.StatusBadRequest, "InvalidRequest", "SessionDuration must be between 900 and 43200 seconds.")
			return
		}
		d = time.Duration(seconds) * time.Second
	}
	token, err := x.h.Federation.SignInToken(x.r.Context(), Credentials{AccessKeyID: s.ID, SecretAccessKey: s.Key, SessionToken: s.Token}, d)
	if err != nil {
		x.record(GetSigninToken, Session{}, err)
		x.fail(err)
		return
	}
	if who, err := x.h.Federation.Whose(x.r.Context(), token); err == nil {
		x.record(GetSigninToken, who, nil)
	}
	x.answer(http.StatusOK, struct {
		SigninToken string `json:"SigninToken"`
	}{token})
}

// login is Action=login. A login URL signs in whoever opens it, so that a page
// or a mail of somebody else's could sign a user in to an account that is not
// his own, where he would then leave what is his. A browser is therefore asked
// first, unless its user opened the URL himself and is not signed in as
// somebody else: brokers' links cost a click, and no page can make it.
func (x *exchange) login(form url.Values) {
	to, ok := x.destination(form.Get("Destination"))
	if !ok {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "Destination must be a path of this server.")
		return
	}
	token := form.Get("SigninToken")
	if token == "" {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "SigninToken is missing.")
		return
	}
	who, err := x.h.Federation.Whose(x.r.Context(), token)
	if err != nil {
		x.record(ConsoleLogin, Session{}, err)
		x.fail(err)
		return
	}
	now, err := x.h.Sessions.Session(x.r.Context(), x.token())
	if err != nil && !errors.Is(err, ErrNotSignedIn) {
		x.fail(err)
		return
	}
	if x.mustAsk(&who, &now) {
		x.ask(&confirmation{Who: who, Now: now, Token: token, Destination: to})
		return
	}
	started, err := x.h.Federation.SignInBy(x.r.Context(), token, x.token())
	x.record(ConsoleLogin, started.Session, err)
	if err != nil {
		x.fail(err)
		return
	}
	x.setCookie(started.Token, started.Session.Expires)
	x.redirect(to)
}

// mustAsk reports whether a login may not be what the browser's user means. now
// is who is signed in already.
func (x *exchange) mustAsk(who, now *Session) bool {
	switch x.from() {
	case noBrowser:
		return false
	case sameSite:
		if x.r.Method == http.MethodPost { // the answer to ask
			return false
		}
	case otherSite:
		return true
	}
	early := x.r.Header.Get("Sec-Purpose")+x.r.Header.Get("Purpose") != "" // the browser's own idea, for now
	return early || now.ARN != "" && now.ARN != who.ARN
}

// confirmation is what a user is asked.
type confirmation struct {
	Who, Now    Session
	Token       string
	Destination string
}

var confirmPage = template.Must(template.New("confirm").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title></head>
<body>
<h1>Sign in?</h1>
<p>A link is about to sign you in to account {{.Who.Account}} as<br><strong>{{.Who.ARN}}</strong></p>
{{if .Now.ARN}}<p>You are signed in as<br>{{.Now.ARN}}<br>which ends.</p>{{end}}
<form method="post" action="/federation">
<input type="hidden" name="Action" value="login">
<input type="hidden" name="SigninToken" value="{{.Token}}">
<input type="hidden" name="Destination" value="{{.Destination}}">
<button type="submit">Sign in</button>
</form>
<p>If you did not expect this, close the page.</p>
</body>
</html>
`))

func (x *exchange) ask(c *confirmation) {
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := confirmPage.Execute(x.w, c); err != nil {
		x.h.Log.Debug("answer not written", "request", x.req.ID, "err", err)
	}
}

// logout is Action=logout. Pages of other sites cannot sign anybody out.
func (x *exchange) logout() {
	if x.from() == otherSite {
		x.refuse(http.StatusForbidden, "CrossSiteRequest", "Requests from pages of other sites are refused here.")
		return
	}
	if err := x.h.Sessions.SignOut(x.r.Context(), x.token()); err != nil {
		x.fail(err)
		return
	}
	x.dropCookie()
	x.redirect("/")
}

// destination is where a login leads: a path of this server, whatever host it
// was written with, and never back to here. Where AWS's own console was meant,
// it is this server's.
func (x *exchange) destination(text string) (string, bool) {
	if text == "" {
		return "/", true
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil {
		return "", false
	}
	switch {
	case u.Scheme == "" && u.Host == "":
	case u.Scheme == "https" && awsConsole(u.Host):
		return "/", true
	case (u.Scheme == "https" || u.Scheme == "http") && strings.EqualFold(u.Host, x.r.Host):
	default:
		return "", false
	}
	if u.Path == "" && u.Host != "" {
		u.Path = "/"
	}
	p := u.EscapedPath()
	// As browsers read it: no second slash, which would begin a host, and no
	// detour to a path that does something.
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" ||
		serves(path.Clean(u.Path)) && !strings.HasPrefix(u.Path, "/console") {
		return "", false
	}
	local := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, Fragment: u.Fragment, RawFragment: u.RawFragment}
	return local.String(), true
}

// awsConsole recognizes the hosts of AWS's console.
func awsConsole(host string) bool {
	host = strings.ToLower(host)
	return host == "console.aws.amazon.com" || strings.HasSuffix(host, ".console.aws.amazon.com")
}

func (x *exchange) redirect(to string) {
	x.w.Header().Set("Location", to)
	x.w.WriteHeader(http.StatusFound)
}

// console is the sign-in URL of an account, /console?account=… or
// https://ALIAS.signin.…/console: it leads to the console's page, with the
// account filled in.
func (x *exchange) console() {
	account := x.r.URL.Query().Get("account")
	if label, rest, ok := strings.Cut(x.r.Host, "."); account == "" && ok && strings.HasPrefix(rest, "signin.") {
		account = label
	}
	if !isAccount(account) {
		x.redirect("/")
		return
	}
	x.redirect("/?account=" + account)
}

// isAccount reports whether a text can be an account id or alias.
func isAccount(text string) bool {
	return len(text) >= 3 && len(text) <= 63 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}
