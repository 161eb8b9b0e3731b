package awsapi

import (
	"context"
	"time"
)

// PrincipalType is aws:PrincipalType, but for Anonymous callers.
type PrincipalType string

// The kinds of callers.
const (
	Root          PrincipalType = "Account"
	User          PrincipalType = "User"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	Anonymous     PrincipalType = "Anonymous"
	Certificate   PrincipalType = "Certificate" // a device, by its client certificate
)

// Caller is who sent a request, as its signature proved. Immutable.
type Caller struct {
	Type        PrincipalType
	Account     string // 12 digits
	ARN         string // as GetCallerIdentity says it
	UserID      string // AIDA…, AROA…:session, or the account id
	UserName    string // IAM users only
	AccessKeyID string
	Session     *Session // of temporary credentials; nil for long-term ones

	// Identity is the authenticator's own knowledge of the caller.
	Identity any
}

// Session is what temporary credentials say of themselves, for records.
// Immutable.
type Session struct {
	Created        time.Time
	MFA            bool // a code of an MFA device was checked for it
	SourceIdentity string
	Issuer         *Issuer // nil for a GetSessionToken session, which is its user's
}

// Issuer is who lends a session its permissions.
type Issuer struct {
	Type     string // "Role", "IAMUser" or "Root"
	ID       string // AROA…, AIDA…, or the account id
	ARN      string
	Account  string
	UserName string // name of the role or user; empty for root
}

// Request is what is known of the request in hand.
type Request struct {
	ID        string // x-amzn-RequestId
	Service   *Service
	Operation *Operation
	Caller    *Caller
	Region    string // of the credential scope
	SourceIP  string
	UserAgent string
	TLS       bool
	Time      time.Time // of arrival, by the server's clock
	Target    any       // what Resolve found
	Explained bool      // its refusal can be asked about, by its ID

	Tags    map[string]string // aws:RequestTag/… of the input, nil if none
	TagKeys []string          // aws:TagKeys
}

type requestKey struct{}

// WithRequest returns a context that carries r.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request that ctx carries; the zero Request with an
// anonymous caller when it carries none.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{Caller: &Caller{Type: Anonymous}}
}

// CallerOf returns who sent the request.
func CallerOf(ctx context.Context) *Caller { return RequestOf(ctx).Caller }

// Account returns the caller's account.
func Account(ctx context.Context) string { return CallerOf(ctx).Account }

// Region returns the region that the request was signed for.
func Region(ctx context.Context) string { return RequestOf(ctx).Region }

// Target returns what Resolve found for this request.
func Target(ctx context.Context) any { return RequestOf(ctx).Target }
