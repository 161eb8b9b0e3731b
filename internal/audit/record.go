package audit

import (
	"crypto/tls"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/awsapi"
)

// eventVersion is the version of the record format (CloudTrail user guide,
// "CloudTrail record contents").
const eventVersion = "1.11"

// timeForm is the form of eventTime and creationDate.
const timeForm = "2006-01-02T15:04:05Z"

// What a record holds at most, in bytes (CloudTrail user guide, as above). With
// all of them a line stays below 256 KB.
const (
	maxElements   = 100 << 10 // of requestParameters and of responseElements, encoded
	maxAdditional = 20 << 10  // of additionalEventData, encoded
	maxText       = 1 << 10   // of userAgent, errorMessage, and of names
	maxARN        = 2 << 10
	maxResources  = 8 << 10 // of all ARNs, so that fewer are named
)

// record is an Event, or a call through the gateway, on its way into a line.
type record struct {
	Event
	time   time.Time
	shared string // sharedEventID, of records of one event in two accounts

	// Of a call; op is nil for an Event.
	op      *awsapi.Operation
	in, out any
	checks  []awsapi.Check
}

// append appends the record as one JSON object, its members in CloudTrail's
// order.
func (r *record) append(b []byte) []byte {
	b = append(b, `{"eventVersion":"`+eventVersion+`","userIdentity":`...)
	b = r.Identity.append(b)
	b = append(b, `,"eventTime":`...)
	b = appendTime(b, r.time)
	b = text(b, "eventSource", r.Source)
	b = text(b, "eventName", r.Name)
	b = text(b, "awsRegion", r.Region)
	if r.SourceIP == "" {
		r.SourceIP = r.Identity.InvokedBy // as for calls of AWS's services
	}
	b = text(b, "sourceIPAddress", r.SourceIP)
	b = text(b, "userAgent", r.UserAgent)
	if r.ErrorCode != "" {
		b = text(b, "errorCode", r.ErrorCode)
	}
	if r.ErrorMessage != "" {
		b = text(b, "errorMessage", r.ErrorMessage)
	}
	b = append(b, `,"requestParameters":`...)
	b = bounded(b, "requestParameters", maxElements, r.appendRequest)
	b = append(b, `,"responseElements":`...)
	b = bounded(b, "responseElements", maxElements, r.appendResponse)
	if len(r.Additional) > 0 {
		b = append(b, `,"additionalEventData":`...)
		b = bounded(b, "additionalEventData", maxAdditional, r.Additional.append)
	}
	if r.RequestID != "" {
		b = text(b, "requestID", r.RequestID)
	}
	b = append(b, `,"eventID":"`...)
	b = append(b, uuid.NewString()...)
	b = append(b, `","readOnly":`...)
	b = strconv.AppendBool(b, r.ReadOnly)
	b = r.appendResources(b)
	eventType := r.Type
	if eventType == "" {
		eventType = TypeAPICall
	}
	b = text(b, "eventType", eventType)
	b = append(b, `,"managementEvent":`...)
	b = strconv.AppendBool(b, !r.Data)
	account := r.Account
	if account == "" {
		account = r.Identity.Account
	}
	if account != "" {
		b = text(b, "recipientAccountId", account)
	}
	if r.shared != "" {
		b = text(b, "sharedEventID", r.shared)
	}
	if r.Data {
		b = append(b, `,"eventCategory":"Data"`...)
	} else {
		b = append(b, `,"eventCategory":"Management"`...)
	}
	return append(appendTLS(b, r.TLS, r.Host), '}')
}

func (r *record) appendRequest(b []byte) []byte {
	if r.op != nil {
		return r.op.AppendInput(b, r.in)
	}
	return r.Request.append(b)
}

func (r *record) appendResponse(b []byte) []byte {
	if r.op != nil {
		return r.op.AppendOutput(b, r.out)
	}
	return r.Response.append(b)
}

// bounded appends an object, or says that it is too large.
func bounded(b []byte, name string, most int, object func([]byte) []byte) []byte {
	start := len(b)
	b = object(b)
	size := len(b) - start
	if size <= most {
		return b
	}
	b = append(b[:start], `{"omitted":true,"originalSize":`...)
	b = strconv.AppendInt(b, int64(size), 10)
	return append(append(append(b, `,"reason":"`...), name...), ` too large"}`...)
}

// appendResources appends what the request is about: the ARNs that it was
// authorized on, and others that it names or made.
func (r *record) appendResources(b []byte) []byte {
	start, size := len(b), 0
	add := func(arn string) {
		if !strings.HasPrefix(arn, "arn:") || len(arn) > maxARN || size+len(arn) > maxResources {
			return
		}
		size += len(arn)
		if len(b) == start {
			b = append(b, `,"resources":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"ARN":`...)
		b = awsapi.AppendJSONString(b, arn)
		account, kind := describe(arn)
		if account == "" {
			account = r.Identity.Account
		}
		if account != "" {
			b = text(b, "accountId", account)
		}
		if kind != "" {
			b = text(b, "type", kind)
		}
		b = append(b, '}')
	}
	for i := range r.checks {
		if arn := r.checks[i].Resource; !seenBefore(r.checks[:i], arn) && !r.madeAs(arn) {
			add(arn)
		}
	}
	for _, arn := range r.Resources {
		add(arn)
	}
	if len(b) > start {
		b = append(b, ']')
	}
	return b
}

func seenBefore(checks []awsapi.Check, arn string) bool {
	for i := range checks {
		if checks[i].Resource == arn {
			return true
		}
	}
	return false
}

// append appends userIdentity.
func (id *Identity) append(b []byte) []byte {
	if id.Type == "" {
		return append(b, `{"type":"`+AWSAccount+`","principalId":"","accountId":"`+Anonymous+`"}`...)
	}
	b = append(b, `{"type":`...)
	b = awsapi.AppendJSONString(b, id.Type)
	for _, m := range [...]struct{ name, value string }{
		{"principalId", id.PrincipalID}, {"arn", id.ARN}, {"accountId", id.Account}, {"accessKeyId", id.AccessKeyID},
		{"userName", id.UserName}, {"identityProvider", id.IdentityProvider},
	} {
		if m.value != "" {
			b = text(b, m.name, m.value)
		}
	}
	if s := id.Session; s != nil {
		b = append(b, `,"sessionContext":{`...)
		if i := s.Issuer; i != nil {
			b = append(b, `"sessionIssuer":{"type":`...)
			b = awsapi.AppendJSONString(b, i.Type)
			b = text(b, "principalId", i.ID)
			b = text(b, "arn", i.ARN)
			b = text(b, "accountId", i.Account)
			if i.UserName != "" {
				b = text(b, "userName", i.UserName)
			}
			b = append(b, `},`...)
		}
		b = append(b, `"attributes":{"creationDate":`...)
		b = appendTime(b, s.Created)
		b = append(b, `,"mfaAuthenticated":"`...)
		b = append(strconv.AppendBool(b, s.MFA), `"}`...)
		if s.SourceIdentity != "" {
			b = text(b, "sourceIdentity", s.SourceIdentity)
		}
		b = append(b, '}')
	}
	if id.InvokedBy != "" {
		b = text(b, "invokedBy", id.InvokedBy)
	}
	return append(b, '}')
}

// text appends a further member.
func text(b []byte, name, value string) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	if len(value) > maxText {
		value = value[:maxText]
		for i := 0; i < utf8.UTFMax && !utf8.ValidString(value[max(0, len(value)-utf8.UTFMax):]); i++ {
			value = value[:len(value)-1]
		}
	}
	return awsapi.AppendJSONString(b, value)
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), timeForm), '"')
}

// appendTLS appends tlsDetails.
func appendTLS(b []byte, c *tls.ConnectionState, host string) []byte {
	if c == nil {
		return b
	}
	b = append(b, `,"tlsDetails":{"tlsVersion":`...)
	b = awsapi.AppendJSONString(b, tlsVersions[c.Version])
	suite, ok := cipherSuites[c.CipherSuite]
	if !ok {
		suite = tls.CipherSuiteName(c.CipherSuite)
	}
	b = text(b, "cipherSuite", suite)
	b = text(b, "clientProvidedHostHeader", host)
	return append(b, '}')
}
