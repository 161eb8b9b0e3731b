package signin

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

// What texts are at most, in bytes.
const (
	maxName     = 320 // an e-mail address, the longest of the names
	maxPassword = 512 // 128 characters
	maxCode     = 16
)

// expirationFormat is the form of times in answers.
const expirationFormat = time.RFC3339

// view is who is signed in, as the console reads it.
type view struct {
	SignedIn   bool   `json:"signedIn"`
	Type       string `json:"type"` // Root, IAMUser, AssumedRole, FederatedUser
	Account    string `json:"account"`
	Alias      string `json:"alias,omitempty"`
	ARN        string `json:"arn"`
	UserID     string `json:"userId"`
	UserName   string `json:"userName,omitempty"`
	MFA        bool   `json:"mfa"`
	Region     string `json:"region"`
	Expiration string `json:"expiration"`
}

// notSignedIn says that nobody is, and what is lacking to be.
type notSignedIn struct {
	SignedIn bool     `json:"signedIn"` // false
	Needs    []string `json:"needs,omitempty"`
}

func (x *exchange) view(s *Session) view {
	return view{
		SignedIn: true, Type: typeName(s.Type), Account: s.Account, Alias: s.Alias, ARN: s.ARN, UserID: s.UserID, UserName: s.UserName,
		MFA: s.MFA, Region: x.h.Region, Expiration: s.Expires.UTC().Format(expirationFormat),
	}
}

// typeName is CloudTrail's name for a kind of identity.
func typeName(t awsapi.PrincipalType) string {
	switch t {
	case awsapi.Root:
		return "Root"
	case awsapi.User:
		return "IAMUser"
	case awsapi.AssumedRole:
		return "AssumedRole"
	case awsapi.FederatedUser:
		return "FederatedUser"
	}
	return "Unknown"
}

// signIn is POST /signin. It ends the session that the browser had.
func (x *exchange) signIn() {
	var in struct {
		Email       string `json:"email"`
		Account     string `json:"account"`
		UserName    string `json:"userName"`
		Password    string `json:"password"`
		NewPassword string `json:"newPassword"`
		MFACode     string `json:"mfaCode"`
	}
	if !x.read(&in) || !x.text(maxName, named{"email", in.Email}, named{"account", in.Account}, named{"userName", in.UserName}) ||
		!x.text(maxPassword, named{"password", in.Password}, named{"newPassword", in.NewPassword}) || !x.text(maxCode, named{"mfaCode", in.MFACode}) {
		return
	}
	if (in.Email == "") == (in.Account == "" || in.UserName == "") || in.Email != "" && in.Account+in.UserName != "" {
		x.refuse(http.StatusBadRequest, "InvalidRequest", `Either "email" or both "account" and "userName" are wanted.`)
		return
	}
	if !x.slow() {
		return
	}
	a := Attempt{
		Email: in.Email, Account: strings.TrimSpace(in.Account), UserName: in.UserName,
		Password: in.Password, NewPassword: in.NewPassword, MFACode: strings.ReplaceAll(in.MFACode, " ", ""),
	}
	started, err := x.h.Passwords.SignIn(x.r.Context(), x.req, a, x.token())
	x.counted(err)
	if needs, ok := errors.AsType[*NeedsError](err); ok {
		x.answer(http.StatusOK, notSignedIn{Needs: needs.names()})
		return
	}
	if started.Session.PasswordChanged {
		x.record(PasswordUpdated, started.Session, nil)
	}
	x.record(ConsoleLogin, started.Session, err)
	x.started(&started, err)
}

func (e *NeedsError) names() []string {
	var names []string
	if e.MFACode {
		names = append(names, "mfaCode")
	}
	if e.NewPassword {
		names = append(names, "newPassword")
	}
	return names
}

// slow refuses addresses that failed too often.
func (x *exchange) slow() bool {
	wait, ok := x.h.limiter.take(source(address(x.r)), x.h.Now())
	if !ok {
		x.locked(wait)
	}
	return ok
}

// counted keeps what failed counted against its address, and nothing else.
func (x *exchange) counted(err error) {
	if _, locked := errors.AsType[*LockedError](err); !locked && !errors.Is(err, ErrRefused) {
		x.h.limiter.giveBack(source(address(x.r)), x.h.Now())
	}
}

// started answers with a session that has begun.
func (x *exchange) started(s *Started, err error) {
	if err != nil {
		x.fail(err)
		return
	}
	x.setCookie(s.Token, s.Session.Expires)
	x.answer(http.StatusOK, x.view(&s.Session))
}

// session is GET /signin/session.
func (x *exchange) session() {
	s, err := x.h.Sessions.Session(x.r.Context(), x.token())
	switch {
	case errors.Is(err, ErrNotSignedIn):
		x.answer(http.StatusOK, notSignedIn{})
	case err != nil:
		x.fail(err)
	default:
		x.answer(http.StatusOK, x.view(&s))
	}
}

// credentials is POST /signin/credentials.
func (x *exchange) credentials() {
	var in struct {
		DurationSeconds int64 `json:"durationSeconds"`
	}
	if !x.read(&in) {
		return
	}
	if in.DurationSeconds != 0 && (in.DurationSeconds < 900 || in.DurationSeconds > 3600) {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "durationSeconds must be between 900 and 3600.")
		return
	}
	c, err := x.h.Sessions.Credentials(x.r.Context(), x.token(), time.Duration(in.DurationSeconds)*time.Second)
	if err != nil {
		x.fail(err)
		return
	}
	x.answer(http.StatusOK, struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
		Expiration      string `json:"expiration"`
	}{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration.UTC().Format(expirationFormat)})
}

// password is POST /signin/password.
func (x *exchange) password() {
	var in struct {
		Password    string `json:"password"`
		NewPassword string `json:"newPassword"`
	}
	if !x.read(&in) || !x.text(maxPassword, named{"password", in.Password}, named{"newPassword", in.NewPassword}) || !x.slow() {
		return
	}
	started, err := x.h.Passwords.ChangePassword(x.r.Context(), x.req, x.token(), in.Password, in.NewPassword)
	x.counted(err)
	if !errors.Is(err, ErrNotSignedIn) {
		x.record(PasswordUpdated, started.Session, err)
	}
	x.started(&started, err)
}

// signOut is POST /signin/signout.
func (x *exchange) signOut() {
	if !x.read(&struct{}{}) {
		return
	}
	if err := x.h.Sessions.SignOut(x.r.Context(), x.token()); err != nil {
		x.fail(err)
		return
	}
	x.dropCookie()
	x.answer(http.StatusOK, notSignedIn{})
}
