// Package sigv4 verifies AWS Signature Version 4 on the server's side, in the
// header form and the query ("presigned") form, with what real clients do
// beside the documentation: unsigned session tokens and content hashes, bodies
// that are signed without being read, paths encoded once or twice. It signs
// requests too, for our own clients and tests. Whose key it is, whether the
// session token belongs to it and what its owner may do is for others to say.
//
// A request is verified in three steps. Parse reads what it claims, without
// touching its body; the caller finds the secret of AccessKeyID and checks
// Token; Verify compares.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package sigv4

import (
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	// emptyHash is the SHA-256 of nothing.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	unsignedPayload  = "UNSIGNED-PAYLOAD"
	streamingPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

	// gateway is the scope of MQTT over WebSocket. Its signers append the token
	// after signing and leave out X-Amz-Expires.
	gateway = "iotdevicegateway"

	// Skew is how far the clocks of client and server may be apart.
	Skew = 15 * time.Minute
	// MaxExpires is the longest life of a presigned request.
	MaxExpires = 7 * 24 * time.Hour

	maxSignedHeaders = 128
	maxAccessKeyID   = 128 // as in the IAM model
)

// Signature is what a request claims about itself. Nothing in it is proven
// before Verify has returned nil, and Token not even then.
type Signature struct {
	AccessKeyID string
	Date        string // of the credential scope, yyyymmdd
	Region      string
	Service     string
	// Token is the session token. It may be unsigned: whoever looks it up must
	// check that it belongs to AccessKeyID.
	Token         string
	Presigned     bool
	SignedHeaders []string // lower case
	Time          time.Time
	// Expires is the life of a presigned request, 0 if it names none.
	Expires time.Duration
	// ContentSHA256 is the value of X-Amz-Content-Sha256, "" if absent.
	ContentSHA256 string

	time      string // as signed
	signature string
}

// Signed says whether a header is covered by the signature. What an operation
// takes as input must be.
func (s *Signature) Signed(name string) bool {
	for _, h := range s.SignedHeaders {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// CheckService refuses a signature that is scoped to none of the services.
func (s *Signature) CheckService(services ...string) error {
	if slices.Contains(services, s.Service) {
		return nil
	}
	return errorf(Scope, "Credential should be scoped to correct service: '%s'.", strings.Join(services, "', '"))
}
