package app

import (
	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/signin"
)

// signInEvents writes what the sign-in endpoints tell into the trail, as
// CloudTrail has it (CloudTrail user guide, "AWS Management Console sign-in
// events").
type signInEvents struct{ trail *audit.Trail }

// hiddenName stands for what was typed in for the name of a user who does not
// exist: it may be a password.
const hiddenName = "HIDDEN_DUE_TO_SECURITY_REASONS"

// Record is signin.Recorder.
func (s signInEvents) Record(e signin.Event) {
	id := audit.CallerIdentity(&awsapi.Caller{
		Type: e.Who.Type, Account: e.Who.Account, ARN: e.Who.ARN, UserID: e.Who.UserID, UserName: e.Who.UserName,
	})
	if e.Who.ARN == "" {
		id = audit.Identity{Type: audit.IAMUser, Account: e.Who.Account, UserName: hiddenName}
	}
	outcome := "Success"
	event := audit.Event{
		Identity: id, Account: e.Who.Account, Source: "signin.amazonaws.com", Name: e.Name, Type: audit.TypeConsoleSignIn, Region: e.Request.Region,
		SourceIP: e.Request.SourceIP, UserAgent: e.Request.UserAgent, TLS: e.HTTP.TLS, Host: e.HTTP.Host, RequestID: e.Request.ID,
	}
	if e.Error != "" {
		outcome = "Failure"
		event.Unproven, event.ErrorMessage = true, e.Error // without a code, as CloudTrail has it
	}
	event.Response = audit.Fields{e.Name: outcome}
	if e.Name == signin.ConsoleLogin {
		mfa := "No"
		if e.Who.MFA {
			mfa = "Yes"
		}
		event.Additional = audit.Fields{"MobileVersion": "No", "MFAUsed": mfa}
	}
	s.trail.Record(event)
}
