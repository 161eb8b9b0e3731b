package awsapi

import (
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// Error is an error as an AWS client sees it: one of a service's modelled
// errors, or one that all services share. Other errors never reach a client.
type Error struct {
	Code    string // "ResourceNotFoundException"
	Status  int    // HTTP status
	Message string
	key     string  // name of the message's member
	fields  []field // further members, in order
}

type field struct{ name, value string }

// Errorf makes an Error; generated constructors call it.
func Errorf(code string, status int, messageKey, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...), key: messageKey}
}

// Error is for logs.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// With adds a further member of the error's shape, such as resourceArn.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.fields = append(append([]field(nil), e.fields...), field{name, value})
	return &c
}

// ErrAccessDenied is the refusal of an authenticated caller, with AWS's text.
func ErrAccessDenied(format string, args ...any) error {
	return &commonError{kind: accessDenied, msg: fmt.Sprintf(format, args...)}
}

// commonError is an error of every service, whose code depends on the protocol.
type commonError struct {
	kind commonKind
	msg  string
}

func (e *commonError) Error() string { return e.msg }

type commonKind int

const (
	accessDenied commonKind = iota
	unknownOperation
	notImplemented
	bodyTooLarge
	invalid
	duplicateTags
	internal
	busy
)

// toError finds the Error that a client of s is to see. internalFault says
// that err was none of a client's business.
func (s *Service) toError(err error) (e *Error, internalFault bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, false
	}
	if sig, ok := errors.AsType[*sigv4.Error](err); ok {
		code, status := s.signatureCode(sig.Kind)
		return Errorf(code, status, "message", "%s", sig.Message), false
	}
	if c, ok := errors.AsType[*commonError](err); ok {
		code, status := s.commonCode(c.kind)
		return Errorf(code, status, "message", "%s", c.msg), false
	}
	return Errorf(s.InternalCode, 500, "message", "The request processing has failed because of an unknown error, exception or failure."), true
}

func (s *Service) commonCode(k commonKind) (string, int) {
	query := s.Protocol == Query
	pick := func(q, j string, status int) (string, int) {
		if query {
			return q, status
		}
		return j, status
	}
	switch k {
	case accessDenied:
		return pick("AccessDenied", "AccessDeniedException", 403)
	case unknownOperation:
		if query {
			return "InvalidAction", 400
		}
		return "UnknownOperationException", 404
	case notImplemented:
		return "NotImplementedException", 501
	case bodyTooLarge:
		return pick("RequestEntityTooLarge", "RequestEntityTooLargeException", 413)
	case busy:
		return pick("ServiceUnavailable", "ServiceUnavailableException", 503)
	case invalid:
		return s.InvalidCode, 400
	case duplicateTags:
		switch s.Name { // the others have no code of their own for it
		case "iam":
			return "InvalidInput", 400
		case "sts":
			return "InvalidParameterValue", 400
		}
		return s.InvalidCode, 400
	}
	return s.InternalCode, 500
}

// signatureCode is the error code and status of a signature's fault.
func (s *Service) signatureCode(k sigv4.Kind) (string, int) {
	q := s.Protocol == Query
	c, ok := signatureCodes[k]
	if !ok {
		return s.InternalCode, 500
	}
	if q {
		return c.query, c.status
	}
	return c.json, c.status
}

// signatureCodes are the error codes of sigv4's faults, by protocol.
var signatureCodes = map[sigv4.Kind]struct {
	query, json string
	status      int
}{
	sigv4.MissingToken: {"MissingAuthenticationToken", "MissingAuthenticationTokenException", 403},
	sigv4.Malformed:    {"IncompleteSignature", "IncompleteSignatureException", 400},
	sigv4.UnknownKey:   {"InvalidClientTokenId", "UnrecognizedClientException", 403},
	sigv4.ExpiredToken: {"ExpiredToken", "ExpiredTokenException", 403},
	sigv4.Expired:      {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	sigv4.Scope:        {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	sigv4.Mismatch:     {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
}
