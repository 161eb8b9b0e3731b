// Package audit keeps the trail: one line for every call of an API, in the form
// of a CloudTrail record, in a file that rotates. It writes what it is told,
// without secrets; who may do what, and the answers themselves, are for others.
// It also reads the trail back, for thingd audit.
package audit

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

// The values of eventType (CloudTrail user guide, "CloudTrail record contents").
const (
	TypeAPICall       = "AwsApiCall"
	TypeConsoleSignIn = "AwsConsoleSignIn" // ConsoleLogin, PasswordRecovery…, SwitchRole
	TypeConsoleAction = "AwsConsoleAction"
	TypeServiceEvent  = "AwsServiceEvent" // not caused by a request
)

// The values of userIdentity.type (CloudTrail user guide, "CloudTrail
// userIdentity element").
const (
	Root          = "Root"
	IAMUser       = "IAMUser"
	AssumedRole   = "AssumedRole"
	FederatedUser = "FederatedUser"
	WebIdentity   = "WebIdentityUser"
	AWSAccount    = "AWSAccount" // with Anonymous: nobody who was proven
	AWSService    = "AWSService"
	Unknown       = "Unknown"
)

// Anonymous is the account of callers who proved nothing.
const Anonymous = "ANONYMOUS_PRINCIPAL"

// Identity is who did something, as far as it was proven. The zero Identity is
// nobody: an anonymous caller.
type Identity struct {
	Type             string // one of the above
	PrincipalID      string // AIDA…, AROA…:session, the account id of root
	ARN              string
	Account          string
	AccessKeyID      string
	UserName         string // IAM users only
	InvokedBy        string // AWSService: its name, "credentials.iot.amazonaws.com"
	IdentityProvider string // WebIdentity
	Session          *awsapi.Session
}

// CallerIdentity is the identity of a request's caller.
func CallerIdentity(c *awsapi.Caller) Identity {
	if c == nil || c.Type == awsapi.Anonymous {
		return Identity{}
	}
	id := Identity{
		PrincipalID: c.UserID, ARN: c.ARN, Account: c.Account, AccessKeyID: c.AccessKeyID, UserName: c.UserName, Session: c.Session,
	}
	switch c.Type {
	case awsapi.Root:
		id.Type = Root
	case awsapi.User:
		id.Type = IAMUser
	case awsapi.AssumedRole:
		id.Type = AssumedRole
	case awsapi.FederatedUser:
		id.Type = FederatedUser
	default:
		id.Type = Unknown
	}
	return id
}

// Fields are members of requestParameters, responseElements or
// additionalEventData: values are what encoding/json takes, secrets among them
// are replaced by their names (awsapi.SecretMember).
type Fields map[string]any

// Event is something to be recorded that was not a call through the gateway.
// What is empty is left out of the record, or null where CloudTrail says so.
type Event struct {
	Identity Identity
	Unproven bool   // the identity is only claimed; see Trail.Record
	Source   string // "signin.amazonaws.com"
	Name     string // "ConsoleLogin"
	Type     string // TypeAPICall if empty
	Region   string // the server's if empty
	Account  string // recipientAccountId; the identity's if empty

	SourceIP  string
	UserAgent string
	TLS       *tls.ConnectionState // nil: plain HTTP
	Host      string               // that the client asked for

	RequestID string // empty: none
	ReadOnly  bool
	Data      bool // of the data plane: managementEvent false

	ErrorCode    string // with ErrorMessage empty: it was done
	ErrorMessage string // ConsoleLogin has it without a code

	Request    Fields // requestParameters
	Response   Fields // responseElements; of what changes or hands out something
	Additional Fields // additionalEventData

	Resources []string // ARNs
}

// Time is a time as it stands in Fields: "Jul 15, 2014 9:39:40 PM".
func Time(t time.Time) string { return t.UTC().Format(awsapi.RecordTime) }

// append appends the fields as a JSON object, null if there are none.
func (f Fields) append(b []byte) []byte {
	if len(f) == 0 {
		return append(b, "null"...)
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f.hide()); err != nil { // a programmer's mistake: the record stays
		return append(b, `{"omitted":true,"reason":"cannot be encoded"}`...)
	}
	return append(b, strings.TrimSuffix(text.String(), "\n")...)
}

// hide is f without its secrets.
func (f Fields) hide() Fields {
	out := make(Fields, len(f))
	for k, v := range f {
		switch inner, ok := v.(Fields); {
		case awsapi.SecretMember(k):
			v = awsapi.Hidden
		case ok:
			v = inner.hide()
		}
		out[k] = v
	}
	return out
}
