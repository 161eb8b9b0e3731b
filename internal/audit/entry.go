package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Entry is what a lookup knows of a record.
type Entry struct {
	Line []byte `json:"-"` // the record as it is in the file, without the newline

	UserIdentity struct {
		Type           string `json:"type"`
		PrincipalID    string `json:"principalId"`
		ARN            string `json:"arn"`
		AccountID      string `json:"accountId"`
		AccessKeyID    string `json:"accessKeyId"`
		UserName       string `json:"userName"`
		InvokedBy      string `json:"invokedBy"`
		SessionContext struct {
			SessionIssuer struct {
				ARN      string `json:"arn"`
				UserName string `json:"userName"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
	EventTime    time.Time `json:"eventTime"`
	EventSource  string    `json:"eventSource"`
	EventName    string    `json:"eventName"`
	SourceIP     string    `json:"sourceIPAddress"`
	ErrorCode    string    `json:"errorCode"`
	ErrorMessage string    `json:"errorMessage"`
	RequestID    string    `json:"requestID"`
	ReadOnly     bool      `json:"readOnly"`
	Account      string    `json:"recipientAccountId"`
	Resources    []struct {
		ARN  string `json:"ARN"`
		Type string `json:"type"`
	} `json:"resources"`
	Additional struct {
		UnverifiedAccessKeyID string `json:"unverifiedAccessKeyId"`
	} `json:"additionalEventData"`
	Response struct {
		ConsoleLogin string `json:"ConsoleLogin"`
	} `json:"responseElements"`
}

// parse reads a line; false if it is no record.
func parse(line []byte, e *Entry) bool {
	*e = Entry{}
	if json.Unmarshal(line, e) != nil || e.EventName == "" {
		return false
	}
	e.Line = line
	return true
}

// peek finds the value of a member without reading all of the line. Records
// are written without spaces, and a string's quotes are escaped: the first
// match is the record's own, since nothing before it has members of others'
// choosing.
func peek(line []byte, member string) (string, bool) {
	_, rest, ok := bytes.Cut(line, []byte(`,"`+member+`":"`))
	if !ok {
		return "", false
	}
	value, _, ok := bytes.Cut(rest, []byte{'"'})
	return string(value), ok
}

// Service is the short name of the service: "iam".
func (e *Entry) Service() string {
	return strings.TrimSuffix(e.EventSource, ".amazonaws.com")
}

// Who says in a few words who it was: "root", a user's name, ROLE/SESSION.
func (e *Entry) Who() string {
	id := &e.UserIdentity
	switch id.Type {
	case Root:
		return "root"
	case AWSAccount:
		if id.AccountID != Anonymous {
			return id.AccountID
		}
		if key := e.Additional.UnverifiedAccessKeyID; key != "" {
			return "? " + key
		}
		return "?"
	case AWSService:
		if id.ARN == "" {
			return id.InvokedBy
		}
	}
	if id.UserName != "" {
		return id.UserName
	}
	if name := lastParts(id.ARN); name != "" {
		if strings.HasPrefix(name, "cert/") && len(name) > shortCert {
			name = name[:shortCert] + "…"
		}
		return strings.TrimPrefix(strings.TrimPrefix(name, "assumed-role/"), "federated-user/")
	}
	return id.PrincipalID
}

// shortCert is how much of a certificate's id is enough to know it by.
const shortCert = len("cert/") + 12

// On says what it was about: "user/alice", without the account and the service.
func (e *Entry) On() string {
	if len(e.Resources) == 0 {
		return ""
	}
	return lastParts(e.Resources[0].ARN)
}

// Result is "ok", or the code of the refusal.
func (e *Entry) Result() string {
	switch {
	case e.ErrorCode != "":
		return e.ErrorCode
	case e.Response.ConsoleLogin != "" && e.Response.ConsoleLogin != "Success":
		return e.Response.ConsoleLogin
	}
	return "ok"
}

// lastParts is an ARN from its sixth part on.
func lastParts(arn string) string {
	for range 5 {
		var ok bool
		if _, arn, ok = strings.Cut(arn, ":"); !ok {
			return ""
		}
	}
	return arn
}
