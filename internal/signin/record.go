package signin

import (
	"errors"
	"net/http"

	"github.com/thingd/thingd/internal/awsapi"
)

// The names of events, as CloudTrail has them of signin.amazonaws.com.
const (
	ConsoleLogin    = "ConsoleLogin"
	GetSigninToken  = "GetSigninToken"
	PasswordUpdated = "PasswordUpdated"
)

// Event is something that happened, or was refused.
type Event struct {
	Name    string
	Request *awsapi.Request
	HTTP    *http.Request // for TLS and the host that was asked for
	// Who did it; where a ConsoleLogin was refused, who was named, as far as
	// there is such an account and user. What was typed in for a name is not in
	// it: it may be a password.
	Who   Session
	Error string // why it was refused; empty: it was done
}

// Recorder takes events. It must not block for long.
type Recorder interface {
	Record(e Event)
}

// record tells the Recorder what came of a request. Faults of the server and
// what a client gave up are no events.
func (x *exchange) record(name string, who Session, err error) {
	if x.h.Recorder == nil {
		return
	}
	e := Event{Name: name, Request: x.req, HTTP: x.r, Who: who}
	if err != nil {
		if e.Error = reason(err, &who); e.Error == "" {
			return
		}
	}
	x.h.Recorder.Record(e)
}

// reason is CloudTrail's message for a refusal.
func reason(err error, who *Session) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Message
	}
	if _, ok := errors.AsType[*LockedError](err); ok {
		return "Too many failed attempts"
	}
	switch {
	case errors.Is(err, ErrRefused) && who.ARN == "":
		return "No username found in supplied account"
	case errors.Is(err, ErrRefused):
		return "Failed authentication"
	}
	return ""
}
