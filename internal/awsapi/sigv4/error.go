package sigv4

import (
	"fmt"
	"strings"
)

// Kind says what is wrong with a signature. Each AWS protocol has its own code
// for it.
type Kind int

// The kinds, with the codes of the Query protocol.
const (
	MissingToken Kind = iota + 1 // MissingAuthenticationToken: no credentials at all
	Malformed                    // IncompleteSignature
	UnknownKey                   // InvalidClientTokenId: unknown, inactive or deleted key, or a wrong token
	ExpiredToken                 // ExpiredToken
	Mismatch                     // SignatureDoesNotMatch
	Expired                      // SignatureDoesNotMatch: signed too long ago, or in the future
	Scope                        // SignatureDoesNotMatch: scoped to another date, region or service
)

// Error is a refusal in AWS's own words. For a Mismatch it also holds what the
// server calculated, which is all that helps to find a fault in a signer; it
// can hold a session token and belongs into debug logs only.
type Error struct {
	Kind    Kind
	Message string

	CanonicalRequest string
	StringToSign     string
}

func (e *Error) Error() string { return e.Message }

// NewError returns the error of a kind with AWS's text for it.
func NewError(kind Kind) *Error {
	var text string
	switch kind {
	case MissingToken:
		text = "Missing Authentication Token"
	case UnknownKey:
		text = "The security token included in the request is invalid."
	case ExpiredToken:
		text = "The security token included in the request is expired"
	default:
		text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	}
	return &Error{Kind: kind, Message: text}
}

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// clip bounds what an error repeats of a request.
func clip(s string) string {
	const limit = 512
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
