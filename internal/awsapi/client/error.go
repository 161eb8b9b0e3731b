package client

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/thingd/thingd/internal/awsapi"
)

// Codes of errors that were found before anything was sent; their Status is 0.
const (
	CodeParameters  = "ParamValidationError" // boto's name of it
	CodeCredentials = "NoCredentialsError"
)

// Error is what a service answered in place of a result, or what kept a call
// from being sent. A connection's fault is an error of another type.
type Error struct {
	Service   string // our name: "iot"
	Operation string
	Code      string // "ResourceNotFoundException"
	Message   string
	Status    int    // HTTP status; 0: nothing was sent
	RequestID string // "" if there is none
	Attempts  int    // how often the call was made
}

// Error tells the operation, the code and the message.
func (e *Error) Error() string {
	text := e.Service + " " + e.Operation + ": " + e.Code
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// refusal reads an error's answer.
func refusal(s *awsapi.Service, op *awsapi.Operation, status int, h http.Header, body []byte) *Error {
	e := &Error{Service: s.Name, Operation: op.Name, Status: status, RequestID: h.Get("X-Amzn-Requestid")}
	if s.Protocol == awsapi.Query {
		var answer struct {
			Error struct {
				Code    string
				Message string
			}
			RequestID string `xml:"RequestId"`
		}
		if xml.Unmarshal(body, &answer) == nil {
			e.Code, e.Message = answer.Error.Code, answer.Error.Message
			if answer.RequestID != "" {
				e.RequestID = answer.RequestID
			}
		}
	} else {
		var answer struct {
			Type    string `json:"__type"`
			Code    string `json:"code"`
			Message string `json:"message"` // in any case of its letters
		}
		_ = json.Unmarshal(body, &answer) // a proxy's page has none
		e.Code, e.Message = h.Get("X-Amzn-Errortype"), answer.Message
		if e.Code == "" {
			e.Code = answer.Code
		}
		if e.Code == "" {
			e.Code = answer.Type
		}
		// com.amazonaws.iot#ThrottlingException:http://internal.amazon.com/…
		e.Code, _, _ = strings.Cut(e.Code, ":")
		e.Code = e.Code[strings.LastIndexByte(e.Code, '#')+1:]
	}
	if e.Code == "" {
		e.Code = fmt.Sprintf("HTTP%d", status)
		e.Message = http.StatusText(status)
	}
	return e
}
